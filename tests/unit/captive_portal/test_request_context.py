"""A request context issues form tokens for its own device, and knows where its reader is."""

import re

import pytest

from captive_portal.forms import JOIN, LEAVE
from captive_portal.request_context import Download, document_fields, page_fields
from node.web.rendering import Renderer
from tests.fakes.portal_server import context
from tests.fakes.use_cases import BEN


def test_a_context_accepts_its_own_tokens_only() -> None:
    token, judge = context().token(JOIN), context().tokens.judge
    assert "good" == judge(JOIN, context().device, token)
    assert "foreign" == judge(LEAVE, context().device, token)
    assert "foreign" == judge(JOIN, context(mac=BEN).device, token)


def test_a_device_outside_the_client_network_has_no_token() -> None:
    with pytest.raises(AssertionError):
        context(mac=None).token(JOIN)


def test_a_context_knows_its_page() -> None:
    assert "/network" == context(path="/network").place().path


def test_changing_the_language_keeps_the_scanned_code() -> None:
    query = {"code": "7K3M 9Q2W", "lang": "ca", "done": "named"}
    assert "/?code=7K3M+9Q2W" == context(query=query).place().path


def test_a_page_may_load_its_style_and_nothing_else() -> None:
    fields = dict(page_fields("ca", Renderer("captive_portal").content_security_policy()))
    policy = dict(part.strip().split(" ", 1) for part in fields["Content-Security-Policy"].split(";"))
    assert {
        "default-src": "'none'",
        "style-src": policy["style-src"],
        "img-src": "'self' data:",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    } == policy
    assert re.fullmatch(r"('sha256-[A-Za-z0-9+/]{43}=' ?)+", policy["style-src"])
    assert ("ca", "no-store", "nosniff") == (
        fields["Content-Language"],
        fields["Cache-Control"],
        fields["X-Content-Type-Options"],
    )


def test_a_download_has_a_file_name_and_a_document_for_programs_has_none() -> None:
    kept = dict(document_fields(Download(b"{}", "application/json", "my-data.json")))
    assert 'attachment; filename="my-data.json"' == kept["Content-Disposition"]
    assert "private, no-store" == kept["Cache-Control"]
    assert "Content-Disposition" not in dict(document_fields(Download(b"{}", "application/json")))
