"""Typed access to tables in sqlite-utils."""

from sqlite_utils import Database
from sqlite_utils.db import Table


def table(db: Database, name: str) -> Table:
    """The table, whether or not it exists yet. A view is a programming error."""
    found = db[name]
    assert isinstance(found, Table), name
    return found
