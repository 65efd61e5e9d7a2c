"""A line with a queue of its own, as a fluid: what it carries follows a trace, and probes wait in its queue."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from node.units import BitsPerSecond, Microseconds
from node.uplink import autorate
from node.uplink.autorate import Delay, Direction, Measurement, RateRange

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
    def __init__(self, trace: Trace, direction: Direction, *, demand: Trace, is_mute: bool = False) -> None:
        self._trace, self._direction, self._demand, self._is_mute = trace, direction, demand, is_mute
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
        self._queued += coming
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
) -> Result:
    """`fixed`: shape to this rate instead."""
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
    delays = sorted(simulated.delays)
    return Result(
        1_000 * delays[len(delays) // 2],
        1_000 * delays[len(delays) * 95 // 100],
        100 * simulated.used / simulated.possible,
        tuple(rates),
    )
