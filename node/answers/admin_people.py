"""People and their devices as the admins' door sees them."""

from collections.abc import Callable, Sequence

from captive_portal import guests
from node.admin.ports import DeviceRow, Person, PersonRow, VoucherView
from node.answers.admin_vouchers import voucher_view
from node.answers.overview import binding
from node.errors import Finding
from node.governance.joining import Way
from node.membership.bindings import Binding
from node.membership.codes import Code, read_code
from node.membership.hosts import plain
from node.membership.register import Register
from node.membership.vouchers import Voucher
from node.reconcile.loop import Reconcile
from node.units import NO_RATES, AccountId, Bytes, MacAddress, Rates, Usage, parse_mac

FOUND_MAX = 500
"""Accounts that one search finds; a longer word finds fewer."""


class PeopleAnswers:
    """Implements `node.admin.ports.PeopleHouse`."""

    def __init__(self, reconcile: Reconcile, used_this_month: Callable[[AccountId], Usage]) -> None:
        self._reconcile, self._used = reconcile, used_this_month
        self._register: Register = reconcile.register
        self._presence = reconcile.presence

    def find(self, query: str) -> Sequence[AccountId]:
        if query:
            return self._search(query)
        rates = self._reconcile.rates
        here = self._presence.accounts_here()
        return sorted(here, key=lambda account: (-_busy(rates.get(account, NO_RATES)), account))

    def row(self, account: AccountId) -> PersonRow:
        reconcile, now = self._reconcile, self._reconcile.instant().now
        since, ways = [], dict[Way, None]()
        for mac in self._presence.devices_of(account):
            guest = self._presence.state(mac)
            if isinstance(guest, guests.Admitted):
                since.append(guest.since)
                ways[self._register.way_of(mac)] = None
        return PersonRow(
            account=account,
            name=reconcile.roll.names.get(account, ""),
            tier=reconcile.standing.unit(account).tier,
            devices=len(since),
            rate=reconcile.rates.get(account, NO_RATES),
            used_month=Bytes(self._used(account).total),
            since_s=max(0, now - min(since)) // 1000 if since else None,
            ways=tuple(ways),
        )

    def person(self, account: str) -> Person | None:
        name = AccountId(account)
        devices = self.devices(name)
        voucher = self._register.vouchers.of_account(name)
        is_member = name in self._reconcile.roll.by_account
        if not devices and voucher is None and not is_member:
            return None
        rule, sentence = binding(self._reconcile.allowance(name))
        return Person(
            row=self.row(name),
            groups=tuple(sorted(self._reconcile.standing.unit(name).groups)),
            rule=rule,
            sentence=sentence,
            devices=devices,
            voucher=None if voucher is None else self._view(voucher),
            contests=self._register.contests.of(name),
            is_member=is_member,
        )

    def devices(self, account: AccountId) -> tuple[DeviceRow, ...]:
        """Every device of the account that is known here: seen, bound, or in the roll."""
        bound = [binding.mac for binding in self._register.bindings.of(account)]
        listed = self._reconcile.roll.devices_of(account)
        macs = dict.fromkeys((*self._presence.devices_of(account), *bound, *sorted(listed)))
        return tuple(
            self._device(mac) for mac in macs if self._reconcile.account_of(mac) == account or mac in bound
        )

    def removed(self) -> Sequence[DeviceRow]:
        return [
            self._device(mac)
            for mac, guest in self._presence.guests.items()
            if isinstance(guest, guests.Removed)
        ]

    async def kick(self, account: str, mac: MacAddress | None, because: str) -> Finding | None:
        known = {device.mac for device in self.devices(AccountId(account)) if device.state != "removed"}
        wanted = known if mac is None else known & {mac}
        if not wanted:
            return Finding(
                "kick", 0, "This account has no such device, or it is blocked already.", "choose another"
            )
        for each in sorted(wanted):
            await self._reconcile.remove(each, because)
        return None

    async def pardon(self, mac: MacAddress) -> Finding | None:
        if not isinstance(self._presence.state(mac), guests.Removed):
            return Finding("pardon", 0, "This device is not blocked.", "look at the list again")
        await self._reconcile.pardon(mac)
        return None

    def _search(self, query: str) -> Sequence[AccountId]:
        code = read_code(query)
        if isinstance(code, Code) and code.kind == "voucher":
            voucher = self._register.vouchers.find(code)
            return () if voucher is None else (voucher.account,)
        try:
            mac = parse_mac(query)
        except ValueError:
            return self._search_words(plain(query))
        is_known = mac in self._presence.guests or self._register.bindings.get(mac) is not None
        is_listed = self._reconcile.roll.account_of(mac) is not None
        return (self._reconcile.account_of(mac),) if is_known or is_listed else ()

    def _search_words(self, words: str) -> Sequence[AccountId]:
        roll, found = self._reconcile.roll, dict[AccountId, None]()
        for unit in roll.units:
            if unit.account.startswith(words) or words in plain(roll.names.get(unit.account, "")):
                found[unit.account] = None
        for mac, seat in self._presence.seats.items():
            if seat.account.startswith(words) or words in plain(self._register.bindings.name_of(mac)):
                found[seat.account] = None
        return sorted(found)[:FOUND_MAX]

    def _device(self, mac: MacAddress) -> DeviceRow:
        guest, bound = self._presence.state(mac), self._register.bindings.get(mac)
        is_online = isinstance(guest, guests.Admitted)
        is_removed = isinstance(guest, guests.Removed)
        return DeviceRow(
            mac=mac,
            account=self._reconcile.account_of(mac),
            name="" if bound is None else bound.name,
            state="online" if is_online else "removed" if is_removed else "off",
            way=self._way(mac, bound, is_online=is_online),
            since_day="" if bound is None else bound.bound_day,
            because=guest.because if isinstance(guest, guests.Removed) else "",
        )

    def _way(self, mac: MacAddress, bound: Binding | None, *, is_online: bool) -> Way | None:
        return self._register.way_of(mac) if bound is not None or is_online else None

    def _view(self, voucher: Voucher) -> VoucherView:
        return voucher_view(self._register.vouchers, voucher, self._reconcile.instant().now)


def _busy(rate: Rates) -> int:
    return rate.down + rate.up
