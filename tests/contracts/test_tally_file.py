"""The tally file beside the database: read as written, and never half of it."""

from pathlib import Path

from node.accounting.meter import Tally
from node.storage.repository import TallyFile


def test_a_tally_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = TallyFile(tmp_path / "bookings")
    assert file.read() is None
    for bookings in (0, 1, 10**9):
        file.write(Tally("1234567890", bookings))
        assert Tally("1234567890", bookings) == file.read()
    assert ["bookings"] == [path.name for path in tmp_path.iterdir()]


def test_an_invalid_tally_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "bookings"
    for text in (b"", b"life", b"life x\n", b"\xff\xfe 1\n"):
        path.write_bytes(text)
        assert TallyFile(path).read() is None


def test_a_tally_that_cannot_be_written_does_not_stay_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "bookings"
    file = TallyFile(path)
    file.write(Tally("life", 1))
    (tmp_path / "bookings.new").mkdir()
    file.write(Tally("life", 2))
    assert file.read() is None
