"""What a plot shows, in sentences."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from node.history.window import HistoryWindow, Point
from node.plots.plot_words import PlotTexts, gaps_of, sentences
from node.translator import ENGLISH
from tests.fakes.history_windows import LINE, village_window

BEGIN_S = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())


def window_of(*means: int | None, step_s: int = 3600) -> HistoryWindow:
    points = tuple(None if each is None else Point(each, each, each) for each in means)
    return HistoryWindow("x", "bit_per_s", BEGIN_S, step_s, points)


def day(evening: int | None) -> tuple[int | None, ...]:
    return (*(1000,) * 5, 0, *(1000,) * 15, evening, 1000, 1000)


def test_nothing_known_is_said_with_its_time() -> None:
    assert ("No figures on 2 November 2026 from 00:00 to 03:00.",) == sentences(
        window_of(None, None, None), UTC, ENGLISH
    )
    days = window_of(None, None, step_s=86_400)
    assert ("No figures from 2 November 2026 to 3 November 2026.",) == sentences(days, UTC, ENGLISH)
    assert ("No figures on 2 November 2026.",) == sentences(window_of(step_s=86_400), UTC, ENGLISH)


def test_the_mean_the_most_and_when() -> None:
    assert ("1.5 kbit/s on average; at most 2 kbit/s, on 2 November 2026, 01:00.",) == sentences(
        window_of(1000, 2000), UTC, ENGLISH
    )
    found = sentences(window_of(1000, 2000, step_s=86_400), UTC, ENGLISH)
    assert ("1.5 kbit/s on average; at most 2 kbit/s, on 3 November 2026.",) == found


def test_full_evenings_are_counted_of_those_that_are_known() -> None:
    window = window_of(*day(9000), *day(8999), *day(10_000), *(None,) * 24)
    assert "Full on 2 of 3 evenings." in sentences(window, UTC, ENGLISH, full_at=10_000)
    assert not any("evening" in each for each in sentences(window, UTC, ENGLISH))
    one = window_of(*day(9000), *(None,) * 48)
    assert "Full on 1 of 1 evening." in sentences(one, UTC, ENGLISH, full_at=10_000)


def test_the_busiest_and_the_quietest_hour() -> None:
    assert "Most at 21:00, least at 05:00." in sentences(window_of(*day(9000) * 3), UTC, ENGLISH)
    assert not any("Most at" in each for each in sentences(window_of(*(5,) * 72), UTC, ENGLISH))
    assert not any("Most at" in each for each in sentences(window_of(*day(9000)), UTC, ENGLISH))


def test_the_longest_gaps_are_named_and_the_others_counted() -> None:
    gaps = (1, None, 1, None, None, 1, None, None, None, 1, None, 1)
    found = sentences(window_of(*gaps), UTC, ENGLISH)
    assert (
        "No figures on 2 November 2026 from 03:00 to 05:00.",
        "No figures on 2 November 2026 from 06:00 to 09:00.",
        "And 2 shorter gaps.",
    ) == found[-3:]


def test_a_village_in_words() -> None:
    said = PlotTexts("", sentences(village_window("month"), UTC, ENGLISH, full_at=LINE)).description
    assert "Full on " in said
    assert " of 31 evenings. Most at 21:00, least at 05:00. No figures " in said


@given(st.lists(st.sampled_from([None, Point(1, 1, 1)])))
def test_gaps_are_where_nothing_is_known(points) -> None:
    gaps = {at for begin, length in gaps_of(points) for at in range(begin, begin + length)}
    assert {at for at, each in enumerate(points) if each is None} == gaps
