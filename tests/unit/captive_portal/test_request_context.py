"""A visit proves its forms for its own device, and says where its reader is."""

import pytest

from captive_portal.forms import JOIN, LEAVE
from tests.fakes.portal_server import BEN
from tests.fakes.requests import context


def test_a_visit_proves_its_own_forms_only() -> None:
    form = {"token": context().token(JOIN)}
    assert "good" == context().judged(JOIN, form)
    assert "foreign" == context().judged(LEAVE, form)
    assert "foreign" == context(mac=BEN).judged(JOIN, form)


def test_whoever_is_elsewhere_has_no_token() -> None:
    with pytest.raises(AssertionError):
        context(mac=None).token(JOIN)


def test_a_visit_knows_its_page() -> None:
    assert "/network" == context(path="/network").place().path


def test_another_language_does_not_cost_the_code_that_was_scanned() -> None:
    query = {"code": "7K3M 9Q2W", "lang": "ca", "done": "named"}
    assert "/?code=7K3M+9Q2W" == context(query=query).place().path
