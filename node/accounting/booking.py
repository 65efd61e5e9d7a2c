"""The result of an accounting cycle that must be stored atomically."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.units import NodeId

BOOKED_DAY = "booked_day"
"""Key of the node state that holds the day of the last stored usage. Buckets of that day only are sent to
other nodes before they are stored."""


@dataclass(frozen=True, slots=True)
class Booking:
    """Usage buckets, the counter baseline they include, and node state; stored in one transaction."""

    cells: tuple[tuple[UsageKey, UsageBucket], ...]
    baseline: Baseline | None
    """None if the baseline has not changed."""
    facts: Mapping[str, str]
    tally: Tally | None = None
    """Written to the tally file after this is stored; None if nothing was counted."""
    recounted: frozenset[tuple[NodeId, str]] = frozenset()
    """Nodes and days for which `cells` is complete: their stored buckets are deleted first."""
    outlived: frozenset[NodeId] = frozenset()
    """Nodes whose pages of closed days are no longer kept; their oldest stored buckets may be deleted."""
