"""Introductions: a guest asks a member to vouch for them, and the member says yes or no on their own page.

A full queue gives way: after a minute each question may have to leave for somebody who has asked less often. Members can
stop hearing from one device, or from everybody, for a day.

Nobody learns who is a member: a question to a name that nobody has, one that is not answered, and one that was
answered with no look the same to who asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from node.accounts.member_lookup import plain
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

REQUEST_LIFETIME = Milliseconds(10 * 60_000)
OPEN_PER_NAME_MAX = 5
"""Counted by the name that was asked for, whoever has it: nobody may learn from a refusal that two names mean one member.
A member has two at most, the account and the name."""
TURN = Milliseconds(60_000)
"""So long each question stays at least, however many others ask for the same name."""
ASKS_REMEMBERED = Milliseconds(3_600_000)
ASKERS_MAX = 4_096
MUTED = Milliseconds(24 * 3_600_000)
MUTED_DEVICES_MAX = 50
"""Of one member; the first that was muted is heard again then."""
OPEN_MAX = 1_000
"""Of all hosts, and of names that nobody has. When there are as many, the oldest makes room, whomever it asks: who sees
their question end early must not learn from it that nobody is called so."""
UNANSWERED_TOLD = Milliseconds(30 * 60_000)
"""How long a device is told that its question ended without a yes."""
HOST_CHARS_MAX = 60
"""Of the name that the guest types for whom they know."""
_SIGNS = 10_000

_UNKNOWN = Monotonic(0)

RequestState = Literal["asked", "granted", "refused", "withdrawn", "timed out"]


@dataclass(frozen=True, slots=True)
class SponsorRequest:
    """One guest's question to one member."""

    number: int
    mac: MacAddress
    host: AccountId | None
    """None when nobody is called so."""
    asked_for: str
    """The host's name as typed."""
    name: str
    """How the guest calls themselves."""
    sign: str
    """Four digits on both screens, so that the member says yes to the right device."""
    ends: Monotonic
    state: RequestState = "asked"
    began: Monotonic = _UNKNOWN
    """When this device first asked for this name; to ask once more does not begin anew."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The host vouches for the guest."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The host does not."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The guest asks no more."""


@dataclass(frozen=True, slots=True)
class RequestTimer:
    """Time has passed."""


RequestEvent = Approved | Declined | Cancelled | RequestTimer


def step(question: SponsorRequest, event: RequestEvent, now: Monotonic) -> SponsorRequest:
    """What becomes of a question. Once it is granted, withdrawn or too old, nothing changes it; a no can no longer
    become a yes, since who asked may have gone."""
    match question.state, event:
        case "asked" | "refused", _ if now >= question.ends:
            return replace(question, state="timed out")
        case "asked", Approved() if question.host is not None:
            return replace(question, state="granted")
        case "asked", Declined() if question.host is not None:
            return replace(question, state="refused")
        case "asked" | "refused", Cancelled():
            return replace(question, state="withdrawn")
        case _:
            return question


class Sponsorship:
    """All questions that are open, the oldest first. Kept in memory only: after a restart the guest asks again."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._open: dict[int, SponsorRequest] = {}
        self._by_mac: dict[MacAddress, int] = {}
        self._by_host: dict[AccountId, dict[int, None]] = {}
        self._by_name: dict[str, dict[int, None]] = {}
        self._asked: dict[MacAddress, tuple[int, Monotonic]] = {}
        """How often each device has asked lately, and when it did last."""
        self._muted: dict[AccountId, dict[MacAddress | None, Monotonic]] = {}
        """Until when a member hears nothing from a device; None stands for all of them."""
        self._unanswered: dict[MacAddress, Monotonic] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def ask(
        self, mac: MacAddress, host: AccountId | None, asked_for: str, name: str, now: Monotonic
    ) -> SponsorRequest | None:
        """The question as both sides see it; it takes the place of one that this device asked before. None when
        OPEN_PER_NAME_MAX others ask for that name, and none of them has to give way: whose question has stood for a TURN
        goes for who has asked no more often than they did. A host who has muted the device never sees the question."""
        self._sweep(now)
        before, called = self._open.get(self._by_mac.get(mac, 0)), plain(asked_for)
        self.withdraw(mac, now)
        is_same = before is not None and plain(before.asked_for) == called
        asks = self._count(mac, now)
        if not self._has_place(called, asks, now):
            return None
        self._make_room(now)
        self._last += 1
        hears = host is not None and not self._is_muted(host, mac, now)
        asked = () if host is None else self._by_host.get(host, ())
        sign = self._sign({self._open[number].sign for number in asked})
        ends = Monotonic(now + REQUEST_LIFETIME)
        began = before.began if before is not None and is_same else now
        question = SponsorRequest(
            self._last, mac, host if hears else None, asked_for, name, sign, ends, began=began
        )
        self._open[question.number] = question
        self._by_mac[mac] = question.number
        self._by_name.setdefault(called, {})[question.number] = None
        if question.host is not None:
            self._by_host.setdefault(question.host, {})[question.number] = None
        return question

    def mute(self, host: AccountId, number: int, now: Monotonic) -> bool:
        """The host hears nothing from the device of this question for MUTED; False when the question is not theirs. Who
        asked cannot tell it from silence."""
        self._sweep(now)
        question = self._open.get(number)
        if question is None or question.host != host:
            return False
        muted = self._muted.setdefault(host, {})
        muted.pop(question.mac, None)
        devices = [each for each in muted if each is not None]
        if len(devices) >= MUTED_DEVICES_MAX:
            del muted[devices[0]]
        muted[question.mac] = Monotonic(now + MUTED)
        self._open[number] = step(question, Declined(), now)
        return True

    def mute_all(self, host: AccountId, now: Monotonic) -> None:
        """The host hears no question for MUTED; those that wait are as good as refused."""
        self._sweep(now)
        self._muted.setdefault(host, {})[None] = Monotonic(now + MUTED)
        for question in self.of_host(host, now):
            self._open[question.number] = step(question, Declined(), now)

    def unmute(self, host: AccountId) -> None:
        """The host hears everybody again."""
        self._muted.pop(host, None)

    def muted_until(self, host: AccountId, now: Monotonic) -> Monotonic | None:
        """Until when the host hears nobody; None while they do."""
        until = self._muted.get(host, {}).get(None)
        return until if until is not None and now < until else None

    def answer(self, host: AccountId, number: int, *, yes: bool, now: Monotonic) -> SponsorRequest | None:
        """The question after the host's answer; None when it is not theirs, too old or answered already."""
        self._sweep(now)
        question = self._open.get(number)
        if question is None or question.host != host or question.state != "asked":
            return None
        answered = step(question, Approved() if yes else Declined(), now)
        if answered.state == "granted":
            self._close(question)
        else:
            self._open[number] = answered
        return answered

    def withdraw(self, mac: MacAddress, now: Monotonic) -> SponsorRequest | None:
        """The question that this device had open, now withdrawn; the device is told no more of an older one."""
        self._unanswered.pop(mac, None)
        question = self._open.get(self._by_mac.get(mac, 0))
        if question is None:
            return None
        self._close(question)
        return step(question, Cancelled(), now)

    def of_device(self, mac: MacAddress, now: Monotonic) -> SponsorRequest | None:
        """The question that this device waits with, answered with no or not."""
        self._sweep(now)
        return self._open.get(self._by_mac.get(mac, 0))

    def went_unanswered(self, mac: MacAddress, now: Monotonic) -> bool:
        """Whether this device's last question has lately ended: after a no as after silence, and in the same moment."""
        self._sweep(now)
        return now < self._unanswered.get(mac, now)

    def of_host(self, host: AccountId, now: Monotonic) -> tuple[SponsorRequest, ...]:
        """Those that wait for this member's answer, the oldest first."""
        self._sweep(now)
        mine = (self._open[number] for number in self._by_host.get(host, ()))
        return tuple(question for question in mine if question.state == "asked")

    def _count(self, mac: MacAddress, now: Monotonic) -> int:
        """How often the device has asked lately, this time too."""
        asks = self._asks(mac, now) + 1
        self._asked.pop(mac, None)
        if len(self._asked) >= ASKERS_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[mac] = asks, now
        return asks

    def _asks(self, mac: MacAddress, now: Monotonic) -> int:
        count, last = self._asked.get(mac, (0, now))
        return 0 if now - last >= ASKS_REMEMBERED else count

    def _has_place(self, called: str, asks: int, now: Monotonic) -> bool:
        """Whether one more may ask for this name; somebody else's question may end for it."""
        numbers = self._by_name.get(called, {})
        if len(numbers) < OPEN_PER_NAME_MAX:
            return True
        open_now = [self._open[number] for number in numbers]
        over = [each for each in open_now if now - each.began >= TURN and self._asks(each.mac, now) >= asks]
        if not over:
            return False
        gone = max(over, key=lambda each: (self._asks(each.mac, now), -each.began))
        self._close(gone)
        self._end_unanswered(gone.mac, now)
        return True

    def _is_muted(self, host: AccountId, mac: MacAddress, now: Monotonic) -> bool:
        muted = self._muted.get(host)
        if muted is None:
            return False
        for party in [party for party, until in muted.items() if until <= now]:
            del muted[party]
        if not muted:
            del self._muted[host]
        return None in muted or mac in muted

    def _make_room(self, now: Monotonic) -> None:
        if len(self._open) >= OPEN_MAX:
            oldest = next(iter(self._open.values()))
            self._close(oldest)
            self._end_unanswered(oldest.mac, now)

    def _sweep(self, now: Monotonic) -> None:
        # All live equally long, so that the first in the order of asking is the first to end.
        while self._open:
            oldest = next(iter(self._open.values()))
            if step(oldest, RequestTimer(), now).state != "timed out":
                return
            self._close(oldest)
            self._end_unanswered(oldest.mac, oldest.ends)

    def _end_unanswered(self, mac: MacAddress, at: Monotonic) -> None:
        self._unanswered[mac] = Monotonic(at + UNANSWERED_TOLD)
        if len(self._unanswered) > OPEN_MAX:
            del self._unanswered[next(iter(self._unanswered))]

    def _close(self, question: SponsorRequest) -> None:
        del self._open[question.number]
        del self._by_mac[question.mac]
        called = plain(question.asked_for)
        del self._by_name[called][question.number]
        if not self._by_name[called]:
            del self._by_name[called]
        if question.host is not None:
            asked = self._by_host[question.host]
            del asked[question.number]
            if not asked:
                del self._by_host[question.host]

    def _sign(self, taken: set[str]) -> str:
        while True:
            sign = f"{int.from_bytes(self._random(4), 'big') % _SIGNS:04}"
            if sign not in taken:
                return sign
