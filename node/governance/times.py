"""Weekly times in local civil time, such as ``mon-fri 08:00-16:00; daily 22:00-06:00``."""

import re
from dataclasses import dataclass
from datetime import datetime

MINUTES_PER_DAY = 1440
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TEXT_MAX = 400
"""Characters in one text of times."""
WANTED = 'times such as "daily 18:00-23:00" or "mon-fri 08:00-16:00; sat,sun 10:00-14:00"'

_PART = re.compile(r"([a-z,\- ]+?) +(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Times:
    """Half-open ranges of minutes of the week, Monday 00:00 being 0; sorted, neither overlapping nor adjacent."""

    spans: tuple[tuple[int, int], ...]

    def holds(self, minute_of_week: int) -> bool:
        return any(start <= minute_of_week < end for start, end in self.spans)

    def boundaries(self) -> frozenset[int]:
        """Minutes of the week at which these times start or end; empty when they cover the whole week or nothing."""
        edges = {minute % MINUTES_PER_WEEK for span in self.spans for minute in span}
        return frozenset(m for m in edges if self.holds(m) != self.holds((m - 1) % MINUTES_PER_WEEK))

    def minutes_left(self, minute_of_week: int) -> int | None:
        """Minutes until these times next start or end, 1 and up; None when they never do."""
        ahead = [(edge - minute_of_week - 1) % MINUTES_PER_WEEK + 1 for edge in self.boundaries()]
        return min(ahead, default=None)


def minute_of_week(at: datetime) -> int:
    """The minute of the week of local civil time `at`."""
    return at.weekday() * MINUTES_PER_DAY + at.hour * 60 + at.minute


def parse_times(text: str) -> Times:
    """Parse times; parts are separated by ``;`` and may cross midnight. Raises ValueError with what to write instead."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"these times are longer than {TEXT_MAX} characters; write {WANTED}")
    spans = [span for part in text.split(";") for span in _part(part.strip().lower())]
    return Times(_merged(spans))


def to_text(times: Times) -> str:
    """Text from which `parse_times` makes the same times; empty when they cover nothing."""
    days_of: dict[str, set[int]] = {}
    for start, length in _runs(times.spans):
        for piece_start, piece_length in _pieces(start, length):
            begin, end = piece_start % MINUTES_PER_DAY, (piece_start + piece_length) % MINUTES_PER_DAY
            text = f"{clock_text(begin)}-{clock_text(end or MINUTES_PER_DAY)}"
            days_of.setdefault(text, set()).add(piece_start // MINUTES_PER_DAY % 7)
    parts = sorted((min(days), text) for text, days in days_of.items())
    return "; ".join(f"{days_text(days_of[text])} {text}" for _, text in parts)


def clock_text(minute_of_day: int) -> str:
    """``08:05``; the end of the day is ``24:00``."""
    return f"{minute_of_day // 60:02}:{minute_of_day % 60:02}"


def days_text(days: set[int]) -> str:
    """Days of the week, Monday being 0, as ``daily``, ``mon-fri`` or ``sat,sun``."""
    if len(days) == len(DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_run_text(run) for run in runs)


def _run_text(run: list[int]) -> str:
    names = [DAYS[day] for day in run]
    return f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names)


def _part(text: str) -> list[tuple[int, int]]:
    match = _PART.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time of the week; write {WANTED}")
    start, end = _minute(match[2], match[3], text), _minute(match[4], match[5], text)
    if start in (end, MINUTES_PER_DAY):
        raise ValueError(f"{text!r} begins when it ends; write 00:00-24:00 for the whole day")
    length = (end - start) % MINUTES_PER_DAY or MINUTES_PER_DAY
    return [(day * MINUTES_PER_DAY + start, length) for day in _days(match[1], text)]


def _minute(hour: str, minute: str, text: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > MINUTES_PER_DAY:
        raise ValueError(f"{text!r} has a time that no clock shows; write {WANTED}")
    return value


def _days(text: str, whole: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    days: list[int] = []
    for part in text.replace(" ", "").split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in DAYS for end in ends):
            raise ValueError(f"{whole!r}: {part!r} is not a day; write daily, or mon tue wed thu fri sat sun")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    return days


def _merged(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(start, length) pairs that may cross the end of the week, as normalized ranges."""
    cut: list[tuple[int, int]] = []
    for start, length in spans:
        end = start + length
        cut.append((start, min(end, MINUTES_PER_WEEK)))
        if end > MINUTES_PER_WEEK:
            cut.append((0, end - MINUTES_PER_WEEK))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(cut):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _runs(spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Ranges as (start, length); a range across the end of the week stays in one piece."""
    runs = [(start, end - start) for start, end in spans]
    if len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == MINUTES_PER_WEEK:
        start, length = runs.pop()
        runs[0] = (start, length + runs[0][1])
    return runs


def _pieces(start: int, length: int) -> list[tuple[int, int]]:
    """Split into parts that ``day HH:MM-HH:MM`` can express: shorter than a day, or one whole day."""
    if length < MINUTES_PER_DAY:
        return [(start, length)]
    pieces: list[tuple[int, int]] = []
    end = start + length
    while start < end:
        stop = min(end, (start // MINUTES_PER_DAY + 1) * MINUTES_PER_DAY)
        pieces.append((start, stop - start))
        start = stop
    return pieces
