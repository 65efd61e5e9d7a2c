"""Phones with a real Chromium behind a real node."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.browser.chromium import Browser, Look, opened
from tests.browser.stage import HOST
from tests.browser.tally import TALLY
from tests.lab.village import Village, village

_numbers = itertools.count(50)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window on this machine, for pages that are served here."""
    with opened(tmp_path_factory.mktemp("chromium"), hosts={HOST: "127.0.0.1"}) as made:
        yield made


@pytest.fixture(scope="session")
def square() -> Iterator[Village]:
    """One village for all: its square's router runs, and people come and go."""
    with village("browse") as made:
        made.square.start()
        yield made


@pytest.fixture
def phone(square: Village) -> Iterator[Callable[..., Browser]]:
    """Someone comes to the square, gets an address by DHCP, and takes up their phone."""
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.states:
        for line in TALLY.lines():
            terminalreporter.write_line(line)
