"""The time that authenticated neighbours tell to a node without a clock: the median of those that know it best."""

from dataclasses import dataclass

from node.units import Monotonic, NodeId

HOPS_MAX = 16
REPORT_MS = 600_000
"""How long a report is used; neighbours are asked again each round."""
REPORTS_MAX = 64
EARLIEST_S, LATEST_S = 1_767_225_600, 2_398_377_600
"""The years 2026 to 2045: a clock outside of them was never set, or is wrong."""


@dataclass(frozen=True, slots=True)
class _Report:
    offset_ms: int
    """Unix time minus our monotonic time."""
    hops: int
    heard: Monotonic


class NeighbourTime:
    """Reports of neighbours, and the estimate that they give."""

    def __init__(self) -> None:
        self._reports: dict[NodeId, _Report] = {}

    def hear(self, node: NodeId, unix_s: int, hops: int, now: Monotonic) -> None:
        """A neighbour's answer: its time, and through how many nodes it came to it. An implausible one is ignored."""
        if not (EARLIEST_S <= unix_s < LATEST_S and 0 <= hops < HOPS_MAX):
            return
        self._reports.pop(node, None)
        self._reports[node] = _Report(unix_s * 1000 - now, hops, now)
        while len(self._reports) > REPORTS_MAX:
            del self._reports[next(iter(self._reports))]

    def estimate(self, now: Monotonic) -> tuple[int, int] | None:
        """Unix time in seconds, and through how many nodes it came to this one; None if no neighbour knows it. The lower
        median of the reports that came through the fewest nodes: one of three that lies does not move it."""
        fresh = [each for each in self._reports.values() if now - each.heard <= REPORT_MS]
        if not fresh:
            return None
        hops = min(each.hops for each in fresh)
        offsets = sorted(each.offset_ms for each in fresh if each.hops == hops)
        return (offsets[(len(offsets) - 1) // 2] + now) // 1000, hops + 1
