"""Typed access to tables in sqlite-utils."""

from typing import Any

from sqlite_utils import Database
from sqlite_utils.db import Table

# Typed access to tables in sqlite-utils.


def table(db: Database, name: str) -> Table:
    """The table, whether or not it exists yet. A view is a programming error."""
    found = db[name]
    assert isinstance(found, Table), name
    return found


# Replaces lone surrogates, which SQLite cannot store as UTF-8.


def storable(value: Any) -> Any:
    """The value unchanged, or a text with U+FFFD for each lone surrogate. One row that cannot be stored would
    block all others in its transaction."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode(errors="surrogatepass").decode(errors="replace")
