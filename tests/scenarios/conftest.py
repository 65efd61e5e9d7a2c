"""Whole nodes on real packets: a village for each test; the router of its square has not been started."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.agreement import MACS
from tests.lab.people import Person, WishFailed
from tests.lab.village import Village, village

NUMBERS = {name: number for number, name in enumerate(MACS, start=21)}


@pytest.fixture
def place() -> Iterator[Village]:
    with village("scene") as made:
        yield made


@pytest.fixture
def comes(place: Village) -> Callable[[str], Person]:
    """A person with a device on the square that has an address."""

    def come(name: str) -> Person:
        person = place.settle(name, place.square, NUMBERS[name], MACS[name])
        person.join()
        return person

    return come


@pytest.fixture
def online(comes: Callable[[str], Person]) -> Callable[[str], Person]:
    """A person who has accepted the terms."""

    def go_online(name: str) -> Person:
        person = comes(name)
        assert person.do("accept")["first_packet_ms"] is not None
        return person

    return go_online


@pytest.fixture
def prowler(place: Village) -> Person:
    """A device with static addresses that never accepts the terms."""
    person = place.settle("prowler", place.square, 40)
    person.place.address("eth0", "10.77.250.9/16", "fd77::9:9/64")
    person.place.route("default via 10.77.0.1", "default via fd77::1")
    person.lease = {"dns": "10.77.0.1"}
    return person


def is_captured(person: Person) -> bool:
    """The portal answers instead of the Internet; False also while there is no answer."""
    try:
        return bool(person.do("knock")["captured"])
    except WishFailed:
        return False


def arrived_from(place: Village, *people: Person) -> int:
    """Bytes of these people that reached the Internet."""
    counted = place.internet.counted()
    return sum(
        counted.get(far, {}).get("arrived", 0) for person in people for far in (person.far_v4, person.far_v6)
    )
