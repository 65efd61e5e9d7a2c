"""Who is here: each device's state, the account that pays for it, and its number in the kernel."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from node.enforcement.plan import CLASS_MINOR_MAX, Admission
from node.errors import KernelRefused
from node.governance.members import GUEST_PREFIX
from node.sessions import state as session_state
from node.sessions.stored import Session
from node.sessions.superseded import OpenSession
from node.sessions.traffic_classes import POOL_PREFIX
from node.units import AccountId, MacAddress, Monotonic

GUESTS_MAX = CLASS_MINOR_MAX * 3 // 4
"""Accounts of guests that may be here at once: hardware addresses cost nothing, and one person with ever new ones must
not take the classes of members and of people with vouchers."""


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """What the kernel knows a device by while it belongs to this account."""

    mac: MacAddress
    account: AccountId
    mark: int
    terms: str


class SessionTable:
    """Owned by the loop; nobody else changes it."""

    def __init__(self, account_of: Callable[[MacAddress], AccountId], guests_max: int = GUESTS_MAX) -> None:
        """`guests_max`: accounts of guests, when memory has room for fewer than the kernel's classes."""
        self.account_of, self.guests_max = account_of, min(guests_max, GUESTS_MAX)
        self._states: dict[MacAddress, session_state.DeviceSession] = {}
        self.guests: Mapping[MacAddress, session_state.DeviceSession] = self._states
        """The state of every device that has a seat; `handle` alone changes it."""
        self.unsaved: set[MacAddress] = set()
        """Devices whose session is not stored as it is."""
        self.session_entries: dict[MacAddress, SessionEntry] = {}
        self.by_mark: dict[int, SessionEntry] = {}
        """Every mark that may still be counted, so that late bytes find their account."""
        self.minors: dict[AccountId, int] = {}
        self.retiring: dict[int, int] = {}
        """Marks whose traffic has been stopped and whose last bytes are still to be stored, with their class."""
        self.heard: dict[int, Monotonic] = {}
        """When a mark's counters last grew; nothing for one that has been silent since the daemon started."""
        self.read_last: set[int] = set()
        """Those of them whose last bytes have been read; once they are stored the kernel may forget the counter."""
        self._marks: dict[tuple[MacAddress, AccountId], int] = {}
        self._of: dict[AccountId, dict[MacAddress, None]] = {}
        self._mark_last = 0
        self._minor_last = 0

    def remember_marks(self, marks: Iterable[tuple[int, MacAddress, AccountId]]) -> None:
        """From storage; a number that somebody here has been given meanwhile stays theirs."""
        for mark, mac, account in marks:
            self._mark_last = max(self._mark_last, mark)
            if mark not in self.by_mark and (mac, account) not in self._marks:
                self._marks[mac, account] = mark
            self.by_mark.setdefault(mark, SessionEntry(mac, account, mark, ""))

    def keep_clear_of(self, marks: Iterable[int]) -> None:
        """Numbers that the kernel still counts are not given to anybody new."""
        self._mark_last = max(self._mark_last, *marks, 0)

    def remember_minors(self, minors: Iterable[tuple[AccountId, int]]) -> None:
        """From storage, as above."""
        held = set(self.minors.values())
        for account, minor in minors:
            if account not in self.minors and minor not in held:
                self.minors[account] = minor
        self._minor_last = max(self.minors.values(), default=0)

    def state(self, mac: MacAddress) -> session_state.DeviceSession:
        return self.guests.get(mac, session_state.Unauthorized())

    def handle(self, mac: MacAddress, event: session_state.Event, now: Monotonic) -> bool:
        """Takes the step of the transition table and carries out its effects; True when there were any, and the caller
        has the plan applied. The one place where a session's state changes. Raises KernelRefused, and then the state is
        as it was, when there is no room for one more."""
        after, effects = session_state.step(self.state(mac), event, now)
        for effect in effects:
            self._carry_out(effect, mac, event, now)
        if mac in self.session_entries:
            self._states[mac] = after
        else:
            self._states.pop(mac, None)
        return bool(effects)

    def stays(self, now: Monotonic, is_listed: Callable[[MacAddress], bool]) -> tuple[OpenSession, ...]:
        """Everybody who may pass."""
        return tuple(
            OpenSession(
                mac,
                session_entry.account,
                guest.since,
                self.idle_ms(mac, now),
                session_entry.account.startswith(GUEST_PREFIX),
                is_listed(mac),
            )
            for mac, session_entry in self.session_entries.items()
            if isinstance(guest := self.guests[mac], session_state.Authorized)
        )

    def restore(self, session: Session, now: Monotonic) -> None:
        """A session from storage, of a device that has no seat. One whose time has passed meanwhile is over."""
        event = session_state.Restored(_stored_state(session), session.account, session.mark, session.terms)
        self.handle(session.mac, event, now)

    def recognise(self, admission: Admission, now: Monotonic) -> None:
        """A device that the kernel lets pass. When storage does not know its mark, the device was admitted while the
        data folder could not be written, and is let in again; never one that an admin removed."""
        session_entry = self.session_entries.get(admission.mac)
        if session_entry is None or session_entry.mark != admission.mark:
            event = session_state.FoundInKernel(admission.mark, admission.class_minor, admission.ends)
            self.handle(admission.mac, event, now)

    def rebind(self, macs: Iterable[MacAddress]) -> tuple[MacAddress, ...]:
        """After the roll or the register changed: those of them whose account is another now get a new mark; their
        old one retires."""
        moved = [
            mac
            for mac in macs
            if self.is_admitted(mac) and self.account_of(mac) != self.session_entries[mac].account
        ]
        for mac in moved:
            self._retire(mac)
            self._take_entry(mac, self.session_entries[mac].terms)
            self.unsaved.add(mac)
        return tuple(moved)

    def admitted(self) -> dict[MacAddress, Admission]:
        """Everyone who may pass, as the kernel is to know it."""
        return {
            mac: Admission(
                mac,
                session_entry.mark,
                self.minors[session_entry.account],
                guest.until,
                is_guest=session_entry.account.startswith(GUEST_PREFIX),
            )
            for mac, session_entry in self.session_entries.items()
            if isinstance(guest := self.guests[mac], session_state.Authorized)
        }

    def moved(self) -> frozenset[int]:
        """Retiring marks of devices that may pass under another one."""
        return frozenset(
            mark
            for mark in self.retiring
            if (session_entry := self.by_mark.get(mark)) is not None and self.is_admitted(session_entry.mac)
        )

    def session(self, mac: MacAddress) -> Session:
        """The device's session for storage. The device has a seat."""
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
            case session_state.Blocked(because):
                return Session(
                    mac,
                    session_entry.mark,
                    session_entry.account,
                    "removed",
                    session_entry.terms,
                    Monotonic(0),
                    None,
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
        """The account's class in the kernel; numbers of accounts long gone are used again only after a wrap.
        Raises KernelRefused when as many accounts are here as there are classes."""
        if account not in self.minors:
            if len(self.minors) >= CLASS_MINOR_MAX:
                self._give_back_minors()
            used = set(self.minors.values())
            candidate = self._minor_last % CLASS_MINOR_MAX + 1
            while candidate in used:
                candidate = candidate % CLASS_MINOR_MAX + 1
            self.minors[account] = self._minor_last = candidate
        return self.minors[account]

    def _keep_room_for_others(self, account: AccountId) -> None:
        """Raises KernelRefused for one more guest when as many are here as may be."""
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
        """Only who is here, or still being counted, needs a class."""
        here = self.accounts_here()
        retiring = set(self.retiring.values())
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
        """Those of them that are not admitted and whose last bytes are stored; never one that an admin removed."""
        for mac in macs:
            if mac in self.session_entries and self.session_entries[mac].mark not in self.retiring:
                self.handle(mac, session_state.Discarded(), now)

    def forget_marks(self, marks: Iterable[int]) -> None:
        """Their last bytes are stored. A number is never given again, so no counter is ever taken for another."""
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
        return tuple(self._of.get(account, ()))

    def admitted_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        """Devices of the account that may pass."""
        return tuple(mac for mac in self._of.get(account, ()) if self.is_admitted(mac))

    def is_admitted(self, mac: MacAddress) -> bool:
        return isinstance(self.guests.get(mac), session_state.Authorized)

    def hear(self, marks: Iterable[int], now: Monotonic) -> None:
        """Packets of these were counted."""
        self.heard |= {mark: now for mark in marks if mark in self.by_mark}

    def idle_ms(self, mac: MacAddress, now: Monotonic) -> int | None:
        """Since the last packet of a device that has a seat; None while that is not known."""
        heard = self.heard.get(self.session_entries[mac].mark)
        return None if heard is None else now - heard

    def accounts_here(self) -> set[AccountId]:
        """Accounts with a device that may pass."""
        return {
            session_entry.account
            for mac, session_entry in self.session_entries.items()
            if self.is_admitted(mac)
        }

    def _carry_out(
        self, effect: session_state.Effect, mac: MacAddress, event: session_state.Event, now: Monotonic
    ) -> None:
        match effect:
            case session_state.Effect.TAKE_SEAT:
                self._seat(mac, event, now)
            case session_state.Effect.SAVE:
                self.unsaved.add(mac)
            case session_state.Effect.STOP_PASSING:
                self._retire(mac)
            case session_state.Effect.DISCARD_ENTRY:
                self._remove_entry(mac)

    def _seat(self, mac: MacAddress, event: session_state.Event, now: Monotonic) -> None:
        """The seat that the event gives the device."""
        terms = self.session_entries[mac].terms if mac in self.session_entries else ""
        match event:
            case session_state.SessionGranted(terms_version=accepted):
                self._keep_room_for_others(self.account_of(mac))
                self._change_entry(mac, now, accepted or terms)
            case session_state.Restored(account=account, mark=mark, terms_version=accepted):
                self._add_entry(mac, account, mark, accepted)
            case session_state.FoundInKernel(mark=mark, class_minor=minor):
                account = self.account_of(mac)
                if minor not in self.minors.values():
                    self.minors.setdefault(account, minor)
                self._add_entry(mac, account, mark, terms)
            case _ if mac not in self.session_entries:
                # What an admin decided about a device that is not here is stored too, and needs a seat for that.
                self._take_entry(mac, terms)

    def _change_entry(self, mac: MacAddress, now: Monotonic, terms: str) -> None:
        before = self.session_entries.get(mac)
        if before is not None and self.is_admitted(mac) and self.account_of(mac) != before.account:
            self._retire(mac)
        self._take_entry(mac, terms)
        self.heard[self.session_entries[mac].mark] = now

    def _take_entry(self, mac: MacAddress, terms: str) -> None:
        account = self.account_of(mac)
        key = mac, account
        self._add_entry(mac, account, self._marks[key] if key in self._marks else self._mark_last + 1, terms)

    def _add_entry(self, mac: MacAddress, account: AccountId, mark: int, terms: str) -> None:
        self.minor(account)
        other = self.by_mark.get(mark)
        if other is not None and (other.mac, other.account) != (mac, account):
            mark = self._mark_last + 1  # that number has become somebody else's
        self._mark_last = max(self._mark_last, mark)
        self._marks[mac, account] = mark
        self._remove_entry(mac)
        self.session_entries[mac] = self.by_mark[mark] = SessionEntry(mac, account, mark, terms)
        self._of.setdefault(account, {})[mac] = None
        self.retiring.pop(mark, None)
        self.read_last.discard(mark)

    def _remove_entry(self, mac: MacAddress) -> None:
        session_entry = self.session_entries.pop(mac, None)
        if session_entry is not None:
            del self._of[session_entry.account][mac]
            if not self._of[session_entry.account]:
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
            return session_state.Blocked(session.because)
