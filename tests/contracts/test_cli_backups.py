"""Backup, restore, export and reset as people type them."""

import csv
import json
import re
import shlex
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from node.backup.age import read_recipients, read_recovery_key, recipient_of
from node.backup.contents import DATABASE, RECIPIENTS
from node.backup.offline import claim
from node.cli import backups, main
from node.storage.export import CONTENTS, LEFT_OUT
from node.storage.migrations import INVENTORY, migrate
from node.storage.tables import table_names
from tests.contracts.test_backup import SECRET, BackupMachine
from tests.docs.kept_database import FRESH, ROWS, USED


@pytest.fixture
def machine(tmp_path: Path) -> BackupMachine:
    return BackupMachine(tmp_path / "machine").set_up()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    from node.backup.age import in_groups, recovery_key

    path = tmp_path / "key.txt"
    path.write_text(in_groups(recovery_key(SECRET)) + "\n")
    return path


def procomu(machine: BackupMachine, *words: str) -> int:
    return main(["--config", str(machine.settings), *words])


def in_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal: answers to questions, in order."""
    answers: list[str] = []
    monkeypatch.setattr(backups, "_is_on_terminal", lambda _context: True)
    monkeypatch.setattr("builtins.input", lambda _question: answers.pop(0))
    return answers


# --- The key ---


def test_a_recovery_key_is_shown_once_and_only_its_public_part_stays(machine, capsys):
    machine.paths[RECIPIENTS].unlink()
    assert 0 == procomu(machine, "backup", "key")
    said = capsys.readouterr().out
    secret = read_recovery_key(said.splitlines()[0])
    assert (read_recipients(recipient_of(secret))) == read_recipients(machine.paths[RECIPIENTS].read_text())
    assert 0o644 == stat.S_IMODE(machine.paths[RECIPIENTS].stat().st_mode)
    assert secret.hex() not in "".join(map(str, machine.content().values()))
    assert "AGE-SECRET" not in "".join(map(str, machine.content().values()))


def test_a_key_is_not_replaced_by_mistake(machine, capsys):
    before = machine.content()
    assert 1 == procomu(machine, "backup", "key")
    assert "--replace" in capsys.readouterr().err
    assert before == machine.content()
    assert 0 == procomu(machine, "backup", "key", "--replace")
    assert before != machine.content()


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "Recovery key"), ("es", "Clave de recuperación"), ("ar", 'dir="rtl"')]
)
def test_a_sheet_with_the_key_is_printed(machine, tmp_path, capsys, lang, said):
    sheet = tmp_path / "sheet.html"
    assert 0 == procomu(
        machine, "backup", "key", "--replace", "--print", str(sheet), "--language", lang, "--json"
    )
    key = str(in_json(capsys)["key"])
    page = sheet.read_text()
    assert said in page
    assert "<svg" in page
    shown = re.search(r'class="code" dir="ltr">([^<]+)<', page)
    assert shown is not None
    assert read_recovery_key(key) == read_recovery_key(shown[1])
    assert 0o600 == stat.S_IMODE(sheet.stat().st_mode)


def test_an_existing_sheet_is_not_overwritten_and_no_key_is_made(machine, tmp_path):
    before = machine.content()
    (tmp_path / "sheet.html").write_text("of before")
    assert 1 == procomu(machine, "backup", "key", "--replace", "--print", str(tmp_path / "sheet.html"))
    assert before == machine.content()


# --- Backup and restore ---


def test_a_backup_is_made_checked_and_restored(machine, tmp_path, key_file, capsys):
    file = tmp_path / "library.backup"
    assert 0 == procomu(machine, "backup", "create", str(file), "--json")
    assert ("biblioteca", file.stat().st_size) == ((said := in_json(capsys))["node"], said["bytes"])
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    new = machine.move(tmp_path / "old")
    assert 0 == procomu(new, "backup", "check", str(file), "--key", str(key_file))
    assert "complete and undamaged" in capsys.readouterr().out
    assert 0 == procomu(new, "restore", str(file), "--key", str(key_file))
    said = capsys.readouterr().out
    assert "biblioteca in Vall Alta" in said
    assert "no interface lan0 and no up0" in said
    assert new.paths[DATABASE].exists()


def test_a_backup_is_not_written_over_another_file(machine, tmp_path, capsys):
    (tmp_path / "x").write_text("of before")
    assert 1 == procomu(machine, "backup", "create", str(tmp_path / "x"))
    assert "of before" == (tmp_path / "x").read_text()


@pytest.mark.kernel
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_node_whose_disk_became_read_only_is_backed_up_and_exported(
    machine, tmp_path, key_file, capsys, is_killed
):
    """As a card does when it fails: then somebody needs a backup most."""
    database, disk = machine.paths[DATABASE], tmp_path / "disk"
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("INSERT INTO facts VALUES ('last', 'x')")
    if not is_killed:
        db.close()
    disk.mkdir()
    data = shutil.copytree(database.parent, disk / "data")
    db.close()
    assert is_killed == (data / f"{DATABASE}-wal").exists()
    mount = f"mount --bind {disk} {disk} && mount -o remount,bind,ro {disk} && mount --bind {data} {database.parent}"
    program = "import sys; from node.cli import main; sys.exit(main())"
    cli = shlex.join([sys.executable, "-c", program, "--config", str(machine.settings)])
    for words in (f"backup create {tmp_path}/x.backup", f"export {tmp_path}/tables --table facts"):
        found = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f"{mount} && {cli} {words}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == found.returncode, found.stderr
    assert "last,x" in (tmp_path / "tables" / "facts.csv").read_text()
    assert 0 == procomu(machine, "restore", str(tmp_path / "x.backup"), "--key", str(key_file), "--yes")
    with closing(sqlite3.connect(database)) as restored:
        assert [("x",)] == restored.execute("SELECT value FROM facts WHERE name = 'last'").fetchall()


def test_a_backup_that_fails_leaves_no_file(machine, tmp_path):
    machine.paths[DATABASE].unlink()
    assert 1 == procomu(machine, "backup", "create", str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_a_restore_over_a_node_is_confirmed(machine, tmp_path, key_file, typed, capsys):
    file = tmp_path / "x"
    procomu(machine, "backup", "create", str(file))
    machine.paths["members.toml"].write_text("# later\n")
    typed.append("no")
    assert 1 == procomu(machine, "restore", str(file), "--key", str(key_file))
    assert "replaces this node" in capsys.readouterr().out
    assert "# later\n" == machine.paths["members.toml"].read_text()
    typed.append("yes")
    assert 0 == procomu(machine, "restore", str(file), "--key", str(key_file))
    assert "# later\n" != machine.paths["members.toml"].read_text()


def test_without_a_terminal_a_node_is_replaced_only_with_yes(machine, tmp_path, key_file, capsys):
    file = tmp_path / "x"
    procomu(machine, "backup", "create", str(file))
    assert 1 == procomu(machine, "restore", str(file), "--key", str(key_file))
    assert "--yes" in capsys.readouterr().err
    assert 0 == procomu(machine, "restore", str(file), "--key", str(key_file), "--yes")


def test_a_recovery_key_is_typed_and_a_typing_error_is_told(machine, tmp_path, key_file, typed, capsys):
    file = tmp_path / "x"
    procomu(machine, "backup", "create", str(file))
    typed += ["age-secret-key-1 qqqq", key_file.read_text(), "yes"]
    assert 0 == procomu(machine, "restore", str(file))
    assert "58 characters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("nonsense", "starts with AGE-SECRET-KEY-1"), ("\xff", "not text")],
)
def test_a_file_without_a_recovery_key(machine, tmp_path, capsys, content, said):
    procomu(machine, "backup", "create", str(tmp_path / "x"))
    if content is not None:
        (tmp_path / "k").write_bytes(content.encode("latin-1"))
    assert 1 == procomu(machine, "backup", "check", str(tmp_path / "x"), "--key", str(tmp_path / "k"))
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_backup_or_is_missing(machine, tmp_path, key_file, capsys):
    for name, said in ((machine.settings, "no backup"), (tmp_path / "none", "cannot be read")):
        assert 1 == procomu(machine, "restore", str(name), "--key", str(key_file))
        assert said in capsys.readouterr().err


# --- Export ---


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_every_table_is_exported_without_what_proves_an_identity(machine, tmp_path, capsys, file_format):
    folder = tmp_path / "tables"
    with closing(sqlite3.connect(machine.paths[DATABASE], isolation_level=None)) as db:
        migrate(db)
    assert 0 == procomu(machine, "export", str(folder), "--format", file_format)
    assert "Left out, because they prove an identity" in capsys.readouterr().out
    found = {path.name: path.read_text() for path in folder.iterdir()}
    newer_than_the_kept_database = {"appearance"}
    assert {each.table for each in INVENTORY} - newer_than_the_kept_database <= {
        name.partition(".")[0] for name in found
    }
    everything = "".join(found.values())
    for secret in (USED, FRESH, "scrypt$14", "admin_sign_in\t{}"):
        assert secret not in everything
    for shown in ("Mòbil d’Ana", "Estudio de noche.", "5000000000", "Festa major"):
        assert shown in everything
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    about = {each["table"]: each for each in json.loads(found[CONTENTS])}
    assert [["fingerprint"], ["admin_accounts", "admin_sign_in", "metrics_token", "waiting_bookings"]] == [
        about[name]["left_out"] for name in ("vouchers", "facts")
    ]
    assert {name: len(rows) for name, rows in ROWS.items() if name != "facts"} == {
        name: about[name]["rows"] for name in ROWS if name != "facts"
    }


def test_json_and_csv_have_the_same_values(machine, tmp_path):
    for file_format in ("csv", "json"):
        assert 0 == procomu(machine, "export", str(tmp_path / file_format), "--format", file_format)
    with (tmp_path / "csv" / "bindings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    objects = json.loads((tmp_path / "json" / "bindings.json").read_text())
    assert [
        {name: "" if value is None else str(value) for name, value in each.items()} for each in objects
    ] == rows


def test_a_name_that_a_spreadsheet_would_run_is_only_text(machine, tmp_path):
    with closing(sqlite3.connect(machine.paths[DATABASE])) as db, db:
        db.execute('UPDATE bindings SET name = \'=HYPERLINK("http://x";"y")\'')
    assert 0 == procomu(machine, "export", str(tmp_path / "t"), "--table", "bindings")
    assert ["bindings.csv", CONTENTS] == sorted(path.name for path in (tmp_path / "t").iterdir())
    assert "'=HYPERLINK" in (tmp_path / "t" / "bindings.csv").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--format", "xml"], 2, "csv or json"),
        (["--table", "acounts"], 1, "choose one of accounts"),
        (["--table", "sqlite_master"], 1, "no table"),
    ],
)
def test_an_export_that_cannot_be_made_leaves_no_folder(machine, tmp_path, capsys, words, code, said):
    assert code == procomu(machine, "export", str(tmp_path / "t"), *words)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_an_existing_folder_is_not_written_into(machine, tmp_path, capsys):
    assert 1 == procomu(machine, "export", str(tmp_path))
    assert "name a new folder" in capsys.readouterr().err


OF_RULES = {"rule_versions": {"fingerprint", "hash"}, "rule_objections": {"fingerprint"}}
"""Columns with digests of texts that everybody reads."""


def test_columns_that_prove_an_identity_are_left_out_of_every_table(machine):
    """A new table with such a column fails here until it is listed."""
    secret = re.compile("hash|fingerprint|secret|token|cookie|passphrase|salt|password|credential")
    with closing(sqlite3.connect(machine.paths[DATABASE], isolation_level=None)) as db:
        migrate(db)
        for name in table_names(db):
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({name})")}
            found = {column for column in columns if secret.search(column)}
            assert found - OF_RULES.get(name, set()) <= LEFT_OUT.get(name, set()), name


# --- Reset ---


def test_a_reset_is_confirmed_with_the_name_of_the_node(machine, tmp_path, typed, monkeypatch, capsys):
    cleaned: list[Path] = []
    monkeypatch.setattr(backups, "cleanup_kernel", cleaned.append)
    before = machine.content()
    typed += ["", "library"]
    assert 1 == procomu(machine, "reset")
    assert (before, []) == (machine.content(), cleaned)
    typed += [str(tmp_path / "last.backup"), "biblioteca"]
    assert 0 == procomu(machine, "reset")
    assert ({}, [machine.settings]) == (machine.content(), cleaned)
    assert (tmp_path / "last.backup").exists()
    assert "Next: procomu init" in capsys.readouterr().out


def test_without_a_terminal_a_reset_needs_yes(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(backups, "cleanup_kernel", lambda _path: None)
    for name in ("history.db", "history.db-journal"):
        (machine.root / "data" / name).write_bytes(b"of three years")
    before = machine.content()
    assert 1 == procomu(machine, "reset")
    assert "--yes" in capsys.readouterr().err
    assert before == machine.content()
    with claim(machine.root / "run"):
        assert 1 == procomu(machine, "reset", "--yes")
    assert before == machine.content()
    assert 0 == procomu(machine, "reset", "--yes", "--backup", str(tmp_path / "b"), "--json")
    assert in_json(capsys)["ok"]
    assert ({}, True) == (machine.content(), (tmp_path / "b").exists())


@pytest.mark.parametrize("name", ["procomu.db.backup", "procomu.replaced-1", "procomu.backup"])
def test_a_backup_in_the_data_folder_outlasts_the_reset(
    machine, tmp_path, key_file, name, monkeypatch, capsys
):
    monkeypatch.setattr(backups, "cleanup_kernel", lambda _path: None)
    file = machine.root / "data" / name
    assert 0 == procomu(machine, "reset", "--yes", "--backup", str(file))
    assert f"{file}, " in capsys.readouterr().out
    assert [f"data/{name}"] == list(machine.content())
    assert 0 == procomu(machine, "backup", "check", str(file), "--key", str(key_file))


def test_a_backup_that_cannot_be_made_stops_the_reset(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(backups, "cleanup_kernel", lambda _path: None)
    machine.paths[RECIPIENTS].unlink()
    before = machine.content()
    assert 1 == procomu(machine, "reset", "--yes", "--backup", str(tmp_path / "b"))
    assert before == machine.content()
