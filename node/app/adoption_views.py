"""Adoption of rules as pages and the console show it."""

from dataclasses import dataclass
from typing import Literal

from node.errors import Finding
from node.governance.approvals import approver
from node.governance.rule_history import RuleVersion

OutcomeKind = Literal[
    "refused", "same", "trial", "confirmed", "scheduled", "proposed", "ended", "withdrawn", "draft"
]
"""``scheduled`` rules wait for their time, ``proposed`` ones for approvals, perhaps also for their time; a ``draft`` is only
shown to members."""


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
    says_the_same: bool = False
    """It says exactly what the rules in force said, so it was confirmed without a trial."""
    stopped: RuleVersion | None = None
    """Members stopped a version that would do the same, so more than one admin must approve it."""

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
    """Rules that wait for their time, for approvals, or for both."""

    number: int
    by: str
    due: str
    """Local time, as people read it; empty for as soon as they are approved."""
    approved: tuple[str, ...] = ()
    """Labels of the admins who approve it, with the one who proposed it."""
    missing: int = 0
    """How many more admins must approve it."""
    objections: int = 0
    """How many members object so far."""
    objections_needed: int = 0
    """With so many the rules do not come into force."""
    accounts: int = 0
    """In the members' file."""
    waits_s: int = 0
    """For so long they wait at least, as the charter says."""
    left_s: int = 0
    """Of that, what is left: the node has to run for so long."""

    @property
    def hours_left(self) -> int:
        """Rounded up."""
        return -(-self.left_s // 3600)

    def is_approved_by(self, label: str) -> bool:
        return approver(label) in {approver(each) for each in self.approved}


@dataclass(frozen=True, slots=True)
class DraftView:
    """Rules that members can read, and that nobody has decided."""

    number: int
    by: str
    since: str
    """Civil time, as an ISO text."""
    objections: int = 0
    """How many members object."""
    accounts: int = 0
    """In the members' file."""
    texts: tuple[str, ...] = ()
    """What they write, in no order that tells who wrote it."""
