"""Usage counted while the date was not known: kept by time since boot, and dated once that time has a date."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from node.accounting.ledger import EMPTY_BUCKET, Ledger, UsageBucket, UsageKey, difference, lowest, plus
from node.accounting.periods import DAY_UNKNOWN, day_name
from node.units import NO_USAGE, AccountId, Monotonic, NodeId, Usage

SLOT_MS = 3_600_000
"""Usage is dated by the middle of the hour in which it was counted."""
SLOTS_MAX = 1_500
"""Two months; what was counted before is dated with the oldest that is kept."""

type Buckets = dict[UsageKey, UsageBucket]


@dataclass(frozen=True, slots=True)
class Dating:
    """The days of usage that is booked to the unknown day."""

    days: Mapping[str, Mapping[UsageKey, UsageBucket]]
    """By day: usage by its bucket of the unknown day."""
    rest_of: str
    """The incarnation of which other usage of the unknown day was counted in this boot."""
    rest_day: str
    """The day of that."""
    stays: Collection[AccountId] = ()
    """Accounts whose usage stays undated, because they were erased."""


@dataclass(frozen=True, slots=True)
class Dated:
    """What was moved from the unknown day."""

    buckets: Buckets = field(default_factory=dict)
    """New values of buckets of known days."""
    left: Buckets = field(default_factory=dict)
    """All of this node's buckets of the unknown day that remain."""


class UndatedUsage:
    """Usage counted in this run of the program while the date was unknown."""

    def __init__(self, began: Monotonic) -> None:
        self._began = began
        self._slots: dict[int, Buckets] = {}
        self.is_pending = True
        """Whether something may have to be dated: also at start, because the program may have been restarted."""

    def count(
        self, used: Mapping[AccountId, Usage], changed: Iterable[UsageKey], now: Monotonic, *, busy: bool
    ) -> None:
        """Record usage that was added to these buckets, as far as they are of the unknown day."""
        undated = [key for key in changed if key.day == DAY_UNKNOWN]
        if not undated:
            return
        self.is_pending = True
        slot = self._slots.setdefault(now // SLOT_MS, {})
        for key in undated:
            bucket = UsageBucket(used[key.account], used[key.account] if busy else NO_USAGE)
            slot[key] = plus(slot.get(key, EMPTY_BUCKET), bucket)
        while len(self._slots) > SLOTS_MAX:
            self._join_oldest()

    def _join_oldest(self) -> None:
        oldest, second = sorted(self._slots)[:2]
        for key, bucket in self._slots.pop(oldest).items():
            self._slots[second][key] = plus(self._slots[second].get(key, EMPTY_BUCKET), bucket)

    def dating(
        self, now: Monotonic, civil: datetime, *, since: str, rest_of: str, stays: Collection[AccountId]
    ) -> Dating | None:
        """The days of everything recorded; None if there is nothing. `now` is `civil`; a day before `since` becomes that
        one."""
        if not self.is_pending:
            return None

        def day_of(at: int) -> str:
            return max(since, day_name(civil - timedelta(milliseconds=max(0, now - at))))

        days: dict[str, Buckets] = {}
        for hour, slot in sorted(self._slots.items()):
            of_day = days.setdefault(day_of(hour * SLOT_MS + SLOT_MS // 2), {})
            for key, bucket in slot.items():
                of_day[key] = plus(of_day.get(key, EMPTY_BUCKET), bucket)
        return Dating(days, rest_of, day_of(self._began), stays)

    def dated(self, dating: Dating | None) -> None:
        """Everything recorded has its day now, if it was asked for."""
        if dating is not None:
            self._slots, self.is_pending = {}, False


def date_usage(ledger: Ledger, node: NodeId, dating: Dating) -> Dated | None:
    """Move usage of the unknown day to its days, in the ledger; None if there is none. No byte is lost or counted twice."""
    undated = {key: each for key, each in ledger.buckets() if key.node == node and key.day == DAY_UNKNOWN}
    left, parts = dict(undated), dict[UsageKey, UsageBucket]()

    def move(key: UsageKey, day: str, wanted: UsageBucket) -> None:
        part = lowest(left.get(key, EMPTY_BUCKET), wanted)
        if key.account in dating.stays or part == EMPTY_BUCKET:
            return
        left[key] = difference(left[key], part)
        if left[key] == EMPTY_BUCKET:
            del left[key]
        at = key._replace(day=day)
        parts[at] = plus(parts.get(at, EMPTY_BUCKET), part)

    for day, buckets in dating.days.items():
        for key, bucket in buckets.items():
            move(key, day, bucket)
    for key, bucket in undated.items():
        if key.incarnation == dating.rest_of:
            move(key, dating.rest_day, bucket)
    if not parts:
        return None
    ledger.recount({(node, DAY_UNKNOWN): left})
    return Dated(
        {at: ledger.merge(at, plus(ledger.bucket(at), part)) for at, part in parts.items()},
        left,
    )
