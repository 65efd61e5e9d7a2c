"""The admin pages on the real use cases of a small community: its rules, its members, and what happened there."""

import asyncio
import difflib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.community_changes import first_record, new_invite
from mesh.invite import make_use
from mesh.membership import NODE_ROLE, Membership, membership_fields
from mesh.node_kind import NodeFacts, NodeLink
from mesh.node_summary import NodeSummary, SummaryValues
from mesh.ports import PeerView
from mesh.signed_statement import SignedStatement, make_statement
from mesh.summary_exchange import HeardSummary
from node.accounting.link_days import LinkDay, LinkUse
from node.accounts.notices import Notice, NoticeText
from node.admin.server import LIMITS, AdminServer
from node.app import admin_sessions
from node.app.admin import AdminService
from node.app.admin_access import SIGN_IN
from node.app.metrics import MetricsService
from node.identity import own_node_id
from node.units import MacAddress, NodeId
from node.web.connections import Limits
from node.web.translations import read_catalogues
from tests.fakes.asked_nodes import a_summary
from tests.fakes.community_statements import SEED, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.use_cases import KEY, AppFixture, UseCases

LINK, ISSUER_LINK = "one-time-link-0123456789", "one-time-link-for-issuers"
LAPTOP = MacAddress("02:00:00:00:00:aa")
"""Of Ana, in the members file."""
PHONE, TABLET, STRANGER = (MacAddress(f"02:00:00:00:00:0{n}") for n in (1, 2, 3))
TICK_S = 0.05
"""A browser beside it should have the processor."""
TODAY = "2026-11-24"
RULES = """\
[ruleset]
community = "Vall Alta"
version = 3
decision = "D-2026-014"

[uplink.main]
down = "40 Mbit/s"
up = "8 Mbit/s"

[[rule]]
id = "guest-top"
ceiling = "3 Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
by = "D-2025-002"

[[rule]]
id = "anchors"
share = 200
who = "tier:anchor"
by = "D-2025-003"

[[rule]]
id = "passes"
ceiling = "7 Mbit/s down, 2 Mbit/s up"
who = ["group:day-pass", "group:week"]
by = "D-2025-004"
"""
TIGHT = RULES.replace("40 Mbit/s", "3 Mbit/s").replace("8 Mbit/s", "600 kbit/s")
"""An uplink with room for the lifelines of two households and the guests, but not of three."""
MEMBERS = """\
# Who belongs to Vall Alta. Decided by the assembly.

[[account]]
id = "ana"  # keeps the keys
name = "Ana Mas"
groups = ["mast-hosts"]
devices = [
    "02:00:00:00:00:aa",  # the laptop
]

# The school pays for the mast.
[[account]]
id = "school"
tier = "anchor"
"""
HILLS = PeerView(NodeId("h" * 51 + "q"), "hills", "trusted", ("fe80::2%mesh0", "10.77.9.1"), 2)
OUTSIDER = PeerView(NodeId("s" * 51 + "a"), "", "stranger", ("fe80::666%mesh0",), 41)
NODES = ("hills", "library", "mill")
"""Of the community, beside this node."""
NO_CLOCK = "Nothing keeps this node's clock right. Let it reach an NTP server."
STORM = Notice(0, "network", "everyone", "", "", True, (NoticeText("en", "Storm tonight", "Save power."),))


@asynccontextmanager
async def admin_app(
    folder: Path, *, rules: str = RULES, members: str = MEMBERS, community: str = "Vall Alta"
) -> AsyncIterator[UseCases]:
    """A node without devices. Two links wait: `LINK` for an admin, `ISSUER_LINK` for an issuer."""
    fixture = AppFixture(folder=folder, rules_text=rules, members=members, tick_s=TICK_S)
    fixture.configure("community", name=community)
    fixture.configure("node", name="library", zone="valley")
    fixture.configure("portal", host="login.vall.example")
    fixture.warnings = (NO_CLOCK,)
    await fixture.archive.save_state(SIGN_IN, waiting_links(fixture))
    async with fixture.life() as app:
        await asyncio.to_thread(lambda: app.files)  # blocks, as in the daemon before its loop runs
        await app.admin.recall()
        await app.adoption.record(app.loop.active_ruleset, "the node's start")
        yield app


def waiting_links(fixture: AppFixture) -> str:
    """Sign-in links as an earlier run of the daemon stored them."""
    now, boot = fixture.clock.monotonic(), fixture.clock.boot
    admin = admin_sessions.offer(admin_sessions.SignIn(), LINK, now)
    return admin_sessions.to_text(
        admin_sessions.offer(admin, ISSUER_LINK, now, admin_sessions.Signed("issuer", "library")), boot
    )


async def populate(app: UseCases) -> None:
    """Ana has two devices online, a guest is online, and another guest's device is blocked; there is an urgent notice,
    and Ana objects to a rule."""
    await app.join_by_card(PHONE)
    await app.portal.name_device(PHONE, PHONE, "Ana's phone")
    for mac in (LAPTOP, TABLET, STRANGER):
        await app.join(mac)
    assert await app.admin.people.block("guest-03", STRANGER, "Come and talk to us.") is None
    assert () == await app.admin.content.save_notice(admin_sessions.ADMIN, STORM)
    assert await app.portal.add_objection(PHONE, "anchors", "I work at night.") is None


async def found_community(app: UseCases, admin: Ed25519PrivateKey | None = None) -> None:
    """The node follows a record with one admin, Rosa; an invite for one node was used by two, one node is suspended and one
    removed."""
    key = admin or key_of("rosa")
    first = first_record("Vall Alta", "Rosa", key, [own_node_id(KEY), *map(id_of, NODES)])

    def said(name: str, state: str) -> SignedStatement:
        membership = Membership(first.community, id_of(name), name, NODE_ROLE, state, 2)
        return make_statement("membership", membership_fields(membership), [key])

    state = state_of(first.community, first.statements)
    statements = [said("hills", "active"), said("library", "suspended"), said("mill", "removed")]
    statements.append(new_invite(state, key, SEED, 1))
    statements += [make_use(SEED, first.community, id_of(name), name) for name in ("coast", "valley")]
    await app.node.community.follow(first.community, (*first.statements, *statements))
    app.node.peers = (
        PeerView(id_of("hills"), "hills", "trusted", ("fe80::2%mesh0",), 2),
        PeerView(id_of("coast"), "coast", "silent", (), 90_000),
    )
    app.node.uses = tuple(a_link_use(name) for name in ("hills", "coast", "valley"))


def a_link_use(name: str) -> LinkUse:
    """Of the hills, whose pages say more than was sent; of the coast, which has a line of its own; of the valley, which says
    much less."""
    giga = 10**9
    day = {
        "hills": LinkDay(2 * giga, giga, said_down=5 * giga, hindered=""),
        "coast": LinkDay(3 * giga, giga, said_down=9 * giga, hindered="line"),
        "valley": LinkDay(9 * giga, giga, said_down=giga, hindered=""),
    }[name]
    return LinkUse(id_of(name), among_quiet_days(day))


def among_quiet_days(day: LinkDay) -> dict[str, LinkDay]:
    """It can be judged: the days around it are over, and whole."""
    quiet = LinkDay(hindered="")
    return {f"2026-11-{number}": day if number == 24 else quiet for number in (23, 24, 25, 26)}


def name_links(app: UseCases) -> None:
    """The nodes of `found_community` say which links they have."""
    own, hills, coast, valley = own_node_id(KEY), *map(id_of, ("hills", "coast", "valley"))
    app.node.node_pages = {
        own: NodeFacts("library", "1.2.0", (), ("main", "up"), 25, (NodeLink(hills, 20, 1),)),
        hills: NodeFacts("<hills> & more", "1.2.0", (), None, 75, _links({own: 20, valley: 50, coast: 200})),
        valley: NodeFacts("الوادي", "1.1.0", (), ("main", "down"), 0, _links({hills: 50}, 20)),
        coast: NodeFacts("coast house by the harbour", "", (), ("sea", "up"), None),
    }
    app.node.asked.answers = {
        own: a_summary(own),
        hills: a_summary(hills, age_s=130, devices=0, used=None),
        valley: HeardSummary(NodeSummary(valley, SummaryValues(attention=1)), 5),
    }


def _links(times_ms: dict[NodeId, int], loss_percent: int = 0) -> tuple[NodeLink, ...]:
    return tuple(NodeLink(node, times_ms[node], loss_percent) for node in sorted(times_ms))


catalogues = cache(read_catalogues)
"""Read once for all servers."""


@asynccontextmanager
async def open_admin_server(
    admin: AdminService, limits: Limits = LIMITS, metrics: MetricsService | None = None
) -> AsyncIterator[AdminServer]:
    """The server of the admin pages, which listens on the loopback."""
    translations = catalogues().translations
    server = AdminServer(
        admin, address="127.0.0.1", port=0, translations=translations, limits=limits, metrics=metrics
    )
    task = asyncio.get_running_loop().create_task(server.run())
    await server.ready.wait()
    try:
        yield server
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def changed_lines(before: str, after: str) -> list[str]:
    """Lines removed and added, for tests that say what an edit left alone."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
