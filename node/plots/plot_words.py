"""What a plot shows, in sentences: for people who do not see it, and for those who want to know it at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from node.history.evenings import full_evenings
from node.history.window import HistoryWindow, Point
from node.plots.amounts import amount_text
from node.plots.point_groups import is_sum, together
from node.plots.time_scale import DAY_S, TimeScale, time_scale
from node.translator import Translator, day_words

EVENINGS_DAYS_MIN = 3
"""Days of a window whose evenings are counted."""
HOURS_KNOWN_MIN = 12
"""Hours of the day of which something is known, so that the busiest and the quietest one are named."""
GAPS_NAMED_MAX = 2


@dataclass(frozen=True, slots=True)
class PlotTexts:
    """Texts of one plot."""

    title: str
    sentences: tuple[str, ...]

    @property
    def description(self) -> str:
        return " ".join(self.sentences)


def sentences(
    window: HistoryWindow, zone: tzinfo | None, words: Translator, *, full_at: int | None = None
) -> tuple[str, ...]:
    """The mean and the most, how many evenings the line was full, the busiest hours, and gaps. `full_at`: the rate of the
    line, if the window is its use."""
    scale = time_scale(window, zone)
    whole = together(window.points)
    if whole is None:
        return (_no_figures(scale, 0, scale.steps, words),)
    found = [_range(window, scale, whole, words)]
    if full_at:
        found += _evenings(window, scale, full_at, words)
    found += _busiest(window, scale, words)
    found += _gaps(window, scale, words)
    return tuple(found)


def moment_text(at: datetime, words: Translator, *, is_day: bool = False) -> str:
    """``3 November 2026, 21:00``; without the time if whole days are meant."""
    day = day_words(at.date(), words)
    return day if is_day else words.gettext("%(day)s, %(time)s") % {"day": day, "time": f"{at:%H:%M}"}


def _range(window: HistoryWindow, scale: TimeScale, whole: Point, words: Translator) -> str:
    busiest = next(step for step, each in enumerate(window.points) if each and each.most == whole.most)
    most = amount_text(whole.most, window.unit, words)
    time = moment_text(scale.begin_of(busiest), words, is_day=window.step_s == DAY_S)
    if is_sum(window):
        total = sum(each.mean for each in window.points if each is not None)
        return words.gettext("{total} in all; the most, {most}, on {time}.").format(
            total=amount_text(total, window.unit, words), most=most, time=time
        )
    return words.gettext("{mean} on average; at most {most}, on {time}.").format(
        mean=amount_text(whole.mean, window.unit, words), most=most, time=time
    )


def _evenings(window: HistoryWindow, scale: TimeScale, full_at: int, words: Translator) -> Iterator[str]:
    """How many evenings had a full hour, of those of which something is known."""
    if window.step_s > 3600 or scale.length_s < EVENINGS_DAYS_MIN * DAY_S:
        return
    full, days = full_evenings(_known(window, scale), full_at)
    if days:
        said = words.ngettext(
            "Full on {full} of {number} evening.", "Full on {full} of {number} evenings.", days
        )
        yield said.format(full=full, number=days)


def _busiest(window: HistoryWindow, scale: TimeScale, words: Translator) -> Iterator[str]:
    """Hours of the day with the highest and the lowest mean, over two days at least."""
    if window.step_s > 3600 or scale.length_s < 2 * DAY_S:
        return
    hours: dict[int, list[Point]] = {}
    for at, point in _known(window, scale):
        hours.setdefault(at.hour, []).append(point)
    means = {hour: _mean(points) for hour, points in hours.items()}
    most, least = max(means, key=lambda hour: means[hour]), min(means, key=lambda hour: means[hour])
    if len(means) >= HOURS_KNOWN_MIN and means[most] > means[least]:
        said = words.gettext("Most at {most}, least at {least}.")
        yield said.format(most=f"{most:02}:00", least=f"{least:02}:00")


def _gaps(window: HistoryWindow, scale: TimeScale, words: Translator) -> Iterator[str]:
    """The longest gaps with their times, and how many more there are."""
    gaps = list(gaps_of(window.points))
    longest = sorted(sorted(gaps, key=lambda gap: -gap[1])[:GAPS_NAMED_MAX])
    for begin, length in longest:
        yield _no_figures(scale, begin, length, words)
    more = len(gaps) - len(longest)
    if more:
        yield words.ngettext("And {number} shorter gap.", "And {number} shorter gaps.", more).format(
            number=more
        )


def gaps_of(points: Sequence[Point | None]) -> Iterator[tuple[int, int]]:
    """Points that follow each other and are not known: the number of the first, and how many."""
    begin: int | None = None
    for number, each in enumerate((*points, _END)):
        if each is None:
            begin = number if begin is None else begin
        elif begin is not None:
            yield begin, number - begin
            begin = None


_END = Point(0, 0, 0)


def _no_figures(scale: TimeScale, begin: int, length: int, words: Translator) -> str:
    first, end = scale.begin_of(begin), scale.begin_of(begin + length)
    if scale.step_s == DAY_S:
        last = end - timedelta(hours=1)
        if last.date() == first.date():
            return words.gettext("No figures on {day}.").format(day=day_words(first.date(), words))
        ends = day_words(first.date(), words), day_words(last.date(), words)
    elif first.date() == end.date():
        said = words.gettext("No figures on {day} from {begin} to {end}.")
        return said.format(day=day_words(first.date(), words), begin=f"{first:%H:%M}", end=f"{end:%H:%M}")
    else:
        ends = moment_text(first, words), moment_text(end, words)
    return words.gettext("No figures from {begin} to {end}.").format(begin=ends[0], end=ends[1])


def _known(window: HistoryWindow, scale: TimeScale) -> Iterator[tuple[datetime, Point]]:
    for step, point in enumerate(window.points):
        if point is not None:
            yield scale.begin_of(step), point


def _mean(points: Iterable[Point]) -> int:
    means = [each.mean for each in points]
    return sum(means) // len(means)
