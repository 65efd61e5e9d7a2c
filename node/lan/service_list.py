"""Services shown to users: configured ones first, then those found by mDNS."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.config.model import OfferedService
from node.lan.mdns_services import FoundService


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A local service, reachable with and without authorization."""

    name: str
    url: str
    about: str
    is_configured: bool
    """False for a service discovered on the LAN."""


class ServiceList:
    """The current list; the same object until it changes."""

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
    places = {(str(address), each.port) for each in offered for address in each.addresses}
    strangers = (each for each in found if _place(each) not in places)
    return (*written, *(ServiceView(s.name, s.url, s.host, is_configured=False) for s in strangers))


def _place(found: FoundService) -> tuple[str, int]:
    return found.address, found.port
