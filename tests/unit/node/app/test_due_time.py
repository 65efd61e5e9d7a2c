"""The time of scheduled rules."""

from datetime import datetime

import pytest

from node.app.adoption_messages import WrongTime
from node.app.due_time import due_text, read_due

NOW = datetime(2026, 11, 24, 12)


@pytest.mark.parametrize("text", ["2026-12-01 06:00", "2026-12-01T06:00", "  2026-12-01   06:00 "])
def test_a_time_is_read_as_people_and_browsers_write_it(text: str) -> None:
    at = read_due(text, NOW, knows_time=True)
    assert (datetime(2026, 12, 1, 6), "2026-12-01 06:00") == (at, due_text(at))


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-11-24 12:00", "2027-11-26 12:00", "2026-13-01 06:00", "9" * 400]
)
def test_a_time_that_cannot_be_meant_is_refused_with_a_fix(text: str) -> None:
    with pytest.raises(WrongTime, match="not") as caught:
        read_due(text, NOW, knows_time=True)
    assert "2026-12-01 06:00" in caught.value.fix


def test_no_time_is_accepted_while_the_node_does_not_know_it() -> None:
    with pytest.raises(WrongTime, match="does not know the time"):
        read_due("2026-12-01 06:00", NOW, knows_time=False)
