"""The house as the captive portal sees it."""

from collections.abc import Callable, Mapping

from captive_portal import guests
from captive_portal.ports import (
    Admitted,
    CommunityView,
    DeviceCode,
    DeviceView,
    Entry,
    GuestState,
    GuestView,
    KeptView,
    Refused,
    ServiceView,
    TermsAccepted,
)
from node.accounting.ledger import NO_CELL
from node.accounting.periods import period_name
from node.config import NodeConfig
from node.errors import KernelRefused
from node.governance.sentences import describe
from node.membership.notices import Notice
from node.reconcile.loop import Reconcile
from node.reconcile.ports import Clock
from node.units import AccountId, MacAddress, Monotonic, Usage

SEEN_MS = 10 * 60_000
SEEN_MAX = 4_096


class PortalHouse:
    """Implements `captive_portal.ports.House`."""

    def __init__(
        self, reconcile: Reconcile, config: NodeConfig, clock: Clock, portal_url: Callable[[], str] = str
    ) -> None:
        self._reconcile, self._config, self._clock = reconcile, config, clock
        self._portal_url = portal_url
        self._described: tuple[object, CommunityView] | None = None
        self._seen: dict[MacAddress, Monotonic] = {}

    def waiting(self) -> int:
        """Devices that have lately asked the portal for something and are not admitted."""
        now, state = self._clock.monotonic(), self._reconcile.presence.state
        return sum(
            now - seen < SEEN_MS and not isinstance(state(mac), guests.Admitted)
            for mac, seen in self._seen.items()
        )

    def guest(self, mac: MacAddress) -> GuestView:
        self._see(mac)
        presence = self._reconcile.presence
        guest, seat = presence.state(mac), presence.seats.get(mac)
        state: GuestState = _STATES[type(guest)]
        if seat is None or not isinstance(guest, guests.Admitted):
            because = guest.because if isinstance(guest, guests.Removed) else None
            account = seat.account if seat is not None else None
            return GuestView(state, account, self._used(account), None, None, None, (), because)
        allowance = self._reconcile.allowance(seat.account)
        left = [quota.left for quota in allowance.quotas]
        return GuestView(
            state=state,
            account=seat.account,
            used=self._used(seat.account),
            allowance=allowance,
            seconds_left=self._seconds_left(guest),
            bytes_left=min(left, default=None),
            devices=self._devices(mac, seat.account),
        )

    def community(self) -> CommunityView:
        book, url = self._reconcile.rulebook, self._portal_url()
        seen, view = self._described or (None, None)
        if view is None or seen is not book or view.portal_url != url:
            node = self._config.node
            view = CommunityView(
                community=self._config.community.name,
                node=node.name,
                portal_host=self._config.portal.host,
                sentences=describe(book.ruleset),
                contact=node.contact,
                terms=node.terms,
                terms_version=node.terms_version,
                portal_url=url,
                language=self._config.portal.language,
                languages=self._config.portal.languages,
            )
            self._described = book, view
        return view

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        return ()

    def services(self) -> tuple[ServiceView, ...]:
        return ()

    def kept(self) -> tuple[KeptView, ...]:
        return ()

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused:
        state = self._reconcile.presence.state(mac)
        if isinstance(state, guests.Removed):
            return Refused("removed", state.because)
        if not isinstance(entry, TermsAccepted):
            return Refused("way-closed")
        try:
            await self._reconcile.admit(mac, terms_version)
        except KernelRefused as refused:
            return Refused("trouble", refused.message)
        admitted = self._reconcile.presence.state(mac)
        return Admitted(self._seconds_left(admitted) if isinstance(admitted, guests.Admitted) else 0)

    async def leave(self, mac: MacAddress) -> None:
        await self._reconcile.leave(mac)

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        return Refused("way-closed")

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        return Refused("way-closed")

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        return Refused("way-closed")

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None:
        return Refused("not-yours")

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        presence = self._reconcile.presence
        mine, other = presence.seats.get(mac), presence.seats.get(device)
        if mine is None or other is None or mine.account != other.account:
            return Refused("not-yours")
        await self._reconcile.leave(device)
        return None

    async def set_passphrase(self, mac: MacAddress, passphrase: str) -> Refused | None:
        return Refused("not-a-member")

    async def contest(self, mac: MacAddress, rule: str, text: str) -> Refused | None:
        return Refused("trouble")

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        return {"device": mac}

    async def erase(self, mac: MacAddress) -> None:
        await self._reconcile.leave(mac)

    def _devices(self, mac: MacAddress, account: AccountId) -> tuple[DeviceView, ...]:
        presence = self._reconcile.presence
        return tuple(
            DeviceView(
                mac=device,
                name="",
                is_this=device == mac,
                is_online=isinstance(presence.state(device), guests.Admitted),
                idle_s=None,
            )
            for device in presence.devices_of(account)
        )

    def _see(self, mac: MacAddress) -> None:
        self._seen.pop(mac, None)
        self._seen[mac] = self._clock.monotonic()
        if len(self._seen) > SEEN_MAX:
            self._seen.pop(next(iter(self._seen)))

    def _used(self, account: AccountId | None) -> Usage:
        month = period_name("month", self._reconcile.today())
        if account is None or month is None:
            return NO_CELL.uplink
        return self._reconcile.ledger.total(account, month).uplink

    def _seconds_left(self, guest: guests.Admitted) -> int | None:
        return None if guest.until is None else max(0, (guest.until - self._clock.monotonic()) // 1000)


_STATES: dict[type, GuestState] = {
    guests.Waiting: "waiting",
    guests.Admitted: "admitted",
    guests.Expired: "expired",
    guests.Removed: "removed",
}
