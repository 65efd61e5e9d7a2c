"""An in-memory backend for the admin server: a few active accounts, two neighbours, rules that must not contain
"nonsense".
"""

import asyncio
import difflib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from node.admin.server import AdminServer
from node.app import signin
from node.app.admin import RuleCheck, RuleFile, RuleVersion, SiteInfo
from node.app.status import FlowsRow, OnlineRow, Overview, PeerRow
from node.errors import CONFLICT, Finding, NodeError
from node.governance.translations import ENGLISH, Translator
from node.units import AccountId, BitsPerSecond, Bytes, Monotonic, NodeId, Rates
from tests.fakes.admin_people import Membership

NOW = Monotonic(1_000)
LINK, ISSUER_LINK = "one-time-link-0123456789", "one-time-link-for-issuers"
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
"""
SENTENCES = (
    "People share 36.8 Mbit/s download and 7.3 Mbit/s upload of the line.",
    "Every household always has at least 256 kbit/s download and 96 kbit/s upload. No rule can take this away.",
    "All guests together always have at least 1 Mbit/s download and 256 kbit/s upload. No rule can take this away.",
    "Nobody’s share is more than 4 times someone else’s.",
    "Guests get at most 3 Mbit/s download and 1 Mbit/s upload. Decided in D-2025-002.",
)
_GUEST = ("guest-top", "3 Mbit/s down, 1 Mbit/s up", SENTENCES[4])
_EQUAL = ("equal-share", "", "Everyone shares the line equally.")


def mbit(down: float, up: float) -> Rates:
    return Rates(BitsPerSecond(int(down * 1e6)), BitsPerSecond(int(up * 1e6)))


def online(
    account: str, tier: str, devices: int, rate: Rates, used: int, why: tuple[str, str, str]
) -> OnlineRow:
    return OnlineRow(AccountId(account), tier, devices, rate, Bytes(used), 100, why[1], why[0], why[2])


def village() -> Overview:
    return Overview(
        community="Vall Alta",
        node="library",
        node_id=NodeId("jti2obo7s42bttgbrrfzndpkjeli5fmjclrhrsy5ffdgk4zf4esq"),
        uplink=mbit(40, 8),
        uplink_rate=mbit(24.1, 2.3),
        waiting=2,
        online=(
            online("ana", "member", 3, mbit(14.2, 1.1), 41_200_000_000, _EQUAL),
            online("school", "member", 12, mbit(6.9, 0.9), 18_750_000_000, _EQUAL),
            online("guest-7k3m9q2w4x1z", "guest", 1, mbit(3, 0.31), 1_400_000_000, _GUEST),
        ),
        peers=(
            PeerRow(NodeId("h" * 51 + "q"), "hills", "trusted", ("fe80::2%mesh0", "10.77.9.1"), 2),
            PeerRow(NodeId("s" * 51 + "a"), "", "stranger", ("fe80::666%mesh0",), 41),
        ),
        sentences=SENTENCES,
        warnings=("Nothing keeps this node's clock right. Let it reach an NTP server.",),
        flows=FlowsRow(2_310, 65_536, 1_024, "Kitchen tablet (02:00:00:00:00:0b) of ana", 214),
    )


def both_links() -> signin.SignIn:
    """One link for an admin, one for an issuer of vouchers."""
    admin = signin.offer(signin.SignIn(), LINK, NOW)
    return signin.offer(admin, ISSUER_LINK, NOW, signin.Signed("issuer", "library"))


@dataclass
class FakeAdminBackend:
    """Implements `node.admin.ports.House`."""

    view: Overview = field(default_factory=village)
    now: Monotonic = NOW
    text: str = RULES
    saved: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=lambda: [RULES.replace("3 Mbit/s", "2 Mbit/s"), RULES])
    trouble: NodeError | None = None
    signed: signin.SignIn = field(default_factory=both_links)
    cookies: int = 0
    membership: Membership = field(default_factory=Membership)

    def __post_init__(self) -> None:
        self.vouchers, self.people = self.membership.vouchers, self.membership.people
        self.members, self.content = self.membership.members, self.membership.content

    def site(self) -> SiteInfo:
        languages = (("en", "English"), ("ca", "Català"))
        return SiteInfo(self.view.community, self.view.node, "login.vall.example", "", ("valley",), languages)

    def overview(self, words: Translator = ENGLISH) -> Overview:
        if self.trouble is not None:
            raise self.trouble
        return self.view

    async def acknowledge_losses(self) -> None:
        lost = self.view.warnings[:1] if self.view.has_lost else ()
        self.view = replace(self.view, warnings=self.view.warnings[len(lost) :], has_lost=False)

    def rule_file(self) -> RuleFile:
        return RuleFile(self.text, fingerprint(self.text))

    def rule_sentences(self, words: Translator = ENGLISH) -> tuple[str, ...]:
        return self.view.sentences

    async def check_rules(self, text: str, words: Translator = ENGLISH) -> RuleCheck:
        findings = tuple(
            Finding("E01", number, f"{line!r} means nothing.", "take it out")
            for number, line in enumerate(text.split("\n"), 1)
            if "nonsense" in line
        )
        lines = difflib.unified_diff(
            self.text.split("\n"), text.split("\n"), "in force", "draft", lineterm=""
        )
        return RuleCheck(findings, tuple(lines), () if findings else (f"The draft has {len(text)} letters.",))

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        if replacing != fingerprint(self.text):
            return (Finding(CONFLICT, 0, "somebody else saved meanwhile.", "look again"),)
        findings = (await self.check_rules(text)).findings
        if not findings:
            self.text = text
            self.saved.append(text)
            self.earlier.append(text)
        return findings

    def rule_versions(self) -> tuple[RuleVersion, ...]:
        return tuple(
            RuleVersion(number, f"2026-11-0{number} 18:30", "an assembly", fingerprint(text))
            for number, text in enumerate(self.earlier, 1)
        )

    def rule_version_text(self, number: int) -> str | None:
        return self.earlier[number - 1] if 1 <= number <= len(self.earlier) else None

    async def new_token(self, signed: signin.Signed) -> str:
        self.cookies += 1
        token = f"token-{self.cookies:020}"
        self.signed = signin.offer(self.signed, token, self.now, signed)
        return token

    def sessions(self, cookie: str) -> tuple[signin.AdminSession, ...]:
        return signin.sessions(self.signed, cookie, self.now)

    async def end_session(self, mark: str) -> None:
        self.signed = signin.end(self.signed, mark)

    async def redeem(self, link_token: str) -> str | None:
        self.cookies += 1
        cookie = f"cookie-{self.cookies:020}"
        after = signin.redeem(self.signed, link_token, cookie, self.now)
        if after is None:
            return None
        self.signed = after
        return cookie

    def who(self, cookie: str) -> signin.Signed | None:
        return signin.who(self.signed, cookie, self.now)

    async def sign_out(self, cookie: str) -> None:
        self.signed = signin.sign_out(self.signed, cookie)


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@asynccontextmanager
async def open_admin_server(backend: FakeAdminBackend) -> AsyncIterator[int]:
    """The port of a server that listens on the loopback."""
    server = AdminServer(backend, address="127.0.0.1", port=0)
    task = asyncio.get_running_loop().create_task(server.run())
    await server.ready.wait()
    assert server.bound is not None
    try:
        yield server.bound[1]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
