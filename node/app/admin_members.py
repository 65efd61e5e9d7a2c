"""Application service of the admin pages for members: their file, passphrases and cards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Protocol

from node.accounts.auth_result import Now, Rejected
from node.accounts.cards import Card
from node.accounts.member_lookup import plain
from node.accounts.passphrases import SALT_BYTES
from node.accounts.registry import AccountRegistry
from node.app.admin_people import AdminDeviceRow
from node.app.admin_vouchers import Check, Keep, Unwritable, unwritable
from node.app.member_file import MemberEntry, members_of, with_member, without_member
from node.app.rule_files import Edit
from node.control.active_ruleset import ActiveRuleset
from node.errors import CONFLICT, Finding, StorageTrouble
from node.governance.members import MemberDirectory
from node.governance.rules import MEMBER_TIER
from node.units import AccountId

CARD_LASTS_DAYS = 400
"""A year, and a month to replace the card."""
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without letters and digits that look alike."""
PASSPHRASE_LETTERS, PASSPHRASE_GROUP = 15, 5
"""75 bits: cannot be guessed, even from a stolen database."""


class MemberFile(Protocol):
    """The node's members file."""

    @property
    def members_fingerprint(self) -> str: ...

    @property
    def members_findings(self) -> tuple[Finding, ...]: ...

    async def edit_members(self, replacing: str, edit: Edit) -> tuple[Finding, ...] | None: ...

    async def members_after(self, replacing: str, edit: Edit) -> MemberDirectory | None: ...


@dataclass(frozen=True, slots=True)
class MembersView:
    """The members file in force."""

    members: tuple[MemberEntry, ...]
    fingerprint: str
    tiers: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """Why the file on disk is not in force."""
    strained: tuple[Finding, ...] = ()
    """Rules that do not fit these members; the rules are in force all the same."""


@dataclass(frozen=True, slots=True)
class CardView:
    """A membership card to print."""

    member: MemberEntry
    text: str
    last_day: str


class AdminMembersService:
    """"""

    def __init__(
        self,
        registry: AccountRegistry,
        file: MemberFile,
        *,
        member_directory: Callable[[], MemberDirectory],
        look: Callable[[], Awaitable[None]],
        active_ruleset: Callable[[], ActiveRuleset],
        devices: Callable[[AccountId], tuple[AdminDeviceRow, ...]],
        keep: Keep,
        check: Check,
        unwritable: Unwritable,
        instant: Callable[[], Now],
        random: Callable[[int], bytes],
        hashed: Callable[[str, bytes], Awaitable[str]],
        sign_card: Callable[[Card], str],
        strains: Callable[[MemberDirectory], Awaitable[tuple[Finding, ...]]],
    ) -> None:
        """`look` puts a changed file in force; `hashed` makes the hash of a passphrase and `strains` the findings of
        the rules for a member directory, both in a thread."""
        self._registry, self._file, self._member_directory, self._look = (
            registry,
            file,
            member_directory,
            look,
        )
        self._active_ruleset, self._devices, self._keep = active_ruleset, devices, keep
        self._check, self._unwritable = check, unwritable
        self._instant, self._random, self._hashed, self._sign_card = instant, random, hashed, sign_card
        self._strains_of = strains
        self._listed: tuple[MemberDirectory, dict[str, MemberEntry]] | None = None

    def find(self, query: str) -> MembersView:
        """Members whose account, name, group or device starts with the query; all without a query."""
        members = self._members().values()
        words = plain(query)
        found = tuple(each for each in members if _matches(each, words)) if words else tuple(members)
        book, file = self._active_ruleset(), self._file
        named = {tier for rule in book.ruleset.rules for tier in rule.who.tiers}
        tiers = {MEMBER_TIER, *named, *(each.tier for each in members)}
        return MembersView(
            found, file.members_fingerprint, tuple(sorted(tiers)), file.members_findings, book.strained
        )

    def member(self, account: str) -> MemberEntry | None:
        return self._members().get(account)

    def bound_devices(self, account: str) -> tuple[AdminDeviceRow, ...]:
        return self._devices(AccountId(account))

    def has_passphrase(self, account: str) -> bool:
        return self._registry.has_passphrase(AccountId(account))

    async def strains(
        self, member: MemberEntry | None, instead_of: str, replacing: str
    ) -> tuple[Finding, ...]:
        """Rules that would no longer fit after this change (None removes `instead_of`), beyond those that do
        not fit now. The change can be saved all the same."""
        edit: Edit = partial(without_member, account=instead_of)
        if member is not None:
            edit = partial(with_member, member=member, instead_of=instead_of)
        member_directory = await self._file.members_after(replacing, edit)
        # Checking evaluates the rules for whole weeks, so it runs in a thread.
        return () if member_directory is None else await self._strains_of(member_directory)

    async def save(self, member: MemberEntry, instead_of: str, replacing: str) -> tuple[Finding, ...]:
        """Writes the account into the file, replacing `instead_of` (empty for a new one), if there are no
        errors and the file in force has fingerprint `replacing`; otherwise returns findings as
        `AdminService.save_rules`."""
        return await self._edit(replacing, partial(with_member, member=member, instead_of=instead_of))

    async def remove(self, account: str, replacing: str) -> tuple[Finding, ...]:
        return await self._edit(replacing, partial(without_member, account=account))

    async def new_passphrase(self, account: str) -> str | Finding:
        """Replaces the passphrase; the new one cannot be shown again later."""
        await self._ready()
        if account not in self._members():
            return _NOBODY
        passphrase = make_passphrase(self._random(PASSPHRASE_LETTERS))
        hashed = await self._hashed(passphrase, self._random(SALT_BYTES))
        changes = self._registry.set_passphrase(AccountId(account), hashed)
        if isinstance(changes, Rejected):
            return _NOBODY
        await self._keep(changes)
        return passphrase

    async def new_card(self, account: str) -> CardView | Finding:
        self._check()
        member, today = self.member(account), self._instant().today
        if not today:
            return _NO_DAY
        last = (date.fromisoformat(today) + timedelta(days=CARD_LASTS_DAYS)).isoformat()
        card = self._registry.next_card(AccountId(account), today, last)
        if member is None or isinstance(card, Rejected):
            return _NOBODY
        return CardView(member, self._sign_card(card), last)

    async def void_cards(self, account: str) -> Finding | None:
        """Revokes all cards made for the account so far."""
        await self._ready()
        today = self._instant().today
        if not today:
            return _NO_DAY
        if account not in self._members():
            return _NOBODY
        await self._keep(self._registry.void_cards(AccountId(account), today))
        return None

    async def _ready(self) -> None:
        self._check()
        if trouble := await self._unwritable():
            refused = unwritable(trouble)
            raise StorageTrouble(refused.message, refused.mend)

    async def _edit(self, replacing: str, edit: Edit) -> tuple[Finding, ...]:
        findings = await self._file.edit_members(replacing, edit)
        if findings is None and self._file.members_findings:
            return (_BROKEN,)
        if findings is None:
            return (Finding(CONFLICT, 0, "Someone else has changed the members.", "look at them first"),)
        await self._look()
        return findings

    def _members(self) -> dict[str, MemberEntry]:
        member_directory = self._member_directory()
        if self._listed is None or self._listed[0] is not member_directory:
            self._listed = member_directory, {each.account: each for each in members_of(member_directory)}
        return self._listed[1]


def make_passphrase(random: bytes) -> str:
    """One letter for each byte, in groups: ``kfmwp-aq3vd-x2bnt``."""
    letters = "".join(LETTERS[byte % len(LETTERS)] for byte in random)
    return "-".join(letters[at : at + PASSPHRASE_GROUP] for at in range(0, len(letters), PASSPHRASE_GROUP))


def _matches(member: MemberEntry, words: str) -> bool:
    return (
        member.account.startswith(words)
        or words in plain(member.name)
        or any(group.startswith(words) for group in member.groups)
        or words.replace("-", ":") in member.devices
    )


_NOBODY = Finding("member", 0, "No member has this account.", "choose one from the list of members")
_BROKEN = Finding(
    "member",
    0,
    "The members' file was changed by hand and has errors, so nothing was changed.",
    "fix the file first: the list of members says where",
)
_NO_DAY = Finding(
    "member",
    0,
    "This node does not know the date, and cards need one.",
    "set its clock, or let it reach NTP",
)
