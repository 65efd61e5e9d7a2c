"""The session table: each device's state, its account, and its ids in the kernel."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from node.enforcement.plan import CLASS_MINOR_MAX, IDLE_MINOR, Admission
from node.errors import KernelRefused
from node.sessions import state as session_state
from node.sessions.stored import Session
from node.units import GUEST_PREFIX, POOL_PREFIX, AccountId, MacAddress, Milliseconds, Monotonic

GUESTS_MAX = CLASS_MINOR_MAX * 3 // 4
"""Most guest accounts at once: MAC addresses cost nothing, and one person who keeps changing theirs must not use up the
traffic classes of members and of people with vouchers."""
CLASS_IDLE_MS, CLASSES_EVERY_MS = Milliseconds(10 * 60_000), Milliseconds(60_000)
"""An account whose devices sent and received nothing for so long has no traffic class of its own, and how often that is
looked at. Each class takes memory in the kernel, and a part of what can be guaranteed."""
PLANNED_AT_ONCE = 500
"""Devices whose part of the plan is made again in one step: a millisecond."""


Transition = tuple[
    type[session_state.DeviceSession], type[session_state.DeviceSession], type[session_state.Event]
]
"""State before, state after, and the event."""


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A device's ct mark and account while it belongs to that account."""

    mac: MacAddress
    account: AccountId
    mark: int
    terms: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A device with an authorized session."""

    mac: MacAddress
    account: AccountId
    since: Monotonic
    """When this session began."""
    idle_ms: int | None
    """Since its last packet; None when not known."""
    is_guest: bool
    """The account is a guest's own: no member and no voucher."""
    is_listed: bool
    """The member directory lists this MAC address, so it is a fixed one."""


class SessionTable:
    """Owned by the control loop, which alone changes it."""

    def __init__(self, account_of: Callable[[MacAddress], AccountId], guests_max: int = GUESTS_MAX) -> None:
        """`guests_max`: limit of guest accounts, when memory allows fewer than the kernel's classes."""
        self.account_of, self.guests_max = account_of, min(guests_max, GUESTS_MAX)
        self._states: dict[MacAddress, session_state.DeviceSession] = {}
        self.guests: Mapping[MacAddress, session_state.DeviceSession] = self._states
        """The state of every device that has an entry; only `handle` changes it."""
        self.unsaved: set[MacAddress] = set()
        """Devices whose current session state is not stored."""
        self.addresses: dict[MacAddress, tuple[str, ...]] = {}
        """IP addresses of devices that come from another node, while their session lasts; `locate` changes them."""
        self.at_gateways: set[MacAddress] = set()
        """Devices behind a gateway: nothing of theirs passes this node, so they need no traffic class of their own."""
        self.on_change: Callable[[MacAddress, session_state.Event], None] = lambda _mac, _event: None
        """Called after each event that had effects."""
        self.transitions: dict[Transition, int] = defaultdict(int)
        """How often each had effects since the node started."""
        self.session_entries: dict[MacAddress, SessionEntry] = {}
        self.by_mark: dict[int, SessionEntry] = {}
        """Every ct mark that may still be counted, so that late bytes find their account."""
        self.minors: dict[AccountId, int] = {}
        self.retiring: dict[int, int] = {}
        """ct marks whose traffic is stopped and whose last bytes are not stored yet, with their class id."""
        self.heard: dict[int, Monotonic] = {}
        """When a mark's counters last grew, or when its session or the daemon started if they have not since."""
        self.idle: frozenset[AccountId] = frozenset()
        """Accounts that are idle for `CLASS_IDLE_MS`."""
        self._idle_at = Monotonic(0)
        self._here: dict[AccountId, int] = {}
        """Authorized devices of each account that has any."""
        self._planned: dict[MacAddress, Admission] = {}
        self._planned_idle: frozenset[AccountId] = frozenset()
        """Of the last call of `admitted`, which makes only those again that have changed since."""
        self._unplanned: set[MacAddress] = set()
        """Devices that may have changed since."""
        self.read_last: set[int] = set()
        """Retiring marks whose last bytes have been read; once those are stored the kernel may delete the counter."""
        self._marks: dict[tuple[MacAddress, AccountId], int] = {}
        self._of: dict[AccountId, tuple[MacAddress, ...]] = {}
        self._mark_last = 0
        self._minor_last = 0
        self._minors_used: set[int] = set()
        """The values of `minors`, if they are as many: making it for each of ten thousand new accounts takes seconds."""

    def remember_marks(self, marks: Iterable[tuple[int, MacAddress, AccountId]]) -> None:
        """Restores ct marks from the database. A mark given to another session meanwhile stays with that session."""
        for mark, mac, account in marks:
            self._mark_last = max(self._mark_last, mark)
            if mark not in self.by_mark and (mac, account) not in self._marks:
                self._marks[mac, account] = mark
            self.by_mark.setdefault(mark, SessionEntry(mac, account, mark, ""))

    def keep_clear_of(self, marks: Iterable[int]) -> None:
        """Excludes marks that the kernel still counts from new sessions."""
        self._mark_last = max(self._mark_last, *marks, 0)

    def remember_minors(self, minors: Iterable[tuple[AccountId, int]]) -> None:
        """Restores class ids from the database. An id given to another account meanwhile stays with that account."""
        held = set(self.minors.values())
        for account, minor in minors:
            if account not in self.minors and minor not in held:
                self.minors[account] = minor
        self._minor_last = max(self.minors.values(), default=0)

    def state(self, mac: MacAddress) -> session_state.DeviceSession:
        return self.guests.get(mac, session_state.Unauthorized())

    def handle(self, mac: MacAddress, event: session_state.Event, now: Monotonic) -> bool:
        """Applies the transition table and carries out the effects; the only place where a session's state changes.
        True when there were effects: the caller then has the plan applied. Raises KernelRefused, with the state
        unchanged, when the table is full."""
        before, account = (
            self.state(mac),
            self.session_entries[mac].account if self.is_admitted(mac) else None,
        )
        after, effects = session_state.step(before, event, now)
        for effect in effects:
            match effect:
                case session_state.Effect.TAKE_ENTRY:
                    self._enter(mac, event, now)
                case session_state.Effect.SAVE:
                    self.unsaved.add(mac)
                case session_state.Effect.STOP_PASSING:
                    self.addresses.pop(mac, None)
                    self.at_gateways.discard(mac)
                    self._retire(mac)
                case session_state.Effect.DISCARD_ENTRY:
                    self._remove_entry(mac)
        if mac in self.session_entries:
            self._states[mac] = after
        else:
            self._states.pop(mac, None)
        self._changed(mac, account)
        if effects:
            self.transitions[type(before), type(after), type(event)] += 1
            self.on_change(mac, event)
        return bool(effects)

    def stays(
        self, now: Monotonic, is_listed: Callable[[MacAddress], bool], guests_comfortable: int
    ) -> tuple[OpenSession, ...]:
        """The authorized sessions that `superseded` may end, with what it needs: those of accounts with several devices, and
        those of guests if there are more than `guests_comfortable`."""
        has_too_many = self._guests_counted() > guests_comfortable
        return tuple(
            OpenSession(mac, account, guest.since, self.idle_ms(mac, now), is_guest, is_listed(mac))
            for account, devices in self._of.items()
            for is_guest in (account.startswith(GUEST_PREFIX),)
            if (has_too_many if is_guest else len(devices) > 1)
            for mac in devices
            if isinstance(guest := self.guests[mac], session_state.Authorized)
        )

    def restore(self, session: Session, now: Monotonic) -> None:
        """Restores a stored session of a device without an entry. A session whose end has passed becomes expired."""
        event = session_state.Restored(_stored_state(session), session.account, session.mark, session.terms)
        self.handle(session.mac, event, now)

    def recognise(self, admission: Admission, now: Monotonic) -> None:
        """Takes over a device that the kernel authorizes. When the database does not know its mark, the session began
        while the data folder could not be written, and the device is authorized again, unless an admin blocked it."""
        session_entry = self.session_entries.get(admission.mac)
        if session_entry is None or session_entry.mark != admission.mark:
            event = session_state.FoundInKernel(admission.mark, admission.class_minor, admission.ends)
            self.handle(admission.mac, event, now)

    def rebind(self, macs: Iterable[MacAddress]) -> tuple[MacAddress, ...]:
        """For after a change of accounts: devices whose account is another now get a new ct mark and the old one is
        retired. Returns those devices."""
        moved = [
            mac
            for mac in macs
            if self.is_admitted(mac) and self.account_of(mac) != self.session_entries[mac].account
        ]
        for mac in moved:
            former = self.session_entries[mac]
            self._retire(mac)
            self._take_entry(mac, self.account_of(mac), former.terms)
            if former.mark in self.heard:
                self.heard[self.session_entries[mac].mark] = self.heard[former.mark]
            self.unsaved.add(mac)
            self._changed(mac, former.account)
        return tuple(moved)

    def locate(self, mac: MacAddress, addresses: tuple[str, ...]) -> None:
        """A device that comes from another node was heard under these addresses; none: its addresses are not needed."""
        self._unplanned.add(mac)
        if addresses:
            self.addresses[mac] = addresses
        else:
            self.addresses.pop(mac, None)

    def admitted(self, idle: Collection[AccountId] = frozenset()) -> dict[MacAddress, Admission]:
        """All authorized sessions in the form of the plan; those of `idle` accounts share one class."""
        for _ in self.plan_ahead(frozenset(idle)):
            pass
        return dict(self._planned)

    def plan_ahead(self, idle: frozenset[AccountId]) -> Iterator[None]:
        """Does what `admitted` would have to do after a change of many sessions, `PLANNED_AT_ONCE` in a step."""
        for account in self._planned_idle ^ idle:
            self._unplanned.update(self._of.get(account, ()))
        self._planned_idle = idle
        while self._unplanned:
            for _ in range(min(PLANNED_AT_ONCE, len(self._unplanned))):
                mac = self._unplanned.pop()
                if (admission := self._admission(mac)) is None:
                    self._planned.pop(mac, None)
                else:
                    self._planned[mac] = admission
            if self._unplanned:
                yield

    def _admission(self, mac: MacAddress) -> Admission | None:
        guest = self.guests.get(mac)
        if not isinstance(guest, session_state.Authorized):
            return None
        session_entry = self.session_entries[mac]
        is_idle = session_entry.account in self._planned_idle
        return Admission(
            mac,
            session_entry.mark,
            IDLE_MINOR if is_idle else self.minors[session_entry.account],
            guest.until,
            is_guest=session_entry.account.startswith(GUEST_PREFIX),
            addresses=self.addresses.get(mac, ()),
        )

    def moved(self) -> frozenset[int]:
        """Retiring marks of devices that are authorized under another mark."""
        return frozenset(
            mark
            for mark in self.retiring
            if (session_entry := self.by_mark.get(mark)) is not None and self.is_admitted(session_entry.mac)
        )

    def session(self, mac: MacAddress) -> Session:
        """The device's session for the database. The device must have an entry."""
        session_entry, guest = self.session_entries[mac], self.guests[mac]
        match guest:
            case session_state.Authorized(since, until):
                return Session(
                    mac,
                    session_entry.mark,
                    session_entry.account,
                    "admitted",
                    session_entry.terms,
                    since,
                    until,
                )
            case session_state.Blocked(because, until):
                return Session(
                    mac,
                    session_entry.mark,
                    session_entry.account,
                    "removed",
                    session_entry.terms,
                    Monotonic(0),
                    until,
                    because,
                )
            case _:
                return Session(
                    mac,
                    session_entry.mark,
                    session_entry.account,
                    "expired",
                    session_entry.terms,
                    Monotonic(0),
                    None,
                )

    def minor(self, account: AccountId) -> int:
        """The account's class id in the kernel. Ids of former accounts are reused only after the counter wraps. Raises
        KernelRefused when there are as many accounts as class ids."""
        if account not in self.minors:
            if len(self.minors) >= CLASS_MINOR_MAX:
                self._give_back_minors()
            if len(self._minors_used) != len(self.minors):
                self._minors_used = set(self.minors.values())
            used = self._minors_used
            candidate = self._minor_last % CLASS_MINOR_MAX + 1
            while candidate in used:
                candidate = candidate % CLASS_MINOR_MAX + 1
            self.minors[account] = self._minor_last = candidate
            used.add(candidate)
        return self.minors[account]

    def _keep_room_for_others(self, account: AccountId) -> None:
        """Raises KernelRefused for a new guest account when the limit of guests is reached."""
        if account in self.minors or not account.startswith(GUEST_PREFIX):
            return
        if len(self.minors) >= self.guests_max and self._guests_counted() >= self.guests_max:
            self._give_back_minors()
            if self._guests_counted() >= self.guests_max:
                raise KernelRefused(
                    "the node has as many guests as it can take", "use a code, or sign in as a member"
                )

    def _guests_counted(self) -> int:
        return sum(account.startswith(GUEST_PREFIX) for account in self.minors)

    def _give_back_minors(self) -> None:
        """Frees the class ids of accounts that have neither an authorized session nor uncounted bytes."""
        here = self.accounts_here()
        retiring = set(self.retiring.values())
        self._minors_used = set()
        self.minors = {
            account: minor
            for account, minor in self.minors.items()
            if account in here or minor in retiring or account.startswith(POOL_PREFIX)
        }
        if len(self.minors) >= CLASS_MINOR_MAX:
            raise KernelRefused(
                "the node has as many accounts as it can take", "wait until someone leaves, or add a node"
            )

    def forget_ended(self, macs: Iterable[MacAddress], now: Monotonic) -> None:
        """Discards these sessions if they are not authorized and their last bytes are
        stored; blocked devices are kept."""
        for mac in macs:
            if mac in self.session_entries and self.session_entries[mac].mark not in self.retiring:
                self.handle(mac, session_state.Discarded(), now)

    def forget_marks(self, marks: Iterable[int]) -> None:
        """Deletes marks whose last bytes are stored. A mark is never reused, so no counter
        is taken for another one's."""
        for mark in marks:
            self.retiring.pop(mark, None)
            self.read_last.discard(mark)
            self.heard.pop(mark, None)
            session_entry = self.by_mark.pop(mark, None)
            if (
                session_entry is not None
                and self._marks.get((session_entry.mac, session_entry.account)) == mark
            ):
                del self._marks[session_entry.mac, session_entry.account]

    def devices_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        return self._of.get(account, ())

    def admitted_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        """Devices of the account with an authorized session."""
        return tuple(mac for mac in self._of.get(account, ()) if self.is_admitted(mac))

    def is_admitted(self, mac: MacAddress) -> bool:
        return isinstance(self.guests.get(mac), session_state.Authorized)

    def hear(self, marks: Iterable[int], now: Monotonic) -> bool:
        """Records that packets of these marks were counted. True when the account of one of them was idle."""
        heard = {mark: now for mark in marks if mark in self.by_mark}
        self.heard |= heard
        if self.at_gateways:
            self.at_gateways.difference_update(self.by_mark[mark].mac for mark in heard)
        woken = self.idle.intersection(self.by_mark[mark].account for mark in heard) if self.idle else None
        if woken:
            self.idle -= woken
        return bool(woken)

    def find_idle(self, now: Monotonic) -> bool:
        """Looks for idle accounts, once in `CLASSES_EVERY_MS`. True when any has become idle."""
        if now - self._idle_at < CLASSES_EVERY_MS:
            return False
        self._idle_at = now
        used = {
            each.account
            for mac, each in self.session_entries.items()
            if now - self.heard.get(each.mark, now) < CLASS_IDLE_MS
            and self.is_admitted(mac)
            and mac not in self.at_gateways
        }
        before, self.idle = self.idle, frozenset(self.accounts_here() - used)
        return not self.idle <= before

    def idle_ms(self, mac: MacAddress, now: Monotonic) -> int | None:
        """Milliseconds since the last packet of a device with an entry; None when not known."""
        heard = self.heard.get(self.session_entries[mac].mark)
        return None if heard is None else now - heard

    def accounts_here(self) -> set[AccountId]:
        """Accounts with an authorized session."""
        return set(self._here)

    def _changed(self, mac: MacAddress, before: AccountId | None) -> None:
        """The device's state or entry may have changed; `before`: its account, if it had an authorized session."""
        self._unplanned.add(mac)
        after = self.session_entries[mac].account if self.is_admitted(mac) else None
        if after == before:
            return
        if after is not None:
            self._here[after] = self._here.get(after, 0) + 1
        if before is not None:
            self._here[before] -= 1
            if not self._here[before]:
                del self._here[before]

    def _enter(self, mac: MacAddress, event: session_state.Event, now: Monotonic) -> None:
        """Creates or changes the entry as the event says."""
        terms = self.session_entries[mac].terms if mac in self.session_entries else ""
        match event:
            case session_state.SessionGranted(terms_version=accepted):
                account = self.account_of(mac)
                self._keep_room_for_others(account)
                if self.is_admitted(mac) and self.session_entries[mac].account != account:
                    self._retire(mac)
                self._take_entry(mac, account, accepted or terms)
                self.heard[self.session_entries[mac].mark] = now
            case session_state.Restored(account=account, mark=mark, terms_version=accepted):
                self._add_entry(mac, account, mark, accepted)
            case session_state.FoundInKernel(mark=mark, class_minor=minor):
                account = self.account_of(mac)
                if minor <= CLASS_MINOR_MAX and minor not in self.minors.values():
                    self.minors.setdefault(account, minor)
                self._add_entry(mac, account, mark, terms)
            case _ if mac not in self.session_entries:
                # A block of a device without an entry is stored too, and needs one for that.
                self._take_entry(mac, self.account_of(mac), terms)

    def _take_entry(self, mac: MacAddress, account: AccountId, terms: str) -> None:
        key = mac, account
        self._add_entry(mac, account, self._marks[key] if key in self._marks else self._mark_last + 1, terms)

    def _add_entry(self, mac: MacAddress, account: AccountId, mark: int, terms: str) -> None:
        self.minor(account)
        other = self.by_mark.get(mark)
        if other is not None and (other.mac, other.account) != (mac, account):
            mark = self._mark_last + 1  # that mark belongs to another session now
        self._mark_last = max(self._mark_last, mark)
        self._marks[mac, account] = mark
        self._remove_entry(mac)
        self.session_entries[mac] = self.by_mark[mark] = SessionEntry(mac, account, mark, terms)
        self._of[account] = (*self._of.get(account, ()), mac)
        self.retiring.pop(mark, None)
        self.read_last.discard(mark)
        if account in self.idle:
            self.idle -= {account}

    def _remove_entry(self, mac: MacAddress) -> None:
        session_entry = self.session_entries.pop(mac, None)
        if session_entry is not None:
            left = tuple(each for each in self._of[session_entry.account] if each != mac)
            if left:
                self._of[session_entry.account] = left
            else:
                del self._of[session_entry.account]

    def _retire(self, mac: MacAddress) -> None:
        session_entry = self.session_entries.get(mac)
        if session_entry is not None:
            self.retiring[session_entry.mark] = self.minor(session_entry.account)
            self.read_last.discard(session_entry.mark)


def _stored_state(
    session: Session,
) -> session_state.Authorized | session_state.Expired | session_state.Blocked:
    match session.state:
        case "admitted":
            return session_state.Authorized(session.since, session.ends)
        case "expired":
            return session_state.Expired()
        case "removed":
            return session_state.Blocked(session.because, session.ends)


# Sessions that end early because another device replaced theirs: phones change their MAC address, and the sessions
# left behind would use memory, traffic classes and lines of the device list until they time out.

IDLE_OF_ACCOUNT = Milliseconds(2 * 3_600_000)
"""Idle for so long, while a newer device signed in to the account: the older session is superseded."""
IDLE_OF_GUEST = Milliseconds(15 * 60_000)
"""Idle for so long, while there are more guests than `guests_comfortable`."""
LOOK_EVERY = Milliseconds(60_000)


def superseded(
    stays: Iterable[OpenSession], now: Monotonic, guests_comfortable: int
) -> tuple[MacAddress, ...]:
    """Devices whose session ends now: never one that is in use, one with unknown idle time, or one that the member
    directory lists. They can sign in again as after any session."""
    by_account: defaultdict[AccountId, list[OpenSession]] = defaultdict(list)
    guests: list[OpenSession] = []
    for stay in stays:
        if stay.is_guest:
            guests.append(stay)
        else:
            by_account[stay.account].append(stay)
    left = [stay.mac for stays_of in by_account.values() for stay in _left_behind(stays_of, now)]
    surplus = len(guests) - guests_comfortable
    if surplus > 0:
        idle = [stay for stay in guests if stay.idle_ms is not None and stay.idle_ms >= IDLE_OF_GUEST]
        idle.sort(key=lambda stay: -(stay.idle_ms or 0))
        left += [stay.mac for stay in idle[:surplus]]
    return tuple(left)


def _left_behind(stays: list[OpenSession], now: Monotonic) -> list[OpenSession]:
    newest = max(stay.since for stay in stays)
    return [
        stay
        for stay in stays
        if not stay.is_listed
        and stay.idle_ms is not None
        and stay.idle_ms >= IDLE_OF_ACCOUNT
        and newest > now - stay.idle_ms
    ]
