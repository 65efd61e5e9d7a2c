"""Changes one table of a TOML file that people wrote; every other byte stays.

Only the lines of that table are parsed, so that comments stay and a file of ten thousand tables is edited quickly. What
comes out must be read again and compared with what was wanted: a table can be written in ways that have no lines of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from node.toml_reader import TomlDocument

if TYPE_CHECKING:
    from tomlkit.items import Table

Value = str | int | bool | Sequence[str]
Changes = Mapping[str, Value | None]
"""New values by key; None, and an empty text, remove the key."""


@dataclass(frozen=True, slots=True)
class TableLines:
    """The lines [start, end) of one table ``[[name]]`` or ``[name]``, without the blank lines and comments after them."""

    name: str
    lines: list[str]
    start: int
    end: int


def table_lines(text: str, document: TomlDocument, name: str, index: int) -> TableLines | None:
    """Of the table with this number among those of its name; None where it has no line of its own. `document` is what
    reading `text` gave."""
    start = document.lines.get((name, index, ""), 0) - 1
    if start < 0:
        return None
    lines = text.split("\n")
    return TableLines(name, lines, start, _end(document, lines, start))


def with_changes(table: TableLines, changes: Changes, *, same: Callable[[str], str] = str) -> str:
    """The text with new values for some keys. Of a list, entries that stay are left as they are written; `same` gives
    equal texts for two spellings of one entry."""
    # Imported on first use, because the library needs memory that most nodes never use.
    import tomlkit  # noqa: PLC0415

    block = "".join(f"{line}\n" for line in table.lines[table.start : table.end])
    document = tomlkit.parse(block)
    found = _only(document, table.name)
    for key, value in changes.items():
        _write(found, key, value, same)
    return _spliced(table, tomlkit.dumps(document))


def _only(document: Mapping[str, object], name: str) -> "Table":
    """The one table of a text with nothing else."""
    found: object = document
    for part in name.split("."):
        found = cast("Mapping[str, object]", found)[part]
    return cast("Table", found[0] if isinstance(found, list) else found)


def without_table(table: TableLines) -> str:
    """The text without the table; comments above it stay."""
    return _spliced(table, "")


def with_table_after(table: TableLines, values: Changes) -> str:
    """The text with another table of the same name below this one."""
    lines, new = table.lines, new_table(table.name, values).rstrip("\n").split("\n")
    return "\n".join([*lines[: table.end], "", *new, *lines[table.end :]])


def with_plain_table_after(table: TableLines, name: str, values: Changes) -> str:
    """The text with a table ``[name]`` below this one."""
    new = new_table(name, values).replace(f"[[{name}]]", f"[{name}]", 1).rstrip("\n").split("\n")
    return "\n".join([*table.lines[: table.end], "", *new, *table.lines[table.end :]])


def with_table(text: str, name: str, values: Changes) -> str:
    """The text with another table ``[[name]]`` at its end."""
    before = text if not text or text.endswith("\n") else f"{text}\n"
    gap = "\n" if before.strip() else ""
    return f"{before}{gap}{new_table(name, values)}"


def new_table(name: str, values: Changes) -> str:
    """A table ``[[name]]`` with these values."""
    import tomlkit  # noqa: PLC0415 - as above

    table = tomlkit.table()
    for key, value in values.items():
        _write(table, key, value, str)
    return f"[[{name}]]\n{tomlkit.dumps(table)}"


def _end(document: TomlDocument, lines: list[str], start: int) -> int:
    """Index after the table's last line: before the next table and the comments that belong to that one."""
    heads = (line - 1 for (_, _, key), line in document.lines.items() if not key)
    end = min((head for head in heads if head > start), default=len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _spliced(table: TableLines, block: str) -> str:
    kept = block.rstrip("\n").split("\n") if block else []
    after = table.lines[table.end :]
    if not block and after and not after[0].strip():
        after = after[1:]
    return "\n".join([*table.lines[: table.start], *kept, *after])


def _write(table: "Table", key: str, value: Value | None, same: Callable[[str], str]) -> None:
    """Writes only a changed value, so that its comment stays."""
    if value is None or value == "":
        table.pop(key, None)
    elif isinstance(value, str | int):
        if table.get(key) != value or type(value) is not _kind(table.get(key)):
            table[key] = value
    else:
        _write_list(table, key, value, same)


def _kind(value: object) -> type:
    """Of a value of the library, the type it stands for: True is no number here."""
    return next((kind for kind in (bool, int, str) if isinstance(value, kind)), type(value))


def _write_list(table: "Table", key: str, wanted: Iterable[str], same: Callable[[str], str]) -> None:
    wanted, before = list(wanted), table.get(key)
    if not isinstance(before, list):
        if wanted or before is not None:
            table[key] = wanted
        return
    there = [same(str(each)) for each in before]
    for index in reversed(range(len(there))):
        if there[index] not in wanted:
            del before[index]
    before.extend(each for each in wanted if each not in there)
