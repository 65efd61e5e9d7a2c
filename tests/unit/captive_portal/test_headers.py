"""Security and caching headers of each response."""

from captive_portal.headers import document_fields, page_fields
from captive_portal.request_context import Download


def test_a_page_may_load_its_style_and_nothing_else() -> None:
    fields = dict(page_fields("ca", "'sha256-x'"))
    policy = dict(part.strip().split(" ", 1) for part in fields["Content-Security-Policy"].split(";"))
    assert {
        "default-src": "'none'",
        "style-src": "'sha256-x'",
        "img-src": "data:",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    } == policy
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
