"""Charts of a preview: lines for the template to draw, and the same numbers as a table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from node.governance.expressions import rate_words
from node.governance.replay import Replay
from node.governance.replay_sentences import rounded
from node.governance.times import clock_text
from node.translator import Translator, amount_words, day_words
from node.units import BitsPerSecond, Rates

WIDTH, HEIGHT = 600, 150
"""Of a chart, in units of its own."""
type Pair = tuple[BitsPerSecond | None, BitsPerSecond | None]
"""Of the rules in force, and of the proposed ones."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Two lines over time; each consists of several where numbers are missing in between."""

    title: str
    before: tuple[str, ...]
    """Points, as in SVG."""
    after: tuple[str, ...]
    top: str
    """The rate at the upper edge."""
    first: str
    last: str
    """At the ends of the time axis."""
    heading: str
    """Of the first column of the table."""
    rows: tuple[tuple[str, str, str], ...]
    """Time, in force, proposed."""


def charts(found: Replay, words: Translator) -> tuple[Chart, ...]:
    """Use of the line hour by hour, and what an account could have had in each hour of the day."""
    made = [_of_days(found, words)] if found.hours else []
    if any(each.before is not None for each in found.day_hours):
        made.append(_of_day(found, words))
    return tuple(made)


def _of_days(found: Replay, words: Translator) -> Chart:
    begun = found.hours[0].begun
    hours = [_hours_between(begun, each.begun) for each in found.hours]
    pairs = [(_down(each.before), _down(each.after)) for each in found.hours]
    days: dict[str, list[Pair]] = {}
    for each, pair in zip(found.hours, pairs, strict=True):
        days.setdefault(day_words(each.begun.date(), words), []).append(pair)
    rows = [(day, (_most(each[0] for each in of), _most(each[1] for each in of))) for day, of in days.items()]
    title = words.gettext("Download on the line hour by hour, if nobody wanted more than they used")
    first, last = (day_words(each.begun.date(), words) for each in (found.hours[0], found.hours[-1]))
    heading = words.gettext("Most in an hour of this day")
    return _chart(
        (title, first, last, heading), list(zip(hours, pairs, strict=True)), hours[-1] + 1, rows, words
    )


def _of_day(found: Replay, words: Translator) -> Chart:
    points: list[tuple[int, Pair]] = [(each.hour, (each.before, each.after)) for each in found.day_hours]
    rows = [(clock_text(hour * 60), pair) for hour, pair in points]
    title = words.gettext(
        "Download that an account could have had in each hour of the day, if everybody had wanted as much as possible"
    )
    ends = clock_text(0), clock_text(24 * 60)
    return _chart((title, *ends, words.gettext("From this hour on")), points, 24, rows, words)


def _chart(
    texts: tuple[str, str, str, str],
    points: Sequence[tuple[int, Pair]],
    length: int,
    rows: Iterable[tuple[str, Pair]],
    words: Translator,
) -> Chart:
    title, first, last, heading = texts
    top = max((each for _, pair in points for each in pair if each is not None), default=1) or 1
    lines = [lines_of([(at, pair[side]) for at, pair in points], length, top) for side in (0, 1)]
    shown = _shown(words)
    table = tuple((name, shown(before), shown(after)) for name, (before, after) in rows)
    return Chart(title, lines[0], lines[1], shown(BitsPerSecond(top)), first, last, heading, table)


def lines_of(points: Iterable[tuple[int, BitsPerSecond | None]], length: int, top: int) -> tuple[str, ...]:
    """A level for each hour; a new line after an hour that is missing."""
    found: list[list[str]] = []
    due = -1
    for at, rate in points:
        if rate is None:
            continue
        if at != due or not found:
            found.append([])
        y = HEIGHT - rate * HEIGHT // top
        found[-1] += [f"{each * WIDTH // length},{y}" for each in (at, at + 1)]
        due = at + 1
    return tuple(" ".join(line) for line in found)


def _hours_between(first: datetime, at: datetime) -> int:
    return (at - first) // timedelta(hours=1)


def _down(rates: Rates | None) -> BitsPerSecond | None:
    return None if rates is None else rates.down


def _most(rates: Iterable[BitsPerSecond | None]) -> BitsPerSecond | None:
    return max((each for each in rates if each is not None), default=None)


def _shown(words: Translator) -> Callable[[BitsPerSecond | None], str]:
    return lambda rate: "–" if rate is None else amount_words(rate_words(rounded(rate)), words)
