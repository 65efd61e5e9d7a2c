"""The pages for people behind openNDS routers in every state."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from node.gateways.gateway import Gateway
from tests.browser.chromium import Browser
from tests.browser.scenes import PageScene
from tests.fakes.fas_fixture import SLOW_RULES, one_life
from tests.fakes.fas_server import fas_server
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import UNKNOWN_CODE, AppFixture

GATEWAY = Gateway("0123abcd", "opennds", "accepted", "the library", "", "")
ADDRESS = f"/gw/{GATEWAY.id}/fas/4/?{FakeRouter('').query(4)}"


@asynccontextmanager
async def open_fas(*, reports: bool = False) -> AsyncIterator[int]:
    """A node with one openNDS gateway, for a browser that it does not know yet."""
    with tempfile.TemporaryDirectory() as folder:
        async with one_life(AppFixture(None, Path(folder), rules_text=SLOW_RULES)) as at:
            at.people.registry._take({GATEWAY.id: GATEWAY})
            if reports:
                at.people.registry.reported(GATEWAY)
            async with fas_server(at) as port:
                yield port


def open_reported() -> AbstractAsyncContextManager[int]:
    """The same with the script on the router, which reports."""
    return open_fas(reports=True)


def goes_online(browser: Browser, _address: str) -> None:
    browser.tap("form[method=post] button")


def types_an_unknown_code(browser: Browser, _address: str) -> None:
    browser.type("#code", UNKNOWN_CODE)
    browser.tap("form.card button")


def joined_before(browser: Browser, address: str) -> None:
    browser.open(address + ADDRESS)
    goes_online(browser, address)


def _behind(name: str, path: str = ADDRESS, **more: object) -> PageScene:
    return PageScene(name, "fas", path, **{"server": open_fas} | more)  # type: ignore[arg-type]


FAS_SCENES = (
    _behind("behind a router"),
    _behind("behind a router, an unknown code", after=types_an_unknown_code),
    _behind("behind a router, waiting for it", after=goes_online),
    _behind("behind a router, online", f"{ADDRESS}&status=authenticated", before=joined_before),
    _behind(
        "behind a router that reports, online",
        f"{ADDRESS}&status=authenticated",
        before=joined_before,
        server=open_reported,
    ),
)
