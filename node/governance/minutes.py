"""Minutes of the assembly behind a decision: where it was, who was present, how they voted, and who signed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from node.errors import Finding
from node.translator import gettext_lazy


@dataclass(frozen=True, slots=True)
class Minutes:
    """What was decided, by how many, and who attests it."""

    decision: str
    day: date
    place: str
    """Empty if the minutes do not say it."""
    present: int
    yes: int
    no: int
    """Those who abstained are present, and neither yes nor no."""
    signers: tuple[str, ...]
    line: int = 0

    @property
    def is_adopted(self) -> bool:
        """More were for it than against it."""
        return self.yes > self.no


def minutes_findings(minutes: Sequence[Minutes], named: Iterable[tuple[str, str, int]]) -> Iterator[Finding]:
    """E07 for a rule whose decision was voted down, and W19 for one whose decision has no minutes, in a file that keeps
    them. `named`: id, decision and line of each rule."""
    held = {each.decision: each for each in minutes}
    if not held:
        return
    before_minutes: set[str] = set()
    for rule, decision, line in named:
        found = held.get(decision)
        if found is None and decision not in before_minutes:
            before_minutes.add(decision)
            message = gettext_lazy(
                "{rule} names {decision}, of which there are no minutes: it counts as decided before minutes were kept.",
                rule=rule,
                decision=decision,
            )
            fix = gettext_lazy("write {table} with what was decided", table=f'[decisions."{decision}"]')
            yield Finding("W19", line, message, fix)
        elif found is not None and not found.is_adopted:
            message = gettext_lazy(
                "{rule} names {decision}, which was not adopted: {yes} yes, {no} no.",
                rule=rule,
                decision=decision,
                yes=found.yes,
                no=found.no,
            )
            yield Finding(
                "E07", line, message, gettext_lazy("remove the rule, or name the decision that adopted it")
            )
