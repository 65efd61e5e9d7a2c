"""What the adoption of rules asks of a text, and of the node, before rules come into force."""

import asyncio
from collections.abc import Callable

from node.app.rule_files import RuleFiles
from node.app.rule_meanings import says_the_same
from node.control.active_ruleset import amend
from node.control.reconciler import Reconciler
from node.errors import Finding
from node.governance.adoption import Reason
from node.governance.approvals import approvals_needed
from node.governance.parse import parse_ruleset


class AdoptionChecks:
    """Changes nothing."""

    def __init__(self, reconciler: Reconciler, files: RuleFiles, portal_runs: Callable[[], bool]) -> None:
        self._reconciler, self._files, self._portal_runs = reconciler, files, portal_runs

    async def findings(self, text: str) -> tuple[Finding, ...]:
        """Of a text that would be in force now."""
        # Evaluates the rules for whole weeks.
        active, directory = self._reconciler.active_ruleset, self._reconciler.member_directory
        slowest = self._reconciler.uplink_rate_control.slowest
        return (await asyncio.to_thread(amend, active, text, directory, slowest))[1]

    async def says_the_same(self, text: str) -> bool:
        """As the rules in force."""
        return await asyncio.to_thread(says_the_same, self._reconciler.active_ruleset.ruleset, text)

    async def approvals_for(self, text: str, *, is_return: bool = False) -> int:
        """How many admins must approve this text; what has errors can never come into force."""
        confirmed = self._files.confirmed(self._reconciler).ruleset
        proposed, _ = await asyncio.to_thread(parse_ruleset, text)
        return 1 if proposed is None else approvals_needed(confirmed, proposed, is_return=is_return)

    def failing(self) -> frozenset[Reason]:
        """Health gates that fail now."""
        kept = self._reconciler.effective_policy.kept()
        gates: dict[Reason, bool] = {
            "kernel": bool(self._reconciler.troubles.kernel),
            "lifeline": kept.lifelines_permille < 1000,
            "portal": not self._portal_runs(),
        }
        return frozenset(name for name, fails in gates.items() if fails)
