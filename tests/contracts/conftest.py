"""A front door with its people before it, and a memory that outlives the daemon."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from node.reconcile.ports import Memory
from node.storage.database import Store
from node.storage.memory import StoredMemory
from tests.contracts.portal_client import Browser
from tests.fakes.front_door import ANAS_ADDRESS, BENS_ADDRESS, STRANGERS_ADDRESS, FrontDoor, open_door
from tests.fakes.house import ALLOWANCE, FakeHouse
from tests.fakes.memory import FakeMemory


@pytest.fixture
async def door() -> AsyncIterator[FrontDoor]:
    """Nobody is in."""
    async with open_door(FakeHouse(allowance=ALLOWANCE)) as door:
        yield door


@pytest.fixture
def ana(door: FrontDoor) -> Browser:
    return Browser(door.port, ANAS_ADDRESS)


@pytest.fixture
def ben(door: FrontDoor) -> Browser:
    return Browser(door.port, BENS_ADDRESS)


@pytest.fixture
def stranger(door: FrontDoor) -> Browser:
    return Browser(door.port, STRANGERS_ADDRESS)


@pytest.fixture(params=["fake", "stored"])
def memories(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Memory]]:
    """Each call opens the same memory again, as a new life of the daemon would."""
    if request.param == "fake":
        fake = FakeMemory()
        yield lambda: fake
        return
    opened: list[Store] = []

    def reopen() -> Memory:
        for store in opened:
            store.close()
        opened.append(Store(tmp_path / "procomu.db"))
        return StoredMemory(opened[-1])

    yield reopen
    for store in opened:
        store.close()
