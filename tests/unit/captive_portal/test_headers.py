"""Security and caching headers of each response."""

import re

from captive_portal.headers import document_fields, page_fields
from captive_portal.request_context import Download
from node.web.rendering import Renderer


def test_a_page_may_load_its_style_and_nothing_else() -> None:
    fields = dict(page_fields("ca", Renderer("captive_portal").content_security_policy))
    policy = dict(part.strip().split(" ", 1) for part in fields["Content-Security-Policy"].split(";"))
    assert {
        "default-src": "'none'",
        "style-src": policy["style-src"],
        "img-src": "data:",
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
