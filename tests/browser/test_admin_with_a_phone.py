"""An admin with a phone sets a node up, gives the portal the community's own face, and issues and reprints vouchers."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from captive_portal.server import Portal
from tests.browser.admin_scenes import HOST, signs_in
from tests.browser.chromium import Browser, Look
from tests.browser.first_run import (
    ADMIN_PAGES,
    FIRST_PAGE,
    is_signed_in,
    is_welcomed,
    opens,
    phone_at,
    sets_up,
    signs_in_with_a_passphrase,
    started,
)
from tests.browser.layout import fits
from tests.browser.stage import served
from tests.fakes.admin_pages import LINK, admin_app, open_admin_server
from tests.fakes.pictures import picture, png
from tests.fakes.portal_server import SECRET, FakeCallers, renderer
from tests.fakes.use_cases import ANA, UseCases
from tests.lab import eventually
from tests.lab.village import Village

pytestmark = pytest.mark.browser

PHONE = Look()
RED, RED_AT_NIGHT = "rgb(176, 32, 64)", "rgb(228, 105, 132)"
CODES = "return [...document.querySelectorAll('.slip .code')].map(each => each.textContent)"
BUTTON = "return getComputedStyle(document.querySelector('main button')).backgroundColor"
LOGO = "return document.querySelector('header img')?.naturalWidth ?? 0"


@dataclass
class PhoneStage:
    """Where the phone finds both sites of one node."""

    admin: str = ""
    portal: str = ""
    app: UseCases | None = None

    def pass_time(self, milliseconds: int) -> None:
        """Returns when the adoption of rules has done what is due then."""
        assert self.app is not None
        adoption = self.app.adoption
        self.app.node.pass_time(milliseconds)
        ticks = adoption._ticks
        assert eventually(lambda: adoption._ticks > ticks + 1, 20)

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[int]:
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory)
        try:
            async with admin_app(Path(folder.name)) as app, asyncio.TaskGroup() as tasks:
                callers = FakeCallers({HOST: ANA})
                portal = Portal(
                    app.portal, callers, port=0, secret=SECRET, addresses=(HOST,), renderer=renderer()
                )
                serving = tasks.create_task(portal.run())
                watching = tasks.create_task(app.adoption.run())
                self.app = app
                await portal.ready.wait()
                self.portal = f"http://{HOST}:{portal.bound[0][1]}"
                async with open_admin_server(app.admin) as server:
                    assert server.bound is not None
                    yield server.bound[1]
                serving.cancel()
                watching.cancel()
        finally:
            folder.cleanup()


@pytest.fixture
def stage(browser: Browser) -> Iterator[PhoneStage]:
    stage = PhoneStage()
    with served(stage.opening, HOST) as stage.admin:
        browser.look(PHONE)
        browser.speak("en")
        signs_in(LINK)(browser, stage.admin)
        browser.open(stage.admin)
        yield stage


def choose_colour(browser: Browser, colour: str) -> None:
    browser.run("document.querySelector('#accent').value = arguments[0]", colour)


def test_a_logo_a_colour_and_a_welcome_are_on_the_portal_until_they_are_undone(
    browser: Browser, stage: PhoneStage, tmp_path: Path
) -> None:
    (logo := tmp_path / "logo.png").write_bytes(picture())
    browser.press("Appearance")
    browser.choose_file("#logo", logo)
    choose_colour(browser, "#b02040")
    browser.send(
        "/appearance", "[value='save']", **{"welcome-en": "Hello, neighbour.", "wifi_name": "Vall Oberta"}
    )
    assert "Saved." in browser.text
    assert fits(browser) == []
    browser.open(stage.portal)
    assert browser.run(LOGO) == 96
    assert "Hello, neighbour." in browser.text
    assert browser.run(BUTTON) == RED
    browser.look(replace(PHONE, dark=True))
    assert browser.run(BUTTON) == RED_AT_NIGHT
    browser.look(PHONE)
    browser.open(f"{stage.portal}/help")
    assert "Vall Oberta" in browser.text
    assert browser.complaints() == []
    browser.open(f"{stage.admin}/appearance")
    browser.send("/appearance", "[value='save']", wifi_name="Vall")
    browser.press("Undo")
    assert browser.attribute("#wifi_name", "value") == "Vall Oberta"
    assert browser.has("#logo_gone"), "the logo is still there"
    browser.tap("#logo_gone")
    browser.tap("[value='save']")
    browser.open(stage.portal)
    assert browser.run(LOGO) == 0
    assert browser.has("header svg")


def test_a_file_that_is_too_large_and_a_colour_that_is_too_light_are_explained(
    browser: Browser, stage: PhoneStage, tmp_path: Path
) -> None:
    (photo := tmp_path / "photo.png").write_bytes(png(800, 600, data=b"x" * 90_000))
    browser.press("Appearance")
    browser.choose_file("#logo", photo)
    choose_colour(browser, "#ffcc00")
    browser.tap("[value='save']")
    assert "The logo has 91 kB. Make it at most 10 kB" in browser.read("#logo-error")
    assert "The nearest colour that can be read is #826800." in browser.read("#accent-error")
    assert fits(browser) == []
    browser.press("Save with the nearest colours")
    assert "Saved." in browser.text
    assert browser.attribute("#accent", "value") == "#826800"
    assert browser.attribute("#accent_dark", "value") == "#ffcc00"


def test_a_photo_of_a_phone_is_larger_than_any_form_and_the_page_says_so(
    browser: Browser, stage: PhoneStage, tmp_path: Path
) -> None:
    (photo := tmp_path / "photo.png").write_bytes(png(4_000, 3_000, data=b"x" * 3_000_000))
    browser.press("Appearance")
    browser.choose_file("#logo", photo)
    browser.tap("[value='save']")
    assert "choose a smaller file" in browser.text


def guests_may(browser: Browser, speed: str) -> bool:
    """Whether this is the guests' ceiling in the sentences of the rules in force."""
    return f"Guests never have more than {speed} download" in browser.text


def change_the_ceiling(browser: Browser, before: str, after: str) -> None:
    browser.run(
        "const area = document.querySelector('#text'); area.value = area.value.replace(...arguments)",
        f"{before} down",
        f"{after} down",
    )
    browser.tap("[value='save']")


def test_rules_that_nobody_confirms_come_back_and_others_are_taken_back(
    browser: Browser, stage: PhoneStage
) -> None:
    browser.press("Rules")
    assert guests_may(browser, "3 Mbit/s")
    change_the_ceiling(browser, "3 Mbit/s", "5 Mbit/s")
    assert "Saved." in browser.text
    assert guests_may(browser, "5 Mbit/s")
    assert "within 10 minutes" in browser.text
    assert fits(browser) == []
    browser.press("Overview")
    assert "Confirm the rules" in browser.text, "on every page"
    stage.pass_time(599_000)
    browser.press("Rules")
    assert "within a minute" in browser.text
    stage.pass_time(1_000)
    browser.press("Overview")
    assert "nobody confirmed it in time" in browser.text
    browser.press("Rules")
    assert guests_may(browser, "3 Mbit/s")
    assert "Confirm the rules" not in browser.text
    change_the_ceiling(browser, "3 Mbit/s", "4 Mbit/s")
    browser.press("Confirm the rules")
    assert "Confirmed. The rules below stay in force." in browser.text
    stage.pass_time(700_000)
    browser.press("Rules")
    assert guests_may(browser, "4 Mbit/s")
    browser.tap("[aria-label='Put back 1']")
    assert guests_may(browser, "3 Mbit/s")
    assert fits(browser) == []
    browser.press("Take them back now")
    assert guests_may(browser, "4 Mbit/s")
    assert "Taken back." in browser.text
    assert browser.complaints() == []


LOOKS = [
    pytest.param(PHONE, id="phone"),
    pytest.param(Look(1280, 900), id="desktop", marks=pytest.mark.thorough),
]


@pytest.fixture
def no_scripts(browser: Browser) -> Iterator[None]:
    browser.without_scripts()
    yield
    browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


@dataclass
class Finger:
    """Counts what somebody presses, and types with the keyboard that comes up."""

    browser: Browser
    taps: int = 0

    def press(self, words: str) -> None:
        self.taps += 1
        self.browser.press(words)

    def tap(self, css: str) -> None:
        self.taps += 1
        self.browser.tap(css)

    def type(self, css: str, text: str) -> None:
        """A tap into the field, and what it says from then on."""
        self.taps += 1
        self.browser.type(css, text)


CHECK, SAVE = "form#rules [value='check']", "form#rules [value='save']"
"""The buttons below a rule that is open."""


def open_form(browser: Browser, what: str) -> None:
    """At one of its sentences on the page Rules."""
    browser.tap(f"[aria-label='Change {what}']")
    assert fits(browser) == []


@pytest.mark.usefixtures("no_scripts")
@pytest.mark.parametrize("look", LOOKS)
def test_the_guests_ceiling_is_changed_in_six_taps_and_one_number(
    browser: Browser, stage: PhoneStage, look: Look
) -> None:
    """Read who is affected, adopt, do not confirm, see it revert; roll back another."""
    browser.look(look)
    finger = Finger(browser)
    finger.press("Rules")
    assert guests_may(browser, "3 Mbit/s")
    finger.tap("[aria-label='Change the rule guest-top']")
    assert fits(browser) == []
    finger.type("#down", "5")
    finger.tap(CHECK)
    assert "Guests: at most 5 Mbit/s download instead of 3 Mbit/s download." in browser.read("#check")
    assert fits(browser) == []
    finger.tap(SAVE)
    assert "Saved." in browser.text
    finger.press("Overview")
    assert finger.taps <= 6
    browser.press("Rules")
    assert guests_may(browser, "5 Mbit/s")
    stage.pass_time(600_000)
    browser.press("Overview")
    assert "nobody confirmed it in time" in browser.text
    browser.press("Rules")
    assert guests_may(browser, "3 Mbit/s")
    open_form(browser, "the rule guest-top")
    browser.type("#down", "4")
    browser.tap(SAVE)
    browser.press("Confirm the rules")
    assert guests_may(browser, "4 Mbit/s")
    browser.tap("[aria-label='Put back 1']")
    assert guests_may(browser, "3 Mbit/s")
    assert browser.complaints() == []


@pytest.mark.usefixtures("no_scripts")
@pytest.mark.parametrize("look", LOOKS)
def test_three_mistakes_are_explained_at_their_blanks(
    browser: Browser, stage: PhoneStage, look: Look
) -> None:
    browser.look(look)
    browser.press("Rules")
    open_form(browser, "the rule guest-top")
    browser.type("#down", "five")
    browser.type("#start", "18:00")
    browser.press("From which day, why, and where")
    browser.type("#by", "the assembly of May")
    browser.tap(SAVE)
    assert "“five” is not a number. Fix: write a number" in browser.read("#down-said").replace("\n", " ")
    assert "One of the two times is missing." in browser.read("#end-said")
    assert browser.attribute("#down", "value") == "five"
    assert fits(browser) == []
    browser.type("#down", "50")
    browser.type("[name='down_unit']", "kbit/s")
    browser.type("#start", "")
    browser.tap(SAVE)
    assert "'the assembly of May' is not the id of a decision" in browser.read("#by-said")
    browser.type("#by", "D-2026-031")
    browser.tap(SAVE)
    assert "less than the lifeline" in browser.read("#down-said")
    assert fits(browser) == []
    browser.type("#down", "2,5")
    browser.type("[name='down_unit']", "Mbit/s")
    browser.tap(SAVE)
    assert "Saved." in browser.text
    assert guests_may(browser, "2.5 Mbit/s")
    assert "Decided in D-2026-031." in browser.text
    assert browser.complaints() == []


@pytest.mark.usefixtures("no_scripts")
@pytest.mark.parametrize("look", LOOKS)
def test_the_line_the_charter_and_a_burst_are_changed_at_their_sentences(
    browser: Browser, stage: PhoneStage, look: Look
) -> None:
    browser.look(look)
    browser.press("Rules")
    open_form(browser, "the line main")
    browser.type("#line_down", "60 mega")
    browser.tap(CHECK)
    assert "“60 mega” is not a number." in browser.read("#line_down-said")
    browser.type("#line_down", "60")
    browser.tap(CHECK)
    assert "People share 51 Mbit/s download" in browser.read("#blanks")
    browser.press("Close the form")
    open_form(browser, "the charter")
    browser.type("#max_weight_ratio", "3")
    browser.type("#overbook_percent", "90")
    browser.tap(SAVE)
    assert "write a whole number from 100 to 200" in browser.read("#overbook_percent-said")
    browser.type("#overbook_percent", "")
    browser.tap(CHECK)
    assert "Nobody’s share is more than 3 times someone else’s." in browser.read("#blanks")
    browser.press("Close the form")
    open_form(browser, "the rule guest-top")
    browser.press("More than that for the first seconds")
    for blank, typed in (("#burst_down", "9"), ("#burst_up", "2"), ("#burst_s", "20")):
        browser.type(blank, typed)
    assert fits(browser) == []
    browser.tap(SAVE)
    assert "Saved." in browser.text
    for said in ("People share 51 Mbit/s", "more than 3 times", "up to 9 Mbit/s download"):
        assert said in browser.text
    assert browser.complaints() == []


def test_a_limit_for_the_evening_becomes_an_exception_to_the_one_for_always(
    browser: Browser, stage: PhoneStage
) -> None:
    browser.press("Rules")
    browser.press("Add a rule")
    browser.type("#start", "18:00")
    browser.type("#end", "23:00")
    browser.tap(CHECK)
    assert "Nothing changes for anybody." in browser.text
    assert "guest-top" in browser.read("#down-said")
    browser.press("Make it an exception")
    assert "at most 5 Mbit/s download instead of 3 Mbit/s download." in browser.text
    assert fits(browser) == []
    browser.tap(SAVE)
    assert "Saved." in browser.text
    assert "guest-top <- ceiling" in browser.text


@pytest.mark.kernel
def test_an_admin_sets_a_node_up_and_comes_back_after_a_month(new_node: Village, tmp_path: Path) -> None:
    """With one phone: the first run, the logo, and a month later, still signed in, vouchers that are printed twice."""
    (logo := tmp_path / "logo.png").write_bytes(picture())
    square, program = new_node.square, started(new_node)
    with phone_at(new_node, program) as browser:
        sets_up(browser, program)
        square.start()
        is_welcomed(browser)
        signs_in_with_a_passphrase(browser)
        assert eventually(lambda: opens(browser, f"{ADMIN_PAGES}appearance") and browser.has("#logo"), 10)
        browser.choose_file("#logo", logo)
        choose_colour(browser, "#b02040")
        browser.send("/appearance", "[value='save']", **{"welcome-en": "Hello from the square."})
        assert "Saved." in browser.text

        assert square.daemon is not None
        assert square.daemon.stop() == 0
        square.program = ("tests.lab.later_node", str(31 * 86_400))
        square.start()
        assert eventually(lambda: opens(browser, FIRST_PAGE) and "Hello from the square." in browser.text, 30)
        assert browser.run(LOGO) == 96
        assert browser.run(BUTTON) == RED
        assert eventually(lambda: opens(browser, ADMIN_PAGES) and browser.has("nav"), 30), browser.text
        is_signed_in(browser)

        browser.press("Vouchers")
        browser.send("/vouchers", count="5", per_page="8")
        codes = browser.run(CODES)
        assert len(codes) == 5
        assert fits(browser) == []
        browser.open(f"{FIRST_PAGE}?code={codes[0]}")
        browser.press("Use this code")
        browser.open(f"{ADMIN_PAGES}vouchers")
        browser.press("1")
        assert f"Issued on {date.today() + timedelta(days=31):%-d %B %Y}" in browser.text
        browser.press("Print again")
        assert browser.run(CODES) == codes[1:]
        browser.send("/vouchers/sheet", per_page="24", lang="ca")
        assert browser.run(CODES) == codes[1:]
        assert browser.has(".slips.size-24[lang='ca']")
        assert browser.print().startswith(b"%PDF")
        browser.press("Sign out")
        signs_in_with_a_passphrase(browser)
        browser.open(f"{ADMIN_PAGES}vouchers/batch?number=1")
        assert "Print again" not in browser.text
        assert "revoke its batch and issue a new one" in browser.text
        browser.open(f"{ADMIN_PAGES}vouchers/sheet?number=1")
        assert codes[1] not in browser.text
        assert browser.complaints() == []
