"""All tables of the database as CSV or JSON files, for other programs.

What proves an identity is left out: hashes of passphrases and codes, and sign-ins of admins. CSV follows RFC 4180, with
the names of columns in the first line; texts that a spreadsheet would take for a formula begin with an apostrophe.
"""

import base64
import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Literal, TextIO, get_args

from node.characters import spreadsheet_text
from node.errors import NodeError
from node.storage.booking_file import all_usage
from node.storage.copies import open_to_read
from node.storage.integrity import UNREADABLE
from node.storage.interval_tables import interval_rows
from node.storage.migrations import INVENTORY
from node.storage.tables import table_names
from node.storage.usage_tables import WAITING

ExportFormat = Literal["csv", "json"]
FORMATS: dict[str, ExportFormat] = {each: each for each in get_args(ExportFormat)}
CONTENTS = "contents.json"
"""Describes the files: what each table is for, how long its rows are kept, and what is left out."""
LEFT_OUT: Mapping[str, frozenset[str]] = {
    "vouchers": frozenset({"fingerprint"}),
    "passphrases": frozenset({"hash"}),
    "appearance": frozenset({"wifi_passphrase"}),
}
"""Columns that are not exported, by table."""
ROWS_LEFT_OUT: Mapping[str, frozenset[str]] = {
    "facts": frozenset({"admin_accounts", "admin_sign_in", "metrics_token", WAITING})
}
"""Rows that are not exported, by table and by the value of its first column."""
_ROWS: Mapping[str, Callable[[Connection], Iterable[Sequence[Any]]]] = {
    "cells": all_usage,
    "intervals": interval_rows,
}
"""Tables whose rows are stored in another form."""
_COLUMNS = {"intervals": ["begun", "account", "down", "up", "is_busy"]}
_INTERNAL = "sqlite_"


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One file that was written."""

    table: str
    file: str
    rows: int
    left_out: tuple[str, ...]
    """Columns, and names of rows."""
    purpose: str
    """Empty for a table without personal data."""
    kept: str


def export_tables(
    database: Path, folder: Path, file_format: ExportFormat, only: str = ""
) -> tuple[ExportedTable, ...]:
    """Writes one file for each table into a new folder, all of one moment; the node can run. Raises NodeError; then the
    folder is incomplete."""
    try:
        with closing(_opened(database)) as db:
            db.execute("BEGIN")
            names = sorted(name for name in table_names(db) if not name.startswith(_INTERNAL))
            if only and only not in names:
                raise NodeError(f"there is no table {only!r:.40}", f"choose one of {', '.join(names)}")
            folder.mkdir(mode=0o700)
            written = tuple(_export(db, name, folder, file_format) for name in names if only in {"", name})
        with _new(folder / CONTENTS) as out:
            json.dump([_described(each) for each in written], out, ensure_ascii=False, indent=1)
            out.write("\n")
    except FileExistsError as error:
        raise NodeError(f"{folder} is there already", "name a new folder") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NodeError(
            f"{error.filename or folder} cannot be written: {reason}", "name another folder"
        ) from error
    except UNREADABLE as error:
        raise NodeError(
            f"the database {database} cannot be read: {error}",
            "run it as root; if the database is damaged, start the node, which repairs it",
        ) from error
    return written


def _opened(database: Path) -> Connection:
    if not database.exists():
        raise NodeError(f"there is no database {database} yet", "start the node once")
    return open_to_read(database)


def _new(path: Path) -> TextIO:
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
    )


def _export(db: Connection, name: str, folder: Path, file_format: ExportFormat) -> ExportedTable:
    hidden, rows_hidden = LEFT_OUT.get(name, frozenset()), ROWS_LEFT_OUT.get(name, frozenset())
    found = db.execute(f"SELECT * FROM {name}")  # noqa: S608 - a name of this schema
    columns = _COLUMNS.get(name) or [column[0] for column in found.description]
    shown = [at for at, column in enumerate(columns) if column not in hidden]
    everything = _ROWS[name](db) if name in _ROWS else found
    rows = ([row[at] for at in shown] for row in everything if row[0] not in rows_hidden)
    headings = [columns[at] for at in shown]
    with _new(folder / f"{name}.{file_format}") as out:
        count = (_write_csv if file_format == "csv" else _write_json)(out, headings, rows)
    purpose = next(((each.purpose, each.retention) for each in INVENTORY if each.table == name), ("", ""))
    left_out = (*sorted(hidden), *sorted(rows_hidden))
    return ExportedTable(name, f"{name}.{file_format}", count, left_out, *purpose)


def _write_csv(out: TextIO, headings: list[str], rows: Iterator[list[Any]]) -> int:
    writer, count = csv.writer(out), 0
    writer.writerow(headings)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        count += 1
    return count


def _cell(value: Any) -> Any:
    return spreadsheet_text(value) if isinstance(value, str) else _plain(value)


def _write_json(out: TextIO, headings: list[str], rows: Iterator[list[Any]]) -> int:
    """A list of objects, one on each line."""
    count = 0
    out.write("[")
    for count, row in enumerate(rows, start=1):
        values = dict(zip(headings, map(_plain, row), strict=True))
        out.write(("" if count == 1 else ",") + "\n" + json.dumps(values, ensure_ascii=False))
    out.write("\n]\n")
    return count


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _described(written: ExportedTable) -> dict[str, Any]:
    return {
        "table": written.table,
        "file": written.file,
        "rows": written.rows,
        "left_out": list(written.left_out),
        "purpose": written.purpose,
        "kept": written.kept,
    }
