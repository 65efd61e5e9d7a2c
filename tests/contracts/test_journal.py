"""The journal beside the database: acknowledged lines come back; torn and damaged ones affect no others."""

import os
import stat
from pathlib import Path

import pytest

from node.storage.journal import (
    LINE_BYTES,
    NO_JOURNAL,
    ROOM_BYTES,
    Entry,
    Journal,
    JournalContents,
    read_journal,
)

NEW = JournalContents(database=7, is_whole=True)
ENTRIES = tuple(
    Entry(number, 1_795_521_600 + number, (["gone", "contests", number],)) for number in range(1, 6)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with five entries."""
    journal = Journal(tmp_path / "procomu.journal", 7, NEW)
    for entry in ENTRIES:
        journal.append(entry)
        journal.mark(entry.commit, entry.at_s)
    journal.close()
    return tmp_path / "procomu.journal"


def test_appended_entries_come_back(path: Path) -> None:
    found = read_journal(path)
    assert (7, 0, True, 5, ENTRIES, 0) == (
        found.database, found.base, found.is_whole, found.head, found.entries, found.unreadable,
    )  # fmt: skip
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_a_torn_line_is_ignored_and_the_next_one_takes_its_place(path: Path) -> None:
    found = read_journal(path)
    with path.open("r+b") as file:
        file.seek(found.end)
        file.write(b'0123abcd [6,1795521606,[["gone","contests"')
    assert found == read_journal(path)
    journal = Journal(path, 7, found)
    journal.append(Entry(6, 1, (["gone", "contests", 6],)))
    journal.close()
    assert [1, 2, 3, 4, 5, 6] == [entry.commit for entry in read_journal(path).entries]
    assert 0 == read_journal(path).unreadable


def test_a_damaged_line_is_counted_and_the_others_are_read(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"[2,") + 1] ^= 0x01
    path.write_bytes(raw)
    found = read_journal(path)
    assert ([1, 3, 4, 5], 1) == ([entry.commit for entry in found.entries], found.unreadable)


@pytest.mark.parametrize("at", [0, 12, LINE_BYTES + 2])
def test_damage_at_the_beginning_loses_no_entry(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0xFF
    path.write_bytes(raw)
    found = read_journal(path)
    assert ENTRIES == found.entries
    assert (
        (0, 5) == (found.database, found.head) if at < LINE_BYTES else (7, 0) == (found.database, found.head)
    )


def test_any_flipped_byte_invents_nothing(path: Path) -> None:
    raw = path.read_bytes()[: read_journal(path).end]
    for at in range(len(raw)):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x11]) + raw[at + 1 :])
        found = read_journal(path)
        assert [each for each in ENTRIES if each in found.entries] == list(found.entries), at
        assert len(found.entries) >= len(ENTRIES) - 1 - (raw[at : at + 1] == b"\n"), at


def test_space_after_the_last_line_is_allocated_before_it_is_needed(path: Path) -> None:
    found = read_journal(path)
    assert path.stat().st_size >= found.end + ROOM_BYTES
    assert path.stat().st_blocks * 512 >= found.end + ROOM_BYTES, "and not as a hole"


def test_after_a_copy_only_newer_entries_stay(path: Path) -> None:
    journal = Journal(path, 7, read_journal(path))
    assert ENTRIES[3:] == journal.begin_again(3, 5, 1)
    journal.append(Entry(6, 1, ()))
    journal.close()
    found = read_journal(path)
    assert (3, True, 5, [4, 5, 6]) == (
        found.base, found.is_whole, found.head, [entry.commit for entry in found.entries],
    )  # fmt: skip


def test_a_removed_file_is_noticed(path: Path) -> None:
    journal = Journal(path, 7, read_journal(path))
    assert not journal.is_gone
    os.truncate(path, 0)
    assert journal.is_gone
    path.unlink()
    assert journal.is_gone
    journal.close()
    assert NO_JOURNAL == read_journal(path)
