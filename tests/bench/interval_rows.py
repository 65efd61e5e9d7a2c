"""Size of 14 days of usage in intervals of five minutes, of 200 accounts that are active all the time, and the time to
replay it under two rulesets."""

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from node.accounting.intervals import INTERVAL_S, KEEP_INTERVALS_DAYS, AccountUsage, IntervalUsage
from node.accounting.ledger import Booking
from node.governance.allowance import Unit
from node.governance.replay import replay
from node.governance.replay_sentences import replay_sentences
from node.governance.rules import Ruleset
from node.storage.migrations import migrate
from node.storage.opening import connect
from node.storage.repository import IntervalArchive
from node.storage.usage_tables import save_booking
from node.units import AccountId, Bytes, Usage

ACCOUNTS = 200
BEGUN = 1_795_521_600
INTERVALS = KEEP_INTERVALS_DAYS * 86_400 // INTERVAL_S
MB = 1_000_000


def usage_of_14_days(accounts: int = ACCOUNTS, seed: int = 1) -> Iterator[tuple[int, AccountUsage]]:
    """Everybody is active in each interval, with anything from a message to a film."""
    chance = random.Random(seed)
    names = [AccountId(f"household-{number}") for number in range(1, accounts + 1)]
    for number in range(INTERVALS):
        yield (
            BEGUN + number * INTERVAL_S,
            {
                name: IntervalUsage(
                    Usage(Bytes(int(10 ** chance.uniform(5, 8.5))), Bytes(int(10 ** chance.uniform(4, 7)))),
                    chance.random() < 0.3,
                )
                for name in names
            },
        )


def fill(database: Path) -> None:
    """A database with nothing but these intervals, written as bookings are."""
    with closing(connect(database)) as db:
        migrate(db)
        db.execute("PRAGMA synchronous = OFF")
        for begun, usage in usage_of_14_days():
            db.execute("BEGIN IMMEDIATE")
            save_booking(db, Booking((), None, {}, intervals={begun: usage}), is_merging=False)
            db.execute("COMMIT")


def rows_mb_14d_200() -> float:
    """Megabytes."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "procomu.db"
        with closing(sqlite3.connect(database)) as db:
            migrate(db)
        empty = database.stat().st_size
        fill(database)
        return round((database.stat().st_size - empty) / MB, 1)


def replay_14d_200_s(before: Ruleset, after: Ruleset, units: Sequence[Unit]) -> float:
    """Processor time to read all of it and to replay it; the line of these rules is full for some hours a day."""
    by_account = {AccountId(f"household-{number}"): unit for number, unit in enumerate(units, 1)}
    with TemporaryDirectory() as folder:
        database = Path(folder) / "procomu.db"
        fill(database)
        begun = time.process_time()
        days = IntervalArchive(database).read_local(BEGUN, BEGUN + INTERVALS * INTERVAL_S)
        found = replay(days, before, after, lambda account, _day, _grace: by_account[account])
        taken = time.process_time() - begun
    if found.is_nothing or not replay_sentences(found):
        raise ValueError("the replay found nothing")
    return round(taken, 2)
