"""Application service of the admin pages for members: their file, passphrases and cards."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from node.accounts.auth_result import Rejected
from node.accounts.cards import Card
from node.accounts.events import AccountKind
from node.accounts.member_passphrases import SALT_BYTES
from node.app.admin_people import AdminDeviceRow, AdminPeopleService
from node.app.admin_sessions import CONSOLE, Signed
from node.app.admin_vouchers import require_recalled, require_writable, store
from node.app.event_recorder import event_of, recorded
from node.app.rule_files import Edit, RuleFiles
from node.characters import plain
from node.control.reconciler import Reconciler
from node.errors import CONFLICT, Finding
from node.governance.document import read_document
from node.governance.members import FILE_BYTES_MAX, MemberDirectory, parse_members
from node.governance.rules import MEMBER_TIER
from node.toml_writer import Changes, TableLines, table_lines, with_changes, with_table, without_table
from node.translator import gettext_lazy
from node.units import AccountId, parse_mac

CARD_LASTS_DAYS = 400
"""A year, and a month to replace the card."""
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without letters and digits that look alike."""
PASSPHRASE_LETTERS, PASSPHRASE_GROUP = 15, 5
"""75 bits: cannot be guessed, even from a stolen database."""


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """One account of the members file."""

    account: str
    name: str = ""
    tier: str = ""
    groups: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    paid_until: str = ""
    """ISO date; empty where the file says none."""


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
    late: frozenset[str] = frozenset()
    """Accounts whose dues are late, if a rule is for them."""


@dataclass(frozen=True, slots=True)
class CardView:
    """A membership card to print."""

    member: MemberEntry
    text: str
    last_day: str


class AdminMembersService:
    """The members file, and the passphrases and cards of members."""

    def __init__(
        self,
        reconciler: Reconciler,
        files: RuleFiles,
        people: AdminPeopleService,
        *,
        adopt: Callable[[], Awaitable[None]],
        random: Callable[[int], bytes],
        hashed: Callable[[str, bytes], Awaitable[str]],
        sign_card: Callable[[Card], str],
        strains: Callable[[MemberDirectory], Awaitable[tuple[Finding, ...]]],
    ) -> None:
        """`adopt` puts a changed file in force; `hashed` makes the hash of a passphrase and `strains` the findings of
        the rules for a member directory, both in a thread."""
        self._reconciler, self._registry, self._files, self._people = (
            reconciler,
            reconciler.registry,
            files,
            people,
        )
        self._adopt, self._random, self._hashed, self._sign_card = adopt, random, hashed, sign_card
        self._strains_of = strains
        self._listed: tuple[MemberDirectory, dict[str, MemberEntry]] | None = None

    def find(self, query: str) -> MembersView:
        """Members whose account, name, group or device starts with the query; all without a query."""
        members = self._members().values()
        text = plain(query)
        found = tuple(each for each in members if _matches(each, text)) if text else tuple(members)
        active, files = self._reconciler.active_ruleset, self._files
        named = {tier for rule in active.ruleset.every_rule for tier in rule.who.tiers}
        tiers = {MEMBER_TIER, *named, *(each.tier for each in members)}
        policy = self._reconciler.effective_policy
        late = frozenset(
            each.account for each in found if each.paid_until and policy.is_late(AccountId(each.account))
        )
        return MembersView(
            found,
            files.members_fingerprint,
            tuple(sorted(tiers)),
            files.members_findings,
            active.strained,
            late,
        )

    def member(self, account: str) -> MemberEntry | None:
        return self._members().get(account)

    def bound_devices(self, account: str) -> tuple[AdminDeviceRow, ...]:
        return self._people.devices(AccountId(account))

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
        member_directory = await self._files.members_after(replacing, edit)
        # Checking evaluates the rules for whole weeks, so it runs in a thread.
        return () if member_directory is None else await self._strains_of(member_directory)

    async def save(
        self, member: MemberEntry, instead_of: str, replacing: str, *, by: Signed = CONSOLE
    ) -> tuple[Finding, ...]:
        """Writes the account into the file, replacing `instead_of` (empty for a new one), if there are no
        errors and the file in force has fingerprint `replacing`; otherwise returns findings as
        `RuleAdoption.adopt`."""
        edit = partial(with_member, member=member, instead_of=instead_of)
        kind: AccountKind = "member-changed" if instead_of else "member-added"
        async with recorded(self._reconciler, by, kind, account=member.account) as act:
            findings = await self._edit(replacing, edit)
            act.is_refused = bool(findings)
        if findings == (_CHANGED,) and self._is_saved(member, instead_of):
            return ()  # the same form twice
        return findings

    def _is_saved(self, member: MemberEntry, instead_of: str) -> bool:
        saved = self.member(member.account)
        is_moved = instead_of == member.account or self.member(instead_of) is None
        return is_moved and saved is not None and _compared(saved) == _compared(member)

    async def remove(self, account: str, replacing: str, *, by: Signed = CONSOLE) -> tuple[Finding, ...]:
        async with recorded(self._reconciler, by, "member-removed", account=account) as act:
            findings = await self._edit(replacing, partial(without_member, account=account))
            act.is_refused = bool(findings)
        return findings

    async def new_passphrase(self, account: str, *, by: Signed = CONSOLE) -> str | Finding:
        """Replaces the passphrase; the new one cannot be shown again later."""
        await require_writable(self._reconciler)
        if account not in self._members():
            return _NOBODY
        passphrase = make_passphrase(self._random(PASSPHRASE_LETTERS))
        hashed = await self._hashed(passphrase, self._random(SALT_BYTES))
        changes = self._registry.set_passphrase(AccountId(account), hashed)
        if isinstance(changes, Rejected):
            return _NOBODY
        event = event_of(self._reconciler, by, "passphrase-given", account=account)
        await store(self._reconciler, (*changes, event))
        return passphrase

    async def new_card(self, account: str, *, by: Signed = CONSOLE) -> CardView | Finding:
        require_recalled(self._reconciler)
        member, today = self.member(account), self._reconciler.persistence.instant().today
        if not today:
            return _NO_DAY
        last = (date.fromisoformat(today) + timedelta(days=CARD_LASTS_DAYS)).isoformat()
        card = self._registry.next_card(AccountId(account), today, last)
        if member is None or isinstance(card, Rejected):
            return _NOBODY
        await self._reconciler.remember((event_of(self._reconciler, by, "card-made", account=account),))
        return CardView(member, self._sign_card(card), last)

    async def void_cards(self, account: str, *, by: Signed = CONSOLE) -> Finding | None:
        """Revokes all cards made for the account so far."""
        await require_writable(self._reconciler)
        today = self._reconciler.persistence.instant().today
        if not today:
            return _NO_DAY
        if account not in self._members():
            return _NOBODY
        event = event_of(self._reconciler, by, "cards-voided", account=account)
        await store(self._reconciler, (*self._registry.void_cards(AccountId(account), today), event))
        return None

    async def _edit(self, replacing: str, edit: Edit) -> tuple[Finding, ...]:
        findings = await self._files.edit_members(replacing, edit)
        if findings is None and self._files.members_findings:
            return (_BROKEN,)
        if findings is None:
            return (_CHANGED,)
        await self._adopt()
        return findings

    def _members(self) -> dict[str, MemberEntry]:
        member_directory = self._reconciler.member_directory
        if self._listed is None or self._listed[0] is not member_directory:
            self._listed = member_directory, {each.account: each for each in members_of(member_directory)}
        return self._listed[1]


def make_passphrase(random: bytes) -> str:
    """One letter for each byte, in groups: ``kfmwp-aq3vd-x2bnt``."""
    letters = "".join(LETTERS[byte % len(LETTERS)] for byte in random)
    return "-".join(letters[at : at + PASSPHRASE_GROUP] for at in range(0, len(letters), PASSPHRASE_GROUP))


def _matches(member: MemberEntry, text: str) -> bool:
    return (
        member.account.startswith(text)
        or text in plain(member.name)
        or any(group.startswith(text) for group in member.groups)
        or text.replace("-", ":") in member.devices
    )


_CHANGED = Finding(
    CONFLICT, 0, gettext_lazy("Someone else has changed the members."), gettext_lazy("look at them first")
)
_NOBODY = Finding(
    "member",
    0,
    gettext_lazy("No member has this account."),
    gettext_lazy("choose one from the list of members"),
)
_BROKEN = Finding(
    "member",
    0,
    gettext_lazy("The members’ file was changed by hand and has errors, so nothing was changed."),
    gettext_lazy("fix the file first: the list of members says where"),
)
_NO_DAY = Finding(
    "member",
    0,
    gettext_lazy("This node does not know the date, and cards need one."),
    gettext_lazy("set its clock, or let it reach NTP"),
)


# Edits the text of a members file, one account at a time; the rest stays as it was written.

_BY_HAND = gettext_lazy("change the members’ file by hand; it is in force within two seconds")


def with_member(text: str, member: MemberEntry, instead_of: str) -> str | tuple[Finding, ...]:
    """The file with `member` in place of the account `instead_of`, or at its end (empty). A result has been read back
    and compared; otherwise the findings."""
    if not instead_of:
        edited = with_table(text, "account", _changes(member, {}))
    else:
        found = _find(text, instead_of)
        if not isinstance(found, _Account):
            return found
        edited = with_changes(found.lines, _changes(member, found.values), same=_plain)
    return _proven(text, edited, instead_of, member)


def without_member(text: str, account: str) -> str | tuple[Finding, ...]:
    """The file without the account; comments above it stay."""
    found = _find(text, account)
    if not isinstance(found, _Account):
        return found
    return _proven(text, without_table(found.lines), account, None)


def members_of(member_directory: MemberDirectory) -> tuple[MemberEntry, ...]:
    """All members, by account."""
    return tuple(
        MemberEntry(
            account=unit.account,
            name=member_directory.names.get(unit.account, ""),
            tier=unit.tier,
            groups=tuple(sorted(unit.groups)),
            devices=member_directory.devices_of(unit.account),
            paid_until=paid.isoformat() if (paid := member_directory.paid_until.get(unit.account)) else "",
        )
        for unit in member_directory.units
    )


@dataclass(frozen=True, slots=True)
class _Account:
    """One account as it is written."""

    lines: TableLines
    values: Mapping[str, object]


def _find(text: str, account: str) -> _Account | tuple[Finding, ...]:
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return (document,)
    tables = document.data.get("account", [])
    index = next(
        (i for i, table in enumerate(tables) if isinstance(table, dict) and table.get("id") == account), -1
    )
    if index < 0:
        return (
            Finding(
                "member",
                0,
                gettext_lazy("No account {text} is in the file.", text=f"{account!r:.60}"),
                gettext_lazy("look at the list again"),
            ),
        )
    lines = table_lines(text, document, "account", index)
    return (_unusual(),) if lines is None else _Account(lines, tables[index])


def _changes(member: MemberEntry, before: Mapping[str, object]) -> Changes:
    tier = before.get("tier")
    if member.tier != (tier or MEMBER_TIER):
        tier = member.tier if member.tier != MEMBER_TIER else ""
    return {
        "id": member.account,
        "name": member.name,
        **({"tier": tier} if isinstance(tier, str) else {}),
        "groups": member.groups,
        "devices": member.devices,
        "paid_until": member.paid_until,
    }


def _plain(text: str) -> str:
    """MAC addresses may be spelt in several ways."""
    try:
        return parse_mac(text)
    except ValueError:
        return text


def _proven(before: str, after: str, gone: str, wanted: MemberEntry | None) -> str | tuple[Finding, ...]:
    """`after`, if reading it gives the wanted member and leaves all others unchanged; otherwise findings."""
    member_directory, findings = parse_members(after)
    if member_directory is None:
        return findings
    old, _ = parse_members(before)
    if old is None:
        return (_unusual(),)
    expected = {each.account: _compared(each) for each in members_of(old) if each.account != gone}
    if wanted is not None:
        expected[wanted.account] = _compared(wanted)
    if {each.account: _compared(each) for each in members_of(member_directory)} != expected:
        return (_unusual(),)
    return after


def _compared(member: MemberEntry) -> tuple[object, ...]:
    tier, groups, devices = member.tier or MEMBER_TIER, frozenset(member.groups), frozenset(member.devices)
    return (member.name, tier, groups, devices, member.paid_until)


def _unusual() -> Finding:
    message = gettext_lazy("This account is written in a way that this page cannot change safely.")
    return Finding("member", 0, message, _BY_HAND)
