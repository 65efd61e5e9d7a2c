"""The database of each released version is opened by this one, and nothing in it is lost."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from node.storage.database import Store
from node.storage.losses import Marker, read_losses, write_marker
from node.storage.migrations import MIGRATIONS
from node.storage.repository import StoredArchive, StoredRepository
from node.storage.tables import table_names
from tests.docs.kept_database import ANA_PHONE, BOOT, FORM, GUEST_PHONE, NODE, NUMBER, ROWS, UPGRADED
from tests.docs.kept_database import FILE as KEPT

SINCE = "2026-11-01"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "procomu.db"
    shutil.copyfile(KEPT, path)
    write_marker(tmp_path / "data" / "procomu.database", Marker(NUMBER, "2026-11-01 09:00", FORM))
    opened = Store(path)
    yield opened
    opened.close()


def columns_of(path: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as db:
        names = {name for name in table_names(db) if not name.startswith("sqlite_")}
        return {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in names}


def test_the_kept_database_has_rows_in_each_table_of_its_version() -> None:
    assert columns_of(KEPT).keys() == ROWS.keys()
    assert all(ROWS.values())


async def test_every_row_is_there_after_the_upgrade(store: Store) -> None:
    columns = columns_of(KEPT)
    for name, rows in ROWS.items():
        chosen = f"SELECT {', '.join(columns[name])} FROM {name}"
        found = await store.run(lambda db, chosen=chosen: db.execute(chosen).fetchall())
        renamed = UPGRADED.get(name, {})
        expected = [tuple(renamed.get(each, each) for each in row) for row in rows if row[0] != "commits"]
        assert sorted(map(repr, expected)) == sorted(repr(row) for row in found if row[0] != "commits"), name
    assert (len(MIGRATIONS), NUMBER) == await store.run(
        lambda db: (
            db.execute("PRAGMA user_version").fetchone()[0],
            db.execute("PRAGMA application_id").fetchone()[0],
        )
    )
    assert () == store.losses == read_losses(store.path.with_name("procomu.losses"))


async def test_a_node_goes_on_with_what_it_remembers(store: Store, tmp_path: Path) -> None:
    remembered = await StoredRepository(store, tmp_path / "tally").recall(SINCE)
    facts = dict(remembered.facts)
    assert (("3-beef", BOOT), 4) == ((facts["incarnation"], facts["boot"]), len(list(remembered.buckets)))
    assert {"2-f00d", "3-beef"} == {name for node, name in remembered.incarnations if node == NODE}
    assert {ANA_PHONE, GUEST_PHONE} <= {each.session.mac for each in remembered.sessions}
    kept = remembered.registry
    counts = [
        len(each) for each in (kept.batches, kept.vouchers, kept.bindings, kept.passphrases, kept.cards_void)
    ]
    assert [1, 2, 2, 1, 1] == counts
    assert [2, 1, 2] == [len(each) for each in (kept.objections, kept.notices, kept.terms)]
    assert ["cai"] == [each.account for each in remembered.erased]
    history, damaged = await StoredArchive(store).history()
    assert ([2, 1], 2, 0) == ([each.number for each in history.versions()], history.state.active, damaged)
