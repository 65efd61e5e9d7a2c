"""What is in a backup: exactly the files of a node, and nothing that a reader does not expect."""

import io
import json
import lzma
import tarfile
from dataclasses import replace
from io import BytesIO

import pytest

from node.backup.age import AgeReader, AgeWriter, UnreadableBackup, read_recipients, recipient_of
from node.backup.contents import DATABASE, DESCRIPTION, FILES, FORMAT, OPTIONAL, read_backup
from tests.docs.backup_vectors import DESCRIPTION as ABOUT
from tests.docs.backup_vectors import FOLDER, SECRET, backup, contents, counted


def read(file: bytes) -> tuple[object, dict[str, bytes]]:
    found: dict[str, bytes] = {}

    def take(name, size, content):
        found[name] = content.read()
        assert size == len(found[name])

    return read_backup(AgeReader(BytesIO(file), SECRET), take), found


def test_the_kept_backup_of_this_format_is_read():
    assert (ABOUT, contents()) == read((FOLDER / "procomu-backup-1.age").read_bytes())


def test_what_is_written_is_read_in_order():
    about, found = read(backup(contents()))
    assert about == ABOUT
    assert contents() == found
    assert [name for name in FILES if name in found] == list(found)


def test_names_in_every_alphabet():
    about = replace(ABOUT, community="Vall d’Àneu", node="مكتبة")
    assert about == read(backup(contents(), about))[0]


@pytest.mark.parametrize("name", sorted(OPTIONAL))
def test_a_file_that_may_be_missing(name):
    files = {each: content for each, content in contents().items() if each != name}
    assert name not in read(backup(files))[1]


@pytest.mark.parametrize("name", sorted(FILES.keys() - OPTIONAL))
def test_a_file_that_must_be_there(name):
    files = {each: content for each, content in contents().items() if each != name}
    with pytest.raises(UnreadableBackup, match=f"{name} is not in it"):
        read(backup(files))


@pytest.mark.parametrize("name", ["../node.toml", "/etc/passwd", "other", "backup.json"])
def test_a_file_of_another_name_is_refused(name):
    with pytest.raises(UnreadableBackup, match="is in it"):
        read(backup({**contents(), name: b"x"}))


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(UnreadableBackup, match="more than"):
        read(backup({**contents(), "community.key": b"x" * 5_000}))


def archived(*entries: tarfile.TarInfo, end: bytes = b"", description: bytes | None = None) -> bytes:
    """A backup with these entries after its description."""
    known = {"format": FORMAT, **{name: getattr(ABOUT, name) for name in ABOUT.__dataclass_fields__}}
    text = json.dumps(known).encode() if description is None else description
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        first = tarfile.TarInfo(DESCRIPTION)
        first.size = len(text)
        tar.addfile(first, BytesIO(text))
        for entry in entries:
            tar.addfile(entry, BytesIO(bytes(entry.size)))
    return encrypted(lzma.compress(plain.getvalue()) + end)


def encrypted(plain: bytes) -> bytes:
    out = BytesIO()
    writer = AgeWriter(out, read_recipients(recipient_of(SECRET)), counted)
    writer.write(plain)
    writer.finish()
    return out.getvalue()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_regular_files_are_read(kind):
    entry = tarfile.TarInfo("node.toml")
    entry.type, entry.linkname = kind, "/etc/shadow"
    with pytest.raises(UnreadableBackup, match="is in it"):
        read(archived(entry))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_a_program_would_read_into_memory_are_refused(kind):
    """Some kilobytes of xz can be a header of gigabytes."""
    entry = tarfile.TarInfo("node.toml")
    entry.type, entry.size = kind, 10_000_000
    with pytest.raises(UnreadableBackup, match="is in it"):
        read(archived(entry))


@pytest.mark.parametrize("block", [b"\xff" * 512, b"x" + bytes(511), b"x" * 100])
def test_an_entry_that_cannot_be_read_is_refused(block):
    with pytest.raises(UnreadableBackup, match="archive cannot be read"):
        read(encrypted(lzma.compress(block)))


def test_a_file_that_comes_twice_is_refused():
    with pytest.raises(UnreadableBackup, match="is in it"):
        read(archived(tarfile.TarInfo("node.toml"), tarfile.TarInfo("node.toml")))


def test_what_follows_the_archive_is_refused():
    with pytest.raises(UnreadableBackup, match="follows its end"):
        read(archived(end=b"x"))


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"[" * 9_000, "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"format": "procomu-backup-2"}', "newer version"),
        (json.dumps({"format": FORMAT, "made": "x"}).encode(), "cannot be read"),
        (
            json.dumps(
                {"format": FORMAT, **dict.fromkeys(ABOUT.__dataclass_fields__, "x"), "schema": True}
            ).encode(),
            "schema is wrong",
        ),
        (b" " * 20_000, "begin with"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(description, said):
    with pytest.raises(UnreadableBackup, match=said):
        read(archived(description=description))


@pytest.mark.parametrize(
    "plain", [b"", b"no archive", lzma.compress(b""), lzma.compress(b"x" * 1_000), b"\xfd7zXZ\x00"]
)
def test_something_else_that_is_encrypted_is_refused(plain):
    with pytest.raises(UnreadableBackup, match="no backup of a node"):
        read(encrypted(plain))


def test_a_database_is_the_last_file():
    assert DATABASE == list(FILES)[-1]
