"""Application service of the admin pages."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from node.accounts.cards import Card
from node.accounts.member_passphrases import hash_passphrase
from node.app import admin_sessions
from node.app.admin_content import AdminContentService
from node.app.admin_members import AdminMembersService
from node.app.admin_people import AdminPeopleService
from node.app.admin_vouchers import AdminVouchersService
from node.app.rule_files import RuleFiles
from node.app.status import Overview, StatusSnapshot
from node.config import NodeConfig
from node.config.model import SiteInfo
from node.control.active_ruleset import amend, fingerprint, new_strains
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import CONFLICT, Finding, NodeError, StorageTrouble
from node.governance.rules import ActiveRuleset
from node.governance.sentences import describe
from node.governance.translator import ENGLISH, N_, Translator, gettext_lazy

SIGN_IN = "admin_sign_in"
BY_ADMIN = N_("an admin, on the admin page")
"""How a rule version came into force, as it is stored."""
TOKEN_BYTES = 24
EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never listened on
LINES_COMPARED_MAX = 4_000
"""Lines of each of two rule files; comparing more would take too long for a page."""
LINES_SHOWN_MAX = 400
CHARACTERS_MAX = 300
"""Of each line that is shown."""


class Archive(Protocol):
    """Rule versions and node state in the database. Every method raises StorageTrouble while the data folder cannot be
    used."""

    async def save_rules(self, adopted: str, by: str, fingerprint: str, text: str) -> None:
        """Stores a rule file that came into force, unless it equals the newest one."""

    async def rule_versions(self) -> list[tuple[int, str, str, str, str]]:
        """(number, adopted, by, fingerprint, text), newest first."""

    async def state(self, name: str) -> str:
        """A value of the node state; empty if it is not set."""

    async def save_state(self, name: str, value: str) -> None: ...

    async def acknowledge_losses(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One rule file that was in force."""

    number: int
    adopted: str
    by: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Version:
    about: RuleVersion
    text: str


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file in force, and its fingerprint, which detects concurrent edits."""

    text: str
    fingerprint: str


def difference(old: str, new: str) -> tuple[str, ...]:
    """Unified diff lines from `old` to `new`, limited to what a page can show; empty when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ()
    if max(len(before), len(after)) > LINES_COMPARED_MAX:
        return (f"@@ too long to compare: {len(before)} lines before, {len(after)} lines after @@",)
    import difflib  # noqa: PLC0415 - takes 0.25 MB, and only somebody who proposes rules needs it

    lines = difflib.unified_diff(before, after, "in force", "proposed", lineterm="", n=2)
    shown = [line if len(line) <= CHARACTERS_MAX else f"{line[:CHARACTERS_MAX]}…" for line in lines]
    if len(shown) > LINES_SHOWN_MAX:
        rest = len(shown) - LINES_SHOWN_MAX
        return (*shown[:LINES_SHOWN_MAX], f"@@ and {rest} more lines @@")
    return tuple(shown)


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """Check of a proposed rule file."""

    findings: tuple[Finding, ...]
    difference: tuple[str, ...]
    """Unified diff lines against the file in force."""
    sentences: tuple[str, ...]
    """The proposed rules in plain language; empty when there are errors."""


class AdminService:
    """The node, as far as admins may see and change it. Every method can raise NodeError."""

    def __init__(  # noqa: PLR0917
        self,
        reconciler: Reconciler,
        status_snapshot: StatusSnapshot,
        files: RuleFiles,
        archive: Archive,
        clock: Clock,
        config: NodeConfig,
        *,
        sign_card: Callable[[Card], str],
        portal_url: Callable[[], str],
        languages: Callable[[], Mapping[str, str]],
    ) -> None:
        """`sign_card` returns the text of a card; `languages` the portal's languages, each with its own name."""
        self._reconciler, self._status_snapshot, self._files = reconciler, status_snapshot, files
        self._archive, self._clock, self._config = archive, clock, config
        self._signed = admin_sessions.SignIn()
        self._versions: dict[int, _Version] = {}
        self._saving, self._hashing = asyncio.Lock(), asyncio.Lock()
        self._portal_url, self._languages = portal_url, languages
        self.vouchers = AdminVouchersService(
            reconciler,
            generate=lambda count: asyncio.to_thread(reconciler.registry.vouchers.generate, count),
            random=secrets.token_bytes,
        )
        self.people = AdminPeopleService(reconciler)
        self.members = AdminMembersService(
            reconciler,
            files,
            self.people,
            adopt=self._adopt,
            random=secrets.token_bytes,
            hashed=self._hashed,
            sign_card=sign_card,
            strains=lambda directory: asyncio.to_thread(new_strains, reconciler.active_ruleset, directory),
        )
        self.content = AdminContentService(reconciler, config)

    async def _adopt(self) -> None:
        """Puts changed files in force."""
        await self._files.look(self._reconciler, self.record_rules, BY_ADMIN)

    def _zones(self) -> tuple[str, ...]:
        return (self._config.node.zone,) if self._config.node.zone else ()

    async def _hashed(self, passphrase: str, salt: bytes) -> str:
        async with self._hashing:  # each hash takes 16 MB
            return await asyncio.to_thread(hash_passphrase, passphrase, salt)

    async def recall(self) -> None:
        """Restores sign-ins and rule versions; without the data folder there are none."""
        try:
            self._signed = admin_sessions.from_text(await self._archive.state(SIGN_IN), self._clock.boot)
            await self._recall_versions()
        except StorageTrouble:
            return  # reported by the control loop, which writes to the same folder every 30 seconds

    async def new_link(self, signed: admin_sessions.Signed = admin_sessions.ADMIN) -> tuple[str, int]:
        """(URL that signs in once as `signed`, seconds that it is valid)."""
        token = await self.new_token(signed)
        admin = self._config.admin
        # A wildcard address cannot be opened in a browser.
        address = str(self._config.lan.address4.ip) if admin.address in EVERY_ADDRESS else admin.address
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{admin.port}/sign-in?token={token}", admin_sessions.LINK_LIFE // 1000

    async def record_rules(self, active: ActiveRuleset, by: str) -> None:
        """Stores a ruleset that came into force, by whose action, as a rule version."""
        adopted = self._clock.civil().isoformat(timespec="seconds")
        try:
            await self._archive.save_rules(adopted, by, active.fingerprint, active.text)
            await self._recall_versions()
        except StorageTrouble:
            return  # reported by the control loop

    def overview(self, translator: Translator = ENGLISH) -> Overview:
        return self._status_snapshot.overview(translator)

    async def acknowledge_losses(self) -> None:
        """An admin has read which data the database lost."""
        await self._archive.acknowledge_losses()

    def rule_file(self) -> RuleFile:
        return RuleFile(self._reconciler.active_ruleset.text, self._reconciler.active_ruleset.fingerprint)

    def site(self) -> SiteInfo:
        config, known = self._config, self._languages()
        own, shown = config.portal.language, config.portal.languages or tuple(known)
        tags = [tag for tag in dict.fromkeys((own, *shown)) if tag in known or tag == own]
        return SiteInfo(
            config.community.name,
            config.node.name,
            config.portal.host,
            self._portal_url(),
            self._zones(),
            tuple((tag, known.get(tag, tag)) for tag in tags),
        )

    def rule_sentences(self, translator: Translator = ENGLISH) -> tuple[str, ...]:
        return describe(self._reconciler.active_ruleset.ruleset, translator)

    async def check_rules(self, text: str, translator: Translator = ENGLISH) -> RuleCheck:
        """Checks a rule file; changes nothing."""
        # Checking evaluates the rules for whole weeks, so it runs in a thread.
        return await asyncio.to_thread(self._check, text, translator)

    def _check(self, text: str, translator: Translator) -> RuleCheck:
        ruleset, findings = amend(self._reconciler.active_ruleset, text, self._reconciler.member_directory)
        changed = difference(self._reconciler.active_ruleset.text, text)
        return RuleCheck(findings, changed, () if ruleset is None else describe(ruleset, translator))

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        """Saves if there are no errors and the file in force still has fingerprint `replacing`; otherwise
        returns findings, with code CONFLICT when the fingerprint differs."""
        text = text.replace("\r\n", "\n")
        async with self._saving:
            # Equal to the new text when the same form comes twice.
            if self._reconciler.active_ruleset.fingerprint not in {replacing, fingerprint(text)}:
                return (_conflict(),)
            check = await self.check_rules(text)
            if any(finding.is_error for finding in check.findings):
                return check.findings
            try:
                await self._files.save(text)
            except OSError as error:
                raise NodeError(
                    gettext_lazy("the rule file cannot be written: {english}", english=error.strerror),
                    gettext_lazy("free some space or make its folder writable"),
                ) from error
            await self._adopt()
        return check.findings

    def rule_versions(self) -> tuple[RuleVersion, ...]:
        return tuple(version.about for version in self._versions.values())

    def rule_version_text(self, number: int) -> str | None:
        version = self._versions.get(number)
        return None if version is None else version.text

    async def new_token(self, signed: admin_sessions.Signed) -> str:
        """Token of a one-time link that signs in as `signed`."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._signed = admin_sessions.offer(self._signed, token, self._clock.monotonic(), signed)
        await self._save_signed()
        return token

    def sessions(self, cookie: str) -> tuple[admin_sessions.AdminSession, ...]:
        """All sessions; the one of `cookie` has `is_own` set."""
        return admin_sessions.sessions(self._signed, cookie, self._clock.monotonic())

    async def end_session(self, mark: str) -> None:
        self._signed = admin_sessions.end(self._signed, mark)
        await self._save_signed()

    async def redeem(self, link_token: str) -> str | None:
        """Exchanges a one-time link's token for the cookie of a new session; None when used, expired or
        unknown."""
        cookie = secrets.token_urlsafe(TOKEN_BYTES)
        after = admin_sessions.redeem(self._signed, link_token, cookie, self._clock.monotonic())
        if after is None:
            return None
        self._signed = after
        await self._save_signed()
        return cookie

    def who(self, cookie: str) -> admin_sessions.Signed | None:
        """The identity of a session cookie; None without a valid session."""
        return admin_sessions.who(self._signed, cookie, self._clock.monotonic())

    async def sign_out(self, cookie: str) -> None:
        self._signed = admin_sessions.sign_out(self._signed, cookie)
        await self._save_signed()

    async def _save_signed(self) -> None:
        try:
            await self._archive.save_state(SIGN_IN, admin_sessions.to_text(self._signed, self._clock.boot))
        except StorageTrouble:
            return  # the sign-in is valid until the node restarts; the control loop reports the folder

    async def _recall_versions(self) -> None:
        rows = await self._archive.rule_versions()
        self._versions = {n: _Version(RuleVersion(n, at, by, mark), text) for n, at, by, mark, text in rows}


def _conflict() -> Finding:
    return Finding(
        CONFLICT,
        0,
        gettext_lazy("Someone else has changed the rules."),
        gettext_lazy("copy your text, look at the new rules, and try again"),
    )
