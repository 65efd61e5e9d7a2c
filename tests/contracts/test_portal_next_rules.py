"""Rules that wait, as members and guests see them on the portal: what changes for them, and how members object."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from node.accounting.intervals import INTERVAL_S, IntervalUsage
from node.accounts.objections import OBJECTION_CHARS_MAX
from node.app.admin_access import SIGN_IN
from node.units import AccountId, Bytes, MacAddress, Usage
from tests.contracts.admin_browser import AdminBrowser
from tests.contracts.portal_client import PortalBrowser, PortalReply
from tests.fakes.admin_pages import open_admin_server, waiting_links
from tests.fakes.portal_server import PortalServer, open_portal_server, portal_node
from tests.fakes.use_cases import RULES, CardShown, UseCases

MORNING = "2026-12-01 06:00"
NAMES = ("ana", "ben", "cai", "dot", "eva", "fin", "gil", "hal")
MEMBERS = "\n".join(
    f'[[account]]\nid = "{name}"\nname = "{name.title()} Puig"\ngroups = ["mast-hosts"]'
    if name == "ana"
    else f'[[account]]\nid = "{name}"\nname = "{name.title()} Puig"'
    for name in NAMES
)
NIGHT = """
[[rule]]
id = "night"
ceiling = "5 Mbit/s down, 1 Mbit/s up"
who = "tier:member"
by = "D-2"
[[rule]]
id = "hosts"
credit = "share +50"
who = "group:mast-hosts"
by = "D-2"
expires = "never"
[[rule]]
id = "visitors"
ceiling = "3 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
by = "D-2"
"""
PREVIEW = '[preview]\nby = "D-3"\n'


@dataclass
class Valley:
    """A node with the phones of three members and a guest, and an admin's browser."""

    server: PortalServer
    admin: AdminBrowser
    phones: dict[str, PortalBrowser]

    @property
    def app(self) -> UseCases:
        return self.server.app

    async def schedule(self, rules: str = NIGHT) -> None:
        text = self.app.loop.active_ruleset.text + rules
        replacing = self.app.loop.active_ruleset.fingerprint
        await self.admin.submit("/rules", text=text, replacing=replacing, do="schedule", due=MORNING)
        assert self.app.adoption.waiting() is not None

    async def page(self, name: str, **headers: str) -> str:
        reply = await self.phones[name].get("/rules/next", **headers)
        assert 200 == reply.status
        return reply.body

    async def send(self, name: str, action: str = "/rules/object", **typed: str) -> PortalReply:
        page = await self.phones[name].get("/rules/next")
        return await self.phones[name].post(action, page.fill(action, **typed))


@asynccontextmanager
async def open_valley(folder: Path, rules: str = "") -> AsyncIterator[Valley]:
    node = portal_node(rules=rules, members=MEMBERS, session_ms=None)
    node.folder = folder
    await node.archive.save_state(SIGN_IN, waiting_links(node))
    async with (
        open_portal_server(node) as server,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        app = server.app
        await asyncio.to_thread(lambda: app.files)
        await app.admin.recall()
        await app.adoption.record(app.loop.active_ruleset, "the node's start")
        phones = {}
        for number, name in enumerate(("ana", "ben", "cai", "guest", "stranger"), start=1):
            address, mac = f"127.0.0.{number}", MacAddress(f"02:00:00:00:00:{number:02x}")
            server.callers.devices[address] = mac
            phones[name] = PortalBrowser(server.port, address)
            if name in NAMES:
                await app.join(mac, CardShown(app.card(name)))
            elif name == "guest":
                await app.join(mac)
        async with open_admin_server(app.admin) as admin_server:
            admin = AdminBrowser(session, app, admin_server)
            await admin.sign_in()
            yield Valley(server, admin, phones)


@pytest.fixture
async def valley(tmp_path: Path) -> AsyncIterator[Valley]:
    async with open_valley(tmp_path) as opened:
        yield opened


async def test_two_of_eight_members_stop_what_an_admin_scheduled_and_both_pages_say_why(
    valley: Valley,
) -> None:
    await valley.schedule()
    for name in ("ana", "guest"):
        assert '<a href="/rules/next">' in (await valley.phones[name].get("/me")).body
    assert '<a href="/rules/next">' in (await valley.phones["stranger"].get("/network")).body
    page = await valley.page("ana")
    assert "If 2 of 8 members object before these rules come into force, they are withdrawn." in page
    assert "1 December 2026, 06:00" in page
    assert "at most 5 Mbit/s download and 1 Mbit/s upload instead of no speed limit" in page

    assert 303 == (await valley.send("ana", text="I work\nat night.")).status
    page = await valley.page("ana")
    assert "<b>You object.</b>" in page
    assert "Members who object so far: 1." in await valley.page("ben")
    _, office = await valley.admin.get("/rules")
    assert "Members who object: 1 of 8." in office
    assert "I work\nat night." in office
    assert 303 == (await valley.send("ben", text="")).status

    for name in ("ana", "ben", "cai", "guest", "stranger"):
        page = await valley.page(name)
        assert "because members objected" in page
        assert "Members who objected: 2 of 8." in page
        assert "I work" not in page, "what somebody wrote is for the people who run the network"
    _, office = await valley.admin.get("/rules")
    assert "Members who objected: 2 of 8." in office
    assert "I work\nat night." in office
    assert "withdrawn: of 8 members, 2 objected" in office
    _, start = await valley.admin.get("/")
    assert "does not come into force" in start
    valley.app.node.clock.wall += timedelta(days=8)
    await valley.app.adoption.tick()
    assert "night" not in valley.app.loop.active_ruleset.text


async def test_each_reads_what_changes_for_them_and_nothing_about_others(valley: Valley) -> None:
    await valley.schedule()
    pages = {name: await valley.page(name) for name in valley.phones}
    own = {name: page.partition('id="own"')[2].partition("</section>")[0] for name, page in pages.items()}
    assert "You: at most 5 Mbit/s download and 1 Mbit/s upload instead of no speed limit." in own["ana"]
    assert "share 150" in own["ana"]
    assert "share 150" not in own["ben"]
    assert "You: at most 3 Mbit/s download and 1 Mbit/s upload" in own["guest"]
    assert "5 Mbit/s" not in own["guest"]
    assert not own["stranger"], "without a session nothing is known about them"
    for name, page in pages.items():
        for other in NAMES:
            assert f"{other.title()} Puig" not in page
            assert f"example {other}" not in page
        assert ("/rules/object" in page) == (name in NAMES)


async def test_an_objection_is_changed_and_taken_back(valley: Valley) -> None:
    await valley.schedule()
    await valley.send("ana", text="First.")
    await valley.send("ana", text="<script>alert(1)</script> Second.")
    page = await valley.page("ana")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Second." in page
    assert "Members who object so far: 1." in page
    _, office = await valley.admin.get("/rules")
    assert "<script>" not in office
    assert "First." not in office
    reply = await valley.send("ana", "/rules/take-back")
    assert (303, "/rules/next?version=2&done=withdrawn") == (reply.status, reply.headers["location"])
    assert "You no longer object." in (await valley.phones["ana"].get("/rules/next?done=withdrawn")).body
    assert "Members who object: 0 of 8." in (await valley.admin.get("/rules"))[1]


@pytest.mark.parametrize("name", ["guest", "stranger"])
async def test_only_members_object(valley: Valley, name: str) -> None:
    await valley.schedule()
    mac = valley.server.callers.devices[valley.phones[name].source]
    form = f"token={valley.server.tokens.token('rules', mac)}&number=2&text=No"
    assert 403 == (await valley.phones[name].post("/rules/object", form)).status
    assert 403 == (await valley.phones[name].post("/rules/take-back", form.removesuffix("&text=No"))).status
    waiting = valley.app.adoption.waiting()
    assert waiting is not None
    assert 0 == waiting.objections


async def test_a_form_without_its_token_or_of_another_device_changes_nothing(valley: Valley) -> None:
    await valley.schedule()
    macs = valley.server.callers.devices
    ana, ben = (valley.phones[name] for name in ("ana", "ben"))
    foreign = valley.server.tokens.token("rules", macs[ben.source])
    other_purpose = valley.server.tokens.token("contest", macs[ana.source])
    for token in (foreign, other_purpose):
        assert 403 == (await ana.post("/rules/object", f"token={token}&number=2&text=")).status
    good = valley.server.tokens.token("rules", macs[ana.source])
    for rest in ("text=No", "number=2", "number=two&text=", "number=2&text=&more=1"):
        assert 400 == (await ana.post("/rules/object", f"token={good}&{rest}")).status
    long = "x" * (OBJECTION_CHARS_MAX + 1)
    assert 400 == (await ana.post("/rules/object", f"token={good}&number=2&text={long}")).status
    assert 405 == (await ana.get("/rules/object")).status
    assert () == valley.app.loop.registry.rule_objections.all()


async def test_a_form_that_was_open_for_a_day_is_shown_again_with_its_text(valley: Valley) -> None:
    await valley.schedule()
    page = await valley.phones["ana"].get("/rules/next")
    form = page.fill("/rules/object", text="I work at night.")
    await valley.server.pass_hours(25)
    reply = await valley.phones["ana"].post("/rules/object", form)
    assert 409 == reply.status
    assert "I work at night.</textarea>" in reply.body


async def test_a_text_is_not_lost_with_the_session(valley: Valley) -> None:
    await valley.schedule()
    page = await valley.phones["ana"].get("/rules/next")
    form = page.fill("/rules/object", text="I work at night.")
    await valley.app.portal.leave(valley.server.callers.devices["127.0.0.1"])
    reply = await valley.phones["ana"].post("/rules/object", form)
    assert 403 == reply.status
    assert "I work at night." in reply.body
    assert () == valley.app.loop.registry.rule_objections.all()


async def test_too_late_is_said_and_not_stored(valley: Valley) -> None:
    await valley.schedule()
    page = await valley.phones["ana"].get("/rules/next")
    form = page.fill("/rules/object", text="I work at night.")
    await valley.app.adoption.end("admin", 2)
    reply = await valley.phones["ana"].post("/rules/object", form)
    assert 422 == reply.status
    assert "too late to object" in reply.body
    assert () == valley.app.loop.registry.rule_objections.all()


async def test_while_the_disk_is_full_nothing_is_said_to_be_saved(valley: Valley) -> None:
    await valley.schedule()
    page = await valley.phones["ana"].get("/rules/next")
    valley.app.node.repository.full = True
    reply = await valley.phones["ana"].post("/rules/object", page.fill("/rules/object", text="No."))
    assert 503 == reply.status
    valley.app.node.repository.full = False
    assert "You object" not in await valley.page("ana")


async def test_an_objection_is_in_the_persons_data_and_goes_with_it(valley: Valley) -> None:
    await valley.schedule()
    await valley.send("ana", text="I work at night.")
    data = json.loads((await valley.phones["ana"].get("/my-data.json")).body)
    (mine,) = data["rule_objections"]
    assert ("ana", 2, "I work at night.") == (mine["account"], mine["version"], mine["text"])
    assert "I work at night." not in (await valley.phones["ben"].get("/my-data.json")).body
    page = await valley.phones["ana"].get("/my-data/erase")
    assert 303 == (await valley.phones["ana"].post("/erase", page.fill("/erase"))).status
    assert () == valley.app.loop.registry.rule_objections.all()
    assert () == valley.app.node.repository.registry.kept.rule_objections
    assert "I work" not in (await valley.admin.get("/rules"))[1]


async def test_a_trial_shows_what_is_different_and_no_form(valley: Valley) -> None:
    await valley.app.adoption.adopt(RULES + NIGHT, "admin Ana")
    page = await valley.page("ana")
    assert "is in force on trial" in page
    assert "You: at most 5 Mbit/s" in page
    assert "/rules/object" not in page
    await valley.app.adoption.confirm("admin Ana")
    assert "No other rules are waiting." in await valley.page("ana")
    assert "/rules/next" not in (await valley.phones["ana"].get("/me")).body


async def test_rules_that_can_no_longer_be_read_are_no_error(valley: Valley) -> None:
    await valley.schedule()
    valley.app.node.repository.full = True
    assert "This cannot be shown right now." in await valley.page("ana")
    valley.app.node.repository.full = False
    assert "You: at most 5 Mbit/s" in await valley.page("ana")


# --- what was used ---


def active(app: UseCases, names: tuple[str, ...]) -> None:
    """One hour in which each used more than the one before, in intervals of five minutes."""
    begun = int(app.node.clock.civil().timestamp()) // INTERVAL_S * INTERVAL_S - 86_400
    for at in range(begun, begun + 3600, INTERVAL_S):
        app.node.repository.intervals[at] = {
            AccountId(name): IntervalUsage(Usage(Bytes(75_000_000 * rank), Bytes(0)), is_busy=False)
            for rank, name in enumerate(names, start=1)
        }


async def test_where_usage_is_kept_each_sees_their_own_line_only(tmp_path: Path) -> None:
    async with open_valley(tmp_path, PREVIEW) as valley:
        active(valley.app, NAMES)
        await valley.schedule()
        ana, ben, guest = [await valley.page(name) for name in ("ana", "ben", "guest")]
        assert "you were active for 60 minutes" in ana.replace("1 hour", "60 minutes")
        assert "you used 2 Mbit/s on average" in ana
        assert "you used 4 Mbit/s on average" in ben
        assert "4 Mbit/s on average" not in ana
        assert "on average" not in guest
        assert "you could have had" in ana
        erasing = await valley.phones["ana"].get("/my-data/erase")
        await valley.phones["ana"].post("/erase", erasing.fill("/erase"))
        await valley.app.join(valley.server.callers.devices["127.0.0.1"], CardShown(valley.app.card("ana")))
        assert "on average" not in await valley.page("ana")
        assert "you used 4 Mbit/s on average" in await valley.page("ben")


async def test_of_fewer_than_five_active_accounts_no_line_is_shown(tmp_path: Path) -> None:
    async with open_valley(tmp_path, PREVIEW) as valley:
        active(valley.app, NAMES[:4])
        await valley.schedule()
        assert "on average" not in await valley.page("ana")


async def test_without_the_communitys_decision_no_line_is_shown(valley: Valley) -> None:
    active(valley.app, NAMES)
    await valley.schedule()
    assert "on average" not in await valley.page("ana")


async def test_members_read_a_draft_object_to_it_and_their_objection_is_carried_over(valley: Valley) -> None:
    text, replacing = valley.app.loop.active_ruleset.text + NIGHT, valley.app.loop.active_ruleset.fingerprint
    response, _ = await valley.admin.send("/rules", text=text, replacing=replacing, do="draft")
    assert (303, "/rules?drafted") == (response.status, response.headers["location"])
    assert "Members read the draft on the portal now." in (await valley.admin.get("/rules?drafted"))[1]
    assert "There is a draft of new rules." in (await valley.phones["guest"].get("/me")).body
    page = await valley.page("ana")
    for shown in ("This is a draft: nobody has decided it", "For you", 'name="number" value="2"'):
        assert shown in page
    guest = await valley.page("guest")
    assert ("I object" in page, "I object" in guest) == (True, False)
    reply = await valley.send("ana", text="<b>At night I work.</b>")
    assert (303, "/rules/next?version=2&done=objected") == (reply.status, reply.headers["location"])
    again = await valley.phones["ana"].get("/rules/next?version=2&done=objected")
    assert "Your objection is saved and counts." in again.body
    _, office = await valley.admin.get("/rules")
    assert "Members who object: 1 of 8." in office
    assert "&lt;b&gt;At night I work.&lt;/b&gt;" in office
    for number in ("1", "99", "0", "-1", "x" * 99, "%D9%A3"):
        assert "This is a draft" in (await valley.phones["ana"].get(f"/rules/next?version={number}")).body
    await valley.schedule()
    page = await valley.page("ana")
    for shown in ("New rules are waiting", "Members who object so far: 1.", "You object."):
        assert shown in page
    assert "Draft: version" not in page
    _, office = await valley.admin.get("/rules")
    assert "a draft, decided as version 3" in office


async def test_what_the_objections_to_its_draft_stop_at_once_is_not_said_to_be_saved(valley: Valley) -> None:
    text = valley.app.loop.active_ruleset.text + NIGHT
    outcome = await valley.app.adoption.draft(text, "admin Ana")
    for name in ("ana", "ben"):
        assert "done" == await valley.app.adoption.object(AccountId(name), outcome.number, "")
    replacing = valley.app.loop.active_ruleset.fingerprint
    response, _ = await valley.admin.send(
        "/rules", text=text, replacing=replacing, do="schedule", due=MORNING
    )
    assert (303, "/rules?ended") == (response.status, response.headers["location"])
    assert "Members who objected: 2 of 8." in (await valley.admin.get("/rules?ended"))[1]


async def test_several_drafts_are_shown_beside_what_waits_and_an_admin_withdraws_one(valley: Valley) -> None:
    await valley.schedule()
    texts = [
        valley.app.loop.active_ruleset.text + NIGHT.replace("3 Mbit/s", f"{rate} Mbit/s") for rate in (1, 2)
    ]
    for text in texts:
        assert "draft" == (await valley.app.adoption.draft(text, "admin Ana")).kind
    page = await valley.page("ben")
    assert "New rules are waiting" in page
    assert ["4", "3"] == re.findall(r'href="/rules/next\?version=(\d+)"', page), "the newest first"
    first = (await valley.phones["ben"].get("/rules/next?version=3")).body
    assert ("This is a draft" in first, "1 Mbit/s" in first, 'version=4"' in first) == (True, True, True)
    await valley.admin.submit("/rules/rollback", trial="3")
    assert "New rules are waiting" in (await valley.phones["ben"].get("/rules/next?version=3")).body
    history = await valley.admin.get("/rules/history")
    assert "a draft that an admin withdrew" in history[1]
