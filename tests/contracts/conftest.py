"""Fixtures: a portal server with its devices, and repositories that outlive the daemon."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from node.control.ports import Repository
from node.storage.database import Store
from node.storage.repository import StoredRepository
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_backend import ALLOWANCE, FakePortalBackend
from tests.fakes.portal_server import (
    ANAS_ADDRESS,
    BENS_ADDRESS,
    STRANGERS_ADDRESS,
    PortalServer,
    open_portal_server,
)
from tests.fakes.repository import FakeRepository


@pytest.fixture
async def server() -> AsyncIterator[PortalServer]:
    """No device is admitted."""
    async with open_portal_server(FakePortalBackend(allowance=ALLOWANCE)) as server:
        yield server


@pytest.fixture
def ana(server: PortalServer) -> PortalBrowser:
    return PortalBrowser(server.port, ANAS_ADDRESS)


@pytest.fixture
def ben(server: PortalServer) -> PortalBrowser:
    return PortalBrowser(server.port, BENS_ADDRESS)


@pytest.fixture
def stranger(server: PortalServer) -> PortalBrowser:
    return PortalBrowser(server.port, STRANGERS_ADDRESS)


@pytest.fixture(params=["fake", "stored"])
def memories(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Repository]]:
    """Each call opens the same repository again, as the next run of the daemon would."""
    if request.param == "fake":
        fake = FakeRepository()
        yield lambda: fake
        return
    opened: list[Store] = []

    def reopen() -> Repository:
        for store in opened:
            store.close()
        opened.append(Store(tmp_path / "procomu.db"))
        return StoredRepository(opened[-1])

    yield reopen
    for store in opened:
        store.close()
