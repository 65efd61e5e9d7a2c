"""Tables as sqlite-utils knows them."""

from sqlite_utils import Database
from sqlite_utils.db import Table


def table(db: Database, name: str) -> Table:
    """A table that can be written, whether it is there already or not; a view is a bug."""
    found = db[name]
    assert isinstance(found, Table), name
    return found
