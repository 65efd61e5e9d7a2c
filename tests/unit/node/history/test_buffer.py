"""What was recorded and is not stored yet."""

from node.history.buffer import HOURS_MAX, HistoryBuffer
from node.history.roll_ups import HOUR_S
from node.history.steps import Step

NOON = 1_790_000_000 // HOUR_S * HOUR_S


def test_the_last_hour_has_steps_of_ten_seconds() -> None:
    buffer = HistoryBuffer()
    for second in range(20):
        buffer.add("devices", second, NOON + second)
    assert Step(10, 45, 0, 9) == buffer.recent("devices", NOON)
    assert Step(10, 145, 10, 19) == buffer.recent("devices", NOON + 10)
    assert None is buffer.recent("devices", NOON + 20)
    assert None is buffer.recent("guests", NOON)


def test_a_step_of_an_hour_ago_is_not_taken_for_the_present_one() -> None:
    buffer = HistoryBuffer()
    buffer.add("devices", 7, NOON)
    assert None is buffer.recent("devices", NOON + HOUR_S)
    buffer.add("devices", 9, NOON + HOUR_S)
    assert Step(1, 9, 9, 9) == buffer.recent("devices", NOON + HOUR_S)
    assert None is buffer.recent("devices", NOON)


def test_of_series_that_ended_the_last_hour_is_forgotten_and_what_is_not_stored_is_kept() -> None:
    buffer = HistoryBuffer()
    for series in ("rule_top", "devices"):
        buffer.add(series, 7, NOON)
    buffer.keep_recent({"devices", "guests"})
    assert (None, Step(1, 7, 7, 7)) == (buffer.recent("rule_top", NOON), buffer.recent("devices", NOON))
    assert {"rule_top", "devices"} == buffer.hours[NOON].keys()


def test_an_hour_is_stored_only_with_what_was_stored_of_it_before() -> None:
    buffer, earlier = HistoryBuffer(), HistoryBuffer()
    earlier.add("devices", 3, NOON)
    buffer.add("devices", 5, NOON + 60)
    assert (NOON,) == buffer.parts
    assert {} == buffer.to_store()
    buffer.make_whole(NOON, earlier.hours[NOON])
    buffer.make_whole(NOON, earlier.hours[NOON])  # tried twice, counted once
    assert Step(2, 8, 3, 5) == buffer.to_store()[NOON]["devices"].get(0)


def test_what_could_not_be_stored_is_given_again_and_what_was_is_not() -> None:
    buffer = HistoryBuffer()
    buffer.add("devices", 5, NOON)
    buffer.make_whole(NOON, {})
    taken = buffer.to_store()
    assert {} == buffer.to_store()
    buffer.not_stored(taken)
    assert {NOON} == buffer.to_store().keys()
    buffer.stored(NOON)
    assert {} == buffer.to_store()
    assert {NOON} == buffer.hours.keys()


def test_an_hour_that_is_over_is_forgotten_when_it_is_stored_unless_it_changed_meanwhile() -> None:
    buffer = HistoryBuffer()
    for hour_s in (NOON, NOON + HOUR_S):
        buffer.add("devices", 5, hour_s)
        buffer.make_whole(hour_s, {})
    buffer.to_store()
    buffer.add("devices", 6, NOON)  # the clock was set back while the disk was busy
    buffer.stored(NOON + 2 * HOUR_S)
    assert {NOON} == buffer.hours.keys()
    assert {NOON} == buffer.to_store().keys()
    buffer.stored(None)
    assert {} == buffer.hours


def test_a_disk_that_takes_nothing_for_days_does_not_fill_the_memory() -> None:
    buffer = HistoryBuffer()
    for hour in range(3 * HOURS_MAX):
        buffer.add("devices", 5, NOON + hour * HOUR_S)
    assert HOURS_MAX == len(buffer.hours)
    assert NOON + (3 * HOURS_MAX - 1) * HOUR_S in buffer.hours
