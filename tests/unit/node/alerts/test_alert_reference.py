"""The document about alerts."""

from node.alerts.alert_list import ALERTS
from node.alerts.alert_reference import reference


def test_each_alert_has_a_row_with_its_times_and_one_with_what_to_do() -> None:
    text = reference()
    for each in ALERTS:
        rows = [line for line in text.splitlines() if line.startswith(f"| `{each.name}` |")]
        assert 2 == len(rows)
        assert ("| yes |" in rows[0]) == each.is_urgent
        assert str(each.fix) in rows[1]
    assert "no resolver beyond the line answers, for 5 min | one answers, for 2 min | yes |" in text
    assert "it was not set again, for 1 h" in text
