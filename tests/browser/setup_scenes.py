"""Every page of the set-up, on the real server of a machine whose network is in memory."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from node.units import BitsPerSecond
from tests.browser.admin_scenes import HOST
from tests.browser.chromium import Browser
from tests.browser.scenes import Doing, PageScene, nothing, sends
from tests.fakes.setup import (
    CODE,
    PASSPHRASE,
    SPEED,
    WITH_BRIDGE,
    WITH_RADIO,
    FakeNetwork,
    SetupFixture,
    open_setup,
)

ANSWERS = {"community": "Vall Alta", "admin_name": "Maria", "passphrase": PASSPHRASE}
"""Typed by a person; the passphrase again."""


@asynccontextmanager
async def _machine(fixture: SetupFixture) -> AsyncIterator[int]:
    async with open_setup(fixture):
        yield fixture.port


def _with_radio() -> AbstractAsyncContextManager[int]:
    return _machine(SetupFixture(FakeNetwork(WITH_RADIO), is_new_network=True))


def _with_a_varying_line() -> AbstractAsyncContextManager[int]:
    """It is measured at once."""
    speed = replace(SPEED, worst=BitsPerSecond(9_000_000), best=BitsPerSecond(40_500_000))
    fixture = SetupFixture(FakeNetwork(WITH_RADIO), speed=speed)
    fixture.is_measured.set()
    return _machine(fixture)


def _with_bridge() -> AbstractAsyncContextManager[int]:
    return _machine(SetupFixture(FakeNetwork(WITH_BRIDGE)))


def _elsewhere() -> AbstractAsyncContextManager[int]:
    """The page is open by another network than the planned one."""
    return _machine(SetupFixture(FakeNetwork(WITH_RADIO)))


def _in_turn(*doings: Doing) -> Doing:
    def all_of_them(browser: Browser, address: str) -> None:
        for each in doings:
            each(browser, address)

    return all_of_them


_claims = sends("/claim", code=CODE)
_answers = sends("/answers", "button.wide", **ANSWERS, passphrase_again=PASSPHRASE)
_begins = sends("/begin")


def _until(words: str) -> Doing:
    def waits(browser: Browser, address: str) -> None:
        for _ in range(50):
            browser.open(address)
            if browser.has(words):
                return
        raise RuntimeError(f"no page with {words}")

    return waits


def _measures(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.tap("[formaction='/measure']")


def _stays(browser: Browser, _address: str) -> None:
    """The page that is shown is not loaded again."""
    browser.run("window.stop()")


def _setup(name: str, page: str, after: Doing = nothing, server=_with_radio) -> PageScene:
    return PageScene(name, page, server=server, host=HOST, after=after)


SETUP_SCENES = (
    _setup("a set-up code that is wrong", "code", sends("/claim", code="0000-0000")),
    _setup(
        "answers that do not fit",
        "answers",
        _in_turn(
            _claims,
            _measures,
            _until("#down"),
            sends("/answers", "button.wide", **ANSWERS, passphrase_again="another", down="fast"),
        ),
        _with_a_varying_line,
    ),
    _setup("the answers of a set-up", "answers", _claims),
    _setup("a line that is measured", "measuring", _in_turn(_claims, _measures, _stays)),
    _setup("the plan of a set-up", "plan", _in_turn(_claims, _answers)),
    _setup("a network that changes", "changing", _in_turn(_claims, _answers, _begins), _elsewhere),
    _setup(
        "a network to confirm",
        "confirm",
        _in_turn(_claims, _answers, _begins, _until("[action='/confirm']")),
    ),
    _setup("a node that is set up", "done", _in_turn(_claims, _answers, _begins), _with_bridge),
)
