"""Backup, restore and reset of a node's files: nothing is lost or half done, and nothing is counted twice."""

import errno
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest

from node.backup import offline, restore, service
from node.backup.age import UnreadableBackup, recipient_of
from node.backup.contents import (
    COMMUNITY_KEY,
    COMMUNITY_SECRETS,
    DATABASE,
    NODE_KEY,
    RECIPIENTS,
    SETTINGS,
    Description,
)
from node.backup.offline import RECORD, FileChanges, claim, finish_changes
from node.backup.service import files_of, inspect_backup, last_made, make_backup, note_made, save_recipient
from node.config import NodeConfig, parse_config
from node.errors import NodeError
from node.identity import key_from_raw, key_to_pem, own_node_id
from node.keyring import open_keyring
from node.storage.database import Store
from node.storage.losses import MARKER, read_losses
from node.storage.repository import StoredRepository
from tests.docs.backup_vectors import FOLDER, OTHER_SECRET, backup, contents
from tests.docs.kept_database import FILE as KEPT
from tests.docs.kept_database import ROWS, UPGRADED

SECRET = OTHER_SECRET
NOW = datetime.fromisoformat("2026-11-29T08:00:00+01:00")
SETTINGS_TEXT = """\
[node]
name = "biblioteca"
data_dir = "{root}/data"
run_dir = "{root}/run"
[community]
name = "Vall Alta"
key_file = "{root}/etc/community.key"
[lan]
interface = "lan0"
[uplink]
interface = "up0"
[rules]
file = "{root}/etc/rules.toml"
[members]
file = "{root}/etc/members.toml"
"""


class BackupMachine:
    """The disk of one machine. Settings name its own folder, as `/etc` and `/var` are the same on each machine."""

    def __init__(self, root: Path) -> None:
        self.root, self.settings = root, root / "etc" / "node.toml"
        self.settings.parent.mkdir(parents=True)

    @property
    def config(self) -> NodeConfig:
        config, findings = parse_config(self.settings.read_text())
        assert config is not None, findings
        return config

    @property
    def paths(self):
        return files_of(self.settings, self.config)

    def set_up(self, number: int = 7, community: int = 8) -> "BackupMachine":
        self.settings.write_text(SETTINGS_TEXT.format(root=self.root))
        (self.root / "data").mkdir(mode=0o700)
        texts = {
            "rules.toml": '[ruleset]\ncommunity = "Vall Alta"\nversion = 1\ndecision = "D-1"\n',
            "members.toml": '[[account]]\nid = "ana"\nname = "Ana Mas"\ntier = "member"\n',
            COMMUNITY_KEY: bytes([community] * 32).hex() + "\n",
            NODE_KEY: key_to_pem(key_from_raw(bytes([number] * 32))).decode(),
        }
        for name, text in texts.items():
            self.paths[name].write_text(text)
        shutil.copyfile(KEPT, self.paths[DATABASE])
        save_recipient(self.paths[RECIPIENTS], SECRET, NOW)
        return self

    def backup(self) -> bytes:
        out = BytesIO()
        make_backup(self.settings, self.config, out, version="1", now=NOW)
        return out.getvalue()

    def content(self) -> dict[str, bytes]:
        """Of every file, but for locks and the logs of an open database."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and path.name != "lock" and not path.name.endswith(("-wal", "-shm"))
        }

    def move(self, root: Path) -> "BackupMachine":
        """New hardware, on which nothing of a node is."""
        self.root.rename(root)
        return BackupMachine(self.root)


def agree(_found: object, _is_replacing: bool) -> None:
    """The person who restores confirms."""


def put_back(file: bytes, machine: BackupMachine, secret: bytes = SECRET) -> Description:
    return restore.restore(BytesIO(file), secret, machine.settings, agree).description


@pytest.fixture
def machine(tmp_path: Path) -> BackupMachine:
    return BackupMachine(tmp_path / "machine").set_up()


def test_a_node_is_restored_on_other_hardware_under_the_same_name(machine, tmp_path):
    file, before = machine.backup(), machine.content()
    node = own_node_id(open_keyring(machine.paths[COMMUNITY_KEY], machine.paths[NODE_KEY]).node)
    new = machine.move(tmp_path / "old")
    assert (node, "biblioteca") == ((done := put_back(file, new)).node_id, done.node)
    after = new.content()
    assert before.keys() == after.keys()
    assert [f"data/{DATABASE}"] == [name for name in before if before[name] != after[name]]
    for name in (COMMUNITY_KEY, NODE_KEY, DATABASE):
        assert 0o600 == stat.S_IMODE(new.paths[name].stat().st_mode)
    assert 0o700 == stat.S_IMODE((new.root / "data").stat().st_mode)


def test_later_secrets_of_the_community_are_in_a_backup_and_in_no_other_hands(machine, tmp_path):
    later = bytes([9] * 32).hex() + "\n"
    machine.paths[COMMUNITY_SECRETS].write_text(later)
    file = machine.backup()
    new = machine.move(tmp_path / "old")
    put_back(file, new)
    restored = new.paths[COMMUNITY_SECRETS]
    assert (later, 0o600) == (restored.read_text(), stat.S_IMODE(restored.stat().st_mode))


async def test_everything_is_there_but_counting_begins_under_another_name(machine, tmp_path):
    file = machine.backup()
    new = machine.move(tmp_path / "old")
    put_back(file, new)
    store = Store(new.paths[DATABASE], keys=new.root / "data")
    try:
        for name, rows in ROWS.items():
            if name not in {"facts", "baselines"}:
                found = await store.run(lambda db, name=name: db.execute(f"SELECT * FROM {name}").fetchall())
                renamed = UPGRADED.get(name, {})
                expected = [tuple(renamed.get(each, each) for each in row) for row in rows]
                assert sorted(map(repr, expected)) == sorted(repr(row[: len(rows[0])]) for row in found), name
        facts = dict((await StoredRepository(store, tmp_path / "tally").recall("2026-11-01")).facts)
        assert {"boot", "saved_at_ms", "tried_at_ms"} == facts.keys()
        assert [] == await store.run(lambda db: db.execute("SELECT * FROM baselines").fetchall())
        assert 0 != (await store.run(lambda db: db.execute("PRAGMA application_id").fetchone()[0]))
        assert () == store.losses == read_losses(new.root / "data" / "procomu.losses")
    finally:
        store.close()


async def test_a_backup_of_a_running_node_has_all_that_was_stored(machine):
    machine.paths[DATABASE].unlink()
    store = Store(machine.paths[DATABASE], keys=machine.root / "data")
    try:
        for number in range(50):
            await store.run(
                lambda db, number=number: db.execute("INSERT INTO facts VALUES (?, 'x')", [f"n{number}"])
            )
        file = machine.backup()
        await store.run(lambda db: db.execute("INSERT INTO facts VALUES ('later', 'x')"))
    finally:
        store.close()
    put_back(file, machine)
    with closing(sqlite3.connect(machine.paths[DATABASE])) as db:
        names = {
            name for (name,) in db.execute("SELECT name FROM facts WHERE name LIKE 'n%' OR name = 'later'")
        }
    assert {f"n{number}" for number in range(50)} == names


async def test_a_restored_database_is_not_taken_for_an_older_state_of_the_one_before(machine):
    file = machine.backup()
    store = Store(machine.paths[DATABASE], keys=machine.root / "data")
    await store.run(lambda db: db.execute("INSERT INTO facts VALUES ('later', 'x')"))
    store.close()
    assert (machine.root / "data" / MARKER).exists()
    put_back(file, machine)
    store = Store(machine.paths[DATABASE], keys=machine.root / "data")
    try:
        assert [] == await store.run(
            lambda db: db.execute("SELECT 1 FROM facts WHERE name = 'later'").fetchall()
        )
        assert () == store.losses
    finally:
        store.close()


def test_browsers_of_admins_meet_the_certificate_that_they_have_accepted(machine, tmp_path):
    machine.paths["admin-certificate.pem"].write_text("certificate and key")
    file = machine.backup()
    new = machine.move(tmp_path / "old")
    put_back(file, new)
    assert "certificate and key" == new.paths["admin-certificate.pem"].read_text()
    assert 0o600 == stat.S_IMODE(new.paths["admin-certificate.pem"].stat().st_mode)


def test_files_that_the_backup_does_not_have_do_not_stay(machine):
    machine.paths["members.toml"].unlink()
    file = machine.backup()
    machine.paths["members.toml"].write_text("# later\n")
    machine.paths["adopted.rules.toml"].write_text("# later\n")
    put_back(file, machine)
    assert not machine.paths["members.toml"].exists()
    assert not machine.paths["adopted.rules.toml"].exists()


def test_the_kept_backup_of_format_1_is_restored(tmp_path):
    """Its settings are the example's, whose folders are those of a real machine: only the contents are read here."""
    found = inspect_backup(BytesIO((FOLDER / "procomu-backup-1.age").read_bytes()), bytes(range(32)))
    assert ("biblioteca", KEPT.stat().st_size) == (found.description.node, found.database_bytes)


# --- What is refused, before anything is written ---


@pytest.mark.parametrize(
    ("number", "community", "said"), [(7, 9, "another community"), (6, 8, "another node")]
)
def test_a_backup_of_another_community_or_node_changes_nothing(machine, tmp_path, number, community, said):
    file = machine.backup()
    other = machine.move(tmp_path / "old").set_up(number, community)
    before = other.content()
    with pytest.raises(UnreadableBackup, match=said) as refused:
        put_back(file, other)
    assert "procomu reset" in refused.value.fix
    assert before == other.content()


@pytest.mark.parametrize("at", [0, 150, 250, 3_000, -1])
def test_a_damaged_backup_changes_nothing(machine, at):
    file = bytearray(machine.backup())
    file[at] ^= 1
    before = machine.content()
    with pytest.raises(UnreadableBackup):
        put_back(bytes(file), machine)
    assert before == machine.content()


def test_a_backup_that_ends_early_changes_nothing(machine):
    file, before = machine.backup(), machine.content()
    with pytest.raises(UnreadableBackup, match="damaged"):
        put_back(file[:-100], machine)
    assert before == machine.content()


def test_another_recovery_key_changes_nothing(machine):
    file, before = machine.backup(), machine.content()
    with pytest.raises(UnreadableBackup, match="another recovery key"):
        put_back(file, machine, bytes(32))
    assert before == machine.content()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (SETTINGS, b"[nod]\n", "settings in the backup have errors"),
        (SETTINGS, b"\xff", "settings in the backup have errors"),
        (NODE_KEY, b"x", "a key in the backup cannot be used"),
        (COMMUNITY_KEY, b"zz", "a key in the backup cannot be used"),
        (COMMUNITY_KEY, b"09" * 32, "not those of its node"),
        (DATABASE, b"SQLite format 3\0" + b"\xff" * 5_000, "database in the backup cannot be used"),
        (DATABASE, b"", "database in the backup cannot be used"),
    ],
)
def test_a_backup_with_unusable_files_changes_nothing(machine, name, content, said):
    files = {**contents(), SETTINGS: machine.settings.read_bytes(), name: content}
    before = machine.content()
    with pytest.raises(UnreadableBackup, match=said):
        put_back(backup(files), machine, bytes(range(32)))
    assert before == machine.content()


def test_a_database_of_a_newer_version_changes_nothing(machine, tmp_path):
    newer = tmp_path / "newer.db"
    shutil.copyfile(KEPT, newer)
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 9999")
    files = {**contents(), SETTINGS: machine.settings.read_bytes(), DATABASE: newer.read_bytes()}
    before = machine.content()
    with pytest.raises(NodeError, match="newer version"):
        put_back(backup(files), machine, bytes(range(32)))
    assert before == machine.content()


def test_a_running_node_is_not_replaced(machine):
    file, before = machine.backup(), machine.content()
    with claim(machine.root / "run"), pytest.raises(NodeError, match="another node runs"):
        put_back(file, machine)
    assert before == machine.content()


def test_a_disk_without_room_is_noticed_before(machine, monkeypatch):
    file, before = machine.backup(), machine.content()
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(100, 100, 10_000_000))
    with pytest.raises(NodeError, match="10 MB free, and the backup needs 16 MB"):
        put_back(file, machine)
    assert before == machine.content()


def test_a_disk_that_is_full_meanwhile_changes_nothing(machine, monkeypatch):
    file, before = machine.backup(), machine.content()

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(restore, "prepare_restored", full)
    with pytest.raises(NodeError, match="no space left"):
        put_back(file, machine)
    assert before == machine.content()


def test_a_person_who_does_not_confirm_changes_nothing(machine):
    file, before = machine.backup(), machine.content()
    seen = []

    def refuse(found: service.BackupRead, is_replacing: bool) -> None:
        seen.append((found.description.community, is_replacing))
        raise NodeError("no", "yes")

    with pytest.raises(NodeError, match="no"):
        restore.restore(BytesIO(file), SECRET, machine.settings, refuse)
    assert [("Vall Alta", True)] == seen
    assert before == machine.content()


# --- Power cuts ---


class PowerCut(BaseException):
    """Nothing runs after it."""


def cut_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """The power fails after so many changes on the disk."""
    left = [steps]

    def counted(change):
        def made(*arguments, **options):
            if left[0] <= 0:
                raise PowerCut
            left[0] -= 1
            return change(*arguments, **options)

        return made

    monkeypatch.setattr(offline, "write_synced", counted(offline.write_synced))
    monkeypatch.setattr(restore, "write_synced", counted(restore.write_synced))
    monkeypatch.setattr(restore, "prepare_restored", counted(restore.prepare_restored))
    monkeypatch.setattr(offline, "sync_folder", counted(offline.sync_folder))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))


def started(machine: BackupMachine) -> dict[str, bytes]:
    """The files after the next start of the node has looked at them."""
    finish_changes(machine.settings)
    if machine.settings.exists():
        offline.discard_staged(machine.settings, machine.root / "data")
    return machine.content()


@pytest.mark.parametrize("is_new", [False, True], ids=["over a node", "on new hardware"])
def test_a_power_cut_at_any_step_of_a_restore_leaves_the_old_or_the_restored_node(machine, tmp_path, is_new):
    file = machine.backup()
    machine.paths["members.toml"].write_text("# of later\n")
    machine.paths["adopted.members.toml"].write_text("# of later\n")
    master = tmp_path / "master"
    machine.root.rename(master)
    outcomes = []
    for steps in range(200):
        shutil.rmtree(machine.root, ignore_errors=True)
        if is_new:
            machine.settings.parent.mkdir(parents=True)
        else:
            shutil.copytree(master, machine.root)
        before = machine.content()
        with pytest.MonkeyPatch.context() as patched:
            cut_after(patched, steps)
            try:
                put_back(file, machine)
                is_cut = False
            except PowerCut:
                is_cut = True
        after = started(machine)
        outcomes.append("etc/node.toml" not in after if is_new else after == before)
        if outcomes[-1]:
            put_back(file, machine)  # what is left of the first try does not matter
            after = machine.content()
        assert f"data/{DATABASE}" in after
        assert {"etc/node.toml", "etc/community.key", "data/node.key", "etc/members.toml"} <= after.keys()
        assert b"Ana Mas" in after["etc/members.toml"]
        assert "data/adopted.members.toml" not in after
        assert not [name for name in after if name.endswith((offline.SUFFIX, RECORD, ".new"))]
        if not is_cut:
            break
    assert not is_cut
    assert 15 < len(outcomes)
    # Old up to one step, restored from there on.
    assert sorted(outcomes, reverse=True) == outcomes
    assert {True, False} == set(outcomes)


def test_a_power_cut_at_any_step_of_a_reset_leaves_the_node_or_nothing_of_it(machine, tmp_path):
    master = tmp_path / "master"
    machine.root.rename(master)
    outcomes = []
    for steps in range(200):
        shutil.rmtree(machine.root, ignore_errors=True)
        shutil.copytree(master, machine.root)
        before, config = machine.content(), machine.config
        with pytest.MonkeyPatch.context() as patched:
            cut_after(patched, steps)
            try:
                restore.reset(machine.settings, config, lambda: None)
                is_cut = False
            except PowerCut:
                is_cut = True
        after = started(machine)
        outcomes.append(after == before)
        assert after in (before, {})
        if not is_cut:
            break
    assert not is_cut
    assert sorted(outcomes, reverse=True) == outcomes
    assert {True, False} == set(outcomes)


def test_a_restore_that_is_killed_is_finished_by_the_next_start(machine):
    """A real process, killed with SIGKILL between two renames."""
    file = machine.root / "file.age"
    file.write_bytes(machine.backup())
    machine.paths["members.toml"].write_text("# of later\n")
    program = f"""
import os, signal
from pathlib import Path
from node.backup import restore
moved = []
real = Path.replace
def replace(path, target):
    real(path, target)
    moved.append(target)
    if len(moved) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Path.replace = replace
with open({str(file)!r}, "rb") as opened:
    restore.restore(opened, bytes.fromhex({SECRET.hex()!r}), Path({str(machine.settings)!r}), lambda *_: None)
"""
    assert -9 == subprocess.run([sys.executable, "-c", program], check=False).returncode
    assert (machine.settings.parent / RECORD).exists()
    assert "restore" == finish_changes(machine.settings)
    assert b"Ana Mas" in machine.paths["members.toml"].read_bytes()
    assert finish_changes(machine.settings) is None


def test_what_a_restore_that_was_killed_left_does_not_get_into_the_next_one(machine):
    """SQLite would take the write-ahead log of the first database for the second one's: with rows of both in it."""
    with closing(sqlite3.connect(machine.paths[DATABASE], isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    file = machine.root / "file.age"
    file.write_bytes(machine.backup())
    program = f"""
import os, signal
from pathlib import Path
from node.backup import restore
from node.storage import opening
real = opening._forget_facts
def forget(db):
    real(db)
    db.execute("COMMIT")
    os.kill(os.getpid(), signal.SIGKILL)
opening._forget_facts = forget
with open({str(file)!r}, "rb") as opened:
    restore.restore(opened, bytes.fromhex({SECRET.hex()!r}), Path({str(machine.settings)!r}), lambda *_: None)
"""
    assert -9 == subprocess.run([sys.executable, "-c", program], check=False).returncode
    log = offline.staged(machine.paths[DATABASE]).with_name(f".{DATABASE}{offline.SUFFIX}-wal")
    assert log.stat().st_size
    with closing(sqlite3.connect(machine.paths[DATABASE], isolation_level=None)) as db:
        db.execute("BEGIN")
        db.executemany("INSERT INTO facts VALUES (?, 'x')", ((f"later-{number}",) for number in range(3_000)))
        db.execute("COMMIT")
    put_back(machine.backup(), machine)
    with closing(sqlite3.connect(machine.paths[DATABASE])) as db:
        assert [(3_000,)] == db.execute("SELECT count(*) FROM facts WHERE name LIKE 'later-%'").fetchall()
    log.write_bytes(b"left")
    offline.discard_staged(machine.settings, machine.root / "data")
    assert not log.exists()
    log.write_bytes(b"left")
    restore.reset(machine.settings, machine.config, lambda: None)
    assert not log.exists()


# --- Changes of files ---


def test_two_processes_finish_changes_once(tmp_path):
    for number in range(200):
        (tmp_path / f"{number}").write_text("x")
    FileChanges("reset", tuple(tmp_path / f"{number}" for number in range(200))).commit(
        tmp_path / "node.toml"
    )
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(finish_changes(tmp_path / "node.toml")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ["None", "None", "None", "reset"] == sorted(map(str, found))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": "other"}', "[" * 10, '{"format": "procomu-file-changes-1"}']
)
def test_a_record_that_cannot_be_read_stops_the_start(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(NodeError, match="cannot be read") as refused:
        finish_changes(tmp_path / "node.toml")
    assert refused.value.fix


def test_what_cannot_be_finished_now_is_tried_again(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x")
    FileChanges("reset", (tmp_path / "a",)).commit(tmp_path / "node.toml")
    with monkeypatch.context() as patched:
        patched.setattr(
            FileChanges, "perform", lambda _: (_ for _ in ()).throw(OSError(errno.EROFS, "read-only"))
        )
        with pytest.raises(NodeError, match="cannot be finished"):
            finish_changes(tmp_path / "node.toml")
    assert "reset" == finish_changes(tmp_path / "node.toml")


# --- Reset ---


def test_a_reset_leaves_nothing_of_the_node_and_files_of_others(machine):
    (machine.root / "data" / "procomu.corrupt-1795937048").write_text("old")
    (machine.root / "data" / "dhcp.leases").write_text("old")
    (machine.root / "data" / "admin-certificate.pem").write_text("a key")
    for name in ("members.toml.before", "members.toml.rejected", "rules.toml.rejected"):
        (machine.root / "etc" / name).write_text("of before")
    (machine.root / "data" / "photo.jpg").write_text("of another program")
    (machine.root / "etc" / "portal.crt").write_text("of another program")
    removed = restore.reset(machine.settings, machine.config, lambda: None)
    assert str(machine.root / "data" / "node.key") in removed
    assert {"data/photo.jpg", "etc/portal.crt"} == machine.content().keys()


def test_a_running_node_is_not_reset(machine):
    before = machine.content()
    with claim(machine.root / "run"), pytest.raises(NodeError, match="another node runs"):
        restore.reset(machine.settings, machine.config, lambda: None)
    assert before == machine.content()


# --- Making a backup ---


def test_without_a_key_there_is_no_backup(machine):
    machine.paths[RECIPIENTS].unlink()
    with pytest.raises(NodeError, match="no key for backups") as refused:
        machine.backup()
    assert "procomu backup key" in refused.value.fix


def test_a_key_file_with_errors_is_named_with_its_line(machine):
    machine.paths[RECIPIENTS].write_text("# ours\nage1nonsense\n")
    with pytest.raises(NodeError, match=r"backup\.pub .*line 2"):
        machine.backup()


def test_a_node_that_never_ran_has_no_backup(machine):
    machine.paths[DATABASE].unlink()
    with pytest.raises(NodeError, match="no database"):
        machine.backup()


def test_a_damaged_database_is_not_backed_up(machine):
    machine.paths[DATABASE].write_bytes(b"SQLite format 3\0" + b"\xff" * 8_000)
    with pytest.raises(NodeError, match="damaged") as refused:
        machine.backup()
    assert "start the node" in refused.value.fix


async def test_changes_that_only_the_journal_has_are_not_left_out(machine, monkeypatch):
    store = Store(machine.paths[DATABASE], keys=machine.root / "data")
    await store.run(lambda _db: None)
    store.close()
    entry = service.read_journal(machine.root / "data" / "procomu.journal")
    ahead = replace(entry, entries=(type("Entry", (), {"commit": 10_000})(),))
    monkeypatch.setattr(service, "read_journal", lambda _path: ahead)
    with pytest.raises(NodeError, match="lacks changes"):
        machine.backup()


def test_a_full_disk_is_a_clear_error(machine):
    class FullDisk(BytesIO):
        def write(self, _data, /):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NodeError, match="no space left"):
        make_backup(machine.settings, machine.config, FullDisk(), version="1", now=NOW)


@pytest.mark.thorough
def test_a_large_database_is_read_in_little_memory(machine, tmp_path):
    """A process with 96 MB of address space beyond its start backs up and restores 40 MB."""
    with closing(sqlite3.connect(machine.paths[DATABASE])) as db, db:
        rows = (
            (f"n{n % 3}", "1-a", f"account-{n}-{n * 7919}", "2026-11-28", n, n, 0, 0) for n in range(300_000)
        )
        db.executemany("INSERT INTO cells VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    assert machine.paths[DATABASE].stat().st_size > 20_000_000
    program = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from io import BytesIO
from pathlib import Path
from tests.contracts.test_backup import BackupMachine, put_back, agree, SECRET, make_backup, NOW
from node.backup import restore
machine = object.__new__(BackupMachine)
machine.root, machine.settings = Path({str(machine.root)!r}), Path({str(machine.settings)!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open({str(tmp_path / "file")!r}, "wb+") as file:
    make_backup(machine.settings, machine.config, file, version="1", now=NOW)
    restore.restore(file, SECRET, machine.settings, agree)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000, "KB"


def test_when_the_last_backup_was_made_is_remembered(machine):
    assert last_made(machine.config) is None
    made = make_backup(machine.settings, machine.config, BytesIO(), version="1", now=NOW)
    note_made(machine.config, made)
    assert NOW == last_made(machine.config)


@pytest.mark.parametrize("text", ["", "[]", '{"made": 7}', '{"made": "yesterday"}', "x" * 9_000])
def test_an_unreadable_note_of_the_last_backup_is_none(machine, text):
    (machine.root / "data" / service.LAST).write_text(text)
    assert last_made(machine.config) is None


# --- For the admin pages ---


async def test_the_admin_pages_get_a_backup_as_a_file_without_a_name(machine):
    backups = service.NodeBackups(machine.settings, machine.config, "1")
    before = machine.content()
    made = await backups.create()
    assert re.fullmatch(r"biblioteca-\d{4}-\d\d-\d\d\.backup", made.name)
    with made.content:
        assert "biblioteca" == inspect_backup(made.content, SECRET).description.node
    assert {f"data/{service.LAST}"} == machine.content().keys() - before.keys()
    state = await backups.state()
    assert state.last is not None
    assert state.since is not None
    assert [recipient_of(SECRET)] == list(state.recipients)


async def test_a_folder_without_room_for_a_file_is_a_clear_error_on_the_admin_pages(machine, monkeypatch):
    def full(**_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(service.tempfile, "TemporaryFile", full)
    with pytest.raises(NodeError, match="no space left"):
        await service.NodeBackups(machine.settings, machine.config, "1").create()


async def test_the_admin_pages_learn_what_is_wrong_with_the_key(machine):
    backups = service.NodeBackups(machine.settings, machine.config, "1")
    machine.paths[RECIPIENTS].write_text("age1x\n")
    assert "line 1" in (await backups.state()).trouble
    machine.paths[RECIPIENTS].unlink()
    assert ((), "") == ((state := await backups.state()).recipients, state.trouble)
    await backups.replace_key(bytes(32))
    assert (recipient_of(bytes(32)),) == (await backups.state()).recipients
