"""Visits to the front door without a socket, for the pure rooms behind it."""

from collections.abc import Mapping
from dataclasses import replace

from captive_portal import guests
from captive_portal.place import ENGLISH_ONLY, Tongue
from captive_portal.ports import CommunityView, GuestView, House
from captive_portal.visit import Visit
from node.units import MacAddress
from tests.fakes.front_door import ANA, TOKENS
from tests.fakes.house import FakeHouse


def visit(
    house: House | None = None,
    *,
    mac: MacAddress | None = ANA,
    path: str = "/",
    tongue: Tongue = ENGLISH_ONLY,
    query: Mapping[str, str] | None = None,
    community: CommunityView | None = None,
) -> Visit:
    house = house or FakeHouse()
    view = community or house.community()
    return Visit(house, mac, view, TOKENS, path, tongue, query=query or {})


class Told(FakeHouse):
    """A house that says of every device just what it was told to say."""

    view_of_guest: GuestView

    def guest(self, mac: MacAddress) -> GuestView:
        return self.view_of_guest


def visit_of(guest: GuestView, **changes: object) -> Visit:
    """A visit of somebody of whom the house says this."""
    house = Told()
    house.view_of_guest = replace(guest, **changes)
    return visit(house)


def inside(
    house: FakeHouse, mac: MacAddress = ANA, account: str = "ana", way: str = "passphrase"
) -> FakeHouse:
    """`mac` has come in as this account."""
    house.accounts[mac] = (account, way)  # type: ignore[assignment]
    house.happens(mac, guests.TermsAccepted(house.view.terms_version, house.session_ms))
    return house
