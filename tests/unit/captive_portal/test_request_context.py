"""A request context issues form tokens for its own device, and knows where its reader is."""

import pytest

from captive_portal.forms import JOIN, LEAVE
from tests.fakes.portal_server import context
from tests.fakes.use_cases import BEN


def test_a_context_accepts_its_own_tokens_only() -> None:
    form = {"token": context().token(JOIN)}
    assert "good" == context().judged(JOIN, form)
    assert "foreign" == context().judged(LEAVE, form)
    assert "foreign" == context(mac=BEN).judged(JOIN, form)


def test_a_device_outside_the_client_network_has_no_token() -> None:
    with pytest.raises(AssertionError):
        context(mac=None).token(JOIN)


def test_a_context_knows_its_page() -> None:
    assert "/network" == context(path="/network").place().path


def test_changing_the_language_keeps_the_scanned_code() -> None:
    query = {"code": "7K3M 9Q2W", "lang": "ca", "done": "named"}
    assert "/?code=7K3M+9Q2W" == context(query=query).place().path
