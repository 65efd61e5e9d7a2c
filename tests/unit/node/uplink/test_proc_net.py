"""Next hops and counters as Linux writes them into proc(5)."""

from ipaddress import IPv4Address, IPv6Address

from node.uplink.proc_net import DefaultRoute, default_routes, next_hops, octets_of

ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wan0\t00000000\tFE01580A\t0003\t0\t0\t0\t00000000\t0\t0\t0
wan0\t0001580A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
mesh0\t00000000\t0102030A\t0003\t0\t0\t9\t00000000\t0\t0\t0
"""
NONE, ALL = "0" * 32, "0" * 32
IPV6 = f"""\
{ALL} 00 {NONE} 00 fd8800010000000000000000000000fe 00000400 00000001 00000000 00000003     wan0
{ALL} 00 {NONE} 00 fe8000000000000000000000000000fe 00000400 00000001 00000000 00000003     wan0
fd770000000000000000000000000000 40 {NONE} 00 {NONE} 00000100 00000001 00000000 00000001   br-lan
{ALL} 00 {NONE} 00 {NONE} ffffffff 00000001 00000000 00200200       lo
"""


def test_the_next_hops_of_one_interface_ipv4_first() -> None:
    expected = (IPv4Address("10.88.1.254"), IPv6Address("fd88:1::fe"), IPv6Address("fe80::fe%wan0"))
    assert expected == next_hops(ROUTE, IPV6, "wan0")


def test_the_default_routes_of_all_interfaces_in_the_order_of_the_tables() -> None:
    assert [
        ("wan0", IPv4Address("10.88.1.254")),
        ("ppp0", None),
        ("mesh0", IPv4Address("10.3.2.1")),
        ("wan0", IPv6Address("fd88:1::fe")),
        ("wan0", IPv6Address("fe80::fe%wan0")),
    ] == [(each.interface, each.next_hop) for each in default_routes(ROUTE, IPV6)]
    assert DefaultRoute("ppp0", None) in default_routes(ROUTE, "")
    assert () == default_routes("", "")


def test_a_line_without_next_hops_has_none() -> None:
    assert () == next_hops(ROUTE, IPV6, "ppp0")
    assert () == next_hops("", "", "wan0")


def test_rows_that_are_cut_off_are_passed_over() -> None:
    assert () == next_hops("Iface\nwan0\t00000000\n\n", "wan0\n\n", "wan0")


DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 3096028    4071    0    0    0     0          0         0  3096028    4071    0    0    0     0       0          0
  wan0:12345678901  9 0    0    0     0          0         0  42    1    0    0    0     0       0          0
"""


def test_octets_that_passed_an_interface() -> None:
    assert (12_345_678_901, 42) == octets_of(DEV, "wan0")
    assert octets_of(DEV, "wan") is None
    assert octets_of("", "wan0") is None
    assert octets_of("wan0: 1 2", "wan0") is None
