"""One device as its own person sees it: what is used, what is left, who else is in the account."""

from captive_portal import guests
from captive_portal.ports import (
    AskedFor,
    DeviceCode,
    DeviceView,
    GuestState,
    GuestView,
    IntroductionRequest,
)
from node.accounting.ledger import NO_CELL
from node.accounting.periods import period_name
from node.governance.joining import Way
from node.membership.codes import shown
from node.membership.notices import Reader
from node.membership.register import Register
from node.reconcile.loop import Reconcile
from node.reconcile.ports import Clock
from node.units import AccountId, MacAddress, Monotonic, Usage


class GuestViews:
    """Asks the loop and the register; changes nothing."""

    def __init__(self, reconcile: Reconcile, register: Register, clock: Clock) -> None:
        self._reconcile, self._register, self._clock = reconcile, register, clock

    def account_of(self, mac: MacAddress) -> AccountId | None:
        """Of a device that may pass: only who is in may change something, or see what belongs to the account."""
        presence = self._reconcile.presence
        return presence.seats[mac].account if presence.is_admitted(mac) else None

    def reader(self, mac: MacAddress | None) -> Reader:
        """For whom a notice may be."""
        account = None if mac is None else self.account_of(mac)
        if account is None:
            return Reader()
        groups = self._reconcile.standing.unit(account).groups
        return Reader(True, self._register.is_member(account), groups)

    def view(self, mac: MacAddress) -> GuestView:
        presence, now = self._reconcile.presence, self._clock.monotonic()
        guest, seat = presence.state(mac), presence.seats.get(mac)
        if seat is not None and isinstance(guest, guests.Admitted):
            return self._inside(mac, guest, seat.account, now)
        account = seat.account if seat is not None else None
        return GuestView(
            state=_STATES[type(guest)],
            account=account,
            used=self._used(account),
            allowance=None,
            seconds_left=None,
            bytes_left=None,
            removed_because=guest.because if isinstance(guest, guests.Removed) else None,
            way=self._ended_way(mac, now) if isinstance(guest, guests.Expired) else None,
            asked_for=self._asked_for(mac, now),
            went_unanswered=self._register.introductions.went_unanswered(mac, now),
            comes_back=not isinstance(guest, guests.Removed) and self._comes_back(mac, now),
        )

    def _inside(
        self, mac: MacAddress, guest: guests.Admitted, account: AccountId, now: Monotonic
    ) -> GuestView:
        reconcile, register = self._reconcile, self._register
        allowance = reconcile.allowance(account)
        is_member = register.is_member(account)
        return GuestView(
            state="admitted",
            account=account,
            used=self._used(account),
            allowance=allowance,
            seconds_left=self.seconds_left(guest),
            bytes_left=min((quota.left for quota in allowance.quotas), default=None),
            devices=self.devices(account, mac),
            way=register.way_of(mac),
            name=reconcile.roll.names.get(account, ""),
            tier=reconcile.standing.unit(account).tier,
            terms_version=reconcile.presence.seats[mac].terms,
            devices_max=reconcile.standing.devices_max(account),
            asked_for=self._asked_for(mac, now),
            requests=self._requests(account, now) if is_member else (),
            unasked_s=self._unasked_s(account, now) if is_member else None,
            device_code=self._device_code(account, now),
            contests=register.contests.of(account),
            is_member=is_member,
            has_passphrase=is_member and register.has_passphrase(account),
            has_shown_card=is_member and register.card_bearers.has_shown(mac, account, now),
        )

    def devices(self, account: AccountId, asker: MacAddress) -> tuple[DeviceView, ...]:
        """All devices of the account: that are on, that came into it, and that the roll lists."""
        presence, register = self._reconcile.presence, self._register
        bound = {binding.mac: binding for binding in register.bindings.of(account)}
        seated = [
            mac
            for mac in presence.devices_of(account)
            if presence.is_admitted(mac) or self._reconcile.account_of(mac) == account
        ]
        listed = self._reconcile.roll.devices_of(account)
        return tuple(
            DeviceView(
                mac=mac,
                name=register.bindings.name_of(mac),
                is_this=mac == asker,
                is_online=presence.is_admitted(mac),
                idle_s=self._idle_s(mac),
                since_day=bound[mac].bound_day if mac in bound else "",
            )
            for mac in dict.fromkeys((*bound, *listed, *seated))
        )

    def seconds_left(self, guest: guests.Admitted) -> int | None:
        return None if guest.until is None else self._seconds_to(guest.until, self._clock.monotonic())

    def device_code(self, account: AccountId) -> DeviceCode | None:
        return self._device_code(account, self._clock.monotonic())

    def _device_code(self, account: AccountId, now: Monotonic) -> DeviceCode | None:
        code = self._register.device_codes.of(account, now)
        return None if code is None else DeviceCode(shown(code.code), self._seconds_to(code.ends, now))

    def _asked_for(self, mac: MacAddress, now: Monotonic) -> AskedFor | None:
        asked = self._register.introductions.of_device(mac, now)
        if asked is None:
            return None
        return AskedFor(asked.asked_for, asked.name, asked.sign, self._seconds_to(asked.ends, now))

    def _ended_way(self, mac: MacAddress, now: Monotonic) -> Way | None:
        """None when only the visit has ended, not what it rests on."""
        end = self._reconcile.standing.voucher_end(self._reconcile.account_of(mac))
        return None if end is not None and now < end else self._register.way_of(mac)

    def _comes_back(self, mac: MacAddress, now: Monotonic) -> bool:
        ways = self._reconcile.rulebook.ruleset.joining.ways
        if "terms" in ways:
            return False
        account = self._register.account_of(mac)
        if account is None:
            return self._reconcile.roll.account_of(mac) is not None
        end = self._reconcile.standing.voucher_end(account)
        return self._register.way_of(mac) in ways if end is None else now < end

    def _requests(self, account: AccountId, now: Monotonic) -> tuple[IntroductionRequest, ...]:
        return tuple(
            IntroductionRequest(each.number, each.name, each.sign, self._seconds_to(each.ends, now))
            for each in self._register.introductions.of_host(account, now)
        )

    def _unasked_s(self, account: AccountId, now: Monotonic) -> int | None:
        until = self._register.introductions.muted_until(account, now)
        return None if until is None else self._seconds_to(until, now)

    def _idle_s(self, mac: MacAddress) -> int | None:
        presence = self._reconcile.presence
        if not presence.is_admitted(mac):
            return None
        idle_ms = presence.idle_ms(mac, self._clock.monotonic())
        return None if idle_ms is None else max(0, idle_ms) // 1000

    def _used(self, account: AccountId | None) -> Usage:
        month = period_name("month", self._reconcile.today())
        if account is None or month is None:
            return NO_CELL.uplink
        return self._reconcile.ledger.total(account, month).uplink

    def _seconds_to(self, end: Monotonic, now: Monotonic) -> int:
        return max(0, (end - now) // 1000)


_STATES: dict[type, GuestState] = {
    guests.Waiting: "waiting",
    guests.Admitted: "admitted",
    guests.Expired: "expired",
    guests.Removed: "removed",
}
