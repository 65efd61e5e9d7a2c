"""A device is found by its name while it has an entry here or was heard lately, and what is kept for that is limited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.device_names import DeviceNames
from node.app import known_devices
from node.app.known_devices import ADDRESSES_MAX, HEARD_MAX, NEAR, SURPLUS_MAX, KnownDevices


def mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


class LanOfTest:
    def __init__(self) -> None:
        self.keys = [b"k" * 32]
        self.names = DeviceNames(lambda: self.keys)
        self.kept: list[str] = []
        self.collected = 0
        self.devices = KnownDevices(self.names, self._kept)

    def _kept(self) -> list[str]:
        self.collected += 1
        return self.kept

    def hear(self, number: int, now: int = 0, address: str = "") -> None:
        self.devices.heard(mac(number), self.names.every(mac(number)), address, now)

    def find(self, number: int) -> str | None:
        return self.devices.find(self.names.newest(mac(number)))


@pytest.fixture
def place() -> LanOfTest:
    return LanOfTest()


def test_devices_with_an_entry_are_found_also_those_that_came_later(place):
    place.kept = [mac(1)]
    assert mac(1) == place.find(1)
    assert place.find(2) is None
    place.devices.add(mac(2))
    assert mac(2) == place.find(2)
    assert 1 == place.collected


def test_a_device_that_was_heard_is_near_for_an_hour(place):
    place.hear(3, now=5)
    assert mac(3) == place.find(3)
    assert place.devices.is_near(mac(3), 5 + NEAR - 1)
    assert not place.devices.is_near(mac(3), 5 + NEAR)
    assert not place.devices.is_near(mac(4), 5)


def test_after_a_new_secret_all_are_found_under_both_names(place):
    place.kept = [mac(1)]
    former = place.names.newest(mac(1))
    assert mac(1) == place.find(1)
    place.keys.insert(0, b"n" * 32)
    assert mac(1) == place.find(1)
    assert mac(1) == place.devices.find(former)


@given(st.lists(st.integers(0, 9), max_size=40))
def test_the_last_heard_are_kept(numbers):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_devices, "HEARD_MAX", 3)
        place = LanOfTest()
        for number in numbers:
            place.hear(number)
        last = list(dict.fromkeys(reversed(numbers)))
        assert {mac(each) for each in last[:3]} == set(place.devices._heard)
        assert {mac(each) for each in last[:3]} == set(place.devices._heard_names.values())


def test_a_flood_of_addresses_takes_a_limited_memory(place):
    for number in range(HEARD_MAX + 500):
        place.hear(number)
    assert HEARD_MAX == len(place.devices._heard) == len(place.devices._heard_names)


def test_devices_that_come_and_go_take_a_limited_memory(place):
    place.kept = [mac(1)]
    place.find(1)
    for number in range(3 * SURPLUS_MAX):
        place.devices.add(mac(number))
        place.find(number)
    assert len(place.devices._by_name) <= SURPLUS_MAX + 10


def test_the_last_addresses_of_a_device_are_kept(place):
    for number in range(ADDRESSES_MAX + 2):
        place.hear(1, address=f"10.0.0.{number}")
    place.hear(1)
    place.hear(1, address="10.0.0.4")
    assert ("10.0.0.4", "10.0.0.5", "10.0.0.3", "10.0.0.2") == place.devices.addresses(mac(1))
    assert () == place.devices.addresses(mac(2))
