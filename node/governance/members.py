"""The member directory: accounts of the community with their tiers, groups and devices."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from node.characters import is_name
from node.errors import Finding, InvalidValue
from node.governance.allowance import Unit
from node.governance.document import FINDINGS_MAX, TomlTable, read_document, suggestion, tables, write
from node.governance.rules import GUEST_TIER, LATE_DUES, MEMBER_TIER
from node.governance.times import DAY_WANTED, parse_day
from node.governance.value_syntax import parse_name
from node.toml_reader import TomlDocument
from node.translator import N_, LazyText, as_sentence, gettext_lazy, literal
from node.units import GUEST_PREFIX, VOUCHER_PREFIX, AccountId, MacAddress, parse_mac

FILE_BYTES_MAX = 2 * 1024 * 1024
ACCOUNTS_MAX = 10_000
GROUPS_MAX = 20
"""Groups of one account."""
DEVICES_MAX = 50
"""Devices of one account."""

_ID_WANTED = gettext_lazy("{some} or {last}", some='"ana"', last='"household-17"')
_DEVICE_WANTED = gettext_lazy(
    "{example}, the hardware addresses of the devices", example='["02:11:22:33:44:55"]'
)
_NAME_WANTED = gettext_lazy("what people call it, such as {example}", example='name = "Ana and Pere"')


@dataclass(frozen=True, slots=True)
class MemberDirectory:
    """The accounts known to the community; all others are guests."""

    units: tuple[Unit, ...] = ()
    names: Mapping[AccountId, str] = field(default_factory=dict)
    """Display names of accounts, where the file has one."""
    devices: Mapping[MacAddress, AccountId] = field(default_factory=dict)
    """The account to which the directory assigns each device."""
    paid_until: Mapping[AccountId, date] = field(default_factory=dict)
    """The last day for which dues are paid, where the file says it."""
    by_account: Mapping[AccountId, Unit] = field(default_factory=dict, repr=False, compare=False)
    by_owner: Mapping[AccountId, tuple[MacAddress, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def unit(self, account: AccountId) -> Unit:
        """The account's tier and groups; an unknown account is a guest."""
        return self.by_account.get(account) or Unit(account, GUEST_TIER)

    def unit_on(self, account: AccountId, day: date | None, grace_days: int) -> Unit:
        """As `unit`, in the group `LATE_DUES` if its dues are late on that day; guests are never late. `day`: None while it
        is not known; then nobody is late."""
        unit, paid = self.unit(account), self.paid_until.get(account)
        if day is None or paid is None or unit.tier == GUEST_TIER or day <= paid + timedelta(days=grace_days):
            return unit
        return replace(unit, groups=unit.groups | {LATE_DUES})

    def devices_of(self, account: AccountId) -> tuple[MacAddress, ...]:
        """The devices that the directory assigns to the account, in file order."""
        return self.by_owner.get(account, ())


NO_MEMBERS = MemberDirectory()


def make_member_directory(
    units: tuple[Unit, ...],
    names: Mapping[AccountId, str] | None = None,
    devices: Mapping[MacAddress, AccountId] | None = None,
    paid_until: Mapping[AccountId, date] | None = None,
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
        paid_until or {},
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
    paid_until: dict[AccountId, date] = {}
    lines: dict[str, int] = {}
    for table in tables(document, "account", ACCOUNTS_MAX, findings):
        unit = _unit(table, lines)
        found = _devices(table, lines)
        paid = table.value("paid_until", DAY_WANTED, parse_day)
        name = table.name_text("name", _NAME_WANTED)
        if unit is not None:
            units[unit.account] = unit
            devices.update((mac, unit.account) for mac in found)
            if name is not None:
                names[unit.account] = name
            if paid is not None:
                paid_until[unit.account] = paid
    if findings:
        return None, tuple(sorted(findings, key=lambda finding: finding.line))[:FINDINGS_MAX]
    return make_member_directory(tuple(units.values()), names, devices, paid_until), ()


def _known_tables(document: TomlDocument, findings: list[Finding]) -> None:
    for key in document.data:
        if key != "account" and len(findings) <= FINDINGS_MAX:
            line = document.line(key) or document.line("", 0, key)
            near = suggestion(key, ["account"])
            message = gettext_lazy("{key} is not a part of a members' file.", key=f"{key!r:.60}")
            findings.append(Finding("E01", line, message, near))


def _unit(table: TomlTable, lines: dict[str, int]) -> Unit | None:
    table.known(("id", "tier", "groups", "devices", "name", "paid_until"))
    account = table.required("id", _ID_WANTED, _account)
    tier = table.value("tier", literal(f'"{MEMBER_TIER}"'), parse_name)
    groups = table.texts("groups", literal('["school"]')) or []
    if len(groups) > GROUPS_MAX:
        message = gettext_lazy(
            "{number} groups; at most {most} are read.", number=len(groups), most=GROUPS_MAX
        )
        table.refuse("groups", message, gettext_lazy("leave out some groups"))
    for group in groups:
        if not is_name(group):
            message = gettext_lazy("{text} is not the name of a group.", text=f"{group!r:.60}")
            table.refuse("groups", message, write(_letters_such_as('"mast-hosts"')))
    if account is None:
        return None
    if not _first(table, "id", account, lines):
        return None
    return Unit(account, tier or MEMBER_TIER, frozenset(groups))


def _account(text: str) -> AccountId:
    if not is_name(text):
        wrong = gettext_lazy("{text} is not an account", text=f"{text!r:.60}")
        raise InvalidValue(wrong, wanted=_letters_such_as(_ID_WANTED))
    if text.startswith((GUEST_PREFIX, VOUCHER_PREFIX)):
        raise InvalidValue(
            gettext_lazy("{text} looks like a guest of the node", text=repr(text)),
            gettext_lazy("write another id, such as {example}", example=_ID_WANTED),
        )
    return AccountId(text)


def _letters_such_as(example: str) -> LazyText:
    return gettext_lazy("a-z, 0-9 and hyphens, such as {example}", example=example)


def _devices(table: TomlTable, lines: dict[str, int]) -> list[MacAddress]:
    texts = table.texts("devices", _DEVICE_WANTED) or []
    if len(texts) > DEVICES_MAX:
        message = gettext_lazy(
            "{number} devices; at most {most} belong to one account.", number=len(texts), most=DEVICES_MAX
        )
        table.refuse("devices", message, gettext_lazy("remove those that are gone"))
    found = []
    for text in texts[:DEVICES_MAX]:
        try:
            mac = parse_mac(text)
        except InvalidValue as error:
            table.refuse("devices", as_sentence(error.message), write(_DEVICE_WANTED))
            continue
        if int(mac[:2], 16) & 1:
            message = gettext_lazy("{address} is the address of a group, not of one device.", address=mac)
            table.refuse("devices", message, gettext_lazy("write the device's own"))
        elif _first(table, "devices", mac, lines):
            found.append(mac)
    return found


def _first(table: TomlTable, key: str, value: str, lines: dict[str, int]) -> bool:
    """Whether `value` appears for the first time; a repetition is refused."""
    if value in lines:
        text = N_("The account {name} is there twice, first on line {line}.")
        if key == "devices":
            text = N_("The device {name} is there twice, first on line {line}.")
        message = gettext_lazy(text, name=value, line=lines[value])
        table.refuse(key, message, gettext_lazy("keep it in one place"))
        return False
    lines[value] = table.line(key)
    return True
