"""Rate of the uplink in one direction, from what passed it and from its queueing delay: a state machine without a
kernel, a clock or packets.

The line has a long queue of its own, and what it carries may change. The node shapes to a little less than that, so
that the queue builds up here, where each account has its own. When packets are delayed, the line carries less than was
sent: its capacity is estimated, and the rate falls below it until the line's queue is empty. While nothing is delayed
and the rate is used up, the rate rises: slowly and seldom on a line that stays as it is, fast on one that changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from node.units import BOOT, NO_RATES, BitsPerSecond, Microseconds, Rates

FRAME_BITS = 1514 * 8
DELAY_LIMIT_US, DELAY_FRAMES = 8_000, 3
"""A delay that is not longer than this and so many frames at the present rate is no queue."""
DRAIN_PERMILLE_MIN, EXPECTED_PERMILLE = 250, 900
"""Of the estimated capacity, while a long queue is drained, and when it should be empty."""
USED_PERMILLE = 850
"""A rate of which less is used is not raised: nothing shows whether the line could carry more."""
LIKELY_PERMILLE = 600
"""While less of the rate is used, one delay is not put down to a queue: a second one must follow."""
GROWTH_PPM_MIN, GROWTH_PPM_START_MAX, GROWTH_PPM_CALM, GROWTH_PPM_MAX = 3_000, 50_000, 30_000, 120_000
"""Growth per step in parts per million: at first, at first on a line that changes much, later, and later on such a
line."""
GROWTH_PPM_NEAR, NEAR_PERMILLE = 10_000, 1_060
"""Near the capacity that was found last it grows by less: the line probably carries just that."""
GROWTH_FACTOR_PERMILLE = 1_250
"""By which growth grows with each step."""
SAME_PERMILLE = 100
"""Two estimates that differ by less are the same capacity."""
CALM_PPM, CHANGE_PPM = 20_000, 4_000_000
"""A line whose capacity changes by less than the first in a second is calm. Growth begins with the square of that change,
divided by the second."""
HOLD_DOUBLINGS_MAX = 3
SLOPE_PERMILLE_MIN, SLOPE_PERMILLE_MAX = -600, 4_000
"""A queue grows by at most this per time: the capacity is estimated as at least a fifth of what was sent."""
SLOPE_US_MIN = 50_000
OUTAGE_US = 1_000_000
"""A longer delay was an outage: afterwards the line is likely to be what it was, and the rate begins at half of that."""
STEPS_KEPT = 20
ARRIVED_STEPS, ARRIVED_MORE_PERMILLE, ARRIVED_PERMILLE = 2, 1_080, 970
"""When so much more than the rate arrived of downloads in each of so many steps, the rate becomes this part of the least
of them; smaller differences are bursts."""

Direction = Literal["down", "up"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What differs by direction. Senders of downloads notice a lower rate only a round trip later, and lose speed for
    longer when it was too low."""

    delay_limit_us: int
    """A delay counts as a queue when it is longer than this, some frames and the noise."""
    drain_us: int
    """A queue of this length is drained with the smallest part of the capacity, a shorter one with more."""
    after_permille: int
    """Of the estimated capacity, when a probe has shown that the queue is empty."""
    hold_us: int
    """How long the rate stays after the same capacity was found twice in a row; each further time doubles it."""


TUNING: dict[Direction, Tuning] = {
    "down": Tuning(10_000, 100_000, 960, 600_000),
    "up": Tuning(DELAY_LIMIT_US, 90_000, 950, 600_000),
}


@dataclass(frozen=True, slots=True)
class UplinkRange:
    """What the community states about a line whose rate is measured."""

    stated: Rates
    """Shared while nothing is known."""
    least: Rates
    most: Rates


@dataclass(frozen=True, slots=True)
class RateRange:
    """One direction of an `UplinkRange`."""

    stated: BitsPerSecond
    least: BitsPerSecond
    most: BitsPerSecond

    def clip(self, rate: int) -> BitsPerSecond:
        return BitsPerSecond(max(self.least, min(self.most, rate)))


@dataclass(frozen=True, slots=True)
class Delay:
    """Queueing delay of one probe."""

    sent: Microseconds
    delay_us: int


NO_DELAY = Delay(BOOT, 0)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured since the last step, in one direction."""

    carried: BitsPerSecond
    """What passed the uplink's interface: downloads after the line's queue, uploads before it."""
    answered: Sequence[Delay] = ()
    """Probes that were answered since then, in the order in which they were sent."""
    late: Delay | None = None
    """A probe without an answer, with the delay that it has at least."""
    noise_us: int = 0
    """How much delays differ while the line is not in use."""


@dataclass(frozen=True, slots=True)
class Autorate:
    """State of one direction."""

    direction: Direction
    rate: BitsPerSecond
    """To shape to."""
    capacity: BitsPerSecond | None = None
    """Estimate of the last time that packets were delayed, kept in the range of the rules; None before."""
    unclipped: BitsPerSecond | None = None
    """The same estimate, also where it is out of that range."""
    found: Microseconds = BOOT
    """When a queue was found last that was not the rest of the one before."""
    is_draining: bool = False
    lowered: Microseconds = BOOT
    """When the queue was found that is drained now."""
    empty_at: Microseconds | None = None
    """When the queue is likely to be empty; None when that time has passed, or there is none."""
    before: BitsPerSecond = NO_RATES.down
    """Rate when the queue was found."""
    longest_us: int = 0
    """Longest delay since then."""
    growth_ppm: int = GROWTH_PPM_MIN
    change_ppm: int = 0
    """By how much the capacity changes in a second, as a moving average."""
    same: int = 0
    """How often the same capacity was found in a row."""
    held_until: Microseconds = BOOT
    last: Delay = NO_DELAY
    """The last probe that was answered."""
    recent: tuple[tuple[Microseconds, BitsPerSecond], ...] = ()
    """Time and `carried` of the last steps, the latest last."""


def begin(direction: Direction, line: RateRange) -> Autorate:
    return Autorate(direction, line.clip(line.stated))


def step(state: Autorate, measured: Measurement, line: RateRange, now: Microseconds) -> Autorate:
    """The state after one more measurement; it is called ten times a second."""
    state = replace(state, recent=(*state.recent[1 - STEPS_KEPT :], (now, measured.carried)))
    # The time of a few frames at what passes is no queue of ours, however long it is: hardly anything passes.
    passes = state.rate if _is_likely(state) else max(carried for _, carried in state.recent)
    limit = delay_limit_us(min(state.rate, passes), measured.noise_us, TUNING[state.direction].delay_limit_us)
    for delay in measured.answered:
        state = _on_answer(state, delay, limit, line, now)
    if measured.answered:
        return state
    if measured.late is not None and measured.late.delay_us > max(limit, state.last.delay_us):
        return _congested(state, measured.late, line, now)
    return _expected(state, line, now) if state.is_draining else _raised(state, line, now)


def delay_limit_us(rate: BitsPerSecond, noise_us: int, limit_us: int = DELAY_LIMIT_US) -> int:
    """The longest delay that does not count as a queue."""
    return limit_us + 2 * noise_us + DELAY_FRAMES * FRAME_BITS * 1_000_000 // max(1, rate)


def _on_answer(state: Autorate, delay: Delay, limit: int, line: RateRange, now: Microseconds) -> Autorate:
    if delay.delay_us > limit:
        # A link by radio delays a packet now and then.
        is_shown = _is_likely(state) or state.last.delay_us > limit
        return replace(_congested(state, delay, line, now) if is_shown else state, last=delay)
    state = replace(state, last=delay)
    return _drained(state, line) if state.is_draining else _raised(state, line, now)


def _congested(state: Autorate, delay: Delay, line: RateRange, now: Microseconds) -> Autorate:
    found = _capacity(state, delay)
    unclipped = found
    if state.is_draining and state.capacity is not None:
        unclipped = _mean([found if state.unclipped is None else state.unclipped, found])
        found = _mean([state.capacity, found])
    else:
        state = _noted(state, found, now)
    capacity, tuning = line.clip(found), TUNING[state.direction]
    left = _left_us(state, delay, now)
    rate = line.clip(capacity * max(DRAIN_PERMILLE_MIN, 1000 - 1000 * left // tuning.drain_us) // 1000)
    drains = left * capacity // (capacity - rate) if rate < capacity else tuning.drain_us
    return replace(
        state,
        capacity=capacity,
        unclipped=unclipped,
        is_draining=True,
        lowered=state.lowered if state.is_draining else now,
        empty_at=Microseconds(now + drains),
        longest_us=max(state.longest_us, delay.delay_us),
        rate=rate,
    )


def _is_likely(state: Autorate) -> bool:
    """A queue, because there is one already or because much of the rate was used lately."""
    return state.is_draining or any(
        carried * 1000 >= state.rate * LIKELY_PERMILLE for _, carried in state.recent
    )


def _left_us(state: Autorate, delay: Delay, now: Microseconds) -> int:
    """What is left of a queue that a probe waited in, if it was sent after the rate was lowered."""
    if not state.is_draining or delay.sent < state.lowered or not state.capacity:
        return delay.delay_us
    drained = (now - delay.sent) * max(0, state.capacity - state.rate) // state.capacity
    return max(0, delay.delay_us - drained)


def _expected(state: Autorate, line: RateRange, now: Microseconds) -> Autorate:
    """No probe has shown yet that the queue is empty."""
    if state.empty_at is None or now < state.empty_at or state.capacity is None:
        return state
    rate = line.clip(max(state.rate, state.capacity * EXPECTED_PERMILLE // 1000))
    return replace(state, rate=rate, empty_at=None)


def _capacity(state: Autorate, delay: Delay) -> BitsPerSecond:
    """Downloads are counted after the line's queue, so what arrives while there is a queue is what the line carries. Of
    uploads, the queue grows by what was sent less what was carried."""
    if state.direction == "down":
        return _mean([carried for _, carried in state.recent[-2:]])
    took = max(SLOPE_US_MIN, delay.sent - state.last.sent)
    slope = 1000 * (delay.delay_us - state.last.delay_us) // took
    slope = max(SLOPE_PERMILLE_MIN, min(SLOPE_PERMILLE_MAX, slope))
    meanwhile = [carried for at, carried in state.recent if state.last.sent < at <= delay.sent + 100_000]
    return BitsPerSecond(_mean(meanwhile or [state.recent[-1][1]]) * 1000 // (1000 + slope))


def _noted(state: Autorate, found: BitsPerSecond, now: Microseconds) -> Autorate:
    """Compares a capacity with the last one that was found."""
    known = state.capacity
    if known is None:
        return replace(state, found=now, before=state.rate, longest_us=0)
    change = abs(found - known) * 1_000_000 // max(1, min(found, known))
    per_second = change * 1_000_000 // max(300_000, now - state.found)
    same = state.same + 1 if change < SAME_PERMILLE * 1000 else 0
    doublings = min(same - 1, HOLD_DOUBLINGS_MAX) if state.change_ppm < CALM_PPM else 0
    hold = TUNING[state.direction].hold_us << doublings if same else 0
    return replace(
        state,
        found=now,
        same=same,
        held_until=Microseconds(now + hold),
        change_ppm=(4 * state.change_ppm + min(per_second, 2_000_000)) // 5,
        before=state.rate,
        longest_us=0,
    )


def _drained(state: Autorate, line: RateRange) -> Autorate:
    capacity = state.capacity or state.rate
    before = state.before // 2 if state.longest_us > OUTAGE_US else 0
    rate = line.clip(max(capacity * TUNING[state.direction].after_permille // 1000, before))
    growth = max(GROWTH_PPM_MIN, min(GROWTH_PPM_START_MAX, state.change_ppm**2 // CHANGE_PPM))
    return replace(state, rate=rate, is_draining=False, empty_at=None, growth_ppm=growth)


def _raised(state: Autorate, line: RateRange, now: Microseconds) -> Autorate:
    _, carried = state.recent[-1]
    arrived = _arrived(state)
    if arrived:
        return replace(state, rate=line.clip(arrived), held_until=now)
    if now < state.held_until or carried * 1000 < state.rate * USED_PERMILLE:
        return state
    return replace(
        state,
        rate=line.clip(state.rate + state.rate * state.growth_ppm // 1_000_000),
        growth_ppm=min(_growth_max(state), state.growth_ppm * GROWTH_FACTOR_PERMILLE // 1000),
    )


def _growth_max(state: Autorate) -> int:
    most = min(GROWTH_PPM_MAX, max(GROWTH_PPM_CALM, state.change_ppm // 2))
    if state.capacity is not None and state.rate * 1000 < state.capacity * NEAR_PERMILLE:
        return min(most, max(GROWTH_PPM_NEAR, state.change_ppm // 8))
    return most


def _arrived(state: Autorate) -> BitsPerSecond:
    """Of downloads, what arrives without a queue is what the line carries at least; of uploads nothing is known."""
    if state.direction == "up" or len(state.recent) < ARRIVED_STEPS:
        return NO_RATES.down
    least = min(carried for _, carried in state.recent[-ARRIVED_STEPS:])
    is_more = least * 1000 > state.rate * ARRIVED_MORE_PERMILLE
    return BitsPerSecond(least * ARRIVED_PERMILLE // 1000 if is_more else 0)


def _mean(rates: Sequence[BitsPerSecond]) -> BitsPerSecond:
    return BitsPerSecond(sum(rates) // len(rates))
