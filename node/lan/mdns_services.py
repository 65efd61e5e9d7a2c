"""Services announced on the LAN (DNS-SD, RFC 6763). Announcements are untrusted: they are limited, sanitized, and
always shown with the machine that sent them."""

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address

from node.config.model import OfferedService

HTTP, HTTPS = "_http._tcp.local.", "_https._tcp.local."
SCHEMES = {HTTP: ("http", 80), HTTPS: ("https", 443)}
NAME_CHARS_MAX = 60
PATH_CHARS_MAX = 100
ADDRESSES_MAX = 8
SHOWN_MAX = 32
OF_ONE_MACHINE_MAX = 3


@dataclass(frozen=True, slots=True)
class ServiceAnnouncement:
    """As received; `service_type` is a key of `SCHEMES`."""

    service_type: str
    instance: str
    """Full name, which ends in the type."""
    server: str
    port: int
    path: bytes | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service that can be shown to users."""

    name: str
    url: str
    host: str
    """Name and address of the machine that offers it: ``raspberrypi.local, 10.77.0.9``."""
    address: str
    port: int


def read_announced(
    said: ServiceAnnouncement, own4: IPv4Interface, own6: IPv6Interface | None
) -> FoundService | None:
    """None for services that devices here cannot or should not open: addresses outside the LAN, and the node's own."""
    if not 1 <= said.port <= 65_535:
        return None
    address = _address(said.addresses, own4, own6)
    name = _clean(said.instance.removesuffix(f".{said.service_type}"))
    if address is None or not name:
        return None
    scheme, usual = SCHEMES[said.service_type]
    authority = f"[{address}]" if address.version == 6 else str(address)
    port = "" if said.port == usual else f":{said.port}"
    machine = _clean(said.server.rstrip("."))
    host = f"{machine}, {address}" if machine else str(address)
    return FoundService(
        name, f"{scheme}://{authority}{port}{_path(said.path)}", host, str(address), said.port
    )


def shown(found: Iterable[FoundService]) -> tuple[FoundService, ...]:
    """Sorted by name, each address once, and a limited number per machine, so that one machine cannot fill the page."""
    kept: dict[str, FoundService] = {}
    of_machine: dict[str, int] = {}
    for each in sorted(found, key=lambda each: (each.name.casefold(), each.url)):
        count = of_machine.get(each.address, 0)
        if each.url not in kept and count < OF_ONE_MACHINE_MAX and len(kept) < SHOWN_MAX:
            kept[each.url] = each
            of_machine[each.address] = count + 1
    return tuple(kept.values())


def dispensable[Name: Hashable](
    known: Mapping[Name, FoundService | None], on_show: Iterable[FoundService]
) -> Name | None:
    """The oldest name that is not shown, which is dropped first when the table is full. None when all are shown."""
    seen = set(on_show)
    return next((name for name, found in known.items() if found not in seen), None)


def _address(
    texts: tuple[str, ...], own4: IPv4Interface, own6: IPv6Interface | None
) -> IPv4Address | IPv6Address | None:
    """The first address on the LAN, IPv4 before IPv6."""
    here = []
    for text in texts[:ADDRESSES_MAX]:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        own = own4 if address.version == 4 else own6
        if own is None or address not in own.network or address == own.ip:
            continue
        if address not in {own.network.network_address, own.network.broadcast_address}:
            here.append(address)
    return min(here, key=lambda address: address.version, default=None)


def _clean(text: str) -> str:
    """One line of visible characters, without control characters for text direction."""
    seen = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * NAME_CHARS_MAX])
    return " ".join(seen.split())[:NAME_CHARS_MAX].rstrip()


def _path(path: bytes | None) -> str:
    """The TXT record's ``path=`` (RFC 6763 section 6), or the root."""
    text = (path or b"/").decode("ascii", "replace")
    allowed = all("!" <= c <= "~" and c not in "\"'<>\\" for c in text)
    return text if allowed and text.startswith("/") and len(text) <= PATH_CHARS_MAX else "/"


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A local service, reachable with and without authorization."""

    name: str
    url: str
    about: str
    is_configured: bool
    """False for a service discovered on the LAN."""


class ServiceList:
    """Services shown to users: configured ones first, then those found by mDNS. The same object until it changes."""

    def __init__(
        self, offered: tuple[OfferedService, ...], found: Callable[[], tuple[FoundService, ...]] = tuple
    ) -> None:
        self._offered, self._found = offered, found
        self._before: tuple[FoundService, ...] = ()
        self._views = views(offered, ())

    def services(self) -> tuple[ServiceView, ...]:
        now = self._found()
        if now is not self._before:
            self._before, self._views = now, views(self._offered, now)
        return self._views


def views(offered: Iterable[OfferedService], found: Iterable[FoundService]) -> tuple[ServiceView, ...]:
    """A service that is both configured and found is shown once, as configured."""
    written = tuple(ServiceView(each.name, each.url, each.about, is_configured=True) for each in offered)
    configured = {(str(address), each.port) for each in offered for address in each.addresses}
    others = (each for each in found if (each.address, each.port) not in configured)
    return (*written, *(ServiceView(each.name, each.url, each.host, is_configured=False) for each in others))
