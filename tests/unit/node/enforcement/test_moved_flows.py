"""Rules for TCP flows that began at another node: none without a link to others, and none that answers."""

from node.enforcement.moved_flows import came_lately, moved_rules, moved_sets, noted_places
from node.enforcement.plan import Admission

LINKS = ("mesh0", "mesh1")
PASSES = ("iifname mesh0 ct mark @down accept",)


def test_without_other_nodes_there_are_no_rules():
    assert ((), ()) == moved_rules((), PASSES)
    assert [] == list(noted_places(()))


def test_what_nothing_lets_pass_is_dropped_and_not_answered():
    for rules in moved_rules(LINKS, PASSES):
        assert rules[-1].endswith(" drop")
        assert not [rule for rule in rules if "reject" in rule]
        assert "ct state new" in rules[-1]
        assert "(syn | rst) == 0" in rules[-1]
        assert 'ifname { "mesh0", "mesh1" }' in rules[-1], "flows by the uplink are answered"


def test_marked_packets_are_looked_up_after_they_are_marked():
    to_lan, from_lan = moved_rules(LINKS, PASSES)
    assert PASSES[0] == to_lan[-2]
    assert all('iifname { "mesh0", "mesh1" }' in rule for rule in to_lan[:-2])
    assert 1 == len(from_lan)


def test_only_addresses_of_devices_that_came_are_added_by_family():
    def device(number: int, *addresses: str) -> Admission:
        return Admission(f"02:00:00:00:00:0{number}", number, 16, None, addresses=addresses)

    found = list(came_lately("inet t", [device(1), device(2, "10.0.0.2", "fd00::2"), device(3, "10.0.0.1")]))
    assert [
        "add element inet t came4 { 10.0.0.1, 10.0.0.2 }\n",
        "add element inet t came6 { fd00::2 }\n",
    ] == found
    assert [] == list(came_lately("inet t", [device(1)]))


def test_every_set_is_limited_and_forgets():
    lines = moved_sets("inet t").splitlines()
    assert 4 == len(lines)
    assert all("size 65535" in line and "timeout" in line for line in lines)


def test_addresses_make_no_other_device():
    assert Admission("02:00:00:00:00:01", 1, 16, None) == Admission(
        "02:00:00:00:00:01", 1, 16, None, addresses=("10.0.0.1",)
    )
