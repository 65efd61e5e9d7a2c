"""People, members and texts for the admin server, in memory: the real services on their own account registry."""

import asyncio
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from node.accounts.cards import make_card
from node.accounts.changes import Change
from node.accounts.codes import read_code
from node.accounts.notices import Notice, NoticeText
from node.accounts.passphrases import hash_passphrase
from node.accounts.terms import Terms, TermsText
from node.app.admin_content import AdminContentService
from node.app.admin_members import AdminMembersService
from node.app.admin_people import AdminDeviceRow, PersonDetails, PersonRow
from node.app.admin_vouchers import AdminVouchersService
from node.app.rule_files import Edit
from node.control.active_ruleset import ActiveRuleset, fingerprint, load_active_ruleset, new_strains, strained
from node.errors import Finding, StorageTrouble
from node.governance.members import MemberDirectory, parse_members
from node.governance.translations import ENGLISH, Translator
from node.units import AccountId, BitsPerSecond, Bytes, MacAddress, Rates, parse_mac
from tests.fakes.registry_fixture import NODE_KEY, RegistryFixture, at

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
HOUR_S = 3_600
RULES = """\
[ruleset]
community = "Vall Alta"
version = 1
decision = "D-1"
[[rule]]
id = "anchors"
share = 200
who = "tier:anchor"
by = "D-1"
"""
TIGHT = f"""\
{RULES}
[uplink.main]
down = "3 Mbit/s"
up = "600 kbit/s"
"""
"""An uplink with room for the lifelines of two households and the guests, but not of three."""


def book_of(text: str, member_directory: MemberDirectory) -> ActiveRuleset:
    book = load_active_ruleset(text, member_directory)
    assert isinstance(book, ActiveRuleset), book
    return book


@dataclass
class FakeMembersFile:
    """The members file, whose writes never fail."""

    town: RegistryFixture
    text: str = MEMBERS
    members_findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        self.read()

    @property
    def members_fingerprint(self) -> str:
        return fingerprint(self.text)

    def read(self) -> None:
        member_directory, findings = parse_members(self.text)
        assert member_directory is not None, findings
        self.town.member_directory = member_directory

    async def look(self) -> None:
        self.read()

    async def members_after(self, replacing: str, edit: Edit) -> MemberDirectory | None:
        edited = edit(self.text) if replacing == self.members_fingerprint else ()
        return parse_members(edited)[0] if isinstance(edited, str) else None

    async def edit_members(self, replacing: str, edit: Edit) -> tuple[Finding, ...] | None:
        if replacing != self.members_fingerprint:
            return None
        edited = edit(self.text)
        if not isinstance(edited, str):
            return edited
        self.text = edited
        return ()


def device(
    mac: str, account: str, name: str, state: str = "online", way: str | None = "voucher"
) -> AdminDeviceRow:
    return AdminDeviceRow(MacAddress(mac), AccountId(account), name, state, way, "2027-02-28")  # type: ignore[arg-type]


@dataclass
class FakePeople:
    """A few people who are online, and one device that was blocked."""

    town: RegistryFixture
    rows: dict[str, PersonRow] = field(default_factory=dict)
    devices: dict[str, AdminDeviceRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        def person(
            account: str, name: str, tier: str, devices: int, down: float, since_s: int, way: str
        ) -> None:
            rate = Rates(BitsPerSecond(int(down * 1e6)), BitsPerSecond(310_000))
            ways = (way,)
            self.rows[account] = PersonRow(
                AccountId(account),
                name,
                tier,
                devices,
                rate,
                Bytes(1_400_000_000),
                since_s,
                ways,  # type: ignore[arg-type]
            )

        person("ana", "Ana Mas", "member", 2, 14.2, 5 * HOUR_S, "passphrase")
        person("guest-7k3m9q2w4x1z", "", "guest", 1, 3.0, 240, "terms")
        for row in (
            device("02:00:00:00:00:aa", "ana", "laptop", way="terms"),
            device("02:00:00:00:00:01", "ana", "Ana's phone", way="passphrase"),
            device("02:00:00:00:00:02", "guest-7k3m9q2w4x1z", "", way="terms"),
            replace(
                device("02:00:00:00:00:03", "guest-7k3m9q2w4x1z", "", "blocked"),
                because="Come and talk to us.",
            ),
        ):
            self.devices[row.mac] = row

    def find(self, query: str) -> Sequence[AccountId]:
        code = read_code(query)
        voucher = self.town.registry.vouchers.find(code) if hasattr(code, "kind") else None
        if voucher is not None:
            return (voucher.account,)
        try:
            owner = self.devices.get(parse_mac(query))
            return () if owner is None else (owner.account,)
        except ValueError:
            words = query.lower()
        return tuple(
            row.account
            for row in self.rows.values()
            if row.account.startswith(words) or words in row.name.lower()
        )

    def row(self, account: AccountId) -> PersonRow:
        none = Rates(BitsPerSecond(0), BitsPerSecond(0))
        return self.rows.get(account) or PersonRow(account, "", "guest", 0, none, Bytes(0), None, ())

    def person(self, account: str, words: Translator = ENGLISH) -> PersonDetails | None:
        devices = self.of(AccountId(account))
        if account not in self.rows:
            return None
        return PersonDetails(
            row=self.row(AccountId(account)),
            groups=("mast-hosts",) if account == "ana" else (),
            rule="equal-share",
            sentence="Everyone shares the line equally.",
            devices=devices,
            voucher=None,
            objections=self.town.registry.objections.of(AccountId(account)),
            is_member=account == "ana",
        )

    def of(self, account: AccountId) -> tuple[AdminDeviceRow, ...]:
        return tuple(row for row in self.devices.values() if row.account == account)

    def blocked(self) -> Sequence[AdminDeviceRow]:
        return [row for row in self.devices.values() if row.state == "blocked"]

    async def block(self, account: str, mac: MacAddress | None, because: str) -> Finding | None:
        wanted = [
            row for row in self.of(AccountId(account)) if mac in {None, row.mac} and row.state != "blocked"
        ]
        if not wanted:
            return Finding("kick", 0, "No such device of this account has been on lately.", "choose another")
        for row in wanted:
            self.devices[row.mac] = replace(row, state="blocked", because=because)
        return None

    async def unblock(self, mac: MacAddress) -> Finding | None:
        row = self.devices.get(mac)
        if row is None or row.state != "blocked":
            return Finding("pardon", 0, "This device is not blocked.", "look at the list again")
        self.devices[mac] = replace(row, state="off", because="")
        return None


class Membership:
    """The backend for vouchers, members, terms, notices and objections."""

    def __init__(self) -> None:
        self.town, self._chance = RegistryFixture(), Random(5)
        self.now, self.trouble, self.asleep = 1_000, "", False
        self.file = FakeMembersFile(self.town)
        self.adopt(RULES)
        self.people = FakePeople(self.town)
        registry = self.town.registry

        async def keep(changes: Sequence[Change]) -> None:
            self.town.keep(tuple(changes))

        async def hashed(passphrase: str, salt: bytes) -> str:
            return hash_passphrase(passphrase, salt)

        async def unwritable() -> str:
            return self.trouble

        async def strains(member_directory: MemberDirectory) -> tuple[Finding, ...]:
            return new_strains(self.book, member_directory)

        def instant():
            return at(self.now)

        async def mint(count):
            await asyncio.sleep(0)  # other requests may be handled meanwhile
            return registry.vouchers.generate(count)

        self.vouchers = AdminVouchersService(
            registry,
            keep=keep,
            check=self.check,
            mint=mint,
            instant=instant,
            random=self.random,
            rule_groups=lambda: ("day-pass", "week"),
            trouble=lambda _changes: self.trouble,
        )
        self.members = AdminMembersService(
            registry,
            self.file,
            member_directory=lambda: self.town.member_directory,
            look=self.file.look,
            active_ruleset=lambda: self.book,
            strains=strains,
            devices=self.people.of,
            keep=keep,
            check=self.check,
            unwritable=unwritable,
            instant=instant,
            random=self.random,
            hashed=hashed,
            sign_card=lambda card: make_card(NODE_KEY, "Vall", card),
        )
        self.content = AdminContentService(
            registry,
            keep=keep,
            check=self.check,
            unwritable=unwritable,
            instant=instant,
            first_terms=Terms("1", (TermsText("en", "Be kind to each other."),)),
            node="library",
            zones=("valley",),
        )
        registry.notices.put_up(
            Notice(
                0,
                "network",
                "everyone",
                "",
                "",
                True,
                (NoticeText("en", "Storm tonight", "Save power."),),
                "admin",
            )
        )
        registry.objections.add(AccountId("ana"), "night-cap", "I work at night.", "2027-02-27")

    def adopt(self, text: str) -> None:
        """These rules are in force from now on."""
        self.adopted = book_of(text, self.town.member_directory)

    @property
    def book(self) -> ActiveRuleset:
        return strained(self.adopted, self.town.member_directory)

    def check(self) -> None:
        if self.asleep:
            raise StorageTrouble("the database cannot be read", "mend the disk")

    def random(self, count: int) -> bytes:
        return self._chance.randbytes(count)


def changed_lines(before: str, after: str) -> list[str]:
    """Lines removed and added, for tests that say what an edit left alone."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
