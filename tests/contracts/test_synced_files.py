"""Files are written whole or not at all, with their mode whatever the umask is."""

import os
import stat
from pathlib import Path

import pytest

from node.synced_files import replace_synced, write_synced


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_file_has_its_content_and_its_mode(umask, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"", b"three"):
        replace_synced(path, content, mode)
        assert (content, mode) == (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    assert [path] == list(tmp_path.iterdir())


def test_a_file_gets_the_given_owner(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    write_synced(tmp_path / "file", b"x", 0o640, (12, 34))
    found = (tmp_path / "file").stat()
    assert (12, 34, 0o640) == (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_after_a_failure_the_file_is_as_before_and_the_next_attempt_succeeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    path = tmp_path / "file"
    replace_synced(path, b"before", 0o600)

    def fails(*_words: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(
            *{"write": (os, "fchmod"), "fsync": (os, "fsync"), "replace": (Path, "replace")}[failing], fails
        )
        with pytest.raises(OSError, match="No space"):
            replace_synced(path, b"after", 0o600)
    assert b"before" == path.read_bytes()
    replace_synced(path, b"after", 0o600)
    assert b"after" == path.read_bytes()


def test_a_link_that_waits_at_the_unfinished_name_is_not_followed(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_text("precious")
    (tmp_path / ".file.new").symlink_to(other)
    replace_synced(path, b"mine", 0o600)
    assert ("precious", b"mine") == (other.read_text(), path.read_bytes())
