"""Which multicast packets of a link are read, when anybody may send there."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import (
    QUESTIONS_AT_ONCE,
    QUESTIONS_PER_S,
    RECORDS_AT_ONCE,
    RECORDS_OF_MEMBER_AT_ONCE,
    RECORDS_PER_S,
    SERVICE_TYPE,
    MdnsFilter,
)
from node.multicast_dns import OCTETS_MAX
from tests.fakes.neighbours import id_of
from tests.kernel.mdns import announcement, crowded

ROSTER = frozenset(map(id_of, ("low", "high")))
RECORDS = 4
"""Number of records in one announcement of a node."""


@dataclass
class FilterClock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def mdns_filter(clock: FilterClock) -> MdnsFilter:
    return MdnsFilter(lambda: ROSTER, clock)


def strangers(link: MdnsFilter, count: int) -> int:
    """Records read of so many packets of the largest size."""
    passed = (link.accept(crowded(SERVICE_TYPE, number)) for number in range(count))
    return sum(int.from_bytes(packet[6:8], "big") for packet in passed if packet is not None)


def test_packets_that_name_no_member_are_read_up_to_a_limit_and_again_later() -> None:
    clock = FilterClock()
    link = mdns_filter(clock)
    assert RECORDS_AT_ONCE - 100 < strangers(link, 1_000) <= RECORDS_AT_ONCE
    clock.now += 10
    assert 0 < strangers(link, 1_000) <= 10 * RECORDS_PER_S + 100


def test_a_member_is_heard_despite_floods_and_its_name_does_not_bypass_the_limit() -> None:
    clock = FilterClock()
    link = mdns_filter(clock)
    while link.accept(announcement(id_of("passer-by"))) is not None:
        clock.now += 0.001
    high, low = announcement(id_of("high")), announcement(id_of("low"))
    assert high == link.accept(high)
    passed = sum(link.accept(high) is not None for _ in range(1_000))
    assert RECORDS * (passed + 1) == RECORDS_OF_MEMBER_AT_ONCE
    assert low == link.accept(low)
    full = crowded(f"{id_of('low')[:16]}.{SERVICE_TYPE}", 1)
    assert link.accept(full) is None


def test_queries_have_a_limit_of_their_own() -> None:
    clock = FilterClock()
    link = mdns_filter(clock)
    question = bytes(2) + b"\x02\x00\x00\x01" + bytes(6) + b"\x01x\x00\x00\x0c\x00\x01"
    assert b"\x00\x00\x00\x00" + question[4:] == link.accept(question)
    assert QUESTIONS_AT_ONCE - 1 == sum(link.accept(question) is not None for _ in range(2_000))
    clock.now += 1
    assert QUESTIONS_PER_S == sum(link.accept(question) is not None for _ in range(2_000))


def test_malformed_and_oversized_packets_are_not_read() -> None:
    link = mdns_filter(FilterClock())
    for octets in (b"", bytes(11), bytes(OCTETS_MAX + 1)):
        assert link.accept(octets) is None


@given(st.binary(max_size=200))
def test_no_octets_raise(octets: bytes) -> None:
    passed = mdns_filter(FilterClock()).accept(octets)
    assert passed is None or len(passed) == len(octets)
