"""Fixtures: a portal server with its devices, and repositories that outlive the daemon."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from node.control.ports import Repository
from node.storage import database
from node.storage.database import Store
from node.storage.repository import StoredRepository
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import (
    ANAS_ADDRESS,
    BENS_ADDRESS,
    STRANGERS_ADDRESS,
    PortalServer,
    open_portal_server,
    renderer,
)
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import make_passphrases_cheap


@pytest.fixture(autouse=True, scope="session")
def templates() -> None:
    """Read before any event loop runs, which must not wait for files."""
    renderer()


@pytest.fixture(autouse=True)
def the_disk_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It also has other work to do; a test of a disk that hangs sets a limit of its own."""
    monkeypatch.setattr(database, "ANSWER_S", 60.0)


@pytest.fixture(autouse=True)
def passphrases_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests of the pages; the others use the full cost."""
    if request.path.name.startswith(("test_portal", "test_admin_access")):
        make_passphrases_cheap(monkeypatch)


@pytest.fixture
async def server() -> AsyncIterator[PortalServer]:
    """Nobody has joined."""
    async with open_portal_server() as server:
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
