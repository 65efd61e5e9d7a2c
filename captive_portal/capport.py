"""The captive portal API of RFC 8908: what a device may read about its own session, as one document."""

import json
import re

from captive_portal.ports import GuestView

CONTENT_TYPE = "application/captive+json"
CACHE_CONTROL = "private, no-store"
DOCUMENT_CHARACTERS_MAX = 4_096
"""Android reads no more than this."""
ACCEPT_CHARACTERS_MAX = 1_024
URL_CHARACTERS_MAX = 255
"""RFC 8910 section 2: a longer one does not fit into DHCPv4."""

API_PATH = "/captive-portal"

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


def api_uri(portal_url: str) -> str:
    """What devices are told by DHCP and router advertisements (RFC 8910); empty without an https address."""
    return f"{portal_url}{API_PATH}" if portal_url else ""


def document(guest: GuestView, *, portal_url: str, venue_url: str, is_open: bool = True) -> bytes:
    """The device's state, RFC 8908 section 5. Both URLs should be https, or devices will not follow them.

    What is left is said only to who may pass, and only where it is limited. While `is_open`, there is a way in by
    which somebody whose time runs out can get more of it.
    """
    captive = guest.state != "admitted"
    keys: dict[str, bool | int | str] = {
        "captive": captive,
        "user-portal-url": portal_url[:URL_CHARACTERS_MAX],
        "venue-info-url": venue_url[:URL_CHARACTERS_MAX],
    }
    if not captive:
        # Without an end there is nothing to extend.
        keys["can-extend-session"] = is_open and guest.seconds_left is not None
        if guest.seconds_left is not None:
            keys["seconds-remaining"] = max(0, guest.seconds_left)
        if guest.bytes_left is not None:
            keys["bytes-remaining"] = max(0, guest.bytes_left)
    return json.dumps(keys, separators=(",", ":")).encode()


def wants_document(accept: str | None) -> bool:
    """Whether the document suits the asker at least as well as a page does (RFC 9110 section 12.5.1).

    A browser, which prefers HTML, is better served by the portal itself; RFC 8910 section 2 allows it.
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
    """In thousandths; the most specific range decides."""
    for media in (f"{kind}/{name}", f"{kind}/*", "*/*"):
        if media in ranges:
            return ranges[media]
    return 0
