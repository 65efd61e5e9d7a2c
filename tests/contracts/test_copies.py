"""The daily copy: compressed, whole or not used, and those that older versions made are read."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.storage import copies
from node.storage.copies import find_copy, make_copy, unpack
from tests.examples import examples

NUMBER, COMMIT = 4711, 12


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """With half of its rows in the write-ahead log."""
    path = tmp_path / "procomu.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA application_id = {NUMBER}")
        db.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)")
        db.execute("INSERT INTO facts VALUES ('commits', ?)", [f"{COMMIT} 1"])
        db.executemany("INSERT INTO facts VALUES (?, ?)", ((f"a{each}", "x" * 90) for each in range(3000)))
        db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
    return path


def copied(database: Path, **more) -> Path:
    target = database.with_name("procomu.db.copy")
    options = {"pause_s": 0.0, "is_stopped": lambda: False, **more}
    assert COMMIT == make_copy(database, target, **options).commit
    return target


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        assert ("ok",) == db.execute("PRAGMA integrity_check").fetchone()
        return int(db.execute("SELECT count(*) FROM facts").fetchone()[0])


@pytest.fixture(autouse=True)
def _any_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of a node's own tables are tested elsewhere."""
    monkeypatch.setattr(copies, "check", lambda db: db.execute("PRAGMA integrity_check").fetchall())


@pytest.mark.parametrize("pause_s", [0.0, 0.0001])
def test_a_copy_is_compressed_and_has_what_is_in_the_log(database, monkeypatch, pause_s):
    monkeypatch.setattr(copies, "SYNC_BYTES", copies.STEP_BYTES)
    copy = copied(database, pause_s=pause_s)
    plain = database.with_name("plain")
    unpack(copy, plain)
    assert 3001 == rows(plain)
    assert copy.stat().st_size < plain.stat().st_size / 3
    assert 0o600 == copy.stat().st_mode & 0o777 == plain.stat().st_mode & 0o777


def test_a_copy_that_is_found_leaves_nothing_beside_it(database):
    copy = copied(database)
    before = sorted(each.name for each in database.parent.iterdir())
    found = find_copy(copy, NUMBER)
    assert found is not None
    assert COMMIT == found.commit
    assert find_copy(copy, NUMBER + 1) is None
    assert before == sorted(each.name for each in database.parent.iterdir())


def test_the_copy_of_an_older_version_is_not_compressed_and_is_read(database):
    copy = copied(database)
    copy.write_bytes(gzip.decompress(copy.read_bytes()))
    found = find_copy(copy, 0)
    assert found is not None
    assert COMMIT == found.commit
    unpack(copy, database.with_name("plain"))
    assert 3001 == rows(database.with_name("plain"))


@given(at=st.integers(0, 10**6), flip=st.integers(1, 255), is_cut=st.booleans())
@settings(
    deadline=None, max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_copy_that_is_damaged_anywhere_is_not_used(database, at, flip, is_cut):
    """Unless nothing of its content is: some bits of DEFLATE (RFC 1951) mean nothing, such as those that fill a byte."""
    copy = copied(database)
    raw = bytearray(copy.read_bytes())
    whole = gzip.decompress(raw)
    # Bytes 4 to 9 say when and by what it was compressed: nothing of it is content.
    at = 10 + at % (len(raw) - 10)
    raw[at] ^= flip
    copy.write_bytes(raw[:at] if is_cut else raw)
    found = find_copy(copy, 0)
    assert found is None or (not is_cut and gzip.decompress(raw) == whole)
    assert not list(database.parent.glob("*.read*"))


def test_a_disk_without_room_is_no_damage_of_the_copy(database, monkeypatch):
    copy = copied(database)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copies.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        find_copy(copy, 0)
    assert not list(database.parent.glob("*.read*"))


def test_a_copy_that_is_stopped_leaves_the_one_before(database):
    copy = copied(database)
    before = copy.read_bytes()
    with pytest.raises(copies.Stopped):
        make_copy(database, copy, pause_s=0, is_stopped=lambda: True)
    assert before == copy.read_bytes()
    assert not list(database.parent.glob("*.new"))
