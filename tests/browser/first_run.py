"""The first run of a node, as a person with a phone does it."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.browser.chromium import Browser, Look
from tests.browser.driver import opened
from tests.lab import eventually, setup_mode
from tests.lab.internet import ROOT
from tests.lab.netns import LabProgram
from tests.lab.village import Village, village

FIRST_PAGE, ADMIN_PAGES = "http://10.77.0.1/", "https://10.77.0.1:2444/"


@contextmanager
def router_without_settings() -> Iterator[Village]:
    with village("setup") as made:
        square = made.square
        square.place.run("ip", "address", "flush", "dev", "br-lan", "scope", "global")
        for file in square.folder.glob("*.toml"):
            file.unlink()
        yield made


def started(village: Village) -> LabProgram:
    """The set-up, which has shown its code."""
    square = village.square
    words = ("-m", "tests.lab.setup_mode", str(square.config), str(square.folder / "run"), str(square.data))
    program = square.place.start(sys.executable, *words, cwd=ROOT, log=square.folder / "setup.log")
    assert eventually(lambda: "set-up code is" in program.output(), 20), program.output()
    return program


def code_of(program: LabProgram) -> str:
    found = re.search(r"set-up code is (\S{4}-\S{4})", program.output())
    assert found
    return found[1]


@contextmanager
def phone_at(village: Village, program: LabProgram) -> Iterator[Browser]:
    """The phone of a person who gets an address from the set-up."""
    person = village.settle("maria", village.square, 61)
    assert eventually(lambda: re.search(r"served on .*br-lan", program.output()), 20), program.output()
    person.finish_dhcp(person.begin_dhcp())
    assert "10.77.0.1" == person.resolver
    with ExitStack() as stack:
        stack.callback(person.agent.close)
        browser = stack.enter_context(
            opened(
                village.square.lab.folder / "chromium-setup",
                place=person.place,
                resolver=person.resolver,
                switches=("--ignore-certificate-errors",),
            )
        )
        browser.look(Look())
        yield browser


def sets_up(browser: Browser, program: LabProgram) -> None:
    """Three answers; all proposals are right."""
    # The phone opens the page by itself; without the code it goes no further.
    browser.open("http://connectivitycheck.gstatic.com/generate_204")
    assert FIRST_PAGE == browser.url
    browser.type("#code", code_of(program).lower())
    browser.tap("form[action='/claim'] button")
    assert "wan0" == browser.attribute("input[name='uplink']:checked", "value")
    for field, text in setup_mode.TYPED.items():
        browser.type(f"#{field}", text)
    browser.tap("form[action='/answers'] button.wide")
    assert "This is the plan" in browser.text
    assert setup_mode.COMMUNITY in browser.text
    browser.tap("form[action='/begin'] button")
    assert "This node is set up" in browser.text
    assert [] == browser.complaints()
    assert eventually(lambda: not program.is_alive(), 10)
    assert 0 == program.popen.returncode, program.output()


def is_welcomed(browser: Browser) -> None:
    """The node has begun; the same phone, with the same address, sees its first page."""
    # The device gets IPv6 now, and Chromium gives up what it loads when a network changes.
    assert eventually(lambda: "inet6" in addresses(browser), 30)
    assert eventually(lambda: opens(browser, FIRST_PAGE) and setup_mode.COMMUNITY in browser.text, 30)
    assert "Welcome" in browser.read("h1")


def addresses(browser: Browser) -> str:
    assert browser.place is not None
    return browser.place.run("ip", "address", "show", "scope", "global")


def signs_in_with_a_passphrase(browser: Browser) -> None:
    """The first admin, from the LAN."""
    assert eventually(lambda: opens(browser, ADMIN_PAGES) and browser.has("#name"), 30), browser.text
    browser.type("#name", setup_mode.ADMIN)
    browser.type("#passphrase", setup_mode.PASSPHRASE)
    browser.tap("main form button")
    is_signed_in(browser)


def is_signed_in(browser: Browser) -> None:
    assert setup_mode.COMMUNITY in browser.text
    assert f"signed in as admin {setup_mode.ADMIN}" in browser.text


def opens(browser: Browser, address: str) -> bool:
    """False while nobody listens there."""
    from selenium.common.exceptions import WebDriverException

    try:
        browser.open(address)
    except WebDriverException:
        return False
    return True
