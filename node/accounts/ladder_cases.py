"""Cases of ladders: what is kept about each account, and which of them is open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.governance.ladder_case import Checked, Event, LadderCase, StepRemoved, holds, rebased, step
from node.units import AccountId, Monotonic, Now

REASON_CHARS_MAX = 500
CASES_MAX = 5_000
"""On one node, including ended ones, until their retention ends."""


@dataclass(frozen=True, slots=True)
class LadderCaseGone:
    """The case was deleted."""

    number: int


class LadderCases:
    """All cases, by number and account. An account has one open case at most."""

    def __init__(self) -> None:
        self._by_number: dict[int, LadderCase] = {}
        self._open: dict[AccountId, LadderCase] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def take(self, kept: Iterable[LadderCase], at: Now, saved_at: Monotonic | None) -> tuple[LadderCase, ...]:
        """Load from storage. Returns open cases that were converted to the time of this boot, to be stored again."""
        rows = []
        for case in kept:
            now = case if case.ending else rebased(case, at, saved_at)
            self.put(now)
            rows += [now] if now != case else []
        return tuple(rows)

    def get(self, number: int) -> LadderCase | None:
        return self._by_number.get(number)

    def open_of(self, account: AccountId) -> LadderCase | None:
        return self._open.get(account)

    def of(self, account: AccountId) -> tuple[LadderCase, ...]:
        """The account's cases, newest first."""
        numbers = [number for number, case in self._by_number.items() if case.account == account]
        return tuple(self._by_number[number] for number in sorted(numbers, reverse=True))

    def all(self) -> tuple[LadderCase, ...]:
        """Newest first."""
        return tuple(self._by_number[number] for number in sorted(self._by_number, reverse=True))

    def all_open(self) -> tuple[LadderCase, ...]:
        return tuple(self._open.values())

    @property
    def next_number(self) -> int:
        return self._last + 1

    def put(self, case: LadderCase) -> LadderCase:
        self._by_number[case.number] = case
        self._last = max(self._last, case.number)
        if not case.ending:
            self._open[case.account] = case
        elif (open_ := self._open.get(case.account)) is not None and open_.number == case.number:
            del self._open[case.account]
        return case

    def handle(self, case: LadderCase, event: Event, now: Now) -> tuple[LadderCase, ...]:
        """The case after the event, to be stored; empty if it changes nothing."""
        after, effects = step(case, event, now)
        return (self.put(after),) if effects else ()

    def check(self, now: Now, answer_days: int, steps: Mapping[str, str]) -> tuple[LadderCase, ...]:
        """Ends what is due, and what is about a step that the rules no longer have. Returns what is to be stored. `steps`:
        what the rules say of each."""
        return tuple(
            ended
            for case in self.all_open()
            for ended in self.handle(
                case, Checked(answer_days) if steps.get(case.group) == case.said else StepRemoved(), now
            )
        )

    def group_of(
        self, account: AccountId, now: Now, answer_days: int, steps: Mapping[str, str]
    ) -> str | None:
        """The group of the step that holds for the account, if the rules have it as when the case was opened. `steps`: what
        the rules say of each."""
        case = self._open.get(account)
        if case is None or steps.get(case.group) != case.said or not holds(case, now, answer_days):
            return None
        return case.group

    def forget(self, numbers: Iterable[int]) -> tuple[LadderCaseGone, ...]:
        """Delete these cases; numbers that do not exist are ignored."""
        gone = []
        for number in numbers:
            case = self._by_number.pop(number, None)
            if case is not None:
                if self._open.get(case.account) == case:
                    del self._open[case.account]
                gone.append(LadderCaseGone(number))
        return tuple(gone)
