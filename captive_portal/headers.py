"""HTTP header fields of the portal's responses: no caching, and a strict Content-Security-Policy."""

from captive_portal.capport import CACHE_CONTROL
from captive_portal.request_context import Download

Fields = tuple[tuple[str, str], ...]


def page_fields(lang: str, policy: str) -> Fields:
    """Header fields of a page in this language; `policy` is its Content-Security-Policy."""
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", lang),
        ("Vary", "Accept-Language"),
        ("Content-Security-Policy", policy),
        # Not "no-referrer": browsers would then send "Origin: null" with the portal's own forms.
        ("Referrer-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Cache-Control", "no-store"),
    )


def document_fields(document: Download) -> Fields:
    """Header fields of a document for programs, or of a file to save."""
    fields: Fields = (
        ("Content-Type", document.content_type),
        ("Cache-Control", CACHE_CONTROL),
        ("X-Content-Type-Options", "nosniff"),
    )
    if not document.file_name:
        return fields
    return (*fields, ("Content-Disposition", f'attachment; filename="{document.file_name}"'))
