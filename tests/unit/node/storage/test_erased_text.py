"""What was erased is nowhere in the database's file: not where SQLite leaves a copy either, and not after a full disk."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.changes import Binding
from node.accounts.ladder_cases import LadderCaseGone
from node.accounts.member_passphrases import PassphraseGone, PassphraseHash
from node.accounts.messages import Message, MessageGone
from node.accounts.objections import Objection, ObjectionGone
from node.governance.ladder_case import LadderCase
from node.storage import account_tables, erased_text
from node.storage.database import Store
from node.storage.erased_text import PIECE_BYTES, ErasedTexts, is_in_file
from node.storage.repository import StoredRepository
from node.units import AccountId, MacAddress, Monotonic

ANA, MAC = AccountId("ana"), MacAddress("02:00:00:00:00:07")
HASH = "scrypt$16384$8$1$" + "k" * 22 + "$" + "q7" * 21


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "data").mkdir()
    opened = Store(tmp_path / "data" / "procomu.db")
    # SQLite then leaves all that is deleted where it was, as otherwise a few copies only.
    opened.run_blocking(lambda db: db.execute("PRAGMA secure_delete = OFF"))
    yield opened
    opened.close()


def files(store: Store) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(store.path.parent.glob("procomu.db*")))


async def test_an_erased_passphrase_is_in_no_part_of_the_file(store: Store, tmp_path: Path) -> None:
    repository = StoredRepository(store, tmp_path / "bookings")
    for change in (PassphraseHash(ANA, HASH), PassphraseGone(ANA)):
        assert (HASH.encode() in files(store)) == isinstance(change, PassphraseGone)
        await repository.save_sessions([], [], "2026-11-20", [change])
    assert b"scrypt" not in files(store)


async def test_an_erased_objection_and_an_erased_case_are_in_no_part_of_the_file(
    store: Store, tmp_path: Path
) -> None:
    repository = StoredRepository(store, tmp_path / "bookings")
    words = (b"It was not me", b"left all lights on")
    objection = Objection(1, ANA, "2026-11-20", "guest-top", "It was not me who did it.")
    case = LadderCase(
        1,
        ANA,
        "quiet",
        1,
        "a word",
        0,
        "Ana left all lights on.",
        "admin Pau",
        1_790_000_000,
        "boot",
        Monotonic(0),
    )
    await repository.save_sessions([], [], "2026-11-20", [objection, case])
    assert all(each in files(store) for each in words)
    await repository.save_sessions([], [], "2026-11-20", [ObjectionGone(1), LadderCaseGone(1)])
    assert not any(each in files(store) for each in words)


async def test_a_replaced_passphrase_is_in_no_part_of_the_file(store: Store, tmp_path: Path) -> None:
    repository = StoredRepository(store, tmp_path / "bookings")
    longer = 2 * HASH.swapcase()  # it goes elsewhere in the page
    for passphrase_hash in (HASH, longer):
        await repository.save_sessions([], [], "2026-11-20", [PassphraseHash(ANA, passphrase_hash)])
    assert longer.encode() in files(store)
    assert HASH.encode() not in files(store)


async def test_an_erased_device_is_in_no_part_of_the_file(store: Store, tmp_path: Path) -> None:
    repository = StoredRepository(store, tmp_path / "bookings")
    bound = Binding(MAC, ANA, "passphrase", "2026-11-20", "phone of Ana")
    await repository.save_sessions([], [], "2026-11-20", [bound])
    assert MAC.encode() in files(store)
    await repository.erase(MAC, ANA, "")
    assert MAC.encode() not in files(store)
    assert b"phone of Ana" not in files(store)


@pytest.mark.thorough
async def test_an_erasure_is_answered_although_reading_a_large_file_takes_longer_than_callers_wait(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would be tried again, and searched for again, without end, and nothing else could be stored."""
    may_go_on = threading.Event()
    monkeypatch.setattr(erased_text, "is_in_file", lambda _path, _texts: may_go_on.wait(30))
    repository = StoredRepository(store, tmp_path / "bookings")
    try:
        await repository.erase(MAC, ANA, "")
        assert not may_go_on.is_set()
    finally:
        may_go_on.set()


async def test_a_passphrase_that_is_stored_again_was_not_erased(store: Store) -> None:
    def work(db: sqlite3.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
        account_tables.save_changes(db, [PassphraseHash(ANA, HASH)])
        again, other = PassphraseHash(ANA, HASH), PassphraseHash(ANA, HASH.swapcase())
        return account_tables.erased_texts(db, [again]), account_tables.erased_texts(db, [other])

    assert await store.run(work) == ((), (HASH,))


class DatabaseOnAFullDisk(sqlite3.Connection):
    """A database on a disk that may have no room to write it again."""

    is_full = True

    def execute(self, sql: str, *given: object) -> sqlite3.Cursor:  # type: ignore[override]
        if sql == "VACUUM" and self.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *given)  # type: ignore[arg-type]


def test_on_a_full_disk_it_is_tried_again_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now_s = tmp_path / "some.db", 0.0
    monkeypatch.setattr(erased_text.time, "monotonic", lambda: now_s)
    with closing(sqlite3.connect(path, factory=DatabaseOnAFullDisk, isolation_level=None)) as db:
        db.execute("CREATE TABLE texts (text)")
        db.execute("INSERT INTO texts VALUES (?)", [HASH])
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("DELETE FROM texts")
        erased = ErasedTexts(path)
        erased.add([HASH])
        assert not erased.are_gone(db)
        db.is_full = False
        assert not erased.are_gone(db), "not at each commit"
        now_s = erased_text.TRIED_AGAIN_S
        assert erased.are_gone(db)
    assert HASH.encode() not in path.read_bytes()


@given(
    at=st.integers(0, 200),
    text=st.text("abcdef0123456789:$", min_size=8, max_size=90),
    rest=st.integers(0, 80),
)
def test_a_text_is_found_wherever_it_begins_and_what_is_left_of_a_long_one_too(
    tmp_path_factory: pytest.TempPathFactory, at: int, text: str, rest: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "file"
    left = text[-max(2 * PIECE_BYTES, len(text) - rest) :] if len(text) > 2 * PIECE_BYTES else text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erased_text, "READ_BYTES", 37)
        path.write_bytes(b"." * at + left.encode() + b"." * 40)
        assert is_in_file(path, [text])
        path.write_bytes(b"." * (at + 400))
        assert not is_in_file(path, [text])


def test_a_word_that_tells_nothing_is_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"slow")
    assert not is_in_file(tmp_path / "file", ["slow", ""])


async def test_a_message_that_was_replaced_or_withdrawn_is_in_no_part_of_the_file(
    store: Store, tmp_path: Path
) -> None:
    repository = StoredRepository(store, tmp_path / "bookings")
    first = Message(ANA, 1, "2026-11-20", "admin", "The first words to Ana.")
    second = Message(ANA, 2, "2026-11-20", "admin", "The second words to Ana.")
    await repository.save_sessions([], [], "2026-11-20", [first])
    await repository.save_sessions([], [], "2026-11-20", [second])
    assert b"first words" not in files(store)
    assert b"second words" in files(store)
    read = replace(second, is_read=True)
    assert () == await store.run(lambda db: account_tables.erased_texts(db, [read]))
    await repository.save_sessions([], [], "2026-11-20", [MessageGone(ANA)])
    assert b"second words" not in files(store)
