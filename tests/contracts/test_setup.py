"""The set-up pages on the real server: who may use them, what is asked, and every way a change of the network can end."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar

from captive_portal.probes import probe_hosts
from node.errors import NodeError
from node.governance.rules import WAYS
from node.setup import service as setup_service
from tests.fakes.setup import (
    CODE,
    FACTS,
    FINGERPRINT,
    PASSPHRASE,
    SPEED,
    WITH_BRIDGE,
    WITH_RADIO,
    SetupFixture,
    open_setup,
    setup_templates,
)
from tests.lab.setup_client import shown

FULL = NodeError("/etc/procomu/rules.toml cannot be written: no space left on device", "free some space")


@pytest.fixture(autouse=True, scope="module")
def templates() -> None:
    setup_templates().load()


@dataclass
class SetupBrowser:
    """Keeps cookies and does not follow redirects."""

    session: ClientSession
    fixture: SetupFixture

    async def get(self, path: str = "/", **headers: str) -> tuple[ClientResponse, str]:
        return await self._ask("GET", path, headers=headers)

    async def post(
        self, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> tuple[ClientResponse, str]:
        return await self._ask("POST", path, data=fields or {}, headers=headers)

    async def claim(self, code: str = CODE) -> None:
        response, page = await self.post("/claim", {"code": code})
        assert 303 == response.status, page

    async def send(self, path: str, **fields: str) -> tuple[ClientResponse, str]:
        """A form of the page that is shown now, with the values that it has."""
        _, page = await self.get()
        return await self.post(path, {**shown(page), **fields})

    async def answer(self, **changed: str) -> tuple[ClientResponse, str]:
        typed = {"community": "Vall Alta", "admin_name": "Maria"}
        typed |= {"passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
        return await self.send("/answers", **{**typed, **changed})

    async def _ask(self, method: str, path: str, **more) -> tuple[ClientResponse, str]:
        address = f"http://127.0.0.1:{self.fixture.port}{path}"
        async with self.session.request(method, address, allow_redirects=False, **more) as response:
            return response, await response.text()


@asynccontextmanager
async def browsers(fixture: SetupFixture, count: int = 1) -> AsyncIterator[list[SetupBrowser]]:
    async with open_setup(fixture):
        sessions = [ClientSession(cookie_jar=CookieJar(unsafe=True)) for _ in range(count)]
        try:
            yield [SetupBrowser(session, fixture) for session in sessions]
        finally:
            for session in sessions:
                await session.close()


@asynccontextmanager
async def opened(fixture: SetupFixture | None = None) -> AsyncIterator[SetupBrowser]:
    """A browser that holds the set-up."""
    async with browsers(fixture or SetupFixture()) as (browser,):
        await browser.claim()
        yield browser


async def until(holds, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


# --- who may use it ---


async def test_without_the_code_every_page_asks_for_it_and_nothing_changes() -> None:
    async with browsers(SetupFixture()) as (browser,):
        response, page = await browser.get()
        assert 401 == response.status
        assert 'action="/claim"' in page
        assert len(page.encode()) < 14_000
        for path in ("/answers", "/begin", "/confirm", "/change"):
            response, page = await browser.post(path, {"community": "x", "csrf_token": "x"})
            assert 403 == response.status
            assert 'action="/claim"' in page
        assert "asking" == browser.fixture.service.phase


async def test_a_wrong_code_a_thousand_times_neither_opens_it_nor_locks_the_right_one_out() -> None:
    async with browsers(SetupFixture(is_stopped=True)) as (browser,):
        statuses = []
        for number in range(1_000):
            response, _ = await browser.post("/claim", {"code": f"{number:08d}"})
            statuses.append(response.status)
        assert {403, 429} == set(statuses)
        assert 5 == statuses.count(403)
        _, page = await browser.post("/claim", {"code": CODE})
        assert "Too many tries" in page
        browser.fixture.forward_ms += 10_000
        await browser.claim()


async def test_a_form_of_another_page_or_without_its_token_is_refused() -> None:
    async with opened() as browser:
        for fields, headers in (
            ({}, {}),
            ({"csrf_token": "0" * 64}, {}),
            ({}, {"Origin": "http://example.org"}),
        ):
            response, _ = await browser.post("/answers", fields, **headers)
            assert 403 == response.status
        assert browser.fixture.service.form is None


async def test_a_second_browser_is_told_and_can_take_over_with_the_code() -> None:
    async with browsers(SetupFixture(), 2) as (first, second):
        await first.claim()
        await first.answer()
        response, page = await second.get()
        assert 401 == response.status
        assert "open in another browser" in page
        await second.claim()
        _, page = await second.get()
        assert "This is the plan" in page
        response, page = await first.send("/begin")
        assert 403 == response.status
        assert "open in another browser" in page
        assert "planned" == first.fixture.service.phase


@pytest.mark.parametrize("host", [*probe_hosts()[:3], "example.org", "192.0.2.1", "[::1]", ""])
async def test_every_other_name_leads_to_the_page(host: str) -> None:
    async with browsers(SetupFixture()) as (browser,):
        response, _ = await browser.get("/generate_204", Host=host)
        assert 302 == response.status
        assert f"http://127.0.0.1:{browser.fixture.port}/" == response.headers["Location"]


async def test_other_paths_lead_to_the_page_and_no_page_is_stored() -> None:
    async with browsers(SetupFixture()) as (browser,):
        response, _ = await browser.get("/hotspot-detect.html")
        assert (303, "/") == (response.status, response.headers["Location"])
        response, _ = await browser.get()
        assert "no-store" == response.headers["Cache-Control"]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_the_code_of_a_scanned_address_is_filled_in() -> None:
    async with browsers(SetupFixture()) as (browser,):
        _, page = await browser.get(f"/?code={CODE}")
        assert f'value="{CODE}"' in page
        _, page = await browser.get("/?code=%22%3E%3Cscript%3E")
        assert "<script>" not in page


# --- what is asked ---


async def test_the_questions_have_proposals_and_say_what_is_plugged_where() -> None:
    async with opened(SetupFixture()) as browser:
        _, page = await browser.get()
        fields = shown(page)
        assert ("eth0", "library", "en") == (fields["uplink"], fields["node_name"], fields["language"])
        assert {f"way_{way}" for way in WAYS} <= fields.keys()
        for words in (
            "leads to the Internet now",
            "something is plugged in",
            "nothing is plugged in",
            "192.0.2.7",
        ):
            assert words in page
        assert 'name="radio"' not in page


async def test_a_radio_is_asked_about_where_there_is_one() -> None:
    async with opened(SetupFixture()) as browser:
        browser.fixture.network.facts = WITH_RADIO
        _, page = await browser.get()
        assert ("wlan0", "ES") == (shown(page)["radio"], shown(page)["wifi_country"])


async def test_wrong_answers_are_shown_beside_their_fields_and_the_others_are_kept() -> None:
    async with opened() as browser:
        response, page = await browser.answer(community="Vall <Alta>", passphrase="tiny!", down="40")
        assert 422 == response.status
        assert "2 things need fixing" in page
        assert 'value="Vall &lt;Alta&gt;"' in page
        assert "tiny!" not in page
        assert PASSPHRASE not in page
        _, page = await browser.get()
        assert 'value="Vall &lt;Alta&gt;"' in page


# --- measuring the line ---


async def test_the_download_is_measured_and_proposed_and_what_was_typed_stays() -> None:
    async with opened() as browser:
        response, _ = await browser.send(
            "/measure", community="Vall Alta", up="8", passphrase=PASSPHRASE, way_card=""
        )
        assert (303, "/") == (response.status, response.headers["Location"])
        response, page = await browser.get()
        assert "2; url=/" == response.headers["Refresh"]
        assert "Measuring the line" in page
        browser.fixture.is_measured.set()
        await until(lambda: not browser.fixture.service.line.is_running)
        response, page = await browser.get()
        assert "Refresh" not in response.headers
        assert "Measured download: 38.2 Mbit/s. mirror.example sent 44 MB in 12 s." in page
        form = shown(page)
        assert ("38.2", "8", "Vall Alta", "") == (
            form["down"],
            form["up"],
            form["community"],
            form["passphrase"],
        )
        assert PASSPHRASE not in page
        response, _ = await browser.answer(down="30", passphrase="")
        assert 422 == response.status
        _, page = await browser.get()
        assert "30" == shown(page)["down"], "what a person wrote counts more"
        await browser.answer(down="38.2")
        _, page = await browser.get()
        assert "The line carries 38.2 Mbit/s down and 8 Mbit/s up" in page


async def test_why_the_line_could_not_be_measured_is_said_and_it_can_be_tried_again() -> None:
    async with opened() as browser:
        browser.fixture.is_measured.set()
        browser.fixture.speed = NodeError("mirror.example does not answer.", "See that the line works.")
        await browser.send("/measure", down="12")
        await until(lambda: not browser.fixture.service.line.is_running)
        _, page = await browser.get()
        assert "mirror.example does not answer." in page
        assert "See that the line works." in page
        assert "12" == shown(page)["down"]
        browser.fixture.speed = SPEED
        await browser.post("/measure", shown(page))
        await until(lambda: not browser.fixture.service.line.is_running)
        _, page = await browser.get()
        assert "does not answer" not in page
        assert "38.2" == shown(page)["down"]


async def test_a_measurement_can_be_cancelled_and_only_one_is_under_way() -> None:
    async with opened() as browser:
        await browser.send("/measure", down="7")
        _, measuring = await browser.get()
        await browser.post("/measure", {**shown(measuring), "down": "8"})
        assert 1 == browser.fixture.measurements
        response, _ = await browser.post("/measure/cancel", shown(measuring))
        assert 303 == response.status
        _, page = await browser.get()
        assert 'action="/answers"' in page
        assert "Measured" not in page
        await browser.send("/measure")
        assert 2 == browser.fixture.measurements
        response, page = await browser.answer()
        assert not browser.fixture.service.line.is_running, "answers end it"


async def test_only_the_browser_that_holds_the_setup_measures() -> None:
    async with browsers(SetupFixture(), 2) as (first, second):
        await first.claim()
        for path in ("/measure", "/measure/cancel"):
            response, _ = await second.post(path, {"csrf_token": "x"})
            assert 403 == response.status
            response, _ = await first.post(path, {"csrf_token": "x"})
            assert 403 == response.status
        assert not first.fixture.service.line.is_running


async def test_an_interface_that_is_unplugged_while_it_is_asked_about_is_named() -> None:
    async with opened() as browser:
        _, page = await browser.get()
        browser.fixture.network.facts = replace(FACTS, interfaces=FACTS.interfaces[1:])
        fields = {**shown(page), "community": "Vall", "admin_name": "Maria"}
        response, page = await browser.post(
            "/answers", {**fields, "passphrase": PASSPHRASE, "passphrase_again": PASSPHRASE}
        )
        assert 422 == response.status
        assert "eth0 is not there any more" in page
        assert "planned" != browser.fixture.service.phase


async def test_a_port_with_another_dhcp_server_is_none_for_people() -> None:
    fixture = SetupFixture()
    async with opened(fixture) as browser:
        fixture.lan.foreign = frozenset({"eth1"})
        _, page = await browser.get()
        assert "another DHCP server or router answers there" in page
        await browser.answer()
        assert fixture.service.answers is not None
        assert ("usb0",) == fixture.service.answers.lan
        fixture.lan.foreign = frozenset({"eth1", "usb0"})
        await browser.send("/change")
        response, page = await browser.answer()
        assert 422 == response.status
        assert "another DHCP server or router answers on eth1, usb0" in page


async def test_the_plan_is_in_words_and_can_be_changed_before_anything_happens() -> None:
    async with opened() as browser:
        response, page = await browser.answer(down="40", up="8")
        assert 303 == response.status
        _, page = await browser.get()
        for words in ("Vall Alta", "Maria", "40 Mbit/s", "Accept the terms", "three minutes"):
            assert words in page
        assert PASSPHRASE not in page
        await browser.send("/change")
        _, page = await browser.get()
        assert "Vall Alta" == shown(page)["community"]
        assert [] == browser.fixture.network.done


async def test_the_pages_are_in_the_language_of_the_browser_or_the_chosen_one() -> None:
    async with opened() as browser:
        response, _ = await browser.get(**{"Accept-Language": "ca"})
        assert "ca" == response.headers["Content-Language"]
        await browser.send("/language", lang="ar")
        response, page = await browser.get(**{"Accept-Language": "ca"})
        assert "ar" == response.headers["Content-Language"]
        assert 'dir="rtl"' in page


# --- the change ---


async def test_a_change_that_is_confirmed_stays_and_the_files_are_written() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        await browser.answer()
        response, page = await browser.send("/begin")
        assert 200 == response.status
        assert "url=/" in response.headers["Refresh"]
        assert "three minutes" in page
        await until(lambda: fixture.service.phase == "trying")
        assert (["release", "serve lo"], ["apply"]) == (fixture.lan.done, fixture.network.done)
        _, page = await browser.get()
        assert re.search(r"in 1[78]\d seconds", page)
        response, page = await browser.send("/confirm")
        assert "This node is set up" in page
        assert FINGERPRINT in page
        ((answers, lan),) = fixture.written
        assert ("Vall Alta", "library", "lo") == (answers.community, answers.node_name, lan)
        assert (PASSPHRASE, ("eth1", "usb0")) == (answers.passphrase, answers.lan)
        assert ["apply", "confirm"] == fixture.network.done
        assert fixture.service.finished.is_set()


async def test_only_a_browser_on_the_new_network_can_confirm() -> None:
    async with opened() as browser:
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: browser.fixture.service.phase == "trying")
        response, page = await browser.get()
        assert 'action="/confirm"' not in page
        assert "url=/" in response.headers["Refresh"]
        await browser.send("/confirm")
        assert "trying" == browser.fixture.service.phase
        assert [] == browser.fixture.written


async def test_a_change_that_nobody_confirms_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_service, "TRIAL_MS", 200)
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "trying")
        await until(lambda: fixture.service.phase == "planned")
        assert ["apply", "take back"] == fixture.network.done
        assert ["release", "serve lo", "release", "serve"] == fixture.lan.done
        _, page = await browser.get()
        assert "Nobody confirmed" in page
        await browser.send("/confirm")
        assert [] == fixture.written


async def test_a_change_that_does_not_work_is_taken_back_and_can_be_tried_again() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        fixture.network.trouble = NodeError("the bridge got no port", "plug the adapter in again")
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "planned")
        _, page = await browser.get()
        assert "the bridge got no port" in page
        assert "plug the adapter in again" in page
        fixture.network.trouble = None
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "trying")


async def test_after_an_unforeseen_error_everything_is_as_before_and_the_page_is_there_again() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        fixture.network.trouble = OSError(28, "No space left on device")
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "planned")
        assert ["apply", "take back"] == fixture.network.done
        assert "serve" == fixture.lan.done[-1]
        _, page = await browser.get()
        assert "That did not work" in page
        fixture.network.trouble = None
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "trying")


@pytest.mark.parametrize("is_uplink", [True, False], ids=["leads to the Internet", "another DHCP server"])
async def test_a_port_that_changes_after_the_plan_is_not_taken_for_people(is_uplink: bool) -> None:
    """The machine's lines were swapped, or somebody plugged a router in, while the plan was read."""
    fixture = SetupFixture()
    async with opened(fixture) as browser:
        await browser.answer()
        _, page = await browser.get()
        if is_uplink:
            eth0, eth1, usb0 = FACTS.interfaces
            now = (replace(eth0, has_default_route=False), replace(eth1, has_default_route=True), usb0)
            fixture.network.facts = replace(FACTS, interfaces=now)
        else:
            fixture.lan.foreign = frozenset({"eth1"})
        response, _ = await browser.post("/begin", shown(page))
        assert (303, "/") == (response.status, response.headers["Location"])
        assert "planned" == fixture.service.phase
        _, page = await browser.get()
        assert "has changed since you saw the plan" in page
        assert ("eth1 leads to the Internet now" in page) == is_uplink
        assert ("eth1" in page) == is_uplink
        assert [] == fixture.network.done
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "trying")


async def test_a_full_disk_is_said_and_the_rest_is_tried_again() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        fixture.writing_fails = FULL
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: fixture.service.phase == "trying")
        await browser.send("/confirm")
        _, page = await browser.get()
        assert "no space left on device" in page
        assert "confirmed" == fixture.service.phase
        fixture.writing_fails = None
        _, page = await browser.send("/confirm")
        assert "This node is set up" in page
        assert ["apply", "confirm"] == fixture.network.done


async def test_without_a_change_of_the_network_nothing_has_to_be_confirmed() -> None:
    async with opened(SetupFixture()) as browser:
        browser.fixture.network.facts = WITH_BRIDGE
        await browser.answer(uplink="eth0")
        _, page = await browser.get()
        assert "three minutes" not in page
        await browser.send("/begin")
        _, page = await browser.get()
        assert "This node is set up" in page
        assert [] == browser.fixture.network.done
        assert 1 == len(browser.fixture.written)


async def test_a_button_pressed_twice_does_it_once() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        fixture = browser.fixture
        await browser.answer()
        _, page = await browser.get()
        await asyncio.gather(*(browser.post("/begin", shown(page)) for _ in range(5)))  # noqa: TID251
        await until(lambda: fixture.service.phase == "trying")
        _, page = await browser.get()
        await asyncio.gather(*(browser.post("/confirm", shown(page)) for _ in range(5)))  # noqa: TID251
        assert ["apply", "confirm"] == fixture.network.done
        assert 1 == len(fixture.written)


async def test_answers_that_come_during_a_change_do_not_change_it() -> None:
    async with opened(SetupFixture(is_new_network=True)) as browser:
        _, page = await browser.get()
        await browser.answer()
        await browser.send("/begin")
        await until(lambda: browser.fixture.service.phase == "trying")
        await browser.post("/answers", {**shown(page), "community": "Other", "admin_name": "Eve"})
        await browser.send("/change")
        await browser.send("/confirm")
        assert ["Vall Alta"] == [answers.community for answers, _ in browser.fixture.written]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"x" * 40_000, "application/x-www-form-urlencoded", 413),
        (b"code=" + "ç".encode(), "application/x-www-form-urlencoded", 403),
        (b"a=1&" * 2_000, "application/x-www-form-urlencoded", 403),
        (b"code=7K3M9Q2W", "text/plain", 403),
        (b'{"code": "7K3M9Q2W"}', "application/json", 403),
        (b"", "", 403),
    ],
    ids=["too long", "not ASCII", "too many fields", "as text", "as JSON", "empty"],
)
async def test_what_no_browser_sends_opens_nothing(body: bytes, content_type: str, status: int) -> None:
    async with browsers(SetupFixture()) as (browser,):
        address = f"http://127.0.0.1:{browser.fixture.port}/claim"
        headers = {"Content-Type": content_type}
        async with browser.session.post(address, data=body, headers=headers) as response:
            assert status == response.status
        assert not browser.fixture.service.is_taken


async def test_a_line_without_a_request_gets_a_page_and_the_next_one_is_served() -> None:
    async with browsers(SetupFixture()) as (browser,):
        reader, writer = await asyncio.open_connection("127.0.0.1", browser.fixture.port)
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert b"400" in await reader.readline()
        writer.close()
        response, _ = await browser.get()
        assert 401 == response.status
