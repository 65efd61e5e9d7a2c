"""Contests: a person says that a limit is wrong, and somebody who may answer does so where both can read it."""

from dataclasses import dataclass

from node.units import AccountId

CONTEST_CHARS_MAX = 1_000
ANSWER_CHARS_MAX = 1_000
CONTESTS_OPEN_MAX = 3
"""Of one account without an answer; a further one replaces none, and is refused with the reason."""


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
