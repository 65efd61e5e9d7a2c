"""What a line is known to carry in one direction, each second, for a log of it. Pure.

After a queue that is what the queue showed, or more if more has passed since without one. An outage counts while it lasts;
afterwards the line is likely to be what it was before.
"""

from dataclasses import dataclass, replace

from node.units import BOOT, NO_RATES, BitsPerSecond, Microseconds
from node.uplink.autorate import OUTAGE_US, Autorate
from node.uplink.line import KNOWN_US

SECOND_STEPS = 10
"""Steps of `autorate` in a second."""


@dataclass(frozen=True, slots=True)
class KnownCapacity:
    seen: Microseconds = BOOT
    """The last queue that was considered."""
    found: Microseconds = BOOT
    """The last queue that was no outage."""
    rate: BitsPerSecond = NO_RATES.down
    """What the line has carried since then."""
    is_queued: bool = False
    now: BitsPerSecond | None = None
    """What it carries now; None while that is not known."""


UNKNOWN_CAPACITY = KnownCapacity()


def follow(known: KnownCapacity, way: Autorate, now: Microseconds) -> KnownCapacity:
    """Called once a second, with the state of the line then."""
    if way.unclipped is None:
        return UNKNOWN_CAPACITY
    if way.is_draining:
        return replace(known, is_queued=True, now=way.unclipped)
    if way.found != known.seen:
        known = _after_queue(known, way)
    elif not known.is_queued and known.found != BOOT:
        known = replace(known, rate=max(known.rate, _passed(way)))
    is_known = known.found != BOOT and now - known.found < KNOWN_US
    return replace(known, is_queued=False, now=known.rate if is_known else None)


def _after_queue(known: KnownCapacity, way: Autorate) -> KnownCapacity:
    assert way.unclipped is not None, "a queue shows what the line carries"
    if way.longest_us > OUTAGE_US:
        return replace(known, seen=way.found)
    return KnownCapacity(seen=way.found, found=way.found, rate=way.unclipped)


def _passed(way: Autorate) -> BitsPerSecond:
    """In the last second; there was no queue in it."""
    rates = [carried for _, carried in way.recent[-SECOND_STEPS:]]
    return BitsPerSecond(sum(rates) // max(1, len(rates)))
