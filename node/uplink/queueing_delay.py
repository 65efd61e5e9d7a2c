"""Queueing delay of each direction of the uplink, from the round trips of probes: what is longer than the shortest of the
last minute, or of longer ago while a queue stands. Pure.

The far end of a probe stamps it with its own clock (RFC 792, timestamp), which need not be right: only differences count.
A clock that is set, or an answer whose stamps contradict its round trip, never becomes a delay of one direction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from node.units import Microseconds
from node.uplink.autorate import Direction

WINDOW_US, WINDOWS = 10_000_000, 6
"""The shortest time is that of six windows of ten seconds: longer than a queue stays, shorter than a route does."""
STAMP_US = 1_000
"""Resolution of the stamps."""
TOLERANCE_US = 3 * STAMP_US
"""By this much stamps may contradict the round trip."""
DAY_US = 86_400_000_000
NOISE_PARTS = 16
"""Weight of one more delay in the noise: one of so many parts."""


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One answered probe; `Microseconds` are of this node's clock."""

    sent: Microseconds
    received: Microseconds
    far_received_us: int | None = None
    """Since midnight by the far clock; None when it does not stamp."""
    far_sent_us: int | None = None


@dataclass(frozen=True, slots=True)
class QueueingDelay:
    """How much longer than the shortest an answer took; of unstamped answers the round trip's part in both."""

    sent: Microseconds
    down_us: int
    up_us: int
    is_by_direction: bool


@dataclass(frozen=True, slots=True)
class Shortest:
    """The shortest of each window, by the window's number."""

    windows: Mapping[int, int] = field(default_factory=dict)

    def with_one(self, value_us: int, at: Microseconds, *, is_held: bool = False) -> "Shortest":
        """`is_held`: what was shortest before still is, however long ago that was."""
        number = at // WINDOW_US
        if is_held and self.windows:
            value_us = min(value_us, self.value_us)
        kept = {each: least for each, least in self.windows.items() if number - WINDOWS < each <= number}
        return Shortest({**kept, number: min(value_us, kept.get(number, value_us))})

    @property
    def value_us(self) -> int:
        return min(self.windows.values())


NONE_YET = Shortest()


@dataclass(frozen=True, slots=True)
class DelaySensor:
    """What was seen of one target."""

    round_trip: Shortest = NONE_YET
    up: Shortest = NONE_YET
    down: Shortest = NONE_YET
    noise_us: int = 0
    """Mean delay while the line is not in use."""


NOTHING_SEEN = DelaySensor()


def take(
    sensor: DelaySensor, answer: RoundTrip, *, is_idle: bool, standing: Collection[Direction] = ()
) -> tuple[DelaySensor, QueueingDelay]:
    """`is_idle`: little passes the line, so that a delay is none of ours. `standing`: directions with a queue that nothing
    drains; meanwhile no round trip is that of the empty line, so the shortest one stays. The shortest times of one direction
    do not, because the far clock drifts: what they miss of the delay is put down to the directions with a queue."""
    trip = max(0, answer.received - answer.sent)
    round_trip = sensor.round_trip.with_one(trip, answer.received, is_held=bool(standing))
    sensor = replace(sensor, round_trip=round_trip)
    longer = trip - sensor.round_trip.value_us
    if is_idle:
        noise = sensor.noise_us + (min(longer, 10 * STAMP_US) - sensor.noise_us) // NOISE_PARTS
        sensor = replace(sensor, noise_us=noise)
    either = QueueingDelay(answer.sent, longer, longer, is_by_direction=False)
    if answer.far_received_us is None or answer.far_sent_us is None:
        return sensor, either
    up = _within_a_day(answer.far_received_us - answer.sent)
    down = _within_a_day(answer.received - answer.far_sent_us)
    stamped = replace(
        sensor,
        up=sensor.up.with_one(up, answer.received),
        down=sensor.down.with_one(down, answer.received),
    )
    longer_up, longer_down = up - stamped.up.value_us, down - stamped.down.value_us
    if max(longer_up, longer_down) > longer + TOLERANCE_US:
        # A clock was set: what was shortest before means nothing any more.
        stamped = replace(
            sensor,
            up=NONE_YET.with_one(up, answer.received),
            down=NONE_YET.with_one(down, answer.received),
        )
        if not standing:
            return stamped, either
        longer_up = longer_down = 0
    missing = max(0, longer - longer_up - longer_down)
    return stamped, QueueingDelay(
        answer.sent,
        longer_down + (missing if "down" in standing else 0),
        longer_up + (missing if "up" in standing else 0),
        is_by_direction=True,
    )


def _within_a_day(difference_us: int) -> int:
    """The far clock begins again at midnight: a difference between minus and plus half a day."""
    return (difference_us + DAY_US // 2) % DAY_US - DAY_US // 2
