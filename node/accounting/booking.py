"""What is booked together or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.meter import Baseline, Tally
from node.units import NodeId

BOOKED_DAY = "booked_day"
"""The fact that tells the day of the last bytes that are stored. Only cells of that day are told to neighbours before
they are stored."""


@dataclass(frozen=True, slots=True)
class Booking:
    """Cells, the baseline they were booked up to, and the node's facts: stored in one transaction."""

    cells: tuple[tuple[UsageKey, UsageBucket], ...]
    baseline: Baseline | None
    """None when the baseline has not moved."""
    facts: Mapping[str, str]
    tally: Tally | None = None
    """To be noted beside the database once this is stored; None where nothing was counted."""
    recounted: frozenset[tuple[NodeId, str]] = frozenset()
    """Of these nodes and days the cells are all that there are: what is stored of them goes first."""
    outlived: frozenset[NodeId] = frozenset()
    """Nodes whose pages of closed days are not kept any more: of their stored cells the oldest days may have to go."""
