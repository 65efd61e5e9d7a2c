"""Table of the accounts that previews of rules treated alike: for each day, the class of each account."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection

from node.governance.account_classes import AccountClasses
from node.units import AccountId

MARGIN_DAYS = 1
"""A day of this node begins and ends within so many days of one in UTC."""


def save_classes(db: Connection, day: str, classes: AccountClasses) -> None:
    """Replaces those of the day. Accounts that were erased on that day are left out: a preview may have begun before."""
    db.execute("DELETE FROM preview_classes WHERE day = ?", [day])
    db.executemany(
        "INSERT INTO preview_classes (day, account, class) VALUES (?, ?, ?)",
        [(day, account, number) for account, number in classes.items()],
    )
    db.execute(
        """DELETE FROM preview_classes WHERE day = ? AND account IN
           (SELECT account FROM erasures WHERE until_day >= ?)""",
        [day, day],
    )


def load_classes(db: Connection) -> Mapping[str, AccountClasses]:
    """By day, oldest first."""
    found: dict[str, dict[AccountId, int]] = {}
    for day, account, number in db.execute("SELECT day, account, class FROM preview_classes ORDER BY day"):
        found.setdefault(day, {})[AccountId(account)] = number
    return found


def erase_classes(db: Connection, account: AccountId) -> None:
    db.execute("DELETE FROM preview_classes WHERE account = ?", [account])


def forget_classes(db: Connection, intervals: tuple[int, int] | None) -> None:
    """Deletes those of days whose previews counted nothing between these Unix times any more, and those of days to come,
    which a wrong clock named; None for all."""
    if intervals is None:
        db.execute("DELETE FROM preview_classes")
        return
    margin = timedelta(days=MARGIN_DAYS)
    first, last = (datetime.fromtimestamp(each, UTC).date() for each in intervals)
    db.execute(
        "DELETE FROM preview_classes WHERE day < ? OR day > ?",
        [(first - margin).isoformat(), (last + margin).isoformat()],
    )
