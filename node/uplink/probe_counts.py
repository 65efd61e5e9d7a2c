"""Answers to probes since the last look, for the history of the line. Pure."""

from node.uplink.line import Sample

ROUND_TRIPS_MAX = 200
"""Kept at once: twenty seconds of a busy line. Without somebody who takes them, later ones are not counted."""


class ProbeCounts:
    def __init__(self) -> None:
        self._round_trips_us: list[int] = []
        self._lost = 0

    def count(self, sample: Sample) -> None:
        if len(self._round_trips_us) + self._lost >= ROUND_TRIPS_MAX:
            return
        self._round_trips_us += [each.received - each.sent for each in sample.answers]
        self._lost += sample.lost

    def take(self) -> tuple[list[int], int]:
        """Round trips in microseconds, and how many probes were lost, since the last call."""
        taken = self._round_trips_us, self._lost
        self._round_trips_us, self._lost = [], 0
        return taken
