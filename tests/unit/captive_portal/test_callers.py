"""Two devices that claim one address are noticed; a hand-over, a repeater and a device with many addresses are
not.
"""

from hypothesis import given
from hypothesis import strategies as st

from captive_portal.callers import (
    ADDRESSES_MAX,
    CLAIMS_MAX,
    DEVICES_MAX,
    ActiveDevices,
    AddressConflicts,
    warning,
)
from node.units import MacAddress

ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
ADDRESS = "10.77.0.10"
TEN_MINUTES_S = 600


def mac(number: int) -> MacAddress:
    return MacAddress(f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}")


def seen(*told: tuple[float, MacAddress], address: str = ADDRESS) -> AddressConflicts:
    claims = AddressConflicts()
    for now, device in told:
        claims.seen(address, device, now)
    return claims


def test_an_address_that_alternates_is_claimed_by_two() -> None:
    assert 1 == seen((0, ANA), (1, BEN), (2, ANA)).lately(2)


def test_an_address_that_changes_hands_once_is_not() -> None:
    assert 0 == seen((0, ANA), (1, ANA), (2, BEN), (3, BEN)).lately(3)


def test_an_address_that_comes_back_much_later_is_not() -> None:
    assert 0 == seen((0, ANA), (1, BEN), (62, ANA)).lately(62)


def test_an_address_that_moves_among_many_devices_is_not() -> None:
    assert 0 == seen(*((n, mac(n)) for n in range(100))).lately(100)


def test_a_claim_is_reported_for_ten_minutes_and_counts_once_for_each_address() -> None:
    claims = AddressConflicts()
    for now in range(5):
        claims.claimed(ADDRESS, now)
        claims.claimed("fd77::1", now)
    assert 2 == claims.lately(4 + TEN_MINUTES_S - 1)
    assert 0 == claims.lately(4 + TEN_MINUTES_S)


def test_new_addresses_and_devices_do_not_grow_memory_beyond_its_limit() -> None:
    claims, heard = AddressConflicts(), ActiveDevices()
    for number in range(2 * ADDRESSES_MAX):
        claims.seen(f"10.77.{number >> 8}.{number & 255}", mac(number), 0)
        claims.claimed(f"10.77.{number >> 8}.{number & 255}", 0)
        heard.add(mac(number))
    assert ADDRESSES_MAX == len(claims._held)
    assert DEVICES_MAX == len(heard._devices)
    assert CLAIMS_MAX == claims.lately(0)


def test_a_lease_contradicts_a_device_only_when_its_holder_was_seen() -> None:
    heard = ActiveDevices()
    heard.add(ANA)
    assert not heard.is_lease_of_another(None, ANA)
    assert not heard.is_lease_of_another(ANA, ANA)
    assert not heard.is_lease_of_another(BEN, ANA)
    heard.add(BEN)
    assert heard.is_lease_of_another(BEN, ANA)


@given(st.integers(min_value=0, max_value=300))
def test_the_warning_gives_a_number_and_no_names(addresses: int) -> None:
    said = warning(addresses)
    assert bool(said) == bool(addresses)
    if addresses:
        assert ("one address" if addresses == 1 else str(addresses)) in said
        assert ":" not in said.replace("network:", "")
