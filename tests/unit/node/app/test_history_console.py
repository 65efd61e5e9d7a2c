"""The history at the control socket."""

from typing import Any, cast

import pytest

from node.app.history_console import HistoryCommands
from node.errors import NodeError
from node.history.series import SERIES
from node.history.window import LONGEST_S, HistoryWindow, Point


class FakeRecorder:
    series = staticmethod(lambda: SERIES)

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        return HistoryWindow(name, "ms", 100, 10, (None, Point(1, 2, seconds)))


COMMANDS = HistoryCommands(cast(Any, FakeRecorder()))


async def test_without_a_series_all_are_listed() -> None:
    listed = (await COMMANDS.all()["history"]({}))["list"]  # type: ignore[misc]
    assert [each.name for each in SERIES] == [each["name"] for each in listed]
    assert "Delay of the line" in [each["title"] for each in listed]


async def test_a_window_says_its_unit_its_times_and_its_gaps() -> None:
    answer = await COMMANDS.history({"series": "line_delay", "seconds": 60})
    assert ("ms", 100, 10, (None, (1, 2, 60))) == tuple(
        answer[each] for each in ("unit", "begin_s", "step_s", "points")
    )


@pytest.mark.parametrize("seconds", [None, 0, -1, LONGEST_S + 1, "60", 1.5, True, [60]])
async def test_a_time_that_no_history_has_is_refused(seconds: object) -> None:
    with pytest.raises(NodeError, match="no time of a history"):
        await COMMANDS.history({"series": "line_delay", "seconds": seconds})
