"""What a node says of itself: means of five minutes, and nothing by which one person's act shows."""

from collections.abc import Mapping
from datetime import UTC
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.node_summary import HOUR_STEPS, Malformed, NodeSummary, no_summary, read_summary
from node.app.own_summary import OwnSummary, own_summary, summary_of, two_digits
from node.history.buffer import HistoryBuffer
from node.history.reading import recent_window
from node.history.series import BY_NAME
from node.history.window import HistoryWindow
from tests.fakes.neighbours import id_of
from tests.unit.mesh.test_node_summary import signed_by

NOW = 1_795_600_005
USUAL = {
    "devices": 17, "accounts": 12, "neighbours": 3, "line_down": 8_000_000, "line_up": 500_000, "line_rate_down": 20_000_000,
    "line_rate_up": 5_130_000, "line_delay": 23, "line_loss": 12, "lifelines_held": 1000, "processor": 129, "memory": 456,
    "disk_free": 3_349_000_000,
}  # fmt: skip


class PastHour:
    """A history in memory, with the values of each ten seconds. `at`: by how long ago, in steps of ten seconds."""

    def __init__(self, usual: Mapping[str, int], at: Mapping[int, Mapping[str, int]] | None = None) -> None:
        self.buffer = HistoryBuffer()
        for step in range(360, 0, -1):
            for name, value in {**usual, **(at or {}).get(step, {})}.items():
                self.buffer.add(name, value, NOW - 5 - 10 * step)

    def now_s(self) -> int:
        return NOW

    def recent(self, name: str, begin_s: int, end_s: int) -> HistoryWindow:
        return recent_window(BY_NAME[name], (begin_s, end_s), UTC, lambda at: self.buffer.recent(name, at))


def said(usual: Mapping[str, int], at: Mapping[int, Mapping[str, int]] | None = None) -> OwnSummary:
    return summary_of(PastHour(usual, at), 2)


def test_the_means_are_coarse() -> None:
    values, hour = said(USUAL)
    assert (15, 10, 3, 2) == (values.devices, values.accounts, values.neighbours, values.attention)
    assert (40, 10) == (values.used_down_percent, values.used_up_percent)
    assert (20_000, 5_100) == (values.carries_down_kbit_per_s, values.carries_up_kbit_per_s)
    assert (20, 1, 100) == (values.delay_ms, values.loss_percent, values.lifelines_percent)
    assert (12, 45, 3_300) == (values.processor_percent, values.memory_percent, values.disk_free_mb)
    assert (40,) * HOUR_STEPS == hour


def test_with_fewer_than_five_devices_for_a_moment_nothing_of_their_use_is_said() -> None:
    values, hour = said(USUAL, {17: {"devices": 4}})
    assert (0, None, None) == (values.devices, values.used_down_percent, values.used_up_percent)
    assert (*((40,) * 11), None) == hour
    values, hour = said(USUAL, {40: {"devices": 4}})
    assert (15, 40) == (values.devices, values.used_down_percent)
    assert (*((40,) * 10), None, 40) == hour


@given(st.integers(0, 4), st.integers(0, 30_000_000), st.integers(0, 30_000_000))
def test_what_few_devices_do_changes_nothing_that_is_said(devices: int, one: int, other: int) -> None:
    few = USUAL | {"devices": devices, "accounts": devices}
    assert said(few | {"line_down": one, "line_up": other}) == said(
        few | {"line_down": other, "line_up": one}
    )


def test_what_is_not_known_is_not_said() -> None:
    values, hour = said({})
    assert (None, None, None) == (values.devices, values.accounts, values.disk_free_mb)
    assert (None,) * HOUR_STEPS == hour
    values, _ = said({"devices": 17, "line_down": 5})
    assert values.used_down_percent is None


def test_without_a_clock_only_what_needs_a_person_is_said() -> None:
    values, hour = own_summary(PastHour(USUAL).recent, None, 12)
    assert (9, None, no_summary()[1]) == (values.attention, values.devices, hour)


@given(st.dictionaries(st.sampled_from(sorted(USUAL)), st.integers(-(10**13), 10**13)))
def test_whatever_was_recorded_is_a_summary_that_others_read(recorded: dict[str, int]) -> None:
    values, hour = said({name: max(0, value) for name, value in recorded.items()})
    read = read_summary(signed_by("hill", NodeSummary(id_of("hill"), values, hour)).frame(0))
    assert not isinstance(read, Malformed), read


@pytest.mark.parametrize(("number", "rounded"), [(0, 0), (9, 9), (99, 99), (101, 100), (3_349, 3_300)])
def test_two_digits_of_a_number_are_kept(number: int, rounded: int) -> None:
    assert rounded == two_digits(number)


def test_more_stays_more() -> None:
    assert all(two_digits(one) <= two_digits(other) for one, other in pairwise(range(2_000)))
