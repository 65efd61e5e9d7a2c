"""Who is here: each device's state, the account that pays for it, and its number in the kernel."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from captive_portal import guests
from node.accounting.sessions import Session
from node.enforcement.plan import CLASS_MINOR_MAX, Admission
from node.units import AccountId, MacAddress, Monotonic


@dataclass(frozen=True, slots=True)
class Seat:
    """What the kernel knows a device by while it belongs to this account."""

    mac: MacAddress
    account: AccountId
    mark: int
    terms: str


class Presence:
    """Owned by the loop; nobody else changes it."""

    def __init__(self, account_of: Callable[[MacAddress], AccountId]) -> None:
        self.account_of = account_of
        self.guests: dict[MacAddress, guests.Guest] = {}
        self.seats: dict[MacAddress, Seat] = {}
        self.by_mark: dict[int, Seat] = {}
        """Every mark that may still be counted, so that late bytes find their account."""
        self.minors: dict[AccountId, int] = {}
        self.retiring: dict[int, int] = {}
        """Marks whose traffic has been stopped and whose last bytes are still to be booked, with their class."""
        self._marks: dict[tuple[MacAddress, AccountId], int] = {}
        self._mark_last = 0
        self._minor_last = 0

    def remember_marks(self, marks: Iterable[tuple[int, MacAddress, AccountId]]) -> None:
        for mark, mac, account in marks:
            self._marks[mac, account] = mark
            self._mark_last = max(self._mark_last, mark)
            self.by_mark.setdefault(mark, Seat(mac, account, mark, ""))

    def remember_minors(self, minors: Iterable[tuple[AccountId, int]]) -> None:
        self.minors.update(minors)
        self._minor_last = max(self.minors.values(), default=0)

    def state(self, mac: MacAddress) -> guests.Guest:
        return self.guests.get(mac, guests.Waiting())

    def handle(
        self, mac: MacAddress, event: guests.Event, now: Monotonic, *, terms: str = ""
    ) -> tuple[guests.Effect, ...]:
        """One event in the life of one device; the effects are still to be carried out by the caller."""
        after, effects = guests.step(self.state(mac), event, now)
        self.guests[mac] = after
        if isinstance(after, guests.Admitted):
            self._take_seat(mac, terms or (self.seats[mac].terms if mac in self.seats else ""))
        if any(isinstance(effect, guests.StopPassing) for effect in effects):
            self._retire(mac)
        return effects

    def restore(self, session: Session, now: Monotonic) -> tuple[guests.Effect, ...]:
        """A session from storage. One whose time has passed meanwhile is over."""
        self._marks[session.mac, session.account] = session.mark
        self._mark_last = max(self._mark_last, session.mark)
        self.seats[session.mac] = Seat(session.mac, session.account, session.mark, session.terms)
        self.by_mark[session.mark] = self.seats[session.mac]
        self.minor(session.account)
        if session.state == "removed":
            self.guests[session.mac] = guests.Removed(session.because)
            return ()
        if session.state == "expired" or (session.ends is not None and session.ends <= now):
            self.guests[session.mac] = guests.Expired()
            return (guests.Remember(guests.Expired()), guests.StopPassing())
        self.guests[session.mac] = guests.Admitted(session.since, session.ends)
        return ()

    def rebind(self) -> tuple[MacAddress, ...]:
        """After the roll changed: devices whose account is another now get a new mark; their old one retires."""
        moved = [mac for mac, seat in self.seats.items() if self.account_of(mac) != seat.account]
        for mac in moved:
            terms = self.seats[mac].terms
            self._retire(mac)
            if isinstance(self.guests.get(mac), guests.Admitted):
                self._take_seat(mac, terms)
        return tuple(moved)

    def admitted(self) -> dict[MacAddress, Admission]:
        """Everyone who may pass, as the kernel is to know it."""
        return {
            mac: Admission(mac, seat.mark, self.minors[seat.account], guest.until)
            for mac, seat in self.seats.items()
            if isinstance(guest := self.guests[mac], guests.Admitted)
        }

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
        """The account's class in the kernel; numbers of accounts long gone are used again only after a wrap."""
        if account not in self.minors:
            used = set(self.minors.values())
            candidate = self._minor_last % CLASS_MINOR_MAX + 1
            while candidate in used:
                candidate = candidate % CLASS_MINOR_MAX + 1
            self.minors[account] = self._minor_last = candidate
        return self.minors[account]

    def forget_marks(self, marks: Iterable[int]) -> None:
        """Their last bytes are booked. A number is never given again, so no counter is ever taken for another."""
        for mark in marks:
            self.retiring.pop(mark, None)
            seat = self.by_mark.pop(mark, None)
            if seat is not None and self._marks.get((seat.mac, seat.account)) == mark:
                del self._marks[seat.mac, seat.account]

    def devices_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        return tuple(mac for mac, seat in self.seats.items() if seat.account == account)

    def _take_seat(self, mac: MacAddress, terms: str) -> None:
        account = self.account_of(mac)
        key = mac, account
        if key not in self._marks:
            self._mark_last += 1
            self._marks[key] = self._mark_last
        seat = Seat(mac, account, self._marks[key], terms)
        self.seats[mac] = seat
        self.by_mark[seat.mark] = seat
        self.retiring.pop(seat.mark, None)
        self.minor(account)

    def _retire(self, mac: MacAddress) -> None:
        seat = self.seats.get(mac)
        if seat is not None:
            self.retiring[seat.mark] = self.minor(seat.account)
