"""Who is here: each device's state, the account that pays for it, and its number in the kernel."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from captive_portal import guests
from node.accounting.sessions import Session
from node.enforcement.plan import CLASS_MINOR_MAX, Admission
from node.errors import KernelRefused
from node.governance.roll import GUEST_PREFIX
from node.reconcile.intent import POOL_PREFIX
from node.reconcile.superseded import Stay
from node.units import AccountId, MacAddress, Monotonic

GUESTS_MAX = CLASS_MINOR_MAX * 3 // 4
"""Accounts of guests that may be here at once: hardware addresses cost nothing, and one person with ever new ones must
not take the classes of members and of people with vouchers."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What the kernel knows a device by while it belongs to this account."""

    mac: MacAddress
    account: AccountId
    mark: int
    terms: str


class Presence:
    """Owned by the loop; nobody else changes it."""

    def __init__(self, account_of: Callable[[MacAddress], AccountId], guests_max: int = GUESTS_MAX) -> None:
        """`guests_max`: accounts of guests, when memory has room for fewer than the kernel's classes."""
        self.account_of, self.guests_max = account_of, min(guests_max, GUESTS_MAX)
        self._states: dict[MacAddress, guests.Guest] = {}
        self.guests: Mapping[MacAddress, guests.Guest] = self._states
        """The state of every device that has a seat; `handle` alone changes it."""
        self.unsaved: set[MacAddress] = set()
        """Devices whose session is not stored as it is."""
        self.seats: dict[MacAddress, Seat] = {}
        self.by_mark: dict[int, Seat] = {}
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
            self.by_mark.setdefault(mark, Seat(mac, account, mark, ""))

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

    def state(self, mac: MacAddress) -> guests.Guest:
        return self.guests.get(mac, guests.Waiting())

    def handle(self, mac: MacAddress, event: guests.Event, now: Monotonic) -> bool:
        """Takes the step of the transition table and carries out its effects; True when there were any, and the caller
        has the plan applied. The one place where a session's state changes. Raises KernelRefused, and then the state is
        as it was, when there is no room for one more."""
        after, effects = guests.step(self.state(mac), event, now)
        for effect in effects:
            self._carry_out(effect, mac, event, now)
        if mac in self.seats:
            self._states[mac] = after
        else:
            self._states.pop(mac, None)
        return bool(effects)

    def stays(self, now: Monotonic, is_listed: Callable[[MacAddress], bool]) -> tuple[Stay, ...]:
        """Everybody who may pass."""
        return tuple(
            Stay(
                mac,
                seat.account,
                guest.since,
                self.idle_ms(mac, now),
                seat.account.startswith(GUEST_PREFIX),
                is_listed(mac),
            )
            for mac, seat in self.seats.items()
            if isinstance(guest := self.guests[mac], guests.Admitted)
        )

    def restore(self, session: Session, now: Monotonic) -> None:
        """A session from storage, of a device that has no seat. One whose time has passed meanwhile is over."""
        event = guests.Restored(_stored_state(session), session.account, session.mark, session.terms)
        self.handle(session.mac, event, now)

    def recognise(self, admission: Admission, now: Monotonic) -> None:
        """A device that the kernel lets pass. When storage does not know its mark, the device was admitted while the
        data folder could not be written, and is let in again; never one that an admin removed."""
        seat = self.seats.get(admission.mac)
        if seat is None or seat.mark != admission.mark:
            event = guests.FoundInKernel(admission.mark, admission.class_minor, admission.ends)
            self.handle(admission.mac, event, now)

    def rebind(self, macs: Iterable[MacAddress]) -> tuple[MacAddress, ...]:
        """After the roll or the register changed: those of them whose account is another now get a new mark; their
        old one retires."""
        moved = [
            mac for mac in macs if self.is_admitted(mac) and self.account_of(mac) != self.seats[mac].account
        ]
        for mac in moved:
            self._retire(mac)
            self._take_seat(mac, self.seats[mac].terms)
            self.unsaved.add(mac)
        return tuple(moved)

    def admitted(self) -> dict[MacAddress, Admission]:
        """Everyone who may pass, as the kernel is to know it."""
        return {
            mac: Admission(
                mac,
                seat.mark,
                self.minors[seat.account],
                guest.until,
                is_guest=seat.account.startswith(GUEST_PREFIX),
            )
            for mac, seat in self.seats.items()
            if isinstance(guest := self.guests[mac], guests.Admitted)
        }

    def moved(self) -> frozenset[int]:
        """Retiring marks of devices that may pass under another one."""
        return frozenset(
            mark
            for mark in self.retiring
            if (seat := self.by_mark.get(mark)) is not None and self.is_admitted(seat.mac)
        )

    def session(self, mac: MacAddress) -> Session:
        """The device's session for storage. The device has a seat."""
        seat, guest = self.seats[mac], self.guests[mac]
        match guest:
            case guests.Admitted(since, until):
                return Session(mac, seat.mark, seat.account, "admitted", seat.terms, since, until)
            case guests.Removed(because):
                return Session(
                    mac, seat.mark, seat.account, "removed", seat.terms, Monotonic(0), None, because
                )
            case _:
                return Session(mac, seat.mark, seat.account, "expired", seat.terms, Monotonic(0), None)

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
            if mac in self.seats and self.seats[mac].mark not in self.retiring:
                self.handle(mac, guests.Discarded(), now)

    def forget_marks(self, marks: Iterable[int]) -> None:
        """Their last bytes are stored. A number is never given again, so no counter is ever taken for another."""
        for mark in marks:
            self.retiring.pop(mark, None)
            self.read_last.discard(mark)
            self.heard.pop(mark, None)
            seat = self.by_mark.pop(mark, None)
            if seat is not None and self._marks.get((seat.mac, seat.account)) == mark:
                del self._marks[seat.mac, seat.account]

    def devices_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        return tuple(self._of.get(account, ()))

    def admitted_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        """Devices of the account that may pass."""
        return tuple(mac for mac in self._of.get(account, ()) if self.is_admitted(mac))

    def is_admitted(self, mac: MacAddress) -> bool:
        return isinstance(self.guests.get(mac), guests.Admitted)

    def hear(self, marks: Iterable[int], now: Monotonic) -> None:
        """Packets of these were counted."""
        self.heard |= {mark: now for mark in marks if mark in self.by_mark}

    def idle_ms(self, mac: MacAddress, now: Monotonic) -> int | None:
        """Since the last packet of a device that has a seat; None while that is not known."""
        heard = self.heard.get(self.seats[mac].mark)
        return None if heard is None else now - heard

    def accounts_here(self) -> set[AccountId]:
        """Accounts with a device that may pass."""
        return {seat.account for mac, seat in self.seats.items() if self.is_admitted(mac)}

    def _carry_out(self, effect: guests.Effect, mac: MacAddress, event: guests.Event, now: Monotonic) -> None:
        match effect:
            case guests.Effect.TAKE_SEAT:
                self._seat(mac, event, now)
            case guests.Effect.SAVE:
                self.unsaved.add(mac)
            case guests.Effect.STOP_PASSING:
                self._retire(mac)
            case guests.Effect.DISCARD_ENTRY:
                self._stand_up(mac)

    def _seat(self, mac: MacAddress, event: guests.Event, now: Monotonic) -> None:
        """The seat that the event gives the device."""
        terms = self.seats[mac].terms if mac in self.seats else ""
        match event:
            case guests.TermsAccepted(terms_version=accepted):
                self._keep_room_for_others(self.account_of(mac))
                self._change_seat(mac, now, accepted or terms)
            case guests.Restored(account=account, mark=mark, terms_version=accepted):
                self._sit(mac, account, mark, accepted)
            case guests.FoundInKernel(mark=mark, class_minor=minor):
                account = self.account_of(mac)
                if minor not in self.minors.values():
                    self.minors.setdefault(account, minor)
                self._sit(mac, account, mark, terms)
            case _ if mac not in self.seats:
                # What an admin decided about a device that is not here is stored too, and needs a seat for that.
                self._take_seat(mac, terms)

    def _change_seat(self, mac: MacAddress, now: Monotonic, terms: str) -> None:
        before = self.seats.get(mac)
        if before is not None and self.is_admitted(mac) and self.account_of(mac) != before.account:
            self._retire(mac)
        self._take_seat(mac, terms)
        self.heard[self.seats[mac].mark] = now

    def _take_seat(self, mac: MacAddress, terms: str) -> None:
        account = self.account_of(mac)
        key = mac, account
        self._sit(mac, account, self._marks[key] if key in self._marks else self._mark_last + 1, terms)

    def _sit(self, mac: MacAddress, account: AccountId, mark: int, terms: str) -> None:
        self.minor(account)
        other = self.by_mark.get(mark)
        if other is not None and (other.mac, other.account) != (mac, account):
            mark = self._mark_last + 1  # that number has become somebody else's
        self._mark_last = max(self._mark_last, mark)
        self._marks[mac, account] = mark
        self._stand_up(mac)
        self.seats[mac] = self.by_mark[mark] = Seat(mac, account, mark, terms)
        self._of.setdefault(account, {})[mac] = None
        self.retiring.pop(mark, None)
        self.read_last.discard(mark)

    def _stand_up(self, mac: MacAddress) -> None:
        seat = self.seats.pop(mac, None)
        if seat is not None:
            del self._of[seat.account][mac]
            if not self._of[seat.account]:
                del self._of[seat.account]

    def _retire(self, mac: MacAddress) -> None:
        seat = self.seats.get(mac)
        if seat is not None:
            self.retiring[seat.mark] = self.minor(seat.account)
            self.read_last.discard(seat.mark)


def _stored_state(session: Session) -> guests.Admitted | guests.Expired | guests.Removed:
    match session.state:
        case "admitted":
            return guests.Admitted(session.since, session.ends)
        case "expired":
            return guests.Expired()
        case "removed":
            return guests.Removed(session.because)
