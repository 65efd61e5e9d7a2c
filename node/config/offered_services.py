"""Local services, as written in ``services.offered``: name, URL and description."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from node.config.field_types import DOMAIN, FieldType, list_of
from node.config.model import OfferedService

SERVICES_MAX = 32
NAME_CHARS_MAX = 60
URL_CHARS_MAX = 200
ABOUT_CHARS_MAX = 200
ADDRESSES_MAX = 8
LINE_CHARS_MAX = 800

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"[!#-;=?-~]+")
"""Printable ASCII without space, quotation mark or angle brackets."""


def read_offer(value: object) -> OfferedService:
    """``NAME | URL | WHAT IT IS``, followed by ``| ADDRESSES`` if the URL has a name. Raises ValueError."""
    if not isinstance(value, str) or len(value) > LINE_CHARS_MAX:
        raise ValueError(f"a service is a text of at most {LINE_CHARS_MAX} characters")
    parts = [part.strip() for part in value.split("|")]
    if len(parts) not in (3, 4):
        raise ValueError(
            'a service is "name | URL | what it is", and "| its addresses" if its URL has a name'
        )
    name, url, about = parts[:3]
    if not name or len(name) > NAME_CHARS_MAX or len(about) > ABOUT_CHARS_MAX:
        raise ValueError(
            f"the name has 1 to {NAME_CHARS_MAX} characters, what it is at most {ABOUT_CHARS_MAX}: {name!r:.80}"
        )
    if not (name + about).isprintable():
        raise ValueError(f"{name!r:.80} holds characters that cannot be shown")
    pieces = _pieces(url)
    host = str(pieces.hostname)
    return OfferedService(
        name, url, about, host, pieces.port or _PORTS[pieces.scheme], _addresses(host, parts[3:])
    )


def _pieces(url: str) -> SplitResult:
    wrong = f"{url!r:.80} is not a URL such as http://10.77.0.9:8080/ or https://wiki.procomu.lan/"
    if len(url) > URL_CHARS_MAX or not _URL.fullmatch(url):
        raise ValueError(wrong)
    try:
        pieces = urlsplit(url)
        port = pieces.port
    except ValueError:
        raise ValueError(wrong) from None
    if pieces.scheme not in _PORTS or not pieces.hostname or pieces.username is not None or port == 0:
        raise ValueError(wrong)
    return pieces


def _addresses(host: str, given: list[str]) -> tuple[IPv4Address | IPv6Address, ...]:
    """The address in the URL, or the addresses given. The firewall opens only configured addresses, never
    resolved ones."""
    try:
        literal = [ip_address(host)]
    except ValueError:
        DOMAIN.read(host)
        literal = []
    words = given[0].split() if given else []
    if literal and words:
        raise ValueError(f"{host} is an address already; leave out what stands after the last |")
    if not literal and not words:
        raise ValueError(f"say where {host} is: add | and its addresses, such as | 10.77.0.9 fd77::9")
    found = literal or [_address(word) for word in words]
    if len(found) > ADDRESSES_MAX:
        raise ValueError(f"{host} has {len(found)} addresses; {ADDRESSES_MAX} are allowed")
    for address in found:
        only_here = address.is_loopback or address.is_link_local or getattr(address, "scope_id", None)
        if only_here or address.is_multicast or address.is_unspecified:
            raise ValueError(f"nobody on the people's side can reach {address}")
    return tuple(dict.fromkeys(found))


def _address(word: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(word)
    except ValueError:
        raise ValueError(f"{word!r:.80} is not an IPv4 or IPv6 address") from None


SERVICES = list_of(FieldType("a service", read_offer), "a list of services", SERVICES_MAX)
