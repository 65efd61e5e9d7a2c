"""The captive portal API of RFC 8908: the session state of a device as a JSON document."""

import json
import re

from node.app.views import GuestView

CONTENT_TYPE = "application/captive+json"
CACHE_CONTROL = "private, no-store"
DOCUMENT_CHARACTERS_MAX = 4_096
"""Android reads at most this much."""
ACCEPT_CHARACTERS_MAX = 1_024
URL_CHARACTERS_MAX = 255
"""RFC 8910 section 2: a longer one does not fit into DHCPv4."""

API_PATH = "/captive-portal"

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def api_uri(portal_url: str) -> str:
    """URI for DHCP and router advertisements (RFC 8910); empty without an https URL."""
    return f"{portal_url}{API_PATH}" if portal_url else ""


def document(guest: GuestView, *, portal_url: str, venue_url: str, is_open: bool = True) -> bytes:
    """The device's state, RFC 8908 section 5. Both URLs should be https, or devices will not follow them.

    The remaining time and volume are given only when authorized and limited. `is_open`: a join method is open
    that can extend the session.
    """
    captive = guest.state != "admitted"
    keys: dict[str, bool | int | str] = {
        "captive": captive,
        "user-portal-url": portal_url[:URL_CHARACTERS_MAX],
        "venue-info-url": venue_url[:URL_CHARACTERS_MAX],
    }
    if not captive:
        # A session without an end cannot be extended.
        keys["can-extend-session"] = is_open and guest.seconds_left is not None
        if guest.seconds_left is not None:
            keys["seconds-remaining"] = max(0, guest.seconds_left)
        if guest.bytes_left is not None:
            keys["bytes-remaining"] = max(0, guest.bytes_left)
    return json.dumps(keys, separators=(",", ":")).encode()


def wants_document(accept: str | None) -> bool:
    """Whether the client accepts the JSON document at least as much as HTML (RFC 9110 section 12.5.1).

    A browser, which prefers HTML, gets a redirect to the portal; RFC 8910 section 2 allows it.
    """
    if accept is None or not accept.strip():
        return True
    ranges = _ranges(accept[:ACCEPT_CHARACTERS_MAX])
    ours = _quality(ranges, "application", "captive+json")
    return ours > 0 and ours >= _quality(ranges, "text", "html")


def _ranges(accept: str) -> dict[str, int]:
    ranges: dict[str, int] = {}
    for item in accept.lower().split(","):
        media, *parameters = (part.strip() for part in item.split(";"))
        quality = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        if _QUALITY.fullmatch(quality):
            ranges[media] = round(float(quality) * 1000)
    return ranges


def _quality(ranges: dict[str, int], kind: str, name: str) -> int:
    """In thousandths; the most specific media range applies."""
    for media in (f"{kind}/{name}", f"{kind}/*", "*/*"):
        if media in ranges:
            return ranges[media]
    return 0
