"""The member directory: accounts of the community with their tiers, groups and devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.characters import is_name
from node.errors import Finding
from node.governance.allowance import Unit
from node.governance.document import FINDINGS_MAX, TomlTable, read_document, suggestion, tables
from node.governance.rules import GUEST_TIER, MEMBER_TIER
from node.governance.value_syntax import parse_name
from node.toml_reader import TomlDocument
from node.units import GUEST_PREFIX, VOUCHER_PREFIX, AccountId, MacAddress, parse_mac

FILE_BYTES_MAX = 2 * 1024 * 1024
ACCOUNTS_MAX = 10_000
GROUPS_MAX = 20
"""Groups of one account."""
DEVICES_MAX = 50
"""Devices of one account."""

_ID_WANTED = '"ana" or "household-17"'
_DEVICE_WANTED = '["02:11:22:33:44:55"], the hardware addresses of the devices'


@dataclass(frozen=True, slots=True)
class MemberDirectory:
    """The accounts known to the community; all others are guests."""

    units: tuple[Unit, ...] = ()
    names: Mapping[AccountId, str] = field(default_factory=dict)
    """Display names of accounts, where the file has one."""
    devices: Mapping[MacAddress, AccountId] = field(default_factory=dict)
    """The account to which the directory assigns each device."""
    by_account: Mapping[AccountId, Unit] = field(default_factory=dict, repr=False, compare=False)
    by_owner: Mapping[AccountId, tuple[MacAddress, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def unit(self, account: AccountId) -> Unit:
        """The account's tier and groups; an unknown account is a guest."""
        return self.by_account.get(account) or Unit(account, GUEST_TIER)

    def devices_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        """The devices that the directory assigns to the account, in file order."""
        return self.by_owner.get(account, ())


NO_MEMBERS = MemberDirectory()


def make_member_directory(
    units: tuple[Unit, ...],
    names: Mapping[AccountId, str] | None = None,
    devices: Mapping[MacAddress, AccountId] | None = None,
) -> MemberDirectory:
    """A directory of these units, sorted by id."""
    ordered = tuple(sorted(units, key=lambda unit: unit.account))
    by_owner: dict[AccountId, list[MacAddress]] = {}
    for mac, owner in (devices or {}).items():
        by_owner.setdefault(owner, []).append(mac)
    return MemberDirectory(
        ordered,
        names or {},
        devices or {},
        {unit.account: unit for unit in ordered},
        {owner: tuple(macs) for owner, macs in by_owner.items()},
    )


def parse_members(text: str) -> tuple[MemberDirectory | None, tuple[Finding, ...]]:
    """Parse the members' file: the directory, or None and every error. An empty file is an empty directory."""
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return None, (document,)
    findings: list[Finding] = []
    _known_tables(document, findings)
    units: dict[AccountId, Unit] = {}
    names: dict[AccountId, str] = {}
    devices: dict[MacAddress, AccountId] = {}
    lines: dict[str, int] = {}
    for table in tables(document, "account", ACCOUNTS_MAX, findings):
        unit = _unit(table, lines)
        found = _devices(table, lines)
        name = table.name_text("name", 'what people call it, such as name = "Ana and Pere"')
        if unit is not None:
            units[unit.account] = unit
            devices.update((mac, unit.account) for mac in found)
            if name is not None:
                names[unit.account] = name
    if findings:
        return None, tuple(sorted(findings, key=lambda finding: finding.line))[:FINDINGS_MAX]
    return make_member_directory(tuple(units.values()), names, devices), ()


def _known_tables(document: TomlDocument, findings: list[Finding]) -> None:
    for key in document.data:
        if key != "account" and len(findings) <= FINDINGS_MAX:
            line = document.line(key) or document.line("", 0, key)
            near = suggestion(key, ["account"])
            findings.append(Finding("E01", line, f"{key!r:.60} is not a part of a members' file.", near))


def _unit(table: TomlTable, lines: dict[str, int]) -> Unit | None:
    table.known(("id", "tier", "groups", "devices", "name"))
    account = table.required("id", _ID_WANTED, _account)
    tier = table.value("tier", f'"{MEMBER_TIER}"', parse_name)
    groups = table.texts("groups", '["school"]') or []
    if len(groups) > GROUPS_MAX:
        table.refuse(
            "groups", f"{len(groups)} groups; at most {GROUPS_MAX} are read.", "leave out some groups"
        )
    for group in groups:
        if not is_name(group):
            message = f"{group!r:.60} is not the name of a group."
            table.refuse("groups", message, 'write a-z, 0-9 and hyphens, such as "mast-hosts"')
    if account is None:
        return None
    if not _first(table, "id", account, f"account {account}", lines):
        return None
    return Unit(account, tier or MEMBER_TIER, frozenset(groups))


def _account(text: str) -> AccountId:
    if not is_name(text):
        raise ValueError(f"{text!r:.60} is not an account; write a-z, 0-9 and hyphens, such as {_ID_WANTED}")
    if text.startswith((GUEST_PREFIX, VOUCHER_PREFIX)):
        raise ValueError(f"{text!r} looks like a guest of the node; write another id, such as {_ID_WANTED}")
    return AccountId(text)


def _devices(table: TomlTable, lines: dict[str, int]) -> list[MacAddress]:
    texts = table.texts("devices", _DEVICE_WANTED) or []
    if len(texts) > DEVICES_MAX:
        message = f"{len(texts)} devices; at most {DEVICES_MAX} belong to one account."
        table.refuse("devices", message, "remove those that are gone")
    found = []
    for text in texts[:DEVICES_MAX]:
        try:
            mac = parse_mac(text)
        except ValueError as error:
            table.refuse("devices", f"{error}.", f"write {_DEVICE_WANTED}")
            continue
        if int(mac[:2], 16) & 1:
            table.refuse(
                "devices", f"{mac} is the address of a group, not of one device.", "write the device's own"
            )
        elif _first(table, "devices", mac, f"device {mac}", lines):
            found.append(mac)
    return found


def _first(table: TomlTable, key: str, value: str, what: str, lines: dict[str, int]) -> bool:
    """Whether `value` appears for the first time; a repetition is refused."""
    if value in lines:
        message = f"The {what} is there twice, first on line {lines[value]}."
        table.refuse(key, message, "keep it in one place")
        return False
    lines[value] = table.line(key)
    return True
