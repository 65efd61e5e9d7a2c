"""The line as it is now: two rates, how they are known, and when that knowledge is none. Pure.

`known`: packets were delayed within the last minutes, so that the capacity was measured. `guess`: nothing was delayed
yet, and the line may carry more or less. `blind`: probes are not answered, or the delay stays whatever the rate is; then
the stated rate is shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from node.units import BOOT, NO_RATES, BitsPerSecond, Microseconds, Rates, highest
from node.uplink import autorate, queueing_delay
from node.uplink.autorate import (
    USED_PERMILLE,
    Autorate,
    Delay,
    Direction,
    Measurement,
    RateRange,
    UplinkRange,
)
from node.uplink.queueing_delay import NOTHING_SEEN, DelaySensor, QueueingDelay, RoundTrip

Knowledge = Literal["known", "guess", "blind"]

SILENT_US = 3_000_000
"""Without an answer for so long, the next target is probed."""
BLIND_US, DRAINED_US = 7_000_000, 1_500_000
"""Traffic arrives, and for so long no probe was answered, or a queue was not drained in the second time and then for so
long: blind."""
TRUSTED_US = 5_000_000
"""A blind sensor is trusted again when its delays were short for so long."""
AGAIN_US = 60_000_000
"""And it is tried again after so long, whatever it shows."""
GAP_US = 1_000_000
"""Nothing was seen for longer: this computer slept, or the loop stood still. What was missed then is no news."""
ANSWERS_US = 1_500_000
"""An answer is expected within this time after the next probe."""
URGENT_PACE_US, BUSY_PACE_US, FIRST_PACE_US, IDLE_PACE_US = 90_000, 200_000, 2_000_000, 10_000_000
"""Time between two probes: urgent ones with each step; the third until a target is answered. While little passes the line,
one for each window of `queueing_delay` is enough: some hosts pay for what they send."""
KNOWN_US = 600_000_000
"""A capacity counts as known for so long after a queue."""
ARRIVES_BITS = 16_000
"""Of downloads: with less, nothing shows whether the line works, and a missing answer is no news."""
IDLE_PERMILLE = 300
"""Of the rate; with less in both directions a delay is not ours."""
LULL_US, LULL_PERMILLE = 2_000_000, 20
"""A queue that nothing drains is empty when a lull has lasted for so long and twice its length. With less than the second
of a rate there is a lull, however little passed before."""
FADE_PARTS = 1_000
"""What passed without a queue counts less with each answered probe, by one of so many parts."""
SUSPECT_PERMILLE = 600
"""Of the rate; of a delay without a direction, a direction that uses less is not the cause if the other uses more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen in the last tenth of a second."""

    carried: Rates
    """What passed the uplink's interface."""
    answers: Sequence[RoundTrip] = ()
    """Of the present target, in the order in which they were sent."""
    unanswered: Microseconds | None = None
    """When a probe was sent that may still be answered, as may one before it; None when there are no two."""
    oldest: Microseconds | None = None
    """When the oldest of them was sent, also when there is only one."""
    targets: int = 1
    """How many addresses can be probed."""
    probed: str = ""
    """Which address is probed, and how; empty when there is none."""
    lost: int = 0
    """Probes that were given up since the sample before: overtaken by later ones, or not answered for long."""


@dataclass(frozen=True, slots=True)
class StandingQueue:
    """Packets have waited in the line's own queue since then, and no probe has found it empty; or the path became longer."""

    since: Microseconds
    most: Rates = NO_RATES
    """The most that passed meanwhile."""
    shortest_us: int | None = None
    longest_us: int = 0
    """Of the delays meanwhile; the first is None before an answer."""
    lull_since: Microseconds | None = None
    """Since when so little passes that a queue would drain."""
    is_path: bool = False
    """Packets were as late after a lull: they do not wait, their path is longer."""


@dataclass(frozen=True, slots=True)
class LineState:
    down: Autorate
    up: Autorate
    sensor: DelaySensor = NOTHING_SEEN
    knowledge: Knowledge = "guess"
    target: int = 0
    """Number of the probed target."""
    chosen: Microseconds = BOOT
    """When the target was chosen."""
    preferred: int | None = None
    """The target that was answered before an outage: it is tried first when another is answered."""
    probed: str = ""
    """What the sensor has seen."""
    looked: Microseconds = BOOT
    """When the last sample was seen."""
    answered: Microseconds = BOOT
    """When the last answer came."""
    doubted: Microseconds = BOOT
    """Since when the signal may be worthless."""
    blind_since: Microseconds = BOOT
    short_since: Microseconds | None = None
    """Since when delays are short, while blind."""
    pace_us: int = FIRST_PACE_US
    """How long after the last probe the next one is sent."""
    queue: StandingQueue | None = None
    without_queue: Rates = NO_RATES
    """The most that passed lately while there was none."""

    @property
    def rates(self) -> Rates:
        return Rates(self.down.rate, self.up.rate)

    @property
    def waits_since(self) -> Microseconds | None:
        """Since when packets have waited in the line's own queue; None while they do not."""
        return None if self.queue is None or self.queue.is_path else self.queue.since

    @property
    def waits_us(self) -> int:
        """How long the last probe waited in the line's own queue."""
        return max(self.down.last.delay_us, self.up.last.delay_us)


def begin(line: UplinkRange, now: Microseconds) -> LineState:
    down, up = (
        autorate.begin("down", of_direction(line, "down")),
        autorate.begin("up", of_direction(line, "up")),
    )
    return LineState(down, up, chosen=now, answered=now, doubted=now, looked=now)


def step(state: LineState, sample: Sample, line: UplinkRange, now: Microseconds) -> LineState:
    """The line after one more sample; called ten times a second."""
    if now - state.looked > GAP_US:
        state = replace(state, chosen=now, answered=now, doubted=now, short_since=None, queue=None)
    if sample.probed and sample.probed != state.probed:
        state = replace(state, probed=sample.probed, sensor=NOTHING_SEEN)
    state = replace(state, looked=now)
    is_used = any(_is_much(way, _carried(way, sample.carried)) for way in (state.down, state.up))
    sensor, delays, standing = state.sensor, list[QueueingDelay](), _standing(state, line)
    for answer in sample.answers:
        sensor, delay = queueing_delay.take(sensor, answer, is_idle=not is_used, standing=standing)
        delays.append(delay)
    is_doubtful = _is_doubtful(state, sample, now)
    pace_us = IDLE_PACE_US if sensor.round_trip.windows else FIRST_PACE_US
    if is_used or is_doubtful or _was_used(state):
        pace_us = _pace_us(state, sample.carried, now, is_doubtful=is_doubtful)
    state = replace(state, sensor=sensor, pace_us=pace_us, answered=now if delays else state.answered)
    if state.knowledge == "blind":
        return _other_target(_while_blind(state, delays, line, now), sample, now)
    late = None
    if sample.unanswered is not None and sensor.round_trip.windows:
        late = Delay(sample.unanswered, now - sample.unanswered - sensor.round_trip.value_us)
    seen = _Seen(sample.carried, tuple(delays), late)
    state = replace(
        state,
        down=_stepped(state, state.down, seen, line, now),
        up=_stepped(state, state.up, seen, line, now),
    )
    state = _queued(state, seen, now)
    return _other_target(_judged(state, sample, line, now), sample, now)


def _was_used(state: LineState) -> bool:
    """In the last `autorate.STEPS_KEPT` steps. A line that suddenly carries next to nothing is full with that, not idle."""
    return any(_is_much(way, carried) for way in (state.down, state.up) for _, carried in way.recent)


@dataclass(frozen=True, slots=True)
class _Seen:
    carried: Rates
    delays: tuple[QueueingDelay, ...]
    late: Delay | None


def _stepped(state: LineState, way: Autorate, seen: _Seen, line: UplinkRange, now: Microseconds) -> Autorate:
    is_suspect = _is_suspect(state, way, seen.carried)
    answered = [
        Delay(each.sent, _of(each, way.direction) if each.is_by_direction or is_suspect else 0)
        for each in seen.delays
    ]
    measured = Measurement(
        _carried(way, seen.carried), answered, seen.late if is_suspect else None, state.sensor.noise_us
    )
    return autorate.step(way, measured, of_direction(line, way.direction), now)


def _pace_us(state: LineState, carried: Rates, now: Microseconds, *, is_doubtful: bool) -> int:
    """Urgent when there may be a queue, when one should be drained by now, and when less of a rate that was used up
    arrives: the line may carry less now."""
    before = state.down.recent[-1][1] if state.down.recent else carried.down
    fell = before * 1000 >= state.down.rate * USED_PERMILLE and carried.down * 1000 < before * USED_PERMILLE
    draining = [each for each in (state.down, state.up) if each.is_draining]
    is_due = any(each.empty_at is None or now >= each.empty_at for each in draining)
    return URGENT_PACE_US if (is_due if draining else fell or is_doubtful) else BUSY_PACE_US


def _is_doubtful(state: LineState, sample: Sample, now: Microseconds) -> bool:
    """Whether the last probe was delayed, or the oldest is: the next one shows whether there is a queue."""
    waits = [state.down.last.delay_us, state.up.last.delay_us]
    if sample.oldest is not None and state.sensor.round_trip.windows:
        waits.append(now - sample.oldest - state.sensor.round_trip.value_us)
    rate = min(state.down.rate, state.up.rate)
    return max(waits) > autorate.delay_limit_us(rate, state.sensor.noise_us)


def _is_suspect(state: LineState, way: Autorate, carried: Rates) -> bool:
    """Whether a delay without a direction is put down to this one: it is in use, or none is."""
    most = max(_used(state.down, carried), _used(state.up, carried))
    return _used(way, carried) >= SUSPECT_PERMILLE or most < SUSPECT_PERMILLE


def _standing(state: LineState, line: UplinkRange) -> tuple[Direction, ...]:
    """Directions whose queue stays, because their rate is stated; a rate that is measured drains it."""
    if line.least != line.most or state.waits_since is None:
        return ()
    return tuple(each.direction for each in (state.down, state.up) if each.is_draining)


def _queued(state: LineState, seen: _Seen, now: Microseconds) -> LineState:
    """Whether a queue stands: what is as late after a lull does not wait, its path is longer."""
    ways, carried = [each for each in (state.down, state.up) if each.is_draining], seen.carried
    if not ways:
        limit = autorate.delay_limit_us(min(state.down.rate, state.up.rate), state.sensor.noise_us)
        is_free = any(max(each.down_us, each.up_us) <= limit for each in seen.delays)
        most = highest(_faded(state.without_queue), carried) if is_free else state.without_queue
        return replace(state, queue=None, without_queue=most)
    queue = state.queue or StandingQueue(now)
    lull = now if queue.lull_since is None else queue.lull_since
    waits = [max(_of(delay, each.direction) for each in ways) for delay in seen.delays]
    # A queue of which less than a third is refilled is empty after one and a half times its length.
    is_path = any(delay.sent > lull + LULL_US + 2 * queue.longest_us for delay in seen.delays)
    queue = replace(
        queue,
        most=highest(queue.most, carried),
        shortest_us=min([*waits, *([] if queue.shortest_us is None else [queue.shortest_us])], default=None),
        longest_us=max([*waits, queue.longest_us]),
        is_path=queue.is_path or is_path,
    )
    is_lull = all(_is_lull(state, queue, each, carried) for each in ways)
    return replace(state, queue=replace(queue, lull_since=lull if is_lull else None))


def _is_lull(state: LineState, queue: StandingQueue, way: Autorate, carried: Rates) -> bool:
    """Whether a queue would drain. A line that carries little of a stated rate may be full with that little, unless as much
    passed before without a delay, and the delay was the same from the first."""
    passes, most = _carried(way, carried), _carried(way, queue.most)
    longer_us = queue.longest_us - (queue.shortest_us or 0)
    was_usual = most * USED_PERMILLE <= _carried(way, state.without_queue) * 1000
    is_usual = was_usual and longer_us <= autorate.delay_limit_us(way.rate, state.sensor.noise_us)
    fell = passes * 1000 < max(most * IDLE_PERMILLE, way.rate * LULL_PERMILLE)
    return not _is_much(way, passes) and (fell or is_usual)


def _faded(most: Rates) -> Rates:
    return Rates(
        BitsPerSecond(most.down - most.down // FADE_PARTS), BitsPerSecond(most.up - most.up // FADE_PARTS)
    )


def _judged(state: LineState, sample: Sample, line: UplinkRange, now: Microseconds) -> LineState:
    """Whether the signal may still be believed."""
    ways = (state.down, state.up)
    is_stuck = any(_is_stuck(each, of_direction(line, each.direction), now) for each in ways)
    is_answered = _is_answered(state, now)
    if sample.carried.down < ARRIVES_BITS or (is_answered and not is_stuck):
        state = replace(state, doubted=now)
    if now - state.doubted > BLIND_US:
        blind = replace(begin(line, now), knowledge="blind", blind_since=now)
        return _same_sensor(blind, state)
    is_known = any(each.capacity is not None and now - each.found < KNOWN_US for each in ways)
    return replace(state, knowledge="known" if is_known else "guess")


def _is_stuck(way: Autorate, line: RateRange, now: Microseconds) -> bool:
    """A queue that lower rates have not drained; a rate that is never changed shows nothing about the signal."""
    return way.is_draining and now - way.lowered > DRAINED_US and line.least < line.most


def _is_answered(state: LineState, now: Microseconds) -> bool:
    """Whether the last answer came as lately as the pace of the probes lets expect."""
    return now - state.answered < state.pace_us + ANSWERS_US


def _while_blind(
    state: LineState, delays: Sequence[QueueingDelay], line: UplinkRange, now: Microseconds
) -> LineState:
    limit = autorate.delay_limit_us(min(state.down.rate, state.up.rate), state.sensor.noise_us)
    if any(max(each.down_us, each.up_us) > limit for each in delays) or not _is_answered(state, now):
        state = replace(state, short_since=None)
    elif state.short_since is None:
        state = replace(state, short_since=now)
    is_trusted = state.short_since is not None and now - state.short_since > TRUSTED_US
    if is_trusted or (now - state.blind_since > AGAIN_US and _is_answered(state, now)):
        return _same_sensor(begin(line, now), state)
    return state


def _other_target(state: LineState, sample: Sample, now: Microseconds) -> LineState:
    if sample.answers and state.preferred in {None, state.target}:
        return replace(state, preferred=state.target)
    if sample.answers and state.preferred is not None:
        # The outage is over, but if the preferred one stays silent the next that is answered is preferred.
        return replace(state, target=state.preferred, preferred=None, chosen=now, sensor=NOTHING_SEEN)
    if not _is_silent(state, sample, now) or sample.targets < 2:
        return state
    return replace(state, target=(state.target + 1) % sample.targets, chosen=now, sensor=NOTHING_SEEN)


def _is_silent(state: LineState, sample: Sample, now: Microseconds) -> bool:
    """A probe has waited for its answer for long; without one on its way, the last answer came long ago."""
    if sample.oldest is not None:
        return now - max(sample.oldest, state.chosen) >= SILENT_US
    return now - max(state.answered, state.chosen) >= state.pace_us + SILENT_US


def _same_sensor(state: LineState, before: LineState) -> LineState:
    return replace(
        state,
        sensor=before.sensor,
        target=before.target,
        chosen=before.chosen,
        preferred=before.preferred,
        probed=before.probed,
        answered=before.answered,
    )


def of_direction(line: UplinkRange, way: Direction) -> RateRange:
    if way == "down":
        return RateRange(line.stated.down, line.least.down, line.most.down)
    return RateRange(line.stated.up, line.least.up, line.most.up)


def _of(delay: QueueingDelay, way: Direction) -> int:
    return delay.down_us if way == "down" else delay.up_us


def _carried(way: Autorate, carried: Rates) -> BitsPerSecond:
    return carried.down if way.direction == "down" else carried.up


def _used(way: Autorate, carried: Rates) -> int:
    """Of its rate, per mille."""
    return _carried(way, carried) * 1000 // max(1, way.rate)


def _is_much(way: Autorate, carried: BitsPerSecond) -> bool:
    """Enough of its rate that a delay can be ours."""
    return carried * 1000 >= way.rate * IDLE_PERMILLE
