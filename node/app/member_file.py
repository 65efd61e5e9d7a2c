"""Edits the text of a members file, one account at a time; the rest stays as it was written.

Only the lines of the account are parsed, so that comments stay and a file of ten thousand accounts is edited quickly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from node.errors import Finding
from node.governance.document import read_document
from node.governance.members import FILE_BYTES_MAX, MemberDirectory, parse_members
from node.governance.rules import MEMBER_TIER
from node.toml_reader import TomlDocument
from node.units import parse_mac

if TYPE_CHECKING:
    from tomlkit.items import AoT, Table

_BY_HAND = "change the members' file by hand; it is in force within two seconds"


@dataclass(frozen=True, slots=True)
class _LineRange:
    """The lines [start, end) of one account, without the blank lines and comments after them."""

    lines: list[str]
    start: int
    end: int


# --- members ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """One account of the members file."""

    account: str
    name: str = ""
    tier: str = ""
    groups: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


def with_member(text: str, member: MemberEntry, instead_of: str) -> str | tuple[Finding, ...]:
    """The file with `member` in place of the account `instead_of`, or at its end (empty). A result has been read back
    and compared; otherwise the findings."""
    if not instead_of:
        edited = _appended(text, member)
    else:
        place = _find(text, instead_of)
        if not isinstance(place, _LineRange):
            return place
        block = "".join(f"{line}\n" for line in place.lines[place.start : place.end])
        edited = _spliced(place, _changed(block, member))
    return _proven(text, edited, instead_of, member)


def without_member(text: str, account: str) -> str | tuple[Finding, ...]:
    """The file without the account; comments above it stay."""
    place = _find(text, account)
    if not isinstance(place, _LineRange):
        return place
    return _proven(text, _spliced(place, ""), account, None)


def members_of(member_directory: MemberDirectory) -> tuple[MemberEntry, ...]:
    """All members, by account."""
    return tuple(
        MemberEntry(
            account=unit.account,
            name=member_directory.names.get(unit.account, ""),
            tier=unit.tier,
            groups=tuple(sorted(unit.groups)),
            devices=member_directory.devices_of(unit.account),
        )
        for unit in member_directory.units
    )


def _find(text: str, account: str) -> _LineRange | tuple[Finding, ...]:
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return (document,)
    tables = document.data.get("account", [])
    index = next(
        (i for i, table in enumerate(tables) if isinstance(table, dict) and table.get("id") == account), -1
    )
    if index < 0:
        return (
            Finding("member", 0, f"No account {account!r:.60} is in the file.", "look at the list again"),
        )
    start = document.lines.get(("account", index, ""), 0) - 1
    if start < 0:
        return (_unusual(),)
    lines = text.split("\n")
    return _LineRange(lines, start, _end(document, lines, start))


def _end(document: TomlDocument, lines: list[str], start: int) -> int:
    """Index after the account's last line: before the next table and the comments that belong to that one."""
    heads = (line - 1 for (_, _, key), line in document.lines.items() if not key)
    end = min((head for head in heads if head > start), default=len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _spliced(place: _LineRange, block: str) -> str:
    kept = block.rstrip("\n").split("\n") if block else []
    after = place.lines[place.end :]
    if not block and after and not after[0].strip():
        after = after[1:]
    return "\n".join([*place.lines[: place.start], *kept, *after])


def _appended(text: str, member: MemberEntry) -> str:
    # Imported on first use, because the library needs memory that most nodes never use.
    import tomlkit  # noqa: PLC0415

    table = tomlkit.table()
    _write(table, member)
    before = text if not text or text.endswith("\n") else f"{text}\n"
    gap = "\n" if before.strip() else ""
    return f"{before}{gap}[[account]]\n{tomlkit.dumps(table)}"


def _changed(block: str, member: MemberEntry) -> str:
    import tomlkit  # noqa: PLC0415 - as above

    document = tomlkit.parse(block)
    (table,) = cast("AoT", document["account"])
    _write(table, member)
    return tomlkit.dumps(document)


def _write(table: "Table", member: MemberEntry) -> None:
    """Writes only changed values, so that their comments stay."""
    if table.get("id") != member.account:
        table["id"] = member.account
    _write_text(table, "name", member.name)
    tier = table.get("tier")
    if member.tier != (tier or MEMBER_TIER):
        _write_text(table, "tier", member.tier if member.tier != MEMBER_TIER else "")
    _write_list(table, "groups", member.groups)
    _write_list(table, "devices", member.devices)


def _write_text(table: "Table", key: str, text: str) -> None:
    if not text:
        table.pop(key, None)
    elif table.get(key) != text:
        table[key] = text


def _write_list(table: "Table", key: str, wanted: Iterable[str]) -> None:
    wanted, before = list(wanted), table.get(key)
    if not isinstance(before, list):
        if wanted or before is not None:
            table[key] = wanted
        return
    there = [_plain(str(each)) for each in before]
    for index in reversed(range(len(there))):
        if there[index] not in wanted:
            del before[index]
    before.extend(each for each in wanted if each not in there)


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
    return (member.name, member.tier or MEMBER_TIER, frozenset(member.groups), frozenset(member.devices))


def _unusual() -> Finding:
    return Finding(
        "member", 0, "This account is written in a way that this page cannot change safely.", _BY_HAND
    )
