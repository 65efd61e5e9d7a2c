"""What each kind of gateway can do."""

from typing import get_args

from node.app.opennds_service import REPORTED_SESSION_S, SESSION_S
from node.gateways.capability import ABILITIES, FEATURES, Feature, abilities
from node.gateways.gateway import GatewayKind


def test_each_kind_says_of_each_feature_whether_it_can():
    assert set(get_args(GatewayKind)) == ABILITIES.keys()
    assert set(get_args(Feature)) == set(FEATURES)
    assert all(set(FEATURES) == each.by_feature.keys() for each in ABILITIES.values())


def test_no_gateway_keeps_floors_or_weights():
    assert not any(each.can(feature) for each in ABILITIES.values() for feature in ("floor", "share"))


def test_each_gateway_counts_and_ends():
    assert all(each.can(feature) for each in ABILITIES.values() for feature in ("count", "end", "block"))


def test_what_opennds_does_late_is_not_at_its_next_check():
    """It tells what a client used when that leaves, and ends nobody before the session that it was given."""
    found = ABILITIES["opennds"].by_feature
    assert (found["count"], found["end"], found["block"]) == ("leaving", "hour", "hour")
    assert SESSION_S <= 3_600


def test_with_the_script_opennds_counts_and_ends_at_its_next_check():
    found = abilities("opennds", reports=True).by_feature
    assert (found["count"], found["end"], found["block"]) == ("late", "late", "late")
    assert {each for each in FEATURES if found[each] != ABILITIES["opennds"].by_feature[each]} == {
        "count",
        "end",
        "block",
    }
    assert abilities("opennds") == ABILITIES["opennds"]
    assert abilities("wifidog", reports=True) == ABILITIES["wifidog"]


def test_when_the_script_stops_the_sessions_that_it_made_long_go_on():
    found = abilities("opennds", has_long_sessions=True).by_feature
    assert (found["count"], found["end"], found["block"]) == ("leaving", "hours", "hours")
    assert REPORTED_SESSION_S <= 6 * 3_600
    assert abilities("opennds", reports=True, has_long_sessions=True) == abilities("opennds", reports=True)
    assert abilities("wifidog", has_long_sessions=True) == ABILITIES["wifidog"]
