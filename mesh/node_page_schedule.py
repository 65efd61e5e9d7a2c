"""When a node publishes its own page: when something differs that a reader would notice, and so seldom that silence stays
cheap.

All pages of a community together keep to one pace, however many nodes there are: each page goes once over every node's
links.
"""

from dataclasses import dataclass, replace

from mesh.node_kind import NodeFacts

SETTLE_S = 60.0
"""A difference that is gone sooner is not published."""
MESH_PACE_S = 360.0
"""Mean time between two node pages in the whole community."""
REST_S_MIN = 600.0
SAVED_MAX = 8
"""Pages that a quiet node may publish one after the other, after which it keeps to the pace."""


@dataclass(slots=True)
class NodePageSchedule:
    """Decides for one node. Times are monotonic seconds."""

    _saved: float = SAVED_MAX
    _counted_s: float | None = None
    _differs_since_s: float | None = None

    def is_due(self, before: NodeFacts | None, facts: NodeFacts, now_s: float, nodes: int) -> bool:
        """Whether to publish `facts` in place of `before`, in a community of so many nodes. When it returns True they
        count as published."""
        self._save(now_s, nodes)
        if before is not None and _content(before) == _content(facts):
            self._differs_since_s = None
            return False
        if self._differs_since_s is None:
            self._differs_since_s = now_s
        # Values that only moved a step wait until nothing else was published for long.
        needed = 1 if before is None or _matters(before) != _matters(facts) else SAVED_MAX
        if now_s - self._differs_since_s < SETTLE_S or self._saved < needed:
            return False
        self._saved -= 1
        self._differs_since_s = None
        return True

    def _save(self, now_s: float, nodes: int) -> None:
        passed_s = now_s - self._counted_s if self._counted_s is not None else 0.0
        rest_s = max(REST_S_MIN, MESH_PACE_S * nodes)
        self._saved = min(SAVED_MAX, self._saved + max(0.0, passed_s) / rest_s)
        self._counted_s = now_s


def _content(facts: NodeFacts) -> NodeFacts:
    """Without its time, which changes with each page."""
    return replace(facts, made_s=0)


def _matters(facts: NodeFacts) -> NodeFacts:
    """Without the measured values, and without how many things need a person beside the first."""
    links = tuple(replace(each, round_trip_ms=None, loss_percent=None) for each in facts.links)
    return replace(facts, made_s=0, load_percent=None, links=links, attention=min(1, facts.attention))
