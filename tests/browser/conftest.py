"""Fixtures: phones with a real Chromium behind a real node."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.browser.chromium import Browser, Look
from tests.browser.driver import opened
from tests.browser.first_run import router_without_settings
from tests.browser.stage import HOST
from tests.browser.tally import TALLY
from tests.lab.agreement import RULES
from tests.lab.village import Village, village

_numbers = itertools.count(50)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window on this machine, for pages that are served on it."""
    with opened(tmp_path_factory.mktemp("chromium"), hosts={HOST: "127.0.0.1"}) as made:
        yield made


@pytest.fixture(scope="session")
def square() -> Iterator[Village]:
    """One village for all tests: the router of its square runs, people come and go."""
    with village("browse") as made:
        made.square.rules.write_text(f'{RULES}\n[joining]\nwhen_full = "ask"\nby = "D-2026-020"\n')
        made.square.start()
        yield made


@pytest.fixture
def new_node() -> Iterator[Village]:
    """A router without settings."""
    with router_without_settings() as made:
        yield made


@pytest.fixture
def phone(square: Village) -> Iterator[Callable[..., Browser]]:
    """A person on the square with an address by DHCP and a phone."""
    with ExitStack() as stack:

        def come(language: str = "en", *, scripts: bool = True) -> Browser:
            number = next(_numbers)
            person = square.settle(f"phone{number}", square.square, number)
            stack.callback(person.agent.close)
            person.join()
            folder = square.lab.folder / f"chromium-{number}"
            browser = stack.enter_context(opened(folder, place=person.place, resolver=person.resolver))
            browser.owner = person
            browser.look(Look())
            browser.speak(language)
            if not scripts:
                browser.without_scripts()
            return browser

        yield come


@pytest.fixture
def admin(square: Village) -> Iterator[Browser]:
    """A browser at the router, signed in as an admin."""
    router = square.square
    address = json.loads(router.cli("admin", "link", "--json").stdout)["url"]
    folder = square.lab.folder / f"chromium-{next(_numbers)}"
    with opened(folder, place=router.place, hosts={}) as browser:
        browser.look(Look(1280, 800))
        browser.open(address)
        browser.tap("main form button")
        browser.home = address.partition("/sign-in")[0]
        yield browser


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.states:
        for line in TALLY.lines():
            terminalreporter.write_line(line)
