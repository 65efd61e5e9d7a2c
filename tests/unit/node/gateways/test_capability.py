"""What each kind of gateway can do."""

from typing import get_args

from node.gateways.capability import ABILITIES, FEATURES, Feature
from node.gateways.gateway import GatewayKind


def test_each_kind_says_of_each_feature_whether_it_can():
    assert set(get_args(GatewayKind)) == ABILITIES.keys()
    assert set(get_args(Feature)) == set(FEATURES)
    assert all(set(FEATURES) == each.by_feature.keys() for each in ABILITIES.values())


def test_no_gateway_keeps_floors_or_weights():
    assert not any(each.can(feature) for each in ABILITIES.values() for feature in ("floor", "share"))


def test_each_gateway_counts_and_ends():
    assert all(each.can(feature) for each in ABILITIES.values() for feature in ("count", "end", "block"))
