"""Introductions: a guest asks a member to vouch for them, and the member says yes or no on their own page.

Nobody learns who is a member: a question to a name that nobody has, one that is not answered, and one that was
answered with no look the same to who asked.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from node.membership.hosts import plain
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

QUESTION_LIFE = Milliseconds(10 * 60_000)
OPEN_PER_NAME_MAX = 5
"""Counted by the name that was asked for, whoever has it: nobody may learn from a refusal that two names mean one member.
A member has two at most, the account and the name."""
OPEN_MAX = 1_000
"""Of all hosts, and of names that nobody has. When there are as many, the oldest makes room, whomever it asks: who sees
their question end early must not learn from it that nobody is called so."""
UNANSWERED_TOLD = Milliseconds(30 * 60_000)
"""How long a device is told that its question ended without a yes."""
HOST_CHARS_MAX = 60
"""Of the name that the guest types for whom they know."""
_SIGNS = 10_000

QuestionState = Literal["asked", "granted", "refused", "withdrawn", "timed out"]


@dataclass(frozen=True, slots=True)
class Question:
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
    state: QuestionState = "asked"


@dataclass(frozen=True, slots=True)
class Yes:
    """The host vouches for the guest."""


@dataclass(frozen=True, slots=True)
class No:
    """The host does not."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The guest asks no more."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


QuestionEvent = Yes | No | Withdrawn | Tick


def step(question: Question, event: QuestionEvent, now: Monotonic) -> Question:
    """What becomes of a question. Once it is granted, withdrawn or too old, nothing changes it; a no can no longer
    become a yes, since who asked may have gone."""
    match question.state, event:
        case "asked" | "refused", _ if now >= question.ends:
            return replace(question, state="timed out")
        case "asked", Yes() if question.host is not None:
            return replace(question, state="granted")
        case "asked", No() if question.host is not None:
            return replace(question, state="refused")
        case "asked" | "refused", Withdrawn():
            return replace(question, state="withdrawn")
        case _:
            return question


class Introductions:
    """All questions that are open, the oldest first. Kept in memory only: after a restart the guest asks again."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._open: dict[int, Question] = {}
        self._by_mac: dict[MacAddress, int] = {}
        self._by_host: dict[AccountId, dict[int, None]] = {}
        self._by_name: Counter[str] = Counter()
        self._unanswered: dict[MacAddress, Monotonic] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def ask(
        self, mac: MacAddress, host: AccountId | None, asked_for: str, name: str, now: Monotonic
    ) -> Question | None:
        """The question as both sides see it; it takes the place of one that this device asked before. None when
        OPEN_PER_NAME_MAX others ask for that name."""
        self._sweep(now)
        self.withdraw(mac, now)
        called = plain(asked_for)
        if self._by_name[called] >= OPEN_PER_NAME_MAX:
            return None
        self._make_room(now)
        self._last += 1
        asked = () if host is None else self._by_host.get(host, ())
        sign = self._sign({self._open[number].sign for number in asked})
        ends = Monotonic(now + QUESTION_LIFE)
        question = Question(self._last, mac, host, asked_for, name, sign, ends)
        self._open[question.number] = question
        self._by_mac[mac] = question.number
        self._by_name[called] += 1
        if host is not None:
            self._by_host.setdefault(host, {})[question.number] = None
        return question

    def answer(self, host: AccountId, number: int, *, yes: bool, now: Monotonic) -> Question | None:
        """The question after the host's answer; None when it is not theirs, too old or answered already."""
        self._sweep(now)
        question = self._open.get(number)
        if question is None or question.host != host or question.state != "asked":
            return None
        answered = step(question, Yes() if yes else No(), now)
        if answered.state == "granted":
            self._close(question)
        else:
            self._open[number] = answered
        return answered

    def withdraw(self, mac: MacAddress, now: Monotonic) -> Question | None:
        """The question that this device had open, now withdrawn; the device is told no more of an older one."""
        self._unanswered.pop(mac, None)
        question = self._open.get(self._by_mac.get(mac, 0))
        if question is None:
            return None
        self._close(question)
        return step(question, Withdrawn(), now)

    def of_device(self, mac: MacAddress, now: Monotonic) -> Question | None:
        """The question that this device waits with, answered with no or not."""
        self._sweep(now)
        return self._open.get(self._by_mac.get(mac, 0))

    def went_unanswered(self, mac: MacAddress, now: Monotonic) -> bool:
        """Whether this device's last question has lately ended: after a no as after silence, and in the same moment."""
        self._sweep(now)
        return now < self._unanswered.get(mac, now)

    def of_host(self, host: AccountId, now: Monotonic) -> tuple[Question, ...]:
        """Those that wait for this member's answer, the oldest first."""
        self._sweep(now)
        mine = (self._open[number] for number in self._by_host.get(host, ()))
        return tuple(question for question in mine if question.state == "asked")

    def _make_room(self, now: Monotonic) -> None:
        if len(self._open) >= OPEN_MAX:
            oldest = next(iter(self._open.values()))
            self._close(oldest)
            self._end_unanswered(oldest.mac, now)

    def _sweep(self, now: Monotonic) -> None:
        # All live equally long, so that the first in the order of asking is the first to end.
        while self._open:
            oldest = next(iter(self._open.values()))
            if step(oldest, Tick(), now).state != "timed out":
                return
            self._close(oldest)
            self._end_unanswered(oldest.mac, oldest.ends)

    def _end_unanswered(self, mac: MacAddress, at: Monotonic) -> None:
        self._unanswered[mac] = Monotonic(at + UNANSWERED_TOLD)
        if len(self._unanswered) > OPEN_MAX:
            del self._unanswered[next(iter(self._unanswered))]

    def _close(self, question: Question) -> None:
        del self._open[question.number]
        del self._by_mac[question.mac]
        called = plain(question.asked_for)
        self._by_name[called] -= 1
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
