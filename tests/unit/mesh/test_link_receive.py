"""What ends a connection while a frame is awaited ends nothing else."""

from types import SimpleNamespace

import aiohttp
import pytest

from mesh.tls_transport import Link
from tests.fakes.neighbours import id_of


@pytest.mark.parametrize(
    "error", [aiohttp.ClientConnectionResetError("Cannot write to closing transport"), ConnectionResetError()]
)
async def test_a_ping_that_cannot_be_answered_is_the_end_of_the_connection(error: Exception) -> None:
    async def receive() -> None:
        raise error

    link = Link(
        SimpleNamespace(receive=receive),  # type: ignore[arg-type]
        SimpleNamespace(node=id_of("hill"), unread=0),  # type: ignore[arg-type]
        "[::1]:7400",
        dialled=False,
    )
    assert await link.receive() is None
