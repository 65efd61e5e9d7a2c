"""What readings say about each alert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.alerts.alert_list import ALERTS, SILENT_MAX, AlertKey
from node.alerts.readings import AlertReadings, verdicts
from node.units import NodeId

BAD = AlertReadings(
    line_answers=False,
    full_evenings=3,
    nodes={NodeId("a"): False},
    disk_free_permille=49,
    is_clock_known=False,
    has_jumped=True,
    backup_age_s=30 * 86_400 + 1,
    lifelines_permille=999,
    floors_permille=0,
    battery_permille=299,
    certificate_left_s=14 * 86_400 - 1,
)
GOOD = AlertReadings(
    line_answers=True,
    full_evenings=1,
    nodes={NodeId("a"): True},
    disk_free_permille=70,
    backup_age_s=30 * 86_400,
    lifelines_permille=1_000,
    floors_permille=1_000,
    battery_permille=400,
    certificate_left_s=14 * 86_400,
)
BETWEEN = AlertReadings(full_evenings=2, disk_free_permille=60, battery_permille=350)


def test_each_alert_can_be_true_and_false() -> None:
    bad, good = verdicts(BAD), verdicts(GOOD)
    assert {each.name for each in ALERTS} == {name for name, _ in bad}
    assert {True} == set(bad.values())
    assert {False} == set(good.values())
    assert bad.keys() == good.keys()


def test_what_is_not_known_or_between_both_thresholds_says_nothing() -> None:
    sure: set[AlertKey] = {("clock_unknown", ""), ("clock_jumped", "")}
    for readings in (AlertReadings(), BETWEEN):
        assert {None} == {verdict for key, verdict in verdicts(readings).items() if key not in sure}


@given(st.integers(0, 1_000), st.integers(0, 1_000))
def test_less_of_a_good_thing_is_never_better(one: int, other: int) -> None:
    less, more = sorted((one, other))
    for key in ("disk_free_permille", "battery_permille", "lifelines_permille", "floors_permille"):
        worse, better = verdicts(AlertReadings(**{key: less})), verdicts(AlertReadings(**{key: more}))
        rank = {True: 0, None: 1, False: 2}
        assert all(rank[worse[each]] <= rank[better[each]] for each in worse)


def test_a_node_that_left_the_community_is_no_longer_missed() -> None:
    gone: AlertKey = ("node_silent", "b")
    assert verdicts(AlertReadings(nodes={NodeId("a"): True}), [gone])[gone] is False


def test_without_a_mesh_no_node_is_missed() -> None:
    assert not any(name == "node_silent" for name, _ in verdicts(AlertReadings(), [("node_silent", "b")]))


@pytest.mark.parametrize("told", [0, 10])
def test_a_whole_valley_without_power_is_no_flood(told: int) -> None:
    nodes = {NodeId(f"n{number:03}"): False for number in range(300)}
    open_keys: list[AlertKey] = [("node_silent", f"n{number:03}") for number in range(290, 290 + told)]
    found = verdicts(AlertReadings(nodes=nodes), open_keys)
    silent = [key for key, verdict in found.items() if key[0] == "node_silent" and verdict]
    assert SILENT_MAX == len(silent)
    assert set(open_keys) <= set(silent)
