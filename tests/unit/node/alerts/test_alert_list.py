"""The list of alerts."""

from typing import get_args

from node.alerts.alert_list import ALERTS, BY_NAME, AlertName
from node.app.warning_codes import WarningCode


def test_every_name_is_there_once_and_in_the_order_of_its_type() -> None:
    assert list(get_args(AlertName)) == [each.name for each in ALERTS] == list(BY_NAME)


def test_few_wake_somebody() -> None:
    urgent = {each.name for each in ALERTS if each.is_urgent}
    assert {"line_dead", "disk_low", "lifelines_not_kept", "floors_not_kept", "battery_low"} == urgent


def test_what_covers_a_warning_names_one_that_there_is() -> None:
    assert {"dns", "clock", "lifelines", "floors"} == {each.covers for each in ALERTS} - {""}
    assert {each.covers for each in ALERTS} - {""} <= set(get_args(WarningCode))


def test_no_alert_flaps_within_a_minute_unless_its_threshold_alone_prevents_that() -> None:
    by_thresholds = {"line_full", "clock_jumped", "backup_old", "certificate_ends"}
    for each in ALERTS:
        if each.name not in by_thresholds:
            assert each.raise_after >= 60_000
            assert each.clear_after >= 60_000
