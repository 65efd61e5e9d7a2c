"""Coarse values for pages that everybody receives: they change when a reader would notice, not with each measurement."""

from bisect import bisect

LOAD_STEP_PERCENT = 25
LOSS_STEPS_PERCENT = (0, 1, 2, 5, 10, 20, 50, 100)
ROUND_TRIP_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
WINDOW_SEGMENTS = 100
"""Loss is that of the last window of at least so many segments."""


def coarse_round_trip_ms(measured_ms: float, before: int | None) -> int:
    """A step near the measured value; the one before while the value is between half and twice of it."""
    return _step(measured_ms, before, ROUND_TRIP_STEPS_MS)


def coarse_loss_percent(measured_percent: float, before: int | None) -> int:
    """As `coarse_round_trip_ms`; 0 stays until a whole percent is lost."""
    if before == 0 and measured_percent < 1:
        return 0
    return _step(measured_percent, before, LOSS_STEPS_PERCENT)


def coarse_load_percent(measured_percent: float, before: int | None, most: int) -> int:
    """A quarter of a processor's time; the one before while it is less than a quarter away."""
    if before is not None and abs(measured_percent - before) < LOAD_STEP_PERCENT:
        return before
    return min(most, max(0, round(measured_percent / LOAD_STEP_PERCENT) * LOAD_STEP_PERCENT))


def _step(measured: float, before: int | None, steps: tuple[int, ...]) -> int:
    if before is not None and before / 2 < measured < before * 2:
        return before
    at = bisect(steps, measured)
    near = steps[max(0, at - 1) : at + 1]
    return min(near, key=lambda step: abs(step - measured))


class LossMeter:
    """Segments that were sent again on one connection, from the kernel's counters, which only grow."""

    def __init__(self) -> None:
        self._sent = self._again = 0
        self._loss_percent: float | None = None

    def note(self, sent: int, again: int) -> float | None:
        """The counters now: segments sent, those sent again among them. Returns the percentage of the last whole window;
        None before the first."""
        segments = sent - self._sent
        if segments >= WINDOW_SEGMENTS:
            self._loss_percent = min(100.0, max(0.0, 100.0 * (again - self._again) / segments))
            self._sent, self._again = sent, again
        return self._loss_percent
