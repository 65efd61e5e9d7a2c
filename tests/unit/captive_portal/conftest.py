"""A running node of the community, where nobody has joined, and its templates."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.portal_server import portal_node, renderer
from tests.fakes.use_cases import UseCases


@pytest.fixture(autouse=True, scope="session")
def templates() -> None:
    """Read before any event loop runs, which must not wait for files."""
    renderer()


@pytest.fixture
async def app() -> AsyncIterator[UseCases]:
    async with portal_node().life() as app:
        yield app
