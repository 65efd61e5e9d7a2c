"""Firewall rules for DNS queries: which resolver, and which names stay free. tests/kernel sends real packets."""

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from captive_portal.probes import probe_hosts
from node.enforcement import dns_limits

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)


def matched(text: str, datagram: bytes) -> bool:
    """Whether all raw payload matches in `text` hold for a datagram with its UDP header."""
    words = text.split()
    for place, value in itertools.pairwise(words):
        if not place.startswith("@th,"):
            continue
        first, bits = (int(number) // 8 for number in place.removeprefix("@th,").split(","))
        wanted = int(value, 0).to_bytes(bits, "big")
        if datagram[first : first + bits] != wanted:
            return False
    return True


def datagram(name: str, questions: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return bytes(8) + struct.pack("!6H", 7, 0x0100, questions, 0, 0, 0) + labels + b"\0\0\1\0\1"


@given(st.lists(LABEL, min_size=1, max_size=5).map(".".join))
def test_a_free_name_is_matched_exactly(name: str) -> None:
    rule = dns_limits.chains((name,))["strangers_slow"][0]
    assert matched(rule, datagram(name))
    for other in (f"x.{name}", f"{name}.example", f"x{name}", name[:-1] + "_"):
        assert not matched(rule, datagram(other))
    assert not matched(rule, datagram(name, questions=2))


def test_every_probe_host_name_is_short_enough_for_a_rule() -> None:
    hosts = probe_hosts()
    assert {"captive.apple.com", "connectivitycheck.gstatic.com", "www.msftconnecttest.com"} <= set(hosts)
    rules = dns_limits.chains(hosts)
    assert all(rule.endswith((" return", "drop")) for rule in rules["strangers_slow"])
    assert len(rules["strangers_slow"]) == len(hosts) + 1


def test_the_documented_dns_rates_are_those_of_the_rules() -> None:
    """A tunnel carries at most 4 kbit/s after ten minutes, both directions and the bursts of 20 seconds
    together; the kernel grants one second's rate besides each burst.
    """
    rules = " ".join(rule for chain in dns_limits.chains(()).values() for rule in chain)
    assert "limit rate over 20/second burst 40 packets" in rules
    assert "limit rate 200/second burst 200 packets accept drop" in rules
    assert "limit rate 500/second burst 500 packets accept drop" in rules
    assert "limit rate over 120 bytes/second burst 500 bytes" in rules
    assert "limit rate over 250 bytes/second burst 1300 bytes" in rules
    assert (21 * (120 + 250) + 500 + 1_300) * 8 / 20 <= 4_000
    assert "dns_fresh { type mark; size 65535; flags dynamic,timeout; timeout 600s; }" in dns_limits.sets("t")
