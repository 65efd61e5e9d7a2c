"""A burst: the rate that an account or a pool which was below its ceiling may have for some time before the ceiling holds.

It is a token bucket for each direction, of (burst rate - ceiling) x time, that what the ceiling leaves unused fills again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from node.errors import InvalidValue
from node.translator import gettext_lazy
from node.units import (
    KILO,
    BitsPerSecond,
    Milliseconds,
    Rates,
    format_rate,
    highest,
    lowest,
    parse_one_or_two_rates,
)

SECOND_MS, MINUTE_MS = 1_000, 60_000
LENGTH_MIN, LENGTH_MAX = Milliseconds(SECOND_MS), Milliseconds(5 * MINUTE_MS)
SAVED_MAX = Milliseconds(240_000)
"""How much of the ceiling's own time a burst may be. The kernel counts it in 32 bits of 64 ns, which is 274 seconds."""
BURST_WANTED = gettext_lazy(
    "a speed and for how long, such as {one} or {other}",
    one='"20 Mbit/s for 30 s"',
    other='"20 Mbit/s down, 5 Mbit/s up for 30 s"',
)

_LENGTH = re.compile(r"(\d{1,5}) ?(s|seconds?|min|minutes?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Burst:
    """The rates, and for how long, by somebody who has used nothing for long enough."""

    rates: Rates
    """In each direction at least the ceiling."""
    length: Milliseconds


def parse_burst(text: str) -> Burst:
    """``"20 Mbit/s for 30 s"``, for both directions, or ``"20 Mbit/s down, 5 Mbit/s up for 30 s"``. Raises InvalidValue."""
    rates, separator, length = text.strip().rpartition(" for ")
    match = _LENGTH.fullmatch(length.strip())
    if not separator or match is None:
        raise InvalidValue(gettext_lazy("{text} is no burst", text=f"{text!r:.80}"), wanted=BURST_WANTED)
    spent = Milliseconds(int(match[1]) * (SECOND_MS if match[2].startswith("s") else MINUTE_MS))
    if not LENGTH_MIN <= spent <= LENGTH_MAX:
        wrong = gettext_lazy("{text} is not from 1 second to 5 minutes", text=f"{length.strip()!r:.60}")
        raise InvalidValue(wrong, wanted=BURST_WANTED)
    return Burst(parse_one_or_two_rates(rates), spent)


def format_burst(burst: Burst) -> str:
    """Text from which `parse_burst` makes the same burst."""
    down, up = burst.rates.down, burst.rates.up
    rates = format_rate(down) if down == up else f"{format_rate(down)} down, {format_rate(up)} up"
    return f"{rates} for {burst.length // SECOND_MS} s"


def peak(ceiling: Rates, burst: Burst | None) -> Rates:
    """What is never exceeded, even for a moment."""
    return ceiling if burst is None else burst.rates


def least_burst(limits: Iterable[tuple[Rates, Burst | None]], ceiling: Rates) -> Burst | None:
    """That of several ceilings together, of which `ceiling` is the lowest: at no time does it allow more than one of them.
    None where nothing is left above it."""
    limits = list(limits)
    lengths = [burst.length for _, burst in limits if burst is not None]
    if not lengths:
        return None
    peaks = [peak(rates, burst) for rates, burst in limits]
    down, up = min(each.down for each in peaks), min(each.up for each in peaks)
    rates = Rates(max(down, ceiling.down), max(up, ceiling.up))
    return None if rates == ceiling else Burst(rates, min(lengths))


def highest_burst(one: tuple[Rates, Burst | None], other: tuple[Rates, Burst | None]) -> Burst | None:
    """Above the higher of two ceilings: at least what each of them allows."""
    bursts = [burst for _, burst in (one, other) if burst is not None]
    if not bursts:
        return None
    rates = highest(peak(*one), peak(*other))
    return Burst(rates, max(burst.length for burst in bursts))


def saved_bits(ceiling: BitsPerSecond, rate: BitsPerSecond, length: Milliseconds) -> int:
    """What the bucket of one direction holds."""
    return max(0, rate - ceiling) * length // SECOND_MS


def length_at_most(ceiling: Rates, rates: Rates) -> Milliseconds:
    """The longest burst of these rates, in whole seconds, that can be saved up in `SAVED_MAX`."""
    ways = ((ceiling.down, rates.down), (ceiling.up, rates.up))
    longest = [SAVED_MAX * low // (high - low) for low, high in ways if high > low]
    return Milliseconds(min([LENGTH_MAX, *longest]) // SECOND_MS * SECOND_MS)


def within(burst: Burst, line: Rates) -> Burst:
    """At most what the line carries, in whole kbit/s."""
    most = Rates(BitsPerSecond(line.down // KILO * KILO), BitsPerSecond(line.up // KILO * KILO))
    return Burst(lowest(burst.rates, most), burst.length)


def favours_burst(burst: Burst | None, ceiling: Rates, before: Burst | None, ceiling_before: Rates) -> bool:
    """Whether this burst is at no time less than the one before, above a ceiling that is not lower."""
    most, most_before = peak(ceiling, burst), peak(ceiling_before, before)
    if before is None or lowest(ceiling, most_before) == most_before:
        return True
    return burst is not None and lowest(most, most_before) == most_before and burst.length >= before.length
