"""Cases of ladders on both pages: an admin opens, answers and lifts them, and the person reads them and objects."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from node.app.admin_access import SIGN_IN
from node.units import AccountId, MacAddress
from tests.contracts.admin_browser import AdminBrowser, field_in
from tests.contracts.portal_client import PortalBrowser
from tests.contracts.test_ladder_cases import LADDERS
from tests.contracts.test_portal_next_rules import MEMBERS, Valley
from tests.fakes.admin_pages import open_admin_server, waiting_links
from tests.fakes.portal_server import open_portal_server, portal_node
from tests.fakes.use_cases import HOUR_MS, CardShown

SCRIPT = "<script>alert(1)</script>"
PHONE = MacAddress("02:00:00:00:00:01")


@pytest.fixture
async def valley(tmp_path: Path) -> AsyncIterator[Valley]:
    node = portal_node(rules=LADDERS, members=MEMBERS, session_ms=None)
    node.folder = tmp_path
    await node.archive.save_state(SIGN_IN, waiting_links(node))
    async with (
        open_portal_server(node) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        app = server.app
        await app.admin.recall()
        server.callers.devices["127.0.0.1"] = PHONE
        await app.join(PHONE, CardShown(app.card("ana")))
        async with open_admin_server(app.admin) as admin_server:
            admin = AdminBrowser(session, app, admin_server)
            await admin.sign_in()
            yield Valley(server, admin, {"ana": PortalBrowser(server.port)})


async def open_case(valley: Valley, reason: str = "It was loud") -> str:
    """By the two steps of the page; the page that follows."""
    _, page = await valley.admin.get("/ladders?account=ana&ladder=noise")
    assert "comes next" in page
    fields = {name: field_in(page, name) for name in ("csrf_token", "account", "ladder", "step")}
    response, again = await valley.admin.post("/ladders/open", {**fields, "reason": reason})
    assert 303 == response.status, again
    return (await valley.admin.get("/ladders?opened"))[1]


def text_of(page: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page).split())


async def portal_page(valley: Valley) -> str:
    return (await valley.phones["ana"].get("/me")).body


async def pass_hours(valley: Valley, hours: int) -> None:
    await valley.app.pass_time(hours * HOUR_MS)
    url, _ = await valley.app.admin.new_link()  # the session of the admin has ended
    await valley.admin.sign_in(url.partition("token=")[2])
    await valley.app.admin.cases.check()
    await valley.app.settle()


async def test_a_case_from_the_admins_decision_to_the_persons_objection_and_the_answer(
    valley: Valley,
) -> None:
    await open_case(valley)
    assert "A word from the people who run this network" in await portal_page(valley)
    await pass_hours(valley, 24)
    await open_case(valley)
    shown = text_of(await portal_page(valley))
    assert "Your account will be limited for some days" in shown
    assert "at most 2 Mbit/s download and 2 Mbit/s upload for 3 days" in shown
    assert "It was loud" in shown
    assert "Decided by admin on 25 November 2026, 12:00." in shown
    assert "From 26 November 2026, 12:00 until 29 November 2026, 12:00, then it ends by itself." in shown
    await pass_hours(valley, 25)
    assert "Your account is limited for some days" in await portal_page(valley)
    page = await valley.phones["ana"].get("/me")
    reply = await valley.phones["ana"].post(
        "/contest", page.fill("/contest", rule="ladder:noise:2", text="It was the choir")
    )
    assert 303 == reply.status
    assert "A limit of your account is suspended" in await portal_page(valley)
    assert valley.app.loop.effective_policy.policy_for(AccountId("ana")).ceiling is None
    _, admin = await valley.admin.get("/ladders")
    assert "suspended: an objection waits for your answer" in admin
    assert "It was the choir" in admin
    key = re.search(r'name="number" value="2">\s*<input type="hidden" name="key" value="(\d+)"', admin)
    assert key is not None
    empty, said = await valley.admin.send("/ladders/answer", number="2", key=key[1], **{"answer-2": " "})
    assert (422, True) == (empty.status, "Write an answer" in said)
    await valley.admin.submit("/ladders/answer", number="2", key=key[1], **{"answer-2": "It stays"})
    shown = await portal_page(valley)
    assert "Your account is limited for some days" in shown
    assert "It stays" in shown
    await valley.admin.submit("/ladders/lift", number="2", key=key[1])
    shown = text_of(await portal_page(valley))
    assert "A limit of your account has ended" in shown
    assert "Lifted by admin on" in shown


async def test_a_form_of_a_case_that_had_the_number_before_changes_nothing(valley: Valley) -> None:
    await open_case(valley)
    for fields in (
        {"number": "1"},
        {"number": "1", "key": "7"},
        {"number": "7", "key": "7"},
        {"number": "x"},
    ):
        response, _ = await valley.admin.send("/ladders/lift", **fields)
        assert 404 == response.status
    assert ["notice"] == [each.phase for each in valley.app.admin.cases.cases()]


@pytest.mark.parametrize("path", ["/ladders/open", "/ladders/answer", "/ladders/lift"])
async def test_only_with_its_token_a_form_changes_anything(valley: Valley, path: str) -> None:
    page = await open_case(valley)
    await valley.app.portal.add_objection(PHONE, "ladder:noise:1", "It was the choir")
    fields = {"number": "1", "key": field_in(page, "key"), "answer-1": "It stays"}
    fields |= {"account": "ben", "ladder": "noise", "step": "1", "reason": "loud"}
    before, cases = valley.app.snapshot(), valley.app.admin.cases.cases()
    for token in ({}, {"csrf_token": "0" * 64}):
        response, _ = await valley.admin.post(path, {**fields, **token})
        assert 403 == response.status
    assert 405 == (await valley.admin.get(path))[0].status
    assert (before, cases) == (valley.app.snapshot(), valley.app.admin.cases.cases())
    response, page = await valley.admin.send(path, **fields)
    assert 303 == response.status, page
    assert cases != valley.app.admin.cases.cases()


async def test_an_issuer_reads_and_changes_no_case(valley: Valley) -> None:
    roles = {route.path: route.roles for route in valley.admin.routes if route.path.startswith("/ladders")}
    paths = ("/ladders", "/ladders/open", "/ladders/answer", "/ladders/lift")
    assert dict.fromkeys(paths, frozenset({"admin"})) == roles


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("account=zoe&ladder=noise", "Nobody here has this account"),
        ("account=ana&ladder=x", "no ladder of this name"),
        (f"account={'a' * 99}&ladder=noise", "at most 64 characters"),
        (f"account={SCRIPT}&ladder=noise", "Nobody here has this account"),
    ],
)
async def test_what_cannot_be_a_case_is_said_beside_the_account(
    valley: Valley, query: str, said: str
) -> None:
    response, page = await valley.admin.get(f"/ladders?{query}")
    assert (422, True) == (response.status, said in page)
    assert SCRIPT not in page
    assert 'id="account-error"' in page


async def test_a_reason_is_needed_has_a_limit_and_is_only_text(valley: Valley) -> None:
    _, page = await valley.admin.get("/ladders?account=ana&ladder=noise")
    fields = {name: field_in(page, name) for name in ("csrf_token", "account", "ladder", "step")}
    for reason, said in (("", "Say why"), ("x" * 501, "at most 500 characters"), ("a\u202eb", "invisible")):
        response, again = await valley.admin.post("/ladders/open", {**fields, "reason": reason})
        assert (422, True) == (response.status, said in again), reason
    response, _ = await valley.admin.post("/ladders/open", {**fields, "step": "2", "reason": "x"})
    assert 409 == response.status
    await open_case(valley, SCRIPT)
    for page in ((await valley.admin.get("/ladders"))[1], await portal_page(valley)):
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


async def test_the_page_of_a_person_leads_to_a_case_and_rules_without_a_ladder_say_so(valley: Valley) -> None:
    assert 'href="/ladders?account=ana"' in (await valley.admin.get("/people/account?id=ana"))[1]
    await valley.app.adopt()
    assert "/ladders?account=ana" not in (await valley.admin.get("/people/account?id=ana"))[1]
    assert "The rules have no ladder" in (await valley.admin.get("/ladders"))[1]
