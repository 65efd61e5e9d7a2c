"""A join by voucher, from the request to the redirect, passes few functions in few files."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import ANAS_ADDRESS, BENS_ADDRESS, open_portal_server, portal_node

ROOT = Path(__file__).resolve().parents[2]
OWN = tuple(f"{ROOT / package}/" for package in ("node", "captive_portal", "mesh"))
INNER = {"<genexpr>", "<lambda>"}
FUNCTIONS_MAX, FILES_MAX = 150, 30
"""What was measured. Aim for 25 files."""


@contextmanager
def traced() -> Iterator[set[tuple[str, str]]]:
    """File and name of each own function that is called meanwhile in this thread."""
    called: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OWN) and code.co_name not in INNER:
            called.add((code.co_filename, code.co_qualname))

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


async def join(browser: PortalBrowser, code: str) -> set[tuple[str, str]]:
    page = await browser.get("/")
    form = page.fill("/join/code", code=code)
    await asyncio.sleep(0.05)  # the connection of the page has closed
    with traced() as called:
        reply = await browser.post("/join/code", form)
    assert 303 == reply.status, reply.body
    return called


async def test_a_join_by_voucher_passes_few_functions_in_few_files() -> None:
    # No cycle of the daemon in the middle of the join: it would be counted as part of it.
    async with open_portal_server(portal_node(tick_s=3_600)) as server:
        first, second = await server.app.codes(2)
        await join(PortalBrowser(server.port, BENS_ADDRESS), first)
        called = await join(PortalBrowser(server.port, ANAS_ADDRESS), second)
    files = {file for file, _ in called}
    listed = "\n".join(f"{file.removeprefix(f'{ROOT}/')}: {name}" for file, name in sorted(called))
    print(f"{len(called)} functions in {len(files)} files:\n{listed}")
    assert len(called) <= FUNCTIONS_MAX
    assert len(files) <= FILES_MAX
