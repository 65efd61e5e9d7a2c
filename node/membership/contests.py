"""Contests: a person says that a limit is wrong, and somebody who may answer does so where both can read it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from node.governance.roll import GUEST_PREFIX
from node.units import AccountId

CONTEST_CHARS_MAX = 1_000
ANSWER_CHARS_MAX = 1_000
RULE_CHARS_MAX = 40
CONTESTS_OPEN_MAX = 3
"""Of one account without an answer; a further one replaces none, and is refused with the reason."""
CONTESTS_MAX = 5_000
"""On one node, answered ones included, until their time to be kept is over."""
CONTESTS_OF_GUESTS_MAX = 4_000
"""So many leave room for the others: whoever comes under ever new hardware addresses silences no member."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One contest and its answer."""

    number: int
    account: AccountId
    day: str
    rule: str
    text: str
    answer: str = ""
    """Empty while nobody has answered."""
    answered_day: str = ""


@dataclass(frozen=True, slots=True)
class ContestGone:
    """Its author erased it."""

    number: int


class Contests:
    """All of them, found by number or account."""

    def __init__(self) -> None:
        self._by_number: dict[int, Contest] = {}
        self._by_account: dict[AccountId, dict[int, None]] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def take(self, kept: Iterable[Contest]) -> None:
        """From storage."""
        for contest in kept:
            self._put(contest)

    def get(self, number: int) -> Contest | None:
        return self._by_number.get(number)

    def of(self, account: AccountId) -> tuple[Contest, ...]:
        """The account's own, the newest first."""
        return tuple(self._by_number[number] for number in reversed(self._by_account.get(account, {})))

    def all(self) -> tuple[Contest, ...]:
        """For who may answer: those without an answer first, the oldest at the front, then the newest answers."""
        unanswered = [contest for contest in self._by_number.values() if not contest.answer]
        answered = [contest for contest in self._by_number.values() if contest.answer]
        return (*unanswered, *reversed(answered))

    def has_room(self, account: AccountId) -> bool:
        """Whether this account may say one more thing before it has an answer."""
        unanswered = sum(not contest.answer for contest in self.of(account))
        room = CONTESTS_OF_GUESTS_MAX if account.startswith(GUEST_PREFIX) else CONTESTS_MAX
        return unanswered < CONTESTS_OPEN_MAX and len(self) < room

    def add(self, account: AccountId, rule: str, text: str, today: str) -> Contest:
        """A new one; there must be room for it and the texts within their limits."""
        assert self.has_room(account), "ask has_room first"
        assert len(text) <= CONTEST_CHARS_MAX, "cut it or refuse it before"
        assert len(rule) <= RULE_CHARS_MAX, "cut it or refuse it before"
        contest = Contest(self._last + 1, account, today, rule, text)
        self._put(contest)
        return contest

    def answer(self, number: int, text: str, today: str) -> Contest | None:
        """The answer, or a better one; None when there is no such contest (any more)."""
        assert 0 < len(text) <= ANSWER_CHARS_MAX, "cut it or refuse it before"
        contest = self._by_number.get(number)
        if contest is None:
            return None
        answered = replace(contest, answer=text, answered_day=today)
        self._by_number[number] = answered
        return answered

    def forget(self, numbers: Iterable[int]) -> tuple[ContestGone, ...]:
        """Those that are still there are kept no more."""
        gone = []
        for number in numbers:
            contest = self._by_number.pop(number, None)
            if contest is not None:
                del self._by_account[contest.account][number]
                if not self._by_account[contest.account]:
                    del self._by_account[contest.account]
                gone.append(ContestGone(number))
        return tuple(gone)

    def _put(self, contest: Contest) -> None:
        self._by_number[contest.number] = contest
        self._by_account.setdefault(contest.account, {})[contest.number] = None
        self._last = max(self._last, contest.number)
