"""Lets devices of other nodes in, and tells other nodes of the devices here. The edge of `roaming`.

The records are the community's; nothing is asked of another node when a device comes.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol

from mesh.node_kind import NodeFacts
from node.accounts.changes import Binding, Change, Unbound
from node.accounts.device_names import KEYS_MAX, DeviceNames
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, Value, last_day
from node.accounts.vouchers import Voucher
from node.app.account import AccountService
from node.app.admin_people import AdminPeopleService
from node.app.gateway_service import Coming
from node.app.known_devices import KnownDevices
from node.app.own_records import own_records
from node.app.roaming import Comes, DeviceHere, IsBlocked, NodeRules, Stays, ToldDevice, decide, lasts
from node.app.roaming_records import (
    BINDING,
    BLOCKED,
    END_TOLERANCE_S,
    ENDLESS_DAYS,
    NO_END,
    SESSION,
    NoBinding,
    NoBlock,
    SessionEnded,
    TheBinding,
    TheBlock,
    TheSession,
    is_later,
    join_bindings,
    join_blocks,
    join_sessions,
    node_mark,
    read_binding,
    read_block,
    read_session,
)
from node.app.shared_registry import SharedRegistry
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import KernelRefused
from node.keyring import derived_key
from node.sessions import state as session_state
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId, Now

AGAIN_S, AGAIN_TIMES = 0.5, 20
"""How often a device is looked at again whose account or database is not known yet."""
AGAIN_MAX = 1_000
LOOK_EVERY_S = 6 * 3600.0
RENEWED_DAYS = 200
"""A block that other nodes would forget sooner is told again."""
IN_USE_MS = 10 * 60_000
"""A session here is made longer, because it is elsewhere, if its device was heard so lately."""
HAD_MAX = 4_096
LOGGED_EVERY_MS = 600_000

log = logging.getLogger(__name__)


type ShareGateways = Callable[
    [SharedRegistry, Callable[[], Sequence[bytes]], Callable[[MacAddress], Coming]], None
]
"""Connects gateways with other nodes: what those are told, the secrets, and whether they told of a device."""


class LanLink(Protocol):
    """The LAN."""

    on_neighbour: Callable[[MacAddress, str], None]


def roaming_service(
    shared: SharedRegistry | None,
    reconciler: Reconciler,
    clock: Clock,
    *,
    secrets: Callable[[], Sequence[bytes]],
    link: LanLink,
    app: AccountService,
    people: AdminPeopleService,
    node_pages: Callable[[], Mapping[NodeId, NodeFacts]],
    share_gateways: ShareGateways | None = None,
) -> "RoamingService | None":
    """Connects it with the LAN and the pages. None without other nodes. `secrets`: of the community, the newest first."""
    if shared is None:
        return None
    names = DeviceNames(lambda: _keys(tuple(secrets())))
    made = RoamingService(
        reconciler,
        shared,
        names,
        clock,
        own=reconciler.node,
        terms_version=lambda: app.community().terms_version,
        node_pages=node_pages,
    )
    people.came_from, people.devices_with_sessions = made.came_from, made.devices_with_sessions
    link.on_neighbour, app.on_device = made.seen, made.asked
    app.erasures.names, app.erasures.find, app.told = names, made.find, made.told
    if share_gateways is not None:
        share_gateways(shared, secrets, made.comes)
    app.admission.block_elsewhere, app.admission.bind_as_told = made.block_of, made.bind_as_told
    return made


@lru_cache(maxsize=2)
def _keys(secrets: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(derived_key(each, "device names") for each in secrets[:KEYS_MAX])


class RoamingService:
    """Used only from the event loop's thread."""

    def __init__(
        self,
        reconciler: Reconciler,
        shared: SharedRegistry,
        names: DeviceNames,
        clock: Clock,
        *,
        own: NodeId,
        terms_version: Callable[[], str],
        node_pages: Callable[[], Mapping[NodeId, NodeFacts]] = dict,
    ) -> None:
        """`terms_version`: that people accept here now; `node_pages`: what nodes say of themselves."""
        self._node_pages = node_pages
        self._reconciler, self._shared, self._names = reconciler, shared, names
        self._clock = clock
        self._own, self._terms_version = node_mark(own), terms_version
        self._table, self._registry = reconciler.session_table, reconciler.registry
        self._devices = KnownDevices(names, self._with_rows)
        self._tasks: set[asyncio.Task[Any]] = set()
        """Changes that were begun; `run` ends with them."""
        self._failure: BaseException | None = None
        self._logged = -LOGGED_EVERY_MS
        self._coming: set[MacAddress] = set()
        """Being let in because another node told of them."""
        self._had: dict[MacAddress, TheSession] = {}
        """The session of another node for which a device was let in last."""
        self._again: dict[MacAddress, int] = {}
        """Devices to be looked at again, and how many times."""
        self._undated: dict[MacAddress, session_state.Event] = {}
        """Changes to be told once the date is known."""
        self._has_work = asyncio.Event()
        for kind, apply, join in (
            (SESSION, self._session_told, join_sessions),
            (BINDING, self._binding_told, join_bindings),
            (BLOCKED, self._block_told, join_blocks),
        ):
            to_record = self._binding_record if kind == BINDING else _no_record
            shared.register(kind, to_record, apply, join=join, is_plentiful=kind != BLOCKED)
        self._table.on_change = self._changed

    async def run(self) -> None:
        """Until cancelled: tells what could not be told before, and looks at devices again. Raises what a change that was
        begun here raised."""
        try:
            await self._work()
        finally:
            begun = tuple(self._tasks)
            for task in begun:
                task.cancel()
            if begun:
                await asyncio.wait(begun)

    async def _work(self) -> None:
        has_begun = False
        while True:
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            self._has_work.clear()
            if self._shared.generation:
                if not has_begun:
                    self._begin()
                has_begun = True
                self._tell_undated()
                self._look_again()
            if not has_begun or self._again or self._undated:
                await asyncio.sleep(AGAIN_S)
                continue
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._has_work.wait()
            except TimeoutError:
                self._renew()

    # --- what the LAN says ----------------------------------------------------------------------

    def seen(self, mac: MacAddress, address: str = "") -> None:
        """A device was heard on the LAN under this address. One that no node told of costs one hash
        for each key, and a look for each record."""
        if self._table.is_admitted(mac):
            return
        names = self._names.every(mac)
        self._devices.heard(mac, names, address, self._clock.monotonic())
        records = self._shared.records
        if any(records.effective(kind, name) for name in names for kind in (SESSION, BLOCKED)):
            self._consider(mac, names)

    def asked(self, mac: MacAddress) -> None:
        """A device asks for a page."""
        if self._table.is_admitted(mac):
            return
        self.bind_as_told(mac)
        self.seen(mac)

    def comes(self, mac: MacAddress) -> Coming:
        """Looks whether other nodes told of a device that comes through a gateway which two nodes serve."""
        self.asked(mac)
        if self._table.is_admitted(mac):
            return "here"
        session = self._session_of(mac)
        if session is None or not self._shared.generation:
            return "unknown"
        is_over = isinstance(session, SessionEnded) or session.is_over(self._instant().wall_s)
        return "ended" if is_over or mac not in self._again else "unknown"

    def bind_as_told(self, mac: MacAddress) -> None:
        """Binds a device that is bound to nothing here as other nodes say, so that its person may return to the account."""
        if self._registry.bindings.get(mac) is None and self._reconciler.persistence.recalled:
            told = read_binding(self._value(BINDING, self._names.every(mac)))
            if isinstance(told, TheBinding):
                self._bind(mac, told, "")

    def block_of(self, mac: MacAddress) -> str | None:
        """The reason why an admin of another node blocked the device; None if none did, or its time is over."""
        block = self._block(mac)
        if not isinstance(block, TheBlock) or block.is_over(self._instant().wall_s):
            return None
        return block.because

    def find(self, name: str) -> MacAddress | None:
        """The device here with this name."""
        return self._devices.find(name)

    def told(self, account: AccountId | None, mac: MacAddress) -> tuple[Mapping[str, str], ...]:
        """What nodes tell each other about this device, and about the account with all of its devices."""
        bound = () if account is None else self._registry.bindings.of(account)
        devices = dict.fromkeys((mac, *(each.mac for each in bound)))
        names = (name for each in devices for name in self._names.every(each))
        return own_records(self._shared.records.effective, account, names)

    # --- what admins see ------------------------------------------------------------------------

    def came_from(self, mac: MacAddress) -> str:
        """Name, or else the start of the id, of the node where this device's session began; empty if here."""
        entry, session = self._table.session_entries.get(mac), self._session_of(mac)
        is_elsewhere = isinstance(session, TheSession) and session.node != self._own
        if entry is None or not is_elsewhere or not self._table.is_admitted(mac):
            return ""
        assert isinstance(session, TheSession)
        if session.account != entry.account:
            return ""
        named = (facts.name for node, facts in self._node_pages().items() if node_mark(node) == session.node)
        return next(named, session.node)

    def devices_with_sessions(self, account: AccountId) -> int:
        """On all nodes, as far as this one was told."""
        wall_s = self._instant().wall_s
        found = (read_session(record.value) for record in self._shared.records.all(SESSION))
        return sum(
            isinstance(each, TheSession) and each.account == account and not each.is_over(wall_s)
            for each in found
        )

    # --- letting in -----------------------------------------------------------------------------

    def _consider(self, mac: MacAddress, names: tuple[str, ...]) -> None:
        if not self._reconciler.persistence.recalled or not self._reconciler.ready.is_set():
            self._look_later(mac)
            return
        decision = self._decide(mac, names)
        match decision:
            case IsBlocked(because, lasts_ms):
                self._start(self._reconciler.block(mac, because, self._until(lasts_ms)))
            case Comes():
                self._let_in(mac, decision, self._session(names))
            case Stays("account"):
                self._look_later(mac)  # its voucher or binding may come a moment later

    def _decide(self, mac: MacAddress, names: tuple[str, ...]) -> Stays | IsBlocked | Comes:
        policy, registry = self._reconciler.effective_policy, self._registry
        session = self._session(names)
        told = ToldDevice(
            session, read_binding(self._value(BINDING, names)), read_block(self._value(BLOCKED, names))
        )
        here = DeviceHere(
            mac,
            self._table.state(mac),
            policy.member_directory.devices.get(mac),
            registry.bindings.get(mac),
            policy.guest_account(mac),
            session is not None and self._had.get(mac) == session,
        )
        rules = NodeRules(policy.active_ruleset.ruleset.joining.ways, self._terms_version())
        return decide(told, here, rules, _Accounts(registry), self._instant())

    def _let_in(self, mac: MacAddress, comes: Comes, session: TheSession | SessionEnded | None) -> None:
        rows = () if comes.binding is None else self._registry.bindings.bind(comes.binding)
        if isinstance(session, TheSession):
            self._had.pop(mac, None)
            self._had[mac] = session
            if len(self._had) > HAD_MAX:
                del self._had[next(iter(self._had))]
        self._admit(mac, comes.terms, comes.lasts_ms, rows)

    def _admit(
        self, mac: MacAddress, terms: str, lasts_ms: Milliseconds | None, rows: tuple[Change, ...] = ()
    ) -> None:
        """An account at its device limit here takes no further device: its person chooses on the page."""
        ends_by = self._until(lasts_ms)
        self._coming.add(mac)
        self._table.locate(mac, self._devices.addresses(mac))
        self._start(self._reconciler.admit(mac, terms, changes=rows, ends_by=ends_by))
        self._coming.discard(mac)
        if not self._table.is_admitted(mac):
            self._table.locate(mac, ())

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        """Its first step is made now, so that what it changes is stored together with the record that it follows from."""
        task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """The kernel's table or the room for guests may be full."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, KernelRefused):
            self._failure = error
            self._has_work.set()
            return
        if self._clock.monotonic() - self._logged >= LOGGED_EVERY_MS:
            self._logged = self._clock.monotonic()
            log.warning("a device that comes from another node is not let in: %s", error)

    # --- what other nodes say -------------------------------------------------------------------

    def _session_told(self, record: RegistryRecord) -> None:
        mac, session = self._devices.find(record.key), read_session(record.value)
        if mac is None:
            return
        if isinstance(session, SessionEnded):
            if self._table.is_admitted(mac):
                self._start(self._reconciler.leave(mac))
        elif self._table.is_admitted(mac):
            self._prolong(mac, session)
        elif self._devices.is_near(mac, self._clock.monotonic()):
            self._consider(mac, self._names.every(mac))

    def _block_told(self, record: RegistryRecord) -> None:
        mac, block = self._devices.find(record.key), read_block(record.value)
        if mac is None:
            return
        state, at = self._table.state(mac), self._instant()
        if isinstance(block, TheBlock) and not block.is_over(at.wall_s):
            until = self._until(lasts(block, at))
            if not (isinstance(state, session_state.Blocked) and _is_near(state.until, until)):
                self._start(self._reconciler.block(mac, block.because, until))
        elif isinstance(block, NoBlock) and isinstance(state, session_state.Blocked):
            self._start(self._reconciler.unblock(mac))

    def _binding_told(self, record: RegistryRecord) -> None:
        """A device without an entry here is bound when it comes."""
        mac, told = self._devices.find(record.key), read_binding(record.value)
        bound = None if mac is None else self._registry.bindings.get(mac)
        if mac is None or (bound is None and mac not in self._table.session_entries):
            return
        if isinstance(told, TheBinding):
            self._bind(mac, told, bound.name if bound is not None and bound.account == told.account else "")
        elif isinstance(told, NoBinding) and (rows := self._registry.bindings.unbind(mac)):
            self._start(self._reconciler.remember(rows))

    def _bind(self, mac: MacAddress, told: TheBinding, name: str) -> None:
        binding = Binding(mac, told.account, told.way, told.day, name, told.host)
        if rows := self._registry.bindings.bind(binding):
            self._start(self._reconciler.remember(rows))

    def _prolong(self, mac: MacAddress, session: TheSession | None) -> None:
        """The person signed in again at another node, where the session now ends later."""
        state, at = self._table.state(mac), self._instant()
        if session is None or not isinstance(state, session_state.Authorized) or state.until is None:
            return
        idle_ms = self._table.idle_ms(mac, at.now)
        if idle_ms is None or idle_ms > IN_USE_MS or at.wall_s is None:
            return
        here = replace(session, end_s=max(1, at.wall_s + (state.until - at.now) // 1000))
        if session.account != self._table.session_entries[mac].account or not is_later(session, here):
            return
        if not session.is_over(at.wall_s):
            self._admit(mac, session.terms, lasts(session, at))

    # --- what changes here ----------------------------------------------------------------------

    def _changed(self, mac: MacAddress, event: session_state.Event) -> None:
        match event:
            case session_state.SessionGranted() | session_state.FoundInKernel() if mac in self._coming:
                pass
            case (
                session_state.SessionGranted()
                | session_state.FoundInKernel()
                | session_state.LoggedOff()
                | session_state.BlockedByAdmin()
                | session_state.Unblocked()
            ):
                self._devices.add(mac)
                self._tell(mac, event)
            case session_state.Shortened(until) if until <= self._clock.monotonic():
                self._tell(mac, event)  # its voucher was revoked: restored, it is entered again

    def _tell(self, mac: MacAddress, event: session_state.Event) -> None:
        at = self._instant()
        if at.wall_s is None or not self._shared.generation:
            self._undated.pop(mac, None)
            self._undated[mac] = event
            self._has_work.set()
            return
        match event:
            case session_state.BlockedByAdmin(because, until):
                self._tell_block(mac, because, until, at)
                self._tell_end(mac, at)
            case session_state.Unblocked():
                # Also at the end of a pause: a node that knew no time when it heard of it waits for this.
                if isinstance(self._block(mac), TheBlock):
                    self._put(BLOCKED, mac, NoBlock().value, last_day(at.today))
            case session_state.LoggedOff() | session_state.Shortened():
                self._tell_end(mac, at)
            case _:
                self._tell_session(mac, at)

    def _tell_session(self, mac: MacAddress, at: Now) -> None:
        state, entry = self._table.state(mac), self._table.session_entries.get(mac)
        if not isinstance(state, session_state.Authorized) or entry is None or at.wall_s is None:
            return
        lasts_s = None if state.until is None else max(1, (state.until - at.now) // 1000)
        end_s = NO_END if lasts_s is None else at.wall_s + lasts_s
        session = TheSession(entry.account, self._registry.way_of(mac), entry.terms, end_s, self._own)
        known = self._session_of(mac)
        if isinstance(known, TheSession) and not known.is_over(at.wall_s) and not is_later(session, known):
            return
        days = ENDLESS_DAYS if lasts_s is None else lasts_s // 86_400 + 1
        self._put(SESSION, mac, session.value, last_day(at.today, days))

    def _tell_end(self, mac: MacAddress, at: Now) -> None:
        record = self._record(SESSION, self._names.every(mac))
        known = None if record is None else read_session(record.value)
        if record is not None and isinstance(known, TheSession) and not known.is_over(at.wall_s):
            self._put(SESSION, mac, SessionEnded().value, record.until)

    def _tell_block(self, mac: MacAddress, because: str, until: Monotonic | None, at: Now) -> None:
        end_s = NO_END if until is None or at.wall_s is None else at.wall_s + -((at.now - until) // 1000)
        block, names = TheBlock(because, max(NO_END, end_s)), self._names.every(mac)
        known = self._record(BLOCKED, names)
        told = None if known is None or known.key != names[0] else read_block(known.value)
        is_known = isinstance(told, TheBlock) and told.is_same(block)
        if not is_known or (known is not None and known.until < last_day(at.today, RENEWED_DAYS)):
            self._put(BLOCKED, mac, block.value, last_day(at.today))

    def _binding_record(self, change: Change) -> tuple[str, Value, str] | None:
        """The record that a change of a binding makes. A guest's own account needs none."""
        if not isinstance(change, Binding | Unbound):
            return None
        at, mac = self._instant(), change.mac
        self._devices.add(mac)
        known = self._record(BINDING, self._names.every(mac))
        is_bound = known is not None and isinstance(read_binding(known.value), TheBinding)
        until = last_day(at.today) if at.today else known.until if known is not None else ""
        guest = self._reconciler.effective_policy.guest_account(mac)
        if isinstance(change, Unbound) or (change.account == guest and change.way == "terms"):
            return (self._names.newest(mac), NoBinding().value, until) if is_bound else None
        told = TheBinding(change.account, change.way, change.bound_day, change.introduced_by)
        if known is not None and known.value == told.value and known.key == self._names.newest(mac):
            until = known.until
        return self._names.newest(mac), told.value, until

    def _put(self, kind: str, mac: MacAddress, value: Value, until: str) -> None:
        self._shared.put(kind, self._names.newest(mac), value, until)

    # --- now and then ---------------------------------------------------------------------------

    def _begin(self) -> None:
        """What was told, or happened here, when this node last stopped."""
        for mac in tuple(self._table.session_entries):
            state, session = self._table.state(mac), self._session_of(mac)
            if isinstance(state, session_state.Authorized):
                if isinstance(session, SessionEnded):
                    self._start(self._reconciler.leave(mac))
                elif session is None:
                    self._tell(mac, session_state.SessionGranted("", None))
        self._renew()

    def _renew(self) -> None:
        at = self._instant()
        if not at.today:
            return
        for mac, state in tuple(self._table.guests.items()):
            if isinstance(state, session_state.Blocked):
                self._tell_block(mac, state.because, state.until, at)

    def _tell_undated(self) -> None:
        if self._undated and self._instant().wall_s is not None:
            undated, self._undated = self._undated, {}
            for mac, event in undated.items():
                self._tell(mac, event)

    def _look_later(self, mac: MacAddress) -> None:
        if len(self._again) < AGAIN_MAX and self._again.setdefault(mac, 0) < AGAIN_TIMES:
            self._has_work.set()

    def _look_again(self) -> None:
        for mac, times in tuple(self._again.items()):
            self._again[mac] = times + 1
            self._consider(mac, self._names.every(mac))
            is_settled = self._table.is_admitted(mac) or times + 1 >= AGAIN_TIMES
            if is_settled:
                self._again.pop(mac, None)

    # --- internal -------------------------------------------------------------------------------

    def _instant(self) -> Now:
        return self._reconciler.persistence.instant()

    def _until(self, lasts_ms: Milliseconds | None) -> Monotonic | None:
        return None if lasts_ms is None else Monotonic(self._clock.monotonic() + lasts_ms)

    def _with_rows(self) -> Iterator[MacAddress]:
        yield from self._table.session_entries
        for binding in self._registry.bindings.all():
            yield binding.mac

    def _record(self, kind: str, names: tuple[str, ...]) -> RegistryRecord | None:
        """The one under the newest key under which there is one."""
        found = (self._shared.records.effective(kind, name) for name in names)
        return next((each for each in found if each is not None), None)

    def _value(self, kind: str, names: tuple[str, ...]) -> Value:
        found = self._record(kind, names)
        return {} if found is None else found.value

    def _block(self, mac: MacAddress) -> TheBlock | NoBlock | None:
        return read_block(self._value(BLOCKED, self._names.every(mac)))

    def _session(self, names: tuple[str, ...]) -> TheSession | SessionEnded | None:
        return read_session(self._value(SESSION, names))

    def _session_of(self, mac: MacAddress) -> TheSession | SessionEnded | None:
        return self._session(self._names.every(mac))


class _Accounts:
    def __init__(self, registry: AccountRegistry) -> None:
        self._registry = registry

    def is_member(self, account: AccountId) -> bool:
        return self._registry.is_member(account)

    def voucher(self, account: AccountId) -> Voucher | None:
        return self._registry.vouchers.of_account(account)


def _is_near(one: Monotonic | None, other: Monotonic | None) -> bool:
    """Whether two ends of a block are the same; None: none."""
    return one == other or (
        one is not None and other is not None and abs(one - other) <= END_TOLERANCE_S * 1000
    )


def _no_record(_change: Change) -> None:
    """Sessions and blocks are no rows of the registry."""
