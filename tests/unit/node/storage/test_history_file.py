"""The file of the history."""

import shutil
import sqlite3
import threading
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from node.errors import StorageTrouble
from node.history.buffer import HistoryBuffer
from node.history.packing import pack_sheet
from node.history.reading import chunk_days, stored_window
from node.history.roll_ups import DAY_S, FIVE_MINUTES_S, HOUR_S, ROLL_UPS
from node.history.series import BY_NAME
from node.storage.history_file import FILE, FREE_BYTES_MIN, PACK_AT, HistoryFile

UTC = ZoneInfo("UTC")
MIDNIGHT = 1_790_000_000 // DAY_S * DAY_S
TODAY = MIDNIGHT // DAY_S


def sheets(hours: range, *names: str) -> dict[int, bytes]:
    """A value each five minutes: the number of its hour."""
    buffer = HistoryBuffer()
    made = {}
    for hour in hours:
        begun = MIDNIGHT + hour * HOUR_S
        for name in names or ("devices",):
            for minute in range(0, 60, 5):
                buffer.add(name, hour, begun + minute * 60)
        buffer.make_whole(begun, {})
        made[begun] = pack_sheet(buffer.to_store()[begun])
        buffer.stored(None)
    return made


def means(file: HistoryFile, step_s: int, begin: int, end: int, series: str = "devices") -> list[int | None]:
    span = MIDNIGHT + begin, MIDNIGHT + end
    kept = file.read(series, step_s, chunk_days(step_s, *span, UTC))
    window = stored_window(BY_NAME[series], step_s, span, UTC, chunks=kept.chunks, hours=kept.hours)
    return [None if point is None else point.mean for point in window.points]


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / FILE)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_hours_are_read_before_and_after_they_are_added_to_chunks(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    file.store(sheets(range(20)), (), TODAY, UTC)
    assert (20, 0) == (rows(tmp_path, "hours"), rows(tmp_path, "chunks"))
    wanted = [*range(20), None]
    assert wanted == means(file, HOUR_S, 0, 21 * HOUR_S)
    file.store(sheets(range(20, 30)), (), TODAY, UTC)
    file.store(sheets(range(30, 31)), (), TODAY, UTC)
    assert (1, 5) == (rows(tmp_path, "hours"), rows(tmp_path, "chunks"))
    assert [*range(31), None] == means(file, HOUR_S, 0, 32 * HOUR_S)
    assert [None, 12, 27] == means(file, DAY_S, -DAY_S, 2 * DAY_S)
    assert [29] * 12 == means(file, FIVE_MINUTES_S, 29 * HOUR_S, 30 * HOUR_S)


def test_an_hour_that_is_stored_again_replaces_what_was_there(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    for _ in range(3):
        file.store(sheets(range(2)), (), TODAY, UTC)
    assert sheets(range(2)) == {
        each: pack_sheet(sheet) for each, sheet in file.load(list(sheets(range(5)))).items()
    }


def test_an_hour_that_will_be_stored_again_is_in_no_chunk(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    file.store(sheets(range(PACK_AT + 1)), (), TODAY, UTC)
    file.store(sheets(range(40, 41)), [MIDNIGHT], TODAY, UTC)
    assert {MIDNIGHT, MIDNIGHT + 40 * HOUR_S} == file.load(
        [MIDNIGHT + hour * HOUR_S for hour in range(41)]
    ).keys()


def test_the_chunks_nearest_to_the_present_are_kept_and_the_clock_may_be_wrong_for_an_hour(
    tmp_path: Path,
) -> None:
    file, far = HistoryFile(tmp_path), 70 * 365 * DAY_S
    for day in range(0, 120, 2):
        file.store(sheets(range(day * 24, day * 24 + 48)), (), TODAY + day, UTC)
    file.store({begun + far: sheet for begun, sheet in sheets(range(PACK_AT)).items()}, (), TODAY + 120, UTC)
    file.store({}, (), TODAY + 70 * 365, UTC)
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        keys = [key for (key,) in db.execute("SELECT key FROM chunks")]
    assert sorted(each.chunks_max for each in ROLL_UPS.values() if each.step_s != DAY_S) == sorted(
        sum(key >> 48 == number for key in keys) for number in (1, 2)
    )
    assert 47 * 24 - 1 == max(each or 0 for each in means(file, HOUR_S, 0, 47 * DAY_S))


def test_a_damaged_file_is_set_aside_and_a_new_one_begins(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    file.store(sheets(range(30)), (), TODAY, UTC)
    (tmp_path / FILE).write_bytes(b"no database" * 1_000)
    with pytest.raises(StorageTrouble):
        file.read("devices", HOUR_S, [TODAY])
    file.store(sheets(range(2)), (), TODAY, UTC)
    assert [0, 1, None] == means(file, HOUR_S, 0, 3 * HOUR_S)
    assert (tmp_path / f"{FILE}.damaged").read_bytes().startswith(b"no database")


def test_a_damaged_chunk_is_a_gap(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path)
    file.store(sheets(range(48)), (), TODAY, UTC)
    file.store({}, (), TODAY, UTC)
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        db.execute(
            "UPDATE chunks SET steps = x'00ff' WHERE key IN (SELECT min(key) FROM chunks WHERE key >> 48 = 2)"
        )
    assert [None] * 24 + [*range(24, 48)] == means(file, HOUR_S, 0, 48 * HOUR_S)


def test_what_a_power_cut_left_unfinished_is_undone_also_to_read(tmp_path: Path) -> None:
    (tmp_path / "cut").mkdir()
    file = HistoryFile(tmp_path)
    file.store(sheets(range(20)), (), TODAY, UTC)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE hours SET sheet = zeroblob(9000)")
        for each in tmp_path.glob(f"{FILE}*"):
            shutil.copy(each, tmp_path / "cut")
    assert (tmp_path / "cut" / f"{FILE}-journal").stat().st_size
    assert [*range(20)] == means(HistoryFile(tmp_path / "cut"), HOUR_S, 0, 20 * HOUR_S)


def test_the_file_is_private_and_there_is_none_before_something_is_stored(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "data")
    assert [None] == means(file, HOUR_S, 0, HOUR_S)
    assert not (tmp_path / "data").exists()
    file.store(sheets(range(1)), (), TODAY, UTC)
    assert 0o600 == (tmp_path / "data" / FILE).stat().st_mode & 0o777


def test_the_last_room_of_a_disk_is_not_for_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9, FREE_BYTES_MIN - 1))
    with pytest.raises(StorageTrouble, match="15 MB left"):
        HistoryFile(tmp_path).store(sheets(range(1)), (), TODAY, UTC)
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_used_is_trouble_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageTrouble):
        HistoryFile(tmp_path / "file" / "data").store(sheets(range(1)), (), TODAY, UTC)
    (tmp_path / FILE).mkdir()
    with pytest.raises(StorageTrouble):
        HistoryFile(tmp_path).store(sheets(range(1)), (), TODAY, UTC)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("PRAGMA user_version = 9")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StorageTrouble, match="form 9"):
        HistoryFile(tmp_path).store(sheets(range(1)), (), TODAY, UTC)
    assert before == (tmp_path / FILE).read_bytes()


def test_several_threads_may_read_while_one_stores(tmp_path: Path) -> None:
    file, wrong = HistoryFile(tmp_path), list[object]()
    file.store(sheets(range(30)), (), TODAY, UTC)

    def read() -> None:
        for _ in range(20):
            found = means(file, HOUR_S, 0, 30 * HOUR_S)
            if found != [*range(30)]:
                wrong.append(found)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for each in threads:
        each.start()
    for hour in range(30, 60):
        file.store(sheets(range(hour, hour + 1)), (), TODAY, UTC)
    for each in threads:
        each.join()
    assert [] == wrong
    assert [*range(60)] == means(file, HOUR_S, 0, 60 * HOUR_S)


def test_rows_of_impossible_hours_harm_neither_plots_nor_storing(tmp_path: Path) -> None:
    """A bit that a disk turned in the number of a row is no damage for SQLite."""
    file = HistoryFile(tmp_path)
    file.store(sheets(range(20)), (), TODAY, UTC)
    sheet = next(iter(sheets(range(1)).values()))
    with closing(sqlite3.connect(tmp_path / FILE)) as db, db:
        odd = (-HOUR_S, 7, MIDNIGHT + 47 * HOUR_S + 1_800, MIDNIGHT + (1 << 50), (1 << 62))
        db.executemany("INSERT INTO hours VALUES (?, ?)", ((each, sheet) for each in odd))
    assert [None, 10] == means(file, DAY_S, -DAY_S, DAY_S)[:2]
    file.store(sheets(range(20, 30)), (), TODAY, UTC)
    file.store(sheets(range(30, 31)), (), TODAY, UTC)
    assert 11 == rows(tmp_path, "hours")
    assert [*range(31), None] == means(file, HOUR_S, 0, 32 * HOUR_S)
    assert [29] * 12 == means(file, FIVE_MINUTES_S, 29 * HOUR_S, 30 * HOUR_S)
