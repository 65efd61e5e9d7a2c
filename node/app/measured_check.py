"""Whether the rules in force promise more than the line carried, checked in a thread when something of it has changed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from node.control.reconciler import Reconciler
from node.errors import Finding
from node.governance.guarantees import measured_findings
from node.governance.members import MemberDirectory
from node.governance.rule_evaluation import Direction
from node.governance.rules import Ruleset
from node.units import BitsPerSecond

LOOK_S = 10.0


@dataclass(frozen=True, slots=True)
class _CheckSubject:
    ruleset: Ruleset
    members: MemberDirectory
    slowest: Mapping[Direction, BitsPerSecond]

    def is_same(self, other: "_CheckSubject | None") -> bool:
        if other is None or self.slowest != other.slowest:
            return False
        return self.ruleset is other.ruleset and self.members is other.members


class MeasuredCheck:
    """The last findings are in `findings`, so that readers never wait."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._checked: _CheckSubject | None = None
        self._found: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the rules and members now; none in the seconds until they are checked."""
        return self._found if self._subject().is_same(self._checked) else ()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        subject = self._subject()
        if not subject.is_same(self._checked):
            self._found = await asyncio.to_thread(_found, subject)
            self._checked = subject

    def _subject(self) -> _CheckSubject:
        active = self._reconciler.active_ruleset.own
        slowest = self._reconciler.uplink_rate_control.slowest
        return _CheckSubject(active, self._reconciler.member_directory, slowest)


def _found(subject: _CheckSubject) -> tuple[Finding, ...]:
    return tuple(measured_findings(subject.ruleset, subject.members.units, subject.slowest))
