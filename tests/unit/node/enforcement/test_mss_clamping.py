"""MSS clamping to the uplink's packet size; tests/kernel sends real packets."""

from dataclasses import replace

from node.enforcement import mss_clamping, nft
from node.enforcement.plan import FirewallConfig

FIREWALL = FirewallConfig("lan0", "wan0", 2080)


def test_without_a_setting_the_route_mtu_is_used_and_with_one_the_headers_of_each_family_are_subtracted() -> (
    None
):
    assert ["rt mtu"] == [clamp.partition(" size set ")[2] for clamp in mss_clamping.segment_size(0)]
    assert ["rt mtu", "1452", "1432"] == [
        clamp.partition(" size set ")[2] for clamp in mss_clamping.segment_size(1_492)
    ]


def test_the_rules_for_running_flows_are_unchanged() -> None:
    """They come first, and no rule about segments is evaluated for each packet."""
    for mtu in (0, 1_492):
        text = nft.rules(nft.ChainLayout(replace(FIREWALL, uplink_mtu=mtu), shaped=False, links=(2, 3)))
        first, second, third = [line for line in text.splitlines() if "rule inet procomu forward " in line][
            :3
        ]
        assert first.endswith('forward iif "wan0" counter name ct mark map @down accept')
        assert second.endswith(f'forward oif "wan0" counter name {nft.SENDER} . ct mark map @up accept')
        assert third.endswith('forward iifname "lan0" goto leaving')


def test_a_packet_of_a_running_flow_passes_one_chain_and_a_first_packet_two_more() -> None:
    """A chain at another hook would cost every packet of every flow. Packets for the node itself pass two."""
    text = nft.rules(nft.ChainLayout(replace(FIREWALL, uplink_mtu=1_492), shaped=True, links=(2, 3)))
    hooked = [line.split("{ type ")[1].split(" priority")[0] for line in text.splitlines() if "hook" in line]
    assert {
        "nat hook prerouting",
        "nat hook postrouting",
        "filter hook forward",
        "filter hook input",
        "filter hook output",
    } == set(hooked)
    assert len(hooked) == 6
    assert hooked.count("filter hook input") == 2


def test_the_segment_size_is_set_before_nat() -> None:
    lines = nft.rules(nft.ChainLayout(FIREWALL, shaped=False, links=(2, 3))).splitlines()
    behind = [line for line in lines if "rule inet procomu postrouting " in line]
    assert "maxseg" in behind[0]
    assert behind[-1].endswith("masquerade")
