"""Application service of the admin pages."""

import asyncio
import difflib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from node.accounts.cards import Card
from node.accounts.changes import Change
from node.accounts.passphrases import hash_passphrase
from node.accounts.terms import Terms, TermsText
from node.app import signin
from node.app.admin_content import AdminContentService
from node.app.admin_members import AdminMembersService
from node.app.admin_people import AdminPeopleService
from node.app.admin_vouchers import AdminVouchersService, in_memory_only
from node.app.rule_files import RuleFiles
from node.app.status import Overview, StatusSnapshot
from node.config import NodeConfig
from node.config.settings import TERMS
from node.control.active_ruleset import ActiveRuleset, amend, new_strains
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import CONFLICT, Finding, NodeError, StorageTrouble
from node.governance.sentences import describe
from node.governance.translations import ENGLISH, N_, Translator, gettext_lazy

SIGN_IN = "admin_sign_in"
BY_ADMIN = N_("an admin, on the admin page")
"""How a rule version came into force, as it is stored."""
TOKEN_BYTES = 24
EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never listened on


class Records(Protocol):
    """Tables for the admins. Every method raises StorageTrouble while the data folder cannot be used."""

    async def keep_rules(self, adopted: str, by: str, fingerprint: str, text: str) -> None: ...

    async def rule_versions(self) -> list[tuple[int, str, str, str, str]]: ...

    async def fact(self, name: str) -> str: ...

    async def keep_fact(self, name: str, value: str) -> None: ...

    async def acknowledge_losses(self) -> None: ...


class Named(Protocol):
    """A language of the portal."""

    @property
    def name(self) -> str:
        """The name in the language itself."""


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
class SiteInfo:
    """The node and community that these pages belong to."""

    community: str
    node: str
    portal_host: str
    portal_url: str = ""
    """The portal's https URL while it has a certificate; otherwise empty."""
    zones: tuple[str, ...] = ()
    languages: tuple[tuple[str, str], ...] = (("en", "English"),)
    """Languages of the portal: tag, and the language's own name. The community's language comes first."""

    @property
    def portal(self) -> str:
        """The portal's URL without a trailing slash, as it is printed."""
        return self.portal_url.rstrip("/") or f"http://{self.portal_host}"


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file in force, and its fingerprint, which detects concurrent edits."""

    text: str
    fingerprint: str


def difference(old: str, new: str) -> tuple[str, ...]:
    """Unified diff lines from `old` to `new`; empty when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ()
    if max(len(before), len(after)) > LINES_COMPARED_MAX:
        return (f"@@ too long to compare: {len(before)} lines before, {len(after)} lines after @@",)
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
        records: Records,
        clock: Clock,
        config: NodeConfig,
        *,
        sign_card: Callable[[Card], str],
        portal_url: Callable[[], str],
        languages: Callable[[], Mapping[str, Named]],
    ) -> None:
        self._reconciler, self._status_snapshot, self._files = reconciler, status_snapshot, files
        self._records, self._clock, self._config = records, clock, config
        self._signed = signin.SignIn()
        self._versions: dict[int, _Version] = {}
        self._saving, self._hashing = asyncio.Lock(), asyncio.Lock()
        self._portal_url, self._languages, self._sign_card = portal_url, languages, sign_card
        self.vouchers = AdminVouchersService(
            reconciler.registry,
            keep=reconciler.remember,
            check=self._check_memory,
            mint=lambda count: asyncio.to_thread(reconciler.registry.vouchers.generate, count),
            instant=reconciler.instant,
            random=secrets.token_bytes,
            rule_groups=lambda: (
                g for rule in reconciler.active_ruleset.ruleset.rules for g in rule.who.groups
            ),
            trouble=reconciler.persistence.why_unstored,
        )
        self.people = AdminPeopleService(reconciler, status_snapshot.used_this_month)
        self.members = self._members_service()
        self.content = self._content_service()

    def _members_service(self) -> AdminMembersService:
        reconciler = self._reconciler
        return AdminMembersService(
            reconciler.registry,
            self._files,
            member_directory=lambda: reconciler.member_directory,
            look=partial(self._files.look, reconciler, self.keep_rules, BY_ADMIN),
            active_ruleset=lambda: reconciler.active_ruleset,
            strains=lambda member_directory: asyncio.to_thread(
                new_strains, reconciler.active_ruleset, member_directory
            ),
            devices=self.people.devices,
            keep=self._keep,
            check=self._check_memory,
            unwritable=reconciler.persistence.why_unwritable,
            instant=reconciler.instant,
            random=secrets.token_bytes,
            hashed=self._hashed,
            sign_card=self._sign_card,
        )

    def _content_service(self) -> AdminContentService:
        node = self._config.node
        language = "en" if node.terms == TERMS else self._config.portal.language
        first = Terms(node.terms_version, (TermsText(language, node.terms),))
        return AdminContentService(
            self._reconciler.registry,
            keep=self._keep,
            check=self._check_memory,
            unwritable=self._reconciler.persistence.why_unwritable,
            instant=self._reconciler.instant,
            first_terms=first,
            node=node.name,
            zones=self._zones(),
        )

    def _check_memory(self) -> None:
        if not self._reconciler.persistence.recalled:
            raise StorageTrouble(
                gettext_lazy("the node could not read its stored data yet, so nothing can be changed"),
                gettext_lazy("make the data folder readable; the node tries again by itself"),
            )

    async def _keep(self, changes: Iterable[Change]) -> None:
        kept = tuple(changes)
        await self._reconciler.remember(kept)
        if trouble := self._reconciler.persistence.why_unstored(kept):
            raise in_memory_only(trouble)

    def _zones(self) -> tuple[str, ...]:
        return (self._config.node.zone,) if self._config.node.zone else ()

    async def _hashed(self, passphrase: str, salt: bytes) -> str:
        async with self._hashing:  # each hash takes 16 MB
            return await asyncio.to_thread(hash_passphrase, passphrase, salt)

    async def recall(self) -> None:
        """Restores sign-ins and rule versions; without the data folder there are none."""
        try:
            self._signed = signin.from_text(await self._records.fact(SIGN_IN), self._clock.boot)
            await self._recall_versions()
        except StorageTrouble:
            return  # reported by the control loop, which writes to the same folder every 30 seconds

    async def new_link(self, signed: signin.Signed = signin.ADMIN) -> tuple[str, int]:
        """(URL that signs in once as `signed`, seconds that it is valid)."""
        token = await self.new_token(signed)
        admin = self._config.admin
        # A wildcard address cannot be opened in a browser.
        address = str(self._config.lan.address4.ip) if admin.address in EVERY_ADDRESS else admin.address
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{admin.port}/sign-in?token={token}", signin.LINK_LIFE // 1000

    async def keep_rules(self, book: ActiveRuleset, by: str) -> None:
        """Stores a ruleset that came into force, by whose action, as a rule version."""
        adopted = self._clock.civil().isoformat(timespec="seconds")
        try:
            await self._records.keep_rules(adopted, by, book.fingerprint, book.text)
            await self._recall_versions()
        except StorageTrouble:
            return  # reported by the control loop

    # --- node.admin.ports.AdminService ---

    def overview(self, words: Translator = ENGLISH) -> Overview:
        return self._status_snapshot.overview(words)

    async def acknowledge_losses(self) -> None:
        """An admin has read which data the database lost."""
        await self._records.acknowledge_losses()

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
            tuple((tag, known[tag].name if tag in known else tag) for tag in tags),
        )

    def rule_sentences(self, words: Translator = ENGLISH) -> tuple[str, ...]:
        return describe(self._reconciler.active_ruleset.ruleset, words)

    async def check_rules(self, text: str, words: Translator = ENGLISH) -> RuleCheck:
        # Checking evaluates the rules for whole weeks, so it runs in a thread.
        """Checks a rule file; changes nothing."""
        return await asyncio.to_thread(self._check, text, words)

    def _check(self, text: str, words: Translator) -> RuleCheck:
        ruleset, findings = amend(self._reconciler.active_ruleset, text, self._reconciler.member_directory)
        changed = difference(self._reconciler.active_ruleset.text, text)
        return RuleCheck(findings, changed, () if ruleset is None else describe(ruleset, words))

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        """Saves if there are no errors and the file in force still has fingerprint `replacing`; otherwise
        returns findings, with code CONFLICT when the fingerprint differs."""
        text = text.replace("\r\n", "\n")
        async with self._saving:
            if self._reconciler.active_ruleset.fingerprint != replacing:
                return (_conflict(),)
            check = await self.check_rules(text)
            if any(finding.is_error for finding in check.findings):
                return check.findings
            try:
                await self._files.save(text)
            except OSError as error:
                raise NodeError(
                    gettext_lazy("the rule file cannot be written: {reason}", reason=error.strerror),
                    gettext_lazy("free some space or make its folder writable"),
                ) from error
            await self._files.look(self._reconciler, self.keep_rules, BY_ADMIN)
        return check.findings

    def rule_versions(self) -> tuple[RuleVersion, ...]:
        return tuple(version.about for version in self._versions.values())

    def rule_version_text(self, number: int) -> str | None:
        version = self._versions.get(number)
        return None if version is None else version.text

    async def new_token(self, signed: signin.Signed) -> str:
        """Token of a one-time link that signs in as `signed`."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._signed = signin.offer(self._signed, token, self._clock.monotonic(), signed)
        await self._keep_signed()
        return token

    def sessions(self, cookie: str) -> tuple[signin.AdminSession, ...]:
        """All sessions; the one of `cookie` has `is_own` set."""
        return signin.sessions(self._signed, cookie, self._clock.monotonic())

    async def end_session(self, mark: str) -> None:
        self._signed = signin.end(self._signed, mark)
        await self._keep_signed()

    async def redeem(self, link_token: str) -> str | None:
        """Exchanges a one-time link's token for the cookie of a new session; None when used, expired or
        unknown."""
        cookie = secrets.token_urlsafe(TOKEN_BYTES)
        after = signin.redeem(self._signed, link_token, cookie, self._clock.monotonic())
        if after is None:
            return None
        self._signed = after
        await self._keep_signed()
        return cookie

    def who(self, cookie: str) -> signin.Signed | None:
        """The identity of a session cookie; None without a valid session."""
        return signin.who(self._signed, cookie, self._clock.monotonic())

    async def sign_out(self, cookie: str) -> None:
        self._signed = signin.sign_out(self._signed, cookie)
        await self._keep_signed()

    async def _keep_signed(self) -> None:
        try:
            await self._records.keep_fact(SIGN_IN, signin.to_text(self._signed, self._clock.boot))
        except StorageTrouble:
            return  # the sign-in is valid until the node restarts; the control loop reports the folder

    async def _recall_versions(self) -> None:
        rows = await self._records.rule_versions()
        self._versions = {n: _Version(RuleVersion(n, at, by, mark), text) for n, at, by, mark, text in rows}


def _conflict() -> Finding:
    return Finding(
        CONFLICT,
        0,
        gettext_lazy("Someone else has changed the rules."),
        gettext_lazy("copy your text, look at the new rules, and try again"),
    )


# Line-by-line difference between two rule files, limited to what a page can show.

LINES_COMPARED_MAX = 4_000
"""Lines per file; comparing more would take too long for a page."""


LINES_SHOWN_MAX = 400


CHARACTERS_MAX = 300
"""Per line."""
