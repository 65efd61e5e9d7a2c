"""The list of services as people see it."""

from node.config.offered_services import read_offer
from node.lan.mdns_services import FoundService, ServiceList, ServiceView, views

WIKI = read_offer("Wiki | http://wiki.vall.lan:8080/ | All we know | 10.77.0.9")


def test_configured_services_come_first_and_discovered_ones_name_their_host():
    radio = FoundService("Radio", "http://10.77.0.5/", "pi.local, 10.77.0.5", "10.77.0.5", 80)
    assert views([WIKI], [radio]) == (
        ServiceView("Wiki", "http://wiki.vall.lan:8080/", "All we know", is_configured=True),
        ServiceView("Radio", "http://10.77.0.5/", "pi.local, 10.77.0.5", is_configured=False),
    )


def test_a_service_both_configured_and_discovered_is_shown_once():
    again = FoundService("wiki", "http://10.77.0.9:8080/", "pi.local, 10.77.0.9", "10.77.0.9", 8080)
    other = FoundService("files", "http://10.77.0.9:9000/", "pi.local, 10.77.0.9", "10.77.0.9", 9000)
    assert ["Wiki", "files"] == [view.name for view in views([WIKI], [again, other])]


def test_pages_are_rendered_again_only_when_something_changes():
    found: list[tuple[FoundService, ...]] = [()]
    board = ServiceList((WIKI,), lambda: found[0])
    first = board.services()
    assert first is board.services()
    found[0] = (FoundService("Radio", "http://10.77.0.5/", "10.77.0.5", "10.77.0.5", 80),)
    assert ["Wiki", "Radio"] == [view.name for view in board.services()]
    assert board.services() is board.services()
    found[0] = ()
    assert first == board.services()
