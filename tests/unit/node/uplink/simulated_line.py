"""A line with a queue of its own, as a fluid: what it carries follows a trace, and probes wait in its queue."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from node.units import BitsPerSecond, Microseconds, Rates
from node.uplink import autorate, line
from node.uplink.autorate import Autorate, Delay, Direction, Measurement, RateRange, UplinkRange
from node.uplink.line import LineState, Sample
from node.uplink.prober import LATE_MIN
from node.uplink.queueing_delay import RoundTrip

Trace = Callable[[float], int]
"""What the line carries at a time, in bit/s."""
TURN_S, STEP_S, PROBE_S, URGENT_S = 0.002, 0.1, 0.18, 0.09
BASE_S, LAG_S = 0.004, 0.03
"""Round trip of the empty line; until a new rate has an effect."""
LINE = RateRange(BitsPerSecond(20_000_000), BitsPerSecond(1_000_000), BitsPerSecond(20_000_000))


@dataclass(frozen=True, slots=True)
class Result:
    delay_p50_ms: float
    delay_p95_ms: float
    use_percent: float
    rates: tuple[int, ...]
    """After each step."""


def steady(rate: int) -> Trace:
    return lambda _at: rate


def changing(seed: int, least: int, most: int, *, every_s: float) -> Trace:
    rates = [random.Random(seed + 1_000 * number).randint(least, most) for number in range(1_000)]
    return lambda at: rates[int(at / every_s)]


def dead(rate: int, begins: float, seconds: float) -> Trace:
    return lambda at: 1_000 if begins <= at < begins + seconds else rate


GREEDY = steady(10**9)


class SimulatedLine:
    def __init__(
        self,
        trace: Trace,
        direction: Direction,
        *,
        demand: Trace,
        is_mute: bool = False,
        queue_s: float = math.inf,
    ) -> None:
        """`queue_s`: the longest that its queue becomes; what comes then is dropped."""
        self._trace, self._direction, self._demand, self._is_mute = trace, direction, demand, is_mute
        self._queue_s = queue_s
        self._queued = 0.0
        self._waiting: list[list[float]] = []
        """Of each probe in the queue: when it was sent, and the bits before it."""
        self._answers: list[tuple[float, Delay]] = []
        self._carried = 0.0
        self.delays: list[float] = []
        self.used = self.possible = 0.0

    def turn(self, at: float, rate: int, *, sends_probe: bool) -> None:
        capacity = self._trace(at)
        coming = min(rate, self._demand(at)) * TURN_S
        self._queued = min(self._queued + coming, capacity * self._queue_s + coming)
        left = min(self._queued, capacity * TURN_S)
        self._queued -= left
        for probe in self._waiting:
            probe[1] -= left
        while self._waiting and self._waiting[0][1] <= 0:
            sent, _ = self._waiting.pop(0)
            answer = Delay(Microseconds(round(sent * 1e6)), round((at - sent) * 1e6))
            self._answers.append((at + BASE_S, answer))
        if sends_probe:
            self._waiting.append([at, self._queued])
        self._carried += left if self._direction == "down" else coming
        self.used += left
        self.possible += min(capacity, self._demand(at)) * TURN_S
        self.delays.append(self._queued / capacity)

    @property
    def waiting(self) -> list[Microseconds]:
        """When the probes were sent that are in the queue."""
        return [Microseconds(round(sent * 1e6)) for sent, _ in self._waiting]

    def measured(self, at: float) -> Measurement:
        came = [] if self._is_mute else [answer for when, answer in self._answers if when <= at]
        self._answers = [(when, answer) for when, answer in self._answers if when > at]
        carried, self._carried = BitsPerSecond(round(self._carried / STEP_S)), 0.0
        late = None
        if self._waiting and not self._is_mute:
            sent = self._waiting[0][0]
            late = Delay(Microseconds(round(sent * 1e6)), max(0, round((at - sent - BASE_S) * 1e6)))
        return Measurement(carried, came, late)


def run(
    trace: Trace,
    direction: Direction,
    *,
    seconds: float = 60,
    line: RateRange = LINE,
    demand: Trace = GREEDY,
    is_mute: bool = False,
    fixed: int | None = None,
    warm_up: float = 10,
    look: Callable[[Autorate, Microseconds], object] = lambda _state, _now: None,
) -> Result:
    """`fixed`: shape to this rate instead. `look` is called after each step."""
    simulated = SimulatedLine(trace, direction, demand=demand, is_mute=is_mute)
    state, rates, probed = autorate.begin(direction, line), list[int](), 0.0
    pipe = [int(state.rate)] * round(LAG_S / TURN_S)
    for number in range(round(seconds / TURN_S)):
        at = number * TURN_S
        if number == round(warm_up / TURN_S):
            simulated.delays.clear()
            simulated.used = simulated.possible = 0.0
        pipe.append(state.rate if fixed is None else fixed)
        is_due = at - probed >= (URGENT_S if state.is_draining else PROBE_S)
        simulated.turn(at, pipe.pop(0), sends_probe=is_due)
        probed = at if is_due else probed
        if number and number % round(STEP_S / TURN_S) == 0:
            state = autorate.step(state, simulated.measured(at), line, Microseconds(round(at * 1e6)))
            rates.append(state.rate)
            look(state, Microseconds(round(at * 1e6)))
    delays = sorted(simulated.delays)
    return Result(
        1_000 * delays[len(delays) // 2],
        1_000 * delays[len(delays) * 95 // 100],
        100 * simulated.used / simulated.possible,
        tuple(rates),
    )


DRIFT_PPM = 50
"""Of the far clock."""


def watched(
    trace: Trace,
    direction: Direction,
    *,
    stated: int,
    seconds: float,
    demand: Trace = GREEDY,
    longer_s: Callable[[float], float] = lambda _at: 0.0,
    queue_s: float = math.inf,
    is_stamped: bool = True,
    least: int | None = None,
    most: int | None = None,
) -> list[tuple[float, LineState]]:
    """What is known of a line at each step. Its rate is the stated one, or measured between `least` and `most`.
    `longer_s`: the path beyond the line at a time."""
    simulated = SimulatedLine(trace, direction, demand=demand, queue_s=queue_s)
    uplink = UplinkRange(
        *(
            Rates(BitsPerSecond(each or stated), BitsPerSecond(each or stated))
            for each in (stated, least, most)
        )
    )
    state, found, probed = line.begin(uplink, Microseconds(0)), list[tuple[float, LineState]](), 0.0
    for number in range(1, round(seconds / TURN_S)):
        at = number * TURN_S
        is_due = (at - probed) * 1e6 >= state.pace_us
        probed = at if is_due else probed
        rate = state.rates.down if direction == "down" else state.rates.up
        simulated.turn(at, rate, sends_probe=is_due)
        if number % round(STEP_S / TURN_S) == 0:
            measured, now = simulated.measured(at), Microseconds(round(at * 1e6))
            none = BitsPerSecond(0)
            carried = Rates(
                measured.carried if direction == "down" else none,
                measured.carried if direction == "up" else none,
            )
            answers = [_trip(each, direction, longer_s, is_stamped=is_stamped) for each in measured.answered]
            waiting = simulated.waiting
            late = waiting[LATE_MIN - 1] if len(waiting) >= LATE_MIN else None
            sample = Sample(carried, answers, late, waiting[0] if waiting else None, targets=2)
            state = line.step(state, sample, uplink, now)
            found.append((at, state))
    return found


def _trip(
    waited: Delay, direction: Direction, longer_s: Callable[[float], float], *, is_stamped: bool
) -> RoundTrip:
    """The path is longer in both directions alike."""
    way_us = round((BASE_S + longer_s(waited.sent / 1e6)) * 1e6 / 2)
    far = waited.sent + way_us + (waited.delay_us if direction == "up" else 0)
    far += 7_000_000 + far * DRIFT_PPM // 1_000_000
    stamps = (far // 1_000 * 1_000,) * 2 if is_stamped else (None, None)
    received = waited.sent + 2 * way_us + waited.delay_us
    return RoundTrip(waited.sent, Microseconds(received), *stamps)
