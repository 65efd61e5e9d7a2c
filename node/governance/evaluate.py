"""What each account may use now, and why: one function for enforcement, previews, tests and ``why``.

Rules are evaluated once per class of units (see `policy_slice`); for each further account only its quotas are
compared.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from node.accounting.periods import period_end
from node.governance.allowance import Allowance, Moment, QuotaLeft, Unit
from node.governance.policy_slice import PolicySlice, QuotaCounter, compile_ruleset, earliest
from node.governance.rules import (
    Quota,
    Ruleset,
)
from node.governance.times import minute_of_week
from node.units import Bytes

_NONE: frozenset[str] = frozenset()


def evaluate(unit: Unit, moment: Moment, used: Mapping[str, Bytes], ruleset: Ruleset) -> Allowance:
    """What `unit` may use at `moment`. `used`: quota rule id to bytes counted in the current period."""
    return Evaluator(ruleset).evaluate(unit, moment, used)


def next_change(moment: Moment, ruleset: Ruleset) -> datetime | None:
    """When an allowance can next change because of time alone; None for never, and while the clock is unknown."""
    if moment.clock == "unknown":
        return None
    minute, at = minute_of_week(moment.at), moment.at.replace(second=0, microsecond=0)
    ends: list[datetime | None] = []
    for rule in ruleset.rules:
        if rule.when is not None and (left := rule.when.minutes_left(minute)) is not None:
            ends.append(at + timedelta(minutes=left))
        if isinstance(rule.effect, Quota):
            ends.append(period_end(rule.effect.period, at))
    return earliest(ends)


class Evaluator:
    """Evaluates one ruleset for many accounts; caches the current time slice. Thread-safe."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._agreed = compile_ruleset(ruleset)
        self._edges = sorted({m for rule in ruleset.rules if rule.when for m in rule.when.boundaries()})
        # One tuple, replaced as a whole: threads with different moments never mix two slices.
        self._present: tuple[Moment | None, tuple[object, ...], PolicySlice | None] = (None, (), None)

    def evaluate(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """Everything about one account, including the usage of each quota."""
        cell = self._cell(moment)
        counted = cell.counted(unit)
        allowance = cell.allowance(unit, _exhausted(counted, used))
        if not counted:
            return allowance
        none = Bytes(0)
        quotas = [QuotaLeft(c.rule.id, c.quota.volume, used.get(c.rule.id, none), c.resets) for c in counted]
        return replace(allowance, quotas=tuple(quotas))

    def policy_for(self, unit: Unit, moment: Moment, used: Mapping[str, Bytes]) -> Allowance:
        """As `evaluate` without `quotas`: the same object for all accounts of a class."""
        cell = self._cell(moment)
        return cell.allowance(unit, _exhausted(cell.counted(unit), used))

    def _cell(self, moment: Moment) -> PolicySlice:
        """The slice of `moment`, which depends on the hour, the day and the state of the clock."""
        before, key_before, cell = self._present
        if moment is before and cell is not None:
            return cell
        at = moment.at.replace(second=0, microsecond=0)
        minute = None if moment.clock == "unknown" else minute_of_week(at)
        key: tuple[object, ...] = ()
        if minute is not None:
            key = (at.date(), bisect_right(self._edges, minute), at.tzinfo, at.utcoffset())
        if cell is None or key != key_before:
            cell = PolicySlice(self._agreed, minute, at)
        self._present = (moment, key, cell)
        return cell


def _exhausted(counted: tuple[QuotaCounter, ...], used: Mapping[str, Bytes]) -> frozenset[str]:
    """Ids of the quotas that are used up and have a consequence now."""
    if not counted:
        return _NONE
    return frozenset([c.rule.id for c in counted if c.holds and used.get(c.rule.id, 0) >= c.quota.volume])
