"""What the adoption of rules asks of a text, and of the node, before rules come into force."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node.app.rule_files import RuleFiles
from node.app.rule_meanings import says_the_same
from node.control.active_ruleset import amend
from node.control.reconciler import Reconciler
from node.errors import Finding
from node.governance.admin_findings import minutes_to_attest, too_few_admins
from node.governance.adoption import Reason
from node.governance.approvals import approvals_needed
from node.governance.parse import parse_ruleset
from node.governance.rule_history import RuleVersion
from node.governance.rules import NO_WAITING, Ruleset
from node.governance.stopped_rules import APPROVALS_AFTER_OBJECTIONS, stopped_before
from node.governance.waiting_time import waiting_needed
from node.units import Milliseconds


@dataclass(frozen=True, slots=True)
class Conditions:
    """What rules need before they come into force."""

    approvals: int = 1
    """How many different admins, with the one who proposes them."""
    waiting: Milliseconds = NO_WAITING
    """For how long they wait at least."""
    stopped: RuleVersion | None = None
    """The version that members stopped and that would do the same; since then no minutes decided it."""

    @property
    def must_wait(self) -> bool:
        return self.approvals > 1 or self.waiting > 0


class AdoptionChecks:
    """Changes nothing."""

    def __init__(
        self,
        reconciler: Reconciler,
        files: RuleFiles,
        portal_runs: Callable[[], bool],
        admins: Callable[[], int],
    ) -> None:
        self._reconciler, self._files = reconciler, files
        self._portal_runs, self._admins = portal_runs, admins

    @property
    def confirmed_fingerprint(self) -> str:
        """Of the rules confirmed last."""
        return self._files.confirmed(self._reconciler).fingerprint

    async def findings(self, text: str) -> tuple[Finding, ...]:
        """Of a text that would be in force now."""
        # Evaluates the rules for whole weeks.
        active, directory = self._reconciler.active_ruleset, self._reconciler.member_directory
        slowest = self._reconciler.uplink_rate_control.slowest
        ruleset, findings = await asyncio.to_thread(amend, active, text, directory, slowest)
        if ruleset is None:
            return findings
        to_attest = minutes_to_attest(self._files.confirmed(self._reconciler).ruleset, ruleset)
        return (*findings, *too_few_admins(ruleset, self._admins()), *to_attest)

    async def says_the_same(self, text: str) -> bool:
        """As the rules in force."""
        return await asyncio.to_thread(says_the_same, self._reconciler.active_ruleset.ruleset, text)

    async def conditions(
        self, text: str, versions: Sequence[RuleVersion], today: str, *, is_return: bool = False
    ) -> Conditions:
        """What this text needs to come into force; what has errors never can. `versions` are those of the log."""
        confirmed = self._files.confirmed(self._reconciler).ruleset
        return await asyncio.to_thread(_conditions, confirmed, text, versions, today, is_return=is_return)

    def failing(self) -> frozenset[Reason]:
        """Health gates that fail now."""
        kept = self._reconciler.effective_policy.kept()
        gates: dict[Reason, bool] = {
            "kernel": bool(self._reconciler.troubles.kernel),
            "lifeline": kept.lifelines_permille < 1000,
            "portal": not self._portal_runs(),
        }
        return frozenset(name for name, fails in gates.items() if fails)


def _conditions(
    confirmed: Ruleset, text: str, versions: Sequence[RuleVersion], today: str, *, is_return: bool
) -> Conditions:
    proposed, _ = parse_ruleset(text)
    if proposed is None:
        return Conditions()
    approvals = approvals_needed(confirmed, proposed, is_return=is_return)
    stopped = stopped_before(confirmed, proposed, versions, today)
    if stopped is not None:
        approvals = max(approvals, APPROVALS_AFTER_OBJECTIONS)
    return Conditions(approvals, waiting_needed(confirmed, proposed, is_return=is_return), stopped)
