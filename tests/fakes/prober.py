"""An uplink without packets: what it shows is set by the test."""

from collections.abc import Callable

from node.units import NO_RATES
from node.uplink.line import Sample


class FakeProber:
    """Implements `node.control.ports.Prober`."""

    def __init__(self, seen: Callable[[int], Sample] = lambda _target: Sample(NO_RATES)) -> None:
        self.seen = seen
        self.observed = self.closed = 0
        self.pace_us = 0

    def observe(self, target: int, pace_us: int) -> Sample:
        self.observed, self.pace_us = self.observed + 1, pace_us
        return self.seen(target)

    def close(self) -> None:
        self.closed += 1
