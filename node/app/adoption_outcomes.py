"""What comes of a request to adopt rules, and what is on trial and waits, for the pages and the console."""

from dataclasses import dataclass
from typing import Literal

from node.errors import Finding

OutcomeKind = Literal["refused", "same", "trial", "confirmed", "scheduled", "ended", "withdrawn"]


@dataclass(frozen=True, slots=True)
class AdoptionOutcome:
    """What came of a request."""

    kind: OutcomeKind
    number: int = 0
    """Of the version that it is about."""
    findings: tuple[Finding, ...] = ()
    """Of the check; one is an error if it was refused."""
    put_back: int = 0
    """The earlier version whose rules it has; 0 for none."""

    @property
    def is_refused(self) -> bool:
        return self.kind == "refused"


@dataclass(frozen=True, slots=True)
class TrialView:
    """Rules in force that nobody has confirmed yet."""

    number: int
    by: str
    seconds_left: int

    @property
    def minutes_left(self) -> int:
        """Rounded up."""
        return -(-self.seconds_left // 60)


@dataclass(frozen=True, slots=True)
class WaitingView:
    """Rules that wait for their time."""

    number: int
    by: str
    due: str
    """Local time, as people read it."""
    objections: int
    """How many members object so far."""
    needed: int
    """With so many objections the rules do not come into force."""
    accounts: int
    """In the members' file."""
