"""The file of the community's later secrets: as before or complete, private, and readable after damage."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.community_secret import LATER_SECRET_BYTES, SECRETS_MAX
from node.errors import NodeError, StorageTrouble
from node.secret_file import FILE_BYTES_MAX, SecretFile

SECRETS = tuple(number.to_bytes(LATER_SECRET_BYTES) for number in range(SECRETS_MAX))


def test_what_was_stored_is_there_again_and_only_the_node_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "community.secrets"
    file = SecretFile(path)
    assert [] == list(file.load())
    asyncio.run(file.save(SECRETS))
    assert list(SECRETS) == list(SecretFile(path).load())
    assert (0o600, True) == (stat.S_IMODE(path.stat().st_mode), path.stat().st_size <= FILE_BYTES_MAX)
    asyncio.run(file.save(()))
    assert ([], False) == (list(file.load()), path.exists())


@pytest.mark.parametrize("failing", ["fchmod", "fsync", "open"])
def test_a_disk_that_fails_leaves_what_was_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    file = SecretFile(tmp_path / "community.secrets")
    asyncio.run(file.save(SECRETS[:1]))

    def fails(*_words: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fails)
        with pytest.raises(StorageTrouble, match="No space left"):
            asyncio.run(file.save(SECRETS[:2]))
    assert [SECRETS[0]] == list(file.load())


@given(st.binary(max_size=300), st.integers(0, 3))
def test_damaged_lines_are_left_out_and_the_others_are_read(damage: bytes, at: int) -> None:
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
    path = folder / f"procomu-secrets-{os.getpid()}"
    lines = [secret.hex().encode() for secret in SECRETS[:3]]
    try:
        path.write_bytes(b"\n".join([*lines[:at], damage, *lines[at:]]))
        found = list(SecretFile(path).load())
    finally:
        path.unlink()
    assert set(SECRETS[:3]) <= set(found)
    assert all(len(secret) == LATER_SECRET_BYTES for secret in found)


def test_a_file_that_cannot_be_opened_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "community.secrets").mkdir()
    with pytest.raises(NodeError, match=r"community\.secrets cannot be read"):
        SecretFile(tmp_path / "community.secrets").load()


def test_a_new_secret_is_random() -> None:
    file = SecretFile(Path("/nowhere"))
    made = {file.make() for _ in range(50)}
    assert 50 == len(made)
    assert {LATER_SECRET_BYTES} == set(map(len, made))
