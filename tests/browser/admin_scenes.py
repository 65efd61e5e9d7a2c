"""Every page of the admin server in every state: empty and full, valid and invalid input, for both roles."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import timedelta
from functools import partial
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import last_days
from node.accounts.account_list import account_list, account_of_short
from node.accounts.vouchers import Batch
from node.alerts.readings import AlertReadings
from node.config import ListenAddress
from node.enforcement.plan import TableUse
from node.gateways.gateway import Gateway
from node.gateways.told_gateway import ToldGateway
from node.governance.ladder_case import LadderCase
from node.identity import own_node_id
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Milliseconds, Usage
from tests.browser import people
from tests.browser.chromium import Browser
from tests.browser.scenes import LANGUAGES, Doing, PageScene, nothing, opens_everything, sends
from tests.fakes.admin_pages import (
    HILLS,
    ISSUER_LINK,
    LAPTOP,
    LINK,
    MEMBERS,
    OUTSIDER,
    PHONE,
    RULES,
    TABLET,
    TODAY,
    admin_app,
    found_community,
    name_links,
    open_admin_server,
    populate,
)
from tests.fakes.community_statements import next_record
from tests.fakes.file_versions import signed, version_of
from tests.fakes.use_cases import KEY, UseCases

ISSUE: dict[str, str] = {"count": "26", "lasts": "7", "group": "day-pass", "note": "for the festival"}
HOST = "127.0.0.1"
_TWO_DEVICES = """
[[rule]]
id = "two-devices"
devices = 2
who = "everyone"
by = "D-2025-005"
"""


SCHOOL = MacAddress("02:00:00:00:00:05")


@asynccontextmanager
async def _served(fill: Callable[[UseCases], Awaitable[None]], rules: str = RULES) -> AsyncIterator[int]:
    """The port of the admin server of a node, which `fill` puts into the state to be seen."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory)
    try:
        async with admin_app(Path(folder.name), rules=rules) as app:
            await fill(app)
            async with open_admin_server(app.admin) as server:
                assert server.bound is not None
                yield server.bound[1]
    finally:
        folder.cleanup()


def open_admins(*losses: str, objecting: Sequence[str] | None = None) -> AbstractAsyncContextManager[int]:
    """The admin server of a node where people are online; `losses`: what its database lost; `objecting`: rules wait, and
    these accounts object."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        await _busy_hour(app)
        app.node.archive.losses = losses
        if objecting is not None:
            await app.adoption.adopt(_FASTER, "admin Ana", due="2026-12-01 06:00")
            for account in objecting:
                await app.adoption.object(AccountId(account), 2, "I work at night.\nAsk us first.")
            draft = await app.adoption.draft(_SLOWER, "admin Ana")
            await app.adoption.object(AccountId("ana"), draft.number, "Too slow for school.")

    return _served(fill)


_NOW = {PHONE: (1_775_000, 137_000), SCHOOL: (862_000, 112_000), TABLET: (375_000, 39_000)}


async def _busy_hour(app: UseCases) -> None:
    await app.join_by_card(SCHOOL, "school")
    app.node.peers = (HILLS, OUTSIDER)
    await app.transfer({LAPTOP: (41_200_000_000, 900_000_000), SCHOOL: (18_700_000_000, 300_000_000)})
    await app.transfer(_NOW)
    mark = app.loop.session_table.session_entries[PHONE].mark
    app.node.kernel.table = TableUse(2_310, 65_536, (mark, 214))


def open_with_days() -> AbstractAsyncContextManager[int]:
    """The admin server of a node whose community decided that admins see use by day, and where people used some."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        for day, gigabytes in zip(last_days(6, TODAY), (3, 0, 7, 4, 2, 1), strict=True):
            used = Usage(Bytes(gigabytes * 1_000_000_000), Bytes(90_000_000))
            key = UsageKey(HILLS.node, "1-chance", AccountId("ana"), day)
            app.loop.merge(key, UsageBucket(used, NO_USAGE))
        await _busy_hour(app)

    return _served(fill, RULES + USAGE_BY_DAY)


USAGE_BY_DAY = """
[usage_by_day]
by = "D-2026-021"
"""


def open_with_a_crowd(accounts: int = 24) -> AbstractAsyncContextManager[int]:
    """The admin server of a node where so many accounts are online, and most of them transfer."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        await _busy_hour(app)
        crowd = [MacAddress(f"02:00:00:00:02:{number:02x}") for number in range(accounts - 2)]
        for mac in crowd:
            await app.join(mac)
        await app.transfer({mac: (2_000_000_000 + 7 * n, 90_000_000) for n, mac in enumerate(crowd)})
        await app.transfer({mac: (90_000 + 1_000 * n, 9_000) for n, mac in enumerate(crowd)} | _NOW)

    return _served(fill)


def open_after_a_loss() -> AbstractAsyncContextManager[int]:
    """The admin server of a node whose database was damaged."""
    return open_admins(
        "On 2026-11-20 08:10 the database was damaged. What was used after 2026-11-19 23:00 is not counted. "
        "The damaged file is kept for 30 days as procomu.db.broken-1."
    )


def open_with_alerts(*, is_told: bool = False) -> AbstractAsyncContextManager[int]:
    """The admin server of a node whose line is dead and was full on many evenings."""

    async def fill(app: UseCases) -> None:
        node = app.node
        node.down_since = node.clock.now
        node.alert_readings = AlertReadings(line_answers=False, full_evenings=4)
        for _ in range(7):
            node.clock.pass_time(60_000)
            await app.alerts.look()
        await populate(app)
        if is_told:
            until = node.clock.civil().astimezone() + timedelta(hours=20)
            found = await app.alerts.outages.save(
                "The assembly & the provider", until.strftime("%Y-%m-%dT%H:%M")
            )
            assert found is None, found

    return _served(fill)


def open_with_cases() -> AbstractAsyncContextManager[int]:
    """The admin server of a node with a ladder, an account over its trigger, and cases in several states."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        await _busy_hour(app)
        for account, ladder in (("ana", "big-users"), ("guest-02", "noise")):
            opened = await app.admin.cases.open(
                "admin Ana", account, ladder, "Every evening.\nFor a week & more."
            )
            assert isinstance(opened, LadderCase), opened
        assert await app.portal.add_objection(PHONE, "ladder:big-users:1", "It was a backup.") is None
        await app.admin.cases.lift("admin Pere", 2)

    return _served(fill, RULES + _LADDERS)


def open_with_walkers() -> AbstractAsyncContextManager[int]:
    """The admin server of a node where a device came from another one, and whose account has many at all nodes."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        app.admin.people.came_from = {PHONE: "hills"}.get  # type: ignore[assignment]
        app.admin.people.devices_with_sessions = {"ana": 3}.get  # type: ignore[assignment]

    return _served(fill, RULES + _TWO_DEVICES)


def open_with_heard_notices() -> AbstractAsyncContextManager[int]:
    """The admin server of a node to which others say notices."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        await people.other_nodes_have_news(app)

    return _served(fill)


def open_with_nodes() -> AbstractAsyncContextManager[int]:
    """The admin server of a node whose community has a record, an over-used invite and a copied disk."""

    async def fill(app: UseCases) -> None:
        await found_community(app)
        name_links(app)
        app.node.key_copies = ("Two machines use the key of hills: give one of them a key of its own.",)

    return _served(fill)


def open_with_gateways() -> AbstractAsyncContextManager[int]:
    """The admin server of a node with gateways in each state."""

    async def fill(app: UseCases) -> None:
        app.node.configure("gateways", listen=ListenAddress("0.0.0.0", 2080), host="vall.example.org")
        app.node.configure("gateways", second="berg.example.org:2080")
        app.gateways._settings = app.node.config.gateways
        registry = app.gateways.registry
        bakery = Gateway("0a1b2c3d", "wifidog", "accepted", "the bakery", "001217DA42D2", "10.1.2.3")
        school = Gateway("1a1b2c3d", "apfree", "accepted", "the school", "", "")
        library = Gateway("3a1b2c3d", "opennds", "accepted", "the library", "", "")
        square = Gateway("4a1b2c3d", "opennds", "accepted", "the square", "", "")
        refused = Gateway("2a1b2c3d", "wifidog", "refused", "", "00FFFFFFFFFF", "203.0.113.9")
        registry._take({each.id: each for each in (bakery, school, library, square, refused)})
        for name in ("hall%20Node%3a001122334455", "yard%20Node%3a001122334466"):
            registry.reported(library, name)
        await registry.spoke(bakery, "wifidog", bakery.called, bakery.address)
        registry.ask("wifidog", "00AABBCCDDEE", "10.1.2.7")
        mill = Gateway("5a1b2c3d", "wifidog", "accepted", "the mill", "0012FFFFFFFF", "")
        registry.tell([ToldGateway(mill, HILLS.node, "e" * 32, b"k" * 32)])
        registry._pushed_out = dict.fromkeys(("X1", "X2"))
        app.gateways._candidates = lambda: [HILLS.node]

    return _served(fill)


def open_with_other_vouchers() -> AbstractAsyncContextManager[int]:
    """The admin server of a node that knows a batch of another node: one of its vouchers is in use there, one is revoked."""

    async def fill(app: UseCases) -> None:
        await populate(app)
        app.node.peers = (HILLS, OUTSIDER)
        store, at = app.loop.registry.vouchers, app.loop.persistence.instant()
        some = [account_of_short(f"{letter}bcdefghijkl") for letter in "abcdefgh"]
        heard = Batch(
            0, "day-pass", Milliseconds(86_400_000), 3, "2026-11-23", "", origin=HILLS.node, origin_number=4,
            accounts=account_list(some),
        )  # fmt: skip
        assert store.hear_batch(heard)
        assert at.wall_s is not None
        await app.loop.remember(store.hear_use(some[0], at.wall_s + 7_200, "2026-11-23", at))
        await app.loop.remember(store.hear_revoked(some[1], is_revoked=True))

    return _served(fill)


def open_with_shared_files(*, elsewhere: bool = False) -> AbstractAsyncContextManager[int]:
    """The admin server of a node whose community has rules that differ, one version that waits for votes, and members that
    were signed apart; `elsewhere`: its rules do not pass the checks here."""

    async def fill(app: UseCases) -> None:
        await found_community(app)
        state = app.node.community.state
        assert state is not None
        assert state.head is not None
        both = next_record(state.head, state.head_hash, ["rosa", "pau"], 2, ["rosa", "pau"])
        assert "" == await app.node.community.take_in([both])
        first = version_of(state.id, "rules", RULES)
        made = [
            signed(first, "rosa", "pau"),
            signed(version_of(state.id, "rules", "nonsense" if elsewhere else _FASTER, first), "rosa", "pau"),
            signed(version_of(state.id, "rules", _SLOWER, first), "rosa"),
            signed(version_of(state.id, "members", MEMBERS), "rosa"),
            signed(version_of(state.id, "members", f"{MEMBERS}# Rosa & Pau\n"), "pau"),
        ]
        if not elsewhere:
            await app.adoption.adopt(_SLOWER, "admin Ana", is_trial=False)
        assert "" == await app.node.community.take_in(made)
        await app.shared_files.look()

    return _served(fill)


_LADDERS = """
[[ladder]]
id = "big-users"
who = "everyone"
trigger = "10 GB per month"
steps = ["tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"]
by = "D-2026-011"

[[ladder]]
id = "noise"
who = "everyone"
steps = ["tell", "ceiling 2 Mbit/s for 3 days"]
by = "D-2026-012"
"""


def signs_in(link: str) -> Doing:
    """Gives the browser the cookie of this one-time link, without showing it the pages of signing in."""

    def signing_in(browser: Browser, address: str) -> None:
        body = urlencode({"token": link})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        with closing(HTTPConnection(urlsplit(address).netloc, timeout=10)) as connection:
            connection.request("POST", "/sign-in", body, form)
            response = connection.getresponse()
            assert response.status == 303
            for name, cookie in SimpleCookie(response.headers["Set-Cookie"]).items():
                browser.set_cookie(address, name, cookie.value)

    return signing_in


def _and_goes(path: str, then: Doing, link: str = LINK) -> Doing:
    """Signs in, opens a page and does something there before the scene's own page is requested."""

    def going(browser: Browser, address: str) -> None:
        signs_in(link)(browser, address)
        browser.open(address + path)
        then(browser, address)

    return going


def _admin(name: str, page: str, path: str, **more: Any) -> PageScene:
    more.setdefault("before", signs_in(LINK))
    server = more.pop("server", open_admins)
    return PageScene(name, f"admin: {page}", path, server, host=HOST, **more)


_ISSUED = _and_goes("/vouchers", sends("/vouchers", **ISSUE))
_SLOWER = RULES.replace("3 Mbit/s down", "2 Mbit/s down")
_FASTER = RULES.replace("3 Mbit/s down", "4 Mbit/s down")
_on_trial = _and_goes("/rules", sends("/rules", "[value='save']", text=_FASTER))
_ORDER = """
[[rule]]
id = "flood"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
emergency = true
from = "2026-12-01"
expires = "2026-12-03"
by = "D-9"
"""
_MILL = """
[uplink.mill]
down = "20 Mbit/s"
up = "5 Mbit/s"
[[rule]]
id = "mill-top"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
uplink = "mill"
by = "D-9"
"""
_has_lines = _and_goes("/rules", sends("/rules", "[value='save']", text=RULES + _MILL))
_proposes = _and_goes("/rules", sends("/rules", "[value='save']", text=RULES + _ORDER))
_BLOCKED = _and_goes("/people/account?id=ana", sends("/people/block", because="Come and talk to us."))
_NEW_TERMS = {"text-en": "Be kind. Share.", "text-ca": "Sigueu amables. Compartiu."}
_FACE = {"wifi_name": "Vall Alta Oberta", "welcome-en": "Neighbours’ Internet since 2009."}
_NOTICE = {
    "title-en": "Assembly",
    "text-en": "On Friday at seven.",
    "title-ca": "Assemblea",
    "text-ca": "Divendres.",
}


def _looks_at_one(browser: Browser, address: str) -> None:
    """Issues a sheet and enters its first code."""
    browser.send("/vouchers", **ISSUE)
    code = browser.read(".slip .code")
    browser.open(f"{address}/vouchers")
    browser.send("/vouchers/code", code=code)


def _drafts(rules: str) -> Doing:
    """Checks the rules in force with these added."""

    def drafting(browser: Browser, _address: str) -> None:
        browser.send("/rules", text=browser.attribute("textarea[name='text']", "value") + rules)

    return drafting


def _opens(rule: str, then: str = "check", **blanks: str) -> Doing:
    """Opens a rule by its button, fills in blanks and presses another button; `then` is empty for none."""

    def opening(browser: Browser, _address: str) -> None:
        browser.tap(f"[name='change'][value='{rule}']")
        if then:
            browser.send("/rules", f"[value='{then}']", **blanks)

    return opening


def _adds(effect: str) -> Doing:
    """Adds a rule that does this."""

    def adding(browser: Browser, _address: str) -> None:
        browser.type("#effect", effect)
        browser.tap("[value='new']")

    return adding


def _chooses_yellow(browser: Browser, _address: str) -> None:
    browser.run("document.querySelector('#accent').value = '#ffcc00'")
    browser.tap("[value='save']")


def _revokes_the_batch(browser: Browser, _address: str) -> None:
    if browser.has("button[value='revoke']"):
        browser.tap("button[value='revoke']")


_ANA = {"name": "Ana", "passphrase": "four plain old words"}
_SHORT = {"name": "Ana", "passphrase": "short"}
_IDLE = """
[[rule]]
id = "guest-evening"
ceiling = "5 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
when = "daily 18:00-23:00"
by = "D-2026-020"
"""
_EVENING = (
    _IDLE.replace('who = "tier:guest"', 'exception_to = "guest-top"')
    + """
[[rule]]
id = "hosts"
floor = "2 Mbit/s down, 500 kbit/s up"
who = "group:mast-hosts"
by = "D-2026-020"
"""
)
_has_a_key = _and_goes("/backups", sends("/backups/key"))
_has_a_metrics_token = _and_goes("/access", sends("/access/metrics"))
_has_a_passphrase = _and_goes("/passphrase", sends("/passphrase", **_ANA))

_OWN_NODE = own_node_id(KEY)
_SIGNS = {"passphrase": _ANA["passphrase"]}


def _has_a_record(browser: Browser, address: str) -> None:
    """An admin with a passphrase makes the community record."""
    _has_a_passphrase(browser, address)
    browser.open(f"{address}/nodes/record")
    browser.send("/nodes/record", **_SIGNS)


def _has_an_invite(browser: Browser, address: str) -> None:
    _has_a_record(browser, address)
    browser.open(f"{address}/nodes/invite")
    browser.send("/nodes/invite", **_SIGNS)


def _follows(path: str) -> Doing:
    def following(browser: Browser, _address: str) -> None:
        browser.tap(f"a[href^='{path}']")

    return following


def _node(name: str, path: str, before: Doing = _has_a_record, **more: Any) -> PageScene:
    return _admin(name, "what is signed", path, before=before, **more)


SIGNED_SCENES = (
    _node("a signature without a passphrase", "/nodes/record", before=signs_in(LINK)),
    _node("a community record to make", "/nodes/record", before=_has_a_passphrase),
    _node(
        "a recovery key of the community",
        "/nodes/record",
        before=_has_a_passphrase,
        after=sends("/nodes/record", **_SIGNS),
    ),
    _node("a key to make", "/nodes/key", before=_has_a_passphrase),
    _node("a key of an admin", "/nodes/key"),
    _node("a key that signs nothing yet", "/nodes/invite", before=_has_a_passphrase, server=open_with_nodes),
    _node("nodes with an invite", "/nodes", before=_has_an_invite),
    _node("an invite to make", "/nodes/invite"),
    _node("an invite for too many", "/nodes/invite", after=sends("/nodes/invite", uses="99", **_SIGNS)),
    _node("an invite", "/nodes/invite", after=sends("/nodes/invite", uses="3", **_SIGNS)),
    _node("a node to remove", f"/nodes/node?id={_OWN_NODE}&do=removed"),
    _node(
        "a wrong passphrase for a signature",
        f"/nodes/node?id={_OWN_NODE}&do=suspended",
        after=sends("/nodes/node", passphrase="four wrong old words"),
    ),
    _node(
        "a node suspended",
        f"/nodes/node?id={_OWN_NODE}&do=suspended",
        after=sends("/nodes/node", **_SIGNS),
    ),
    _node("another admin of the community", "/nodes/admin"),
    _node("a new secret to make", "/nodes/secret"),
    _node("an invite to close", "/nodes", before=_has_an_invite, after=_follows("/nodes/invite/close")),
    _node("a key to replace", "/nodes/key/replace"),
    _node("a recovery key to make", "/nodes/recovery"),
    _node("a recovery key on paper", "/nodes/recovery", after=sends("/nodes/recovery", **_SIGNS)),
    _admin("an invite that there is not", "trouble", "/nodes/invite/close?key=unknown", before=_has_a_record),
    _admin("an admin that there is not", "trouble", "/nodes/admin/remove?key=unknown", before=_has_a_record),
    _node("a lost key to replace", "/nodes/key/lost"),
    _node("rules to share", "/rules/share"),
    _node(
        "members to share, and a wrong passphrase",
        "/members/share",
        after=sends("/members/share", passphrase="x"),
    ),
    _node("rules shared", "/rules/share", after=sends("/rules/share", reason="decided in May", **_SIGNS)),
    _node("rules that nobody has shared", "/rules/shared"),
)

ADMIN_SCENES = (
    *SIGNED_SCENES,
    _admin("an admin's link", "signing in", f"/sign-in?token={LINK}", before=nothing),
    _admin("a link that no longer works", "signing in", "/sign-in?token=used-up-0123456789", before=nothing),
    _admin("a name and a passphrase", "signing in", "/sign-in", before=nothing),
    _admin(
        "the wrong passphrase of an admin",
        "signing in",
        "/sign-in",
        before=nothing,
        after=sends("/sign-in", **_ANA),
    ),
    _admin("who is on", "overview", "/"),
    _admin("who is on, made anew", "overview", "/?live"),
    _admin("24 accounts online", "overview", "/", server=open_with_a_crowd),
    _admin("what a database lost", "overview", "/", server=open_after_a_loss),
    _admin("a dead line", "overview", "/", server=open_with_alerts),
    _admin(
        "a dead line of which people are told",
        "overview",
        "/?told",
        server=partial(open_with_alerts, is_told=True),
    ),
    _admin(
        "nothing to tell of a dead line", "overview", "/", server=open_with_alerts, after=sends("/outage")
    ),
    _admin("the rules", "rules", "/rules"),
    _admin("rules with a mistake", "rules", "/rules", after=sends("/rules", text="nonsense")),
    _admin("rules on trial", "rules", "/rules", before=_on_trial),
    _admin("rules that wait for approval", "rules", "/rules", before=_proposes),
    _admin(
        "rules that wait, and an objection", "rules", "/rules", server=partial(open_admins, objecting=["ana"])
    ),
    _admin(
        "rules that objections stopped",
        "rules",
        "/rules",
        server=partial(open_admins, objecting=["ana", "school"]),
    ),
    _admin("rules changed", "rules", "/rules", after=sends("/rules", text="[ruleset]")),
    _admin("what a draft would change", "rules", "/rules", after=_drafts(_EVENING)),
    _admin("a draft that changes nothing", "rules", "/rules", after=_drafts(_IDLE)),
    _admin("a rule opened", "rule", "/rules", after=_opens("guest-top", "")),
    _admin("a rule with mistakes", "rule", "/rules", after=_opens("guest-top", down="five", start="18:00")),
    _admin("rules for several lines", "rules", "/rules", before=_has_lines),
    _admin("a rule for one line", "rule", "/rules", before=_has_lines, after=_opens("mill-top", "")),
    _admin("the line opened", "rule", "/rules", after=_opens("[uplink.main]", "")),
    _admin("the charter with a mistake", "rule", "/rules", after=_opens("[charter]", approvals="99")),
    _admin("an exception to a rule", "rule", "/rules", after=_opens("guest-top", "exception")),
    *(
        _admin(f"a new rule: {effect}", "rule", "/rules", after=_adds(effect))
        for effect in ("quota", "session", "share")
    ),
    _admin("what each version of the rules changed", "rule history", "/rules/history", before=_on_trial),
    _admin("no vouchers yet", "vouchers", "/vouchers"),
    _admin(
        "a wrong order of vouchers",
        "vouchers",
        "/vouchers",
        after=sends("/vouchers", **{**ISSUE, "count": "0"}),
    ),
    _admin("a sheet of vouchers", "sheet", "/vouchers", after=sends("/vouchers", **ISSUE)),
    _admin("a sheet printed again", "sheet", "/vouchers/sheet?number=1&per_page=8", before=_ISSUED),
    _admin("a sheet of no batch", "trouble", "/vouchers/sheet?number=99"),
    _admin("a batch in the list", "vouchers", "/vouchers", before=_ISSUED),
    _admin("a batch", "batch", "/vouchers/batch?number=1", before=_ISSUED),
    _admin("a batch revoked", "batch", "/vouchers/batch?number=1", before=_ISSUED, after=_revokes_the_batch),
    _admin(
        "a code that no sheet has",
        "vouchers",
        "/vouchers",
        after=sends("/vouchers/code", code="7KM3-Q2W9-XA"),
    ),
    _admin("one voucher", "voucher", "/vouchers", after=_looks_at_one),
    _admin("vouchers of another node in the list", "vouchers", "/vouchers", server=open_with_other_vouchers),
    _admin("a batch of another node", "batch", "/vouchers/batch?number=1", server=open_with_other_vouchers),
    _admin(
        "a batch of another node revoked",
        "batch",
        "/vouchers/batch?number=1",
        server=open_with_other_vouchers,
        after=_revokes_the_batch,
    ),
    _admin("vouchers for an issuer", "vouchers", "/vouchers", before=signs_in(ISSUER_LINK)),
    _admin("people", "people", "/people"),
    _admin("nobody found", "people", "/people", after=sends("/people", q="zebedee")),
    _admin("one account", "person", "/people/account?id=ana"),
    _admin("one account with its days", "person", "/people/account?id=ana", server=open_with_days),
    _admin(
        "one account paused",
        "person",
        "/people/account?id=ana",
        after=sends("/people/block", because="Come and talk to us.", lasts="3600"),
    ),
    _admin(
        "a whole session again",
        "person",
        "/people/account?id=guest-02",
        after=sends("/people/extend"),
    ),
    _admin("no reason given", "person", "/people/account?id=ana", after=sends("/people/block", because=" ")),
    _admin(
        "a message to an account",
        "person",
        "/people/account?id=ana",
        after=sends("/people/message", message="Your box is ready. Come by!"),
    ),
    _admin("an account whose device walks", "person", "/people/account?id=ana", server=open_with_walkers),
    _admin("one account taken off", "person", "/people/account?id=ana", before=_BLOCKED),
    _admin("taken off", "taken off", "/people/blocked"),
    _admin("events", "events", "/events", before=_BLOCKED),
    _admin("events of an account", "events", "/events?account=ana", before=_BLOCKED),
    _admin("events that there are not", "events", "/events?q=zebedee&kind=paused"),
    _admin("tables as files", "tables", "/tables"),
    _admin("a day that is none", "events", "/events?since=yesterday"),
    _admin("members", "members", "/members"),
    _admin("no such member", "members", "/members?q=zebedee"),
    _admin("a new member", "member", "/members/edit"),
    _admin("a member", "member", "/members/edit?id=ana"),
    _admin("a wrong entry", "member", "/members/edit", after=sends("/members/edit", account="Ana & Co")),
    _admin("a new passphrase", "passphrase", "/members/edit?id=ana", after=sends("/members/passphrase")),
    _admin("a card", "card", "/members/edit?id=ana", after=sends("/members/card")),
    _admin("the terms in force", "terms", "/terms"),
    _admin("new terms", "terms", "/terms", after=sends("/terms", **_NEW_TERMS)),
    _admin("an older version of the terms", "terms version", "/terms?version=1"),
    _admin("every notice", "notices", "/notices"),
    _admin("notices of others", "notices", "/notices", server=open_with_heard_notices),
    _admin("a new notice", "notice", "/notices/edit"),
    _admin("how a notice will be", "notice", "/notices/edit", after=sends("/notices/edit", **_NOTICE)),
    _admin(
        "a notice without words", "notice", "/notices/edit", after=sends("/notices/edit", "[value='save']")
    ),
    _admin("objections", "objections", "/objections"),
    _admin("an empty answer", "objections", "/objections", after=sends("/objections")),
    _admin("no ladder", "cases", "/ladders"),
    _admin("cases of ladders", "cases", "/ladders", server=open_with_cases),
    _admin("the next step", "cases", "/ladders?account=school&ladder=noise", server=open_with_cases),
    _admin(
        "a case without a reason",
        "cases",
        "/ladders?account=school&ladder=noise",
        server=open_with_cases,
        after=sends("/ladders/open"),
    ),
    _admin("nodes without a record", "nodes", "/nodes"),
    _admin("nodes of a community", "nodes", "/nodes", server=open_with_nodes),
    _admin("a network of one node", "network", "/network"),
    _admin("the network", "network", "/network", server=open_with_nodes),
    _admin("no gateway yet", "gateways", "/gateways"),
    _admin("gateways in each state", "gateways", "/gateways", server=open_with_gateways),
    _admin("the network with gateways", "network", "/network", server=open_with_gateways),
    _admin("a gateway without a name", "gateways", "/gateways", after=sends("/gateways", name=" ")),
    _admin("a gateway", "gateway", "/gateways/gateway?id=0a1b2c3d", server=open_with_gateways),
    _admin("a router that reports", "gateway", "/gateways/gateway?id=3a1b2c3d", server=open_with_gateways),
    _admin(
        "a router without the script", "gateway", "/gateways/gateway?id=4a1b2c3d", server=open_with_gateways
    ),
    _admin("the line's last day", "history", "/history"),
    _admin("the line's last month", "history", "/history?series=line_down&last=30d"),
    _admin("the temperature of an hour", "history", "/history?series=temperature&last=1h"),
    _admin("three years of devices", "history", "/history?series=devices&last=3y"),
    _admin("a month of refusals", "history", "/history?series=refusals&last=30d"),
    _admin("a series that there is not", "trouble", "/history?series=nothing"),
    _admin("files without a record", "files of all nodes", "/rules/shared"),
    _admin("rules that differ", "files of all nodes", "/rules/shared", server=open_with_shared_files),
    _admin("members of a split", "files of all nodes", "/members/shared", server=open_with_shared_files),
    _admin("members and their note", "members", "/members", server=open_with_shared_files),
    _admin(
        "rules that do not pass",
        "files of all nodes",
        "/rules/shared",
        server=partial(open_with_shared_files, elsewhere=True),
    ),
    _admin("rules and their note", "rules", "/rules", server=open_with_shared_files),
    _admin("history of rules to share", "rules", "/rules/history", server=open_with_shared_files),
    _admin("Procomú's own appearance", "appearance", "/appearance"),
    _admin(
        "a colour that nobody can read",
        "appearance",
        "/appearance",
        after=_chooses_yellow,
    ),
    _admin(
        "an appearance saved",
        "appearance",
        "/appearance",
        after=sends("/appearance", "[value='save']", **_FACE),
    ),
    _admin("who is signed in", "access", "/access"),
    _admin("who can sign in", "access", "/access", before=_has_a_passphrase),
    _admin("a first passphrase", "own passphrase", "/passphrase"),
    _admin("a passphrase too short", "own passphrase", "/passphrase", after=sends("/passphrase", **_SHORT)),
    _admin("another passphrase", "own passphrase", "/passphrase", before=_has_a_passphrase),
    _admin("a link without a name", "access", "/access", after=sends("/access", name="")),
    _admin("a link for a counter", "link", "/access", after=sends("/access", name="counter")),
    _admin("a token exists", "access", "/access", before=_has_a_metrics_token, after=opens_everything),
    _admin("a new token for metrics", "metrics token", "/access", after=sends("/access/metrics")),
    _admin("no recovery key yet", "backups", "/backups"),
    _admin("a new recovery key", "recovery key", "/backups", after=sends("/backups/key")),
    _admin("backups with a key", "backups", "/backups", before=_has_a_key),
    _admin("nothing there", "trouble", "/nowhere"),
)


def languages_of(scene: PageScene, scenes: tuple[PageScene, ...] = ADMIN_SCENES) -> tuple[str, ...]:
    """English, and other languages such that each page of the scenes is in each language in one of its states."""
    states = [each for each in scenes if each.page == scene.page]
    at = states.index(scene)
    return ("en", *(tag for number, tag in enumerate(LANGUAGES[1:]) if number % len(states) == at))
