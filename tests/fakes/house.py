"""A house in memory, for the portal's tests: a real guest's life, a set instead of a kernel."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from captive_portal import guests
from captive_portal.ports import Admitted, CommunityView, Entry, GuestView, Refused
from node.errors import NodeError
from node.governance.allowance import Allowance
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Milliseconds, Monotonic, Usage

COMMUNITY = CommunityView(
    community="Vall Verda",
    node="Library, ground floor",
    portal_host="login.vallverda.example",
    sentences=("Everyone has an equal part of the line.", "At night nobody is limited."),
    contact="hello@vallverda.example",
    terms="Be kind to each other.\n\nDo not resell the line.",
    terms_version="2",
)

FOUR_HOURS, PLENTY, EARLY = Milliseconds(4 * 3_600_000), Bytes(58_600_000_000), Monotonic(1_000)


@dataclass
class FakeNeighbours:
    """Addresses to devices, as somebody says they are."""

    devices: dict[str, MacAddress] = field(default_factory=dict)

    def mac_of(self, address: str) -> MacAddress | None:
        return self.devices.get(address)


@dataclass
class FakeHouse:
    """Implements the portal's `House`; `trouble` and `refusal` make it fail as the real one may."""

    view: CommunityView = COMMUNITY
    allowance: Allowance | None = None
    session_ms: Milliseconds | None = FOUR_HOURS
    bytes_left: Bytes | None = PLENTY
    used: Mapping[MacAddress, Usage] = field(default_factory=dict)
    refusal: Refused | None = None
    trouble: NodeError | None = None
    now: Monotonic = EARLY
    states: dict[MacAddress, guests.Guest] = field(default_factory=dict)
    passing: dict[MacAddress, Monotonic | None] = field(default_factory=dict)
    accepted: list[tuple[MacAddress, str]] = field(default_factory=list)

    def guest(self, mac: MacAddress) -> GuestView:
        state = self.states.get(mac, guests.Waiting())
        used = self.used.get(mac, NO_USAGE)
        view = GuestView("waiting", None, used, None, None, None)
        match state:
            case guests.Admitted(_, until):
                left = None if until is None else (until - self.now) // 1000
                account = AccountId("guest-7k3m9q2w4x1z")
                return GuestView("admitted", account, used, self.allowance, left, self.bytes_left, (mac,))
            case guests.Removed(because):
                return replace(view, state="removed", removed_because=because)
            case guests.Expired():
                return replace(view, state="expired")
        return view

    def community(self) -> CommunityView:
        return self.view

    async def admit(self, mac: MacAddress, entry: Entry, terms_version: str) -> Admitted | Refused:
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        if self.refusal is not None:
            return self.refusal
        self.accepted.append((mac, terms_version))
        self.happens(mac, guests.TermsAccepted(terms_version, self.session_ms))
        return Admitted(None if self.session_ms is None else self.session_ms // 1000)

    async def leave(self, mac: MacAddress) -> None:
        self.happens(mac, guests.Left())

    def happens(self, mac: MacAddress, event: guests.Event) -> None:
        self.states[mac], effects = guests.step(self.states.get(mac, guests.Waiting()), event, self.now)
        for effect in effects:
            if isinstance(effect, guests.LetPass):
                self.passing[mac] = effect.until
            if isinstance(effect, guests.StopPassing):
                self.passing.pop(mac, None)
