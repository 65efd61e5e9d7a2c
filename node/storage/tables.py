"""Schema changes with sqlite-utils, the names of tables, PRAGMAs, and texts that SQLite can store."""

from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.db import Table


def schema(db: Connection) -> "Database":
    """The same connection in sqlite-utils, to create, change and inspect tables."""
    # It and the libraries that it imports take 3.7 MB, which a node with the newest schema does not need.
    from sqlite_utils import Database  # noqa: PLC0415

    return Database(db)


def table(db: Connection, name: str) -> "Table":
    """The table in sqlite-utils, whether or not it exists yet. A view is a programming error."""
    from sqlite_utils.db import Table  # noqa: PLC0415

    found = schema(db)[name]
    assert isinstance(found, Table), name
    return found


def table_names(db: Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def pragma(db: Connection, name: str) -> int:
    """The number that is the value of this PRAGMA."""
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def storable(value: Any) -> Any:
    """The value unchanged, or a text with U+FFFD for each lone surrogate. One row that cannot be stored would
    block all others in its transaction."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode(errors="surrogatepass").decode(errors="replace")
