"""The time, asked of neighbours by a node without a clock, and answered by one that knows it."""

from mesh.messages import TimeAnswer, TimeRequest, encode
from mesh.neighbour_time import NeighbourTime
from mesh.ports import NetworkTime
from node.units import Monotonic, NodeId


class TimeExchange:
    """Of one node with its neighbours. `clock` is None where no time is kept."""

    def __init__(self, clock: NetworkTime | None) -> None:
        self._clock, self._heard = clock, NeighbourTime()

    def question(self) -> bytes | None:
        """A frame for each neighbour while the time is not known; else None."""
        return encode(TimeRequest()) if self._clock is not None and self._clock.is_needed else None

    def receive(self, neighbour: NodeId, message: TimeRequest | TimeAnswer, now: Monotonic) -> bytes | None:
        """The answer to a question that can be answered."""
        if self._clock is None:
            return None
        if isinstance(message, TimeRequest):
            told = self._clock.told()
            return encode(TimeAnswer(*told)) if told is not None else None
        self._heard.hear(neighbour, message.unix_s, message.hops, now)
        estimate = self._heard.estimate(now)
        if estimate is not None and self._clock.is_needed:
            self._clock.learn(*estimate)
        return None
