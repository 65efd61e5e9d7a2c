"""Limits, in numbers, on what a device sends before admission: the tables behind them never fill."""

import re

import pytest

from node.enforcement import arrivals, flows, nft
from node.enforcement.kernel import NEIGHBOURS_MIN
from node.enforcement.plan import FirewallConfig

FORM = nft.ChainLayout(FirewallConfig("lan0", "wan0", 2080), shaped=False, links=(2, 3))


def limit(rule: str) -> tuple[int, int]:
    found = re.search(r"limit rate over (\d+)/second burst (\d+) packets", rule)
    assert found, rule
    return int(found[1]), int(found[2])


def all_of(chain: str) -> list[tuple[int, int]]:
    """Limits that all devices share."""
    return [limit(rule) for rule in arrivals.chains()[chain] if rule.startswith("limit rate")]


@pytest.mark.parametrize("table_size", [16_384, 65_536, 262_144])
def test_five_seconds_of_new_addresses_leave_room_in_the_neighbour_table(table_size: int) -> None:
    """The kernel deletes no younger entry, and sends requests for three seconds for one that does not answer."""
    together = [line for line in arrivals.arp_table("lan0").splitlines() if "request limit rate" in line]
    (asked,) = map(limit, together)
    addresses = all_of("addressing")[0]
    first = limit(flows.chains(1_024, table_size)["opening_stranger"][-3])
    young = sum(rate * seconds + burst for (rate, burst), seconds in ((asked, 5), (addresses, 5), (first, 3)))
    assert young + 10_000 < NEIGHBOURS_MIN["gc_thresh3"], "ten thousand devices that are really there"
    assert asked == all_of("soliciting")[0]


def test_ten_thousand_new_addresses_in_fifteen_seconds_are_within_the_limits() -> None:
    (rate, _), (dhcp, _) = all_of("soliciting")[0], all_of("addressing")[0]
    assert min(rate, dhcp) > 10_000 / 15


def test_one_device_may_send_20_arp_or_nd_a_second_and_start_dhcp_five_times() -> None:
    assert (20, 64) == limit(next(rule for rule in arrivals.chains()["soliciting"] if "@solicitors" in rule))
    assert (5, 20) == limit(
        next(rule for rule in arrivals.chains()["addressing"] if "@address_askers" in rule)
    )
    assert "arp saddr ether limit rate over 20/second burst 64 packets" in arrivals.arp_table("lan0")


def test_leases_of_strangers_never_exhaust_the_addresses_or_the_server() -> None:
    """At 0.75 microseconds for each existing lease."""
    rule = [rule for rule in arrivals.chains()["addressing"] if "0x350103" in rule][-1]
    per_second, at_once = limit(rule.removeprefix("udp dport 67 @th,1984,24 0x350103 "))
    an_hour = per_second * 3_600 + at_once
    assert an_hour < 65_000, "dhcp-lease-max"
    assert per_second * an_hour * 0.75e-6 < 0.5


def test_admitted_devices_are_not_delayed_by_new_ones() -> None:
    for name, rules in arrivals.chains().items():
        known = next(n for n, rule in enumerate(rules) if rule.startswith("ether saddr @members"))
        own = [rule for rule in rules[:known] if "{ ether saddr limit rate" in rule]
        assert own == list(rules[:known]), name


def test_an_admitted_device_may_take_ten_leases_a_minute() -> None:
    """A hundred such devices for an hour, beside all strangers, leave some of the 65,000 addresses."""
    rule = next(rule for rule in arrivals.chains()["addressing"] if "@lease_takers" in rule)
    assert "0x350103 ether saddr @members" in rule
    assert "limit rate over 10/minute burst 30 packets" in rule


def test_both_chains_are_reached_by_their_packets() -> None:
    text = nft.rules(FORM)
    assert "add rule inet procomu asking udp dport { 67, 547 } goto addressing" in text
    assert "asking icmpv6 type { nd-neighbor-solicit, nd-router-solicit } jump soliciting" in text
