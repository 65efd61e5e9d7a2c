"""Application service of the admin pages for accounts and their devices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from node.accounts.codes import Code, read_code
from node.accounts.device_bindings import Binding
from node.accounts.events import AccountKind
from node.accounts.objections import Objection
from node.accounts.registry import AccountRegistry
from node.accounts.vouchers import Voucher, VoucherView
from node.app.admin_sessions import ADMIN, Signed
from node.app.daily_usage import DayUse, week_of
from node.app.event_recorder import event_of
from node.characters import plain
from node.control.reconciler import Reconciler
from node.errors import Finding
from node.governance.allowance import binding
from node.governance.rules import Way
from node.governance.sentences import allowance_in
from node.sessions import state as session_state
from node.translator import ENGLISH, Translator, gettext_lazy
from node.units import NO_RATES, AccountId, Bytes, MacAddress, Milliseconds, Monotonic, Rates, parse_mac

UNDONE_MAX = 100
"""Accounts whose last extension can be taken back."""
FOUND_MAX = 500
"""Most accounts that one search returns; a longer query returns fewer."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account, as a row of the list."""

    account: AccountId
    name: str
    tier: str
    devices: int
    """Devices online."""
    rate: Rates
    used_month: Bytes
    since_s: int | None
    """Seconds since its oldest present session began; None when offline."""
    ways: tuple[Way, ...]
    """How its devices joined."""
    alerts: tuple[str, ...] = ()
    """Ids of the used-up quotas that limit nothing: the page of this account asks to use less."""
    gateways: tuple[str, ...] = ()
    """Names of the gateways behind which its devices are online."""


DeviceState = Literal["online", "off", "blocked"]


@dataclass(frozen=True, slots=True)
class AdminDeviceRow:
    """One device."""

    mac: MacAddress
    account: AccountId
    name: str
    state: DeviceState
    way: Way | None
    since_day: str
    """Day of its binding to the account; empty without a binding."""
    because: str = ""
    """Reason of the block."""
    came_from: str = ""
    """The node where its session began; empty if here."""
    gateway: str = ""
    """Name of the gateway behind which it is; empty for none."""
    ends_s: int | None = None
    """Seconds until the end of its session, or of its block; None without one."""


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """One account with the details that an admin needs to help its users."""

    row: PersonRow
    groups: tuple[str, ...]
    rule: str
    sentence: str
    """The rule whose limit is most noticeable now."""
    devices: tuple[AdminDeviceRow, ...]
    voucher: VoucherView | None
    objections: tuple[Objection, ...]
    is_member: bool
    devices_max: int | None = None
    """At once, at each node; None for no limit."""
    devices_on: int = 0
    """Devices with a session, at all nodes together."""
    could_have: Rates | None = None
    """If it began to transfer now; None while the uplink is not shared, and without a session."""
    bound_s: int | None = None
    """For how long `rule` has bound it, as far as this node saw; None without a session."""
    can_extend: bool = False
    """A session of it ends, and not because a voucher does."""
    shows_days: bool = False
    """The community decided that admins may see its use by day."""

    @property
    def is_over_limit(self) -> bool:
        return self.devices_max is not None and self.devices_on > self.devices_max


class AdminPeopleService:
    """Accounts and their devices, and blocking devices."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._registry: AccountRegistry = reconciler.registry
        self._session_table = reconciler.session_table
        self.came_from: Callable[[MacAddress], str] = lambda _mac: ""
        """Name, or else the start of the id, of the node where the device's session began; empty if here."""
        self.gateway_name: Callable[[MacAddress], str] = lambda _mac: ""
        """Of the gateway behind which a device is; empty for none."""
        self.devices_with_sessions: Callable[[AccountId], int] = lambda _account: 0
        """On all nodes of the community."""
        self._extended: dict[AccountId, dict[MacAddress, tuple[Monotonic, Monotonic | None]]] = {}
        """The ends of sessions before and after they were extended."""

    def find(self, query: str) -> Sequence[AccountId]:
        """Accounts online, the busiest first; with a query, all accounts whose id, name, device or voucher
        code starts with it."""
        if query:
            return self._search(query)
        rates = self._reconciler.rates
        here = self._session_table.accounts_here()
        return sorted(here, key=lambda account: (-_busy(rates.get(account, NO_RATES)), account))

    def row(self, account: AccountId) -> PersonRow:
        reconciler, now = self._reconciler, self._reconciler.persistence.instant().now
        since, ways, gateways = [], dict[Way, None](), dict[str, None]()
        for mac in self._session_table.devices_of(account):
            guest = self._session_table.state(mac)
            if isinstance(guest, session_state.Authorized):
                since.append(guest.since)
                ways[self._registry.way_of(mac)] = None
                if mac in self._session_table.at_gateways and (name := self.gateway_name(mac)):
                    gateways[name] = None
        return PersonRow(
            account=account,
            name=reconciler.member_directory.names.get(account, ""),
            tier=reconciler.effective_policy.unit(account).tier,
            devices=len(since),
            rate=reconciler.rates.get(account, NO_RATES),
            used_month=reconciler.effective_policy.used_this_month(account).total,
            since_s=max(0, now - min(since)) // 1000 if since else None,
            ways=tuple(ways),
            alerts=reconciler.effective_policy.policy_for(account).alerts,
            gateways=tuple(gateways),
        )

    def person(self, account: str, translator: Translator = ENGLISH) -> PersonDetails | None:
        name = AccountId(account)
        devices = self.devices(name)
        voucher = self._registry.vouchers.known(name)
        is_member = name in self._reconciler.member_directory.by_account
        if not devices and voucher is None and not is_member:
            return None
        allowance = self._reconciler.allowance(name)
        rule, sentence = binding(allowance_in(translator, allowance, self._reconciler.active_ruleset.own))
        return PersonDetails(
            row=self.row(name),
            groups=tuple(sorted(self._reconciler.effective_policy.unit(name).groups)),
            rule=rule,
            sentence=sentence,
            devices=devices,
            voucher=None if voucher is None else self._view(voucher),
            objections=self._registry.objections.of(name),
            is_member=is_member,
            devices_max=self._reconciler.effective_policy.devices_max(name, allowance),
            devices_on=self.devices_with_sessions(name),
            could_have=self._reconciler.effective_policy.present_share(name),
            bound_s=self._bound_s(name, rule),
            can_extend=bool(self._extendable(name)),
            shows_days=self.shows_days,
        )

    @property
    def shows_days(self) -> bool:
        """Whether the community decided that admins may see the use of an account by day."""
        return bool(self._reconciler.active_ruleset.ruleset.usage_by_day_by)

    async def days(self, account: AccountId) -> tuple[DayUse, ...]:
        """The last seven days, the latest first; none without that decision."""
        return await week_of(self._reconciler, account) if self.shows_days else ()

    def _bound_s(self, account: AccountId, rule: str) -> int | None:
        since = self._reconciler.effective_policy.bound_since.since(account, rule)
        return None if since is None else self._seconds_from(since)

    def _seconds_from(self, since: Monotonic) -> int:
        return max(0, self._reconciler.persistence.instant().now - since) // 1000

    def devices(self, account: AccountId) -> tuple[AdminDeviceRow, ...]:
        """Every known device of the account: with a session, bound, or listed in the member directory."""
        bound = [binding.mac for binding in self._registry.bindings.of(account)]
        listed = self._reconciler.member_directory.devices_of(account)
        macs = dict.fromkeys((*self._session_table.devices_of(account), *bound, *sorted(listed)))
        return tuple(
            self._device(mac) for mac in macs if self._reconciler.account_of(mac) == account or mac in bound
        )

    def blocked(self) -> Sequence[AdminDeviceRow]:
        """Blocked devices."""
        return [
            self._device(mac)
            for mac, guest in self._session_table.guests.items()
            if isinstance(guest, session_state.Blocked)
        ]

    async def block(
        self,
        account: str,
        mac: MacAddress | None,
        because: str,
        lasts_ms: Milliseconds | None = None,
        *,
        by: Signed = ADMIN,
    ) -> Finding | None:
        """Blocks a device, or all devices of the account, for so long (None: until it is unblocked); they are shown the
        reason."""
        known = {device.mac for device in self.devices(AccountId(account)) if device.state != "blocked"}
        wanted = known if mac is None else known & {mac}
        if not wanted:
            message = gettext_lazy("This account has no such device, or it is blocked already.")
            return Finding("block", 0, message, gettext_lazy("choose another"))
        until = None if lasts_ms is None else Monotonic(self._reconciler.persistence.instant().now + lasts_ms)
        first, *others = sorted(wanted)
        kind: AccountKind = "blocked" if until is None else "paused"
        self._note(by, kind, account, text=because, count=len(wanted))
        await self._reconciler.block(first, because, until, *others)
        return None

    def _note(self, by: Signed, kind: AccountKind, account: str, *, text: str = "", count: int = 1) -> None:
        """The event is stored with the sessions that change next."""
        event = event_of(self._reconciler, by, kind, account=account, text=text, count=count)
        self._reconciler.persistence.pending.add((event,))

    async def extend(self, account: str, *, by: Signed = ADMIN) -> Finding | None:
        """Gives each device of the account that is online a whole session from now on, if that is longer."""
        name, now = AccountId(account), self._reconciler.persistence.instant().now
        ends = self._reconciler.effective_policy.session_end(name, self._reconciler.allowance(name), now)
        before = {mac: end for mac, end in self._extendable(name).items() if ends is not None and end < ends}
        if not before or ends is None:
            message = gettext_lazy("No session of this account can be made longer.")
            return Finding(
                "extend", 0, message, gettext_lazy("a voucher ends when it says; issue another one")
            )
        self._extended.pop(name, None)
        while len(self._extended) >= UNDONE_MAX:
            self._extended.pop(next(iter(self._extended)))
        self._note(by, "extended", account, count=len(before))
        for mac in before:
            await self._reconciler.grant(mac, Milliseconds(ends - now))
        after = self._extendable(name)
        self._extended[name] = {mac: (end, after.get(mac)) for mac, end in before.items()}
        return None

    async def take_back_extension(self, account: str, *, by: Signed = ADMIN) -> Finding | None:
        """Sessions that `extend` made longer end when they would have ended, except those that changed since: another
        account, a voucher, or a session that its person began later."""
        name, now = AccountId(account), self._reconciler.persistence.instant().now
        present = self._extendable(name)
        ends = {
            mac: before
            for mac, (before, after) in self._extended.pop(name, {}).items()
            if mac in present and present[mac] == after
        }
        if not ends:
            message = gettext_lazy("This can no longer be taken back.")
            return Finding("extend", 0, message, gettext_lazy("look at the account again"))
        self._note(by, "extension-undone", account, count=len(ends))
        for mac, end in ends.items():
            await self._reconciler.grant(mac, Milliseconds(max(0, end - now)))
        return None

    def _extendable(self, account: AccountId) -> dict[MacAddress, Monotonic]:
        """The ends of its sessions that are not those of a voucher."""
        if self._reconciler.effective_policy.voucher_end(account) is not None:
            return {}
        states = {mac: self._session_table.state(mac) for mac in self._session_table.devices_of(account)}
        return {
            mac: state.until
            for mac, state in states.items()
            if isinstance(state, session_state.Authorized) and state.until is not None
        }

    async def unblock(self, mac: MacAddress, *, by: Signed = ADMIN) -> Finding | None:
        if not isinstance(self._session_table.state(mac), session_state.Blocked):
            message = gettext_lazy("This device is not blocked.")
            return Finding("unblock", 0, message, gettext_lazy("look at the list again"))
        self._note(by, "unblocked", self._reconciler.account_of(mac))
        await self._reconciler.unblock(mac)
        return None

    def _search(self, query: str) -> Sequence[AccountId]:
        code = read_code(query)
        if isinstance(code, Code) and code.kind == "voucher":
            voucher = self._registry.vouchers.find(code)
            return () if voucher is None else (voucher.account,)
        try:
            mac = parse_mac(query)
        except ValueError:
            return self._search_text(plain(query))
        is_known = mac in self._session_table.guests or self._registry.bindings.get(mac) is not None
        is_listed = mac in self._reconciler.member_directory.devices
        return (self._reconciler.account_of(mac),) if is_known or is_listed else ()

    def _search_text(self, text: str) -> Sequence[AccountId]:
        member_directory, found = self._reconciler.member_directory, dict[AccountId, None]()
        for unit in member_directory.units:
            if unit.account.startswith(text) or text in plain(member_directory.names.get(unit.account, "")):
                found[unit.account] = None
        for mac, session_entry in self._session_table.session_entries.items():
            if session_entry.account.startswith(text) or text in plain(self._registry.bindings.name_of(mac)):
                found[session_entry.account] = None
        return sorted(found)[:FOUND_MAX]

    def _device(self, mac: MacAddress) -> AdminDeviceRow:
        guest, bound = self._session_table.state(mac), self._registry.bindings.get(mac)
        is_online = isinstance(guest, session_state.Authorized)
        is_blocked = isinstance(guest, session_state.Blocked)
        ends = guest.until if isinstance(guest, session_state.Authorized | session_state.Blocked) else None
        return AdminDeviceRow(
            mac=mac,
            account=self._reconciler.account_of(mac),
            name="" if bound is None else bound.name,
            state="online" if is_online else "blocked" if is_blocked else "off",
            way=self._way(mac, bound, is_online=is_online),
            since_day="" if bound is None else bound.bound_day,
            because=guest.because if isinstance(guest, session_state.Blocked) else "",
            came_from=self.came_from(mac) if is_online else "",
            gateway=self.gateway_name(mac) if is_online else "",
            ends_s=None
            if ends is None
            else max(0, ends - self._reconciler.persistence.instant().now) // 1000,
        )

    def _way(self, mac: MacAddress, bound: Binding | None, *, is_online: bool) -> Way | None:
        return self._registry.way_of(mac) if bound is not None or is_online else None

    def _view(self, voucher: Voucher) -> VoucherView:
        return self._registry.vouchers.view(voucher, self._reconciler.persistence.instant().now)


def _busy(rate: Rates) -> int:
    return rate.down + rate.up
