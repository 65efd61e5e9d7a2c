"""A node starts while the table of an older version is in the kernel: no session ends and no byte is lost."""

from collections.abc import Callable

import pytest

from tests.lab import eventually
from tests.lab.people import Person
from tests.lab.village import Router, Village

pytestmark = pytest.mark.kernel


def booked(square: Router) -> int:
    return sum(row["used_month"] for row in square.overview()["online"])


@pytest.mark.parametrize("ends", [pytest.param("stop", marks=pytest.mark.thorough), "kill9"])
def test_the_last_counts_of_an_older_version_are_booked_exactly(
    place: Village, online: Callable[[str], Person], ends: str
) -> None:
    square = place.square
    square.start()
    phone = online("phone")
    phone.do("echo", seconds=0.5)
    assert square.daemon is not None
    getattr(square.daemon, ends)()
    table = "inet procomu facts"
    square.place.run("nft", f"delete element {table} {{ 1 }}; add element {table} {{ 1 : 2 }}")
    assert phone.do("echo", seconds=0.5)["came"] > 0, "while no daemon runs"
    for _ in range(2):
        square.start()
        assert eventually(lambda: square.device(phone.mac) is not None)
        assert phone.do("echo", seconds=0.3)["came"] > 0
        assert eventually(lambda: booked(square) == sum(square.forwarded().values())), (
            booked(square),
            square.forwarded(),
        )
        square.daemon.stop()
