"""The services as people see them: those that the community wrote down first, then those that were found."""

from collections.abc import Iterable

from captive_portal.ports import ServiceView
from node.config.model import OfferedService
from node.services.announced import Found


def views(offered: Iterable[OfferedService], found: Iterable[Found]) -> tuple[ServiceView, ...]:
    """What is written down and found too is shown once, as it was written."""
    written = tuple(ServiceView(each.name, each.url, each.about, is_configured=True) for each in offered)
    places = {(str(address), each.port) for each in offered for address in each.addresses}
    strangers = (each for each in found if _place(each) not in places)
    return (*written, *(ServiceView(s.name, s.url, s.host, is_configured=False) for s in strangers))


def _place(found: Found) -> tuple[str, int]:
    return found.address, found.port
