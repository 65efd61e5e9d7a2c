"""A real node is backed up while it runs, and restored where nothing of it is: people go on, and nothing counts twice."""

import json
import shutil
from contextlib import closing
from sqlite3 import connect

import pytest

from tests.lab import eventually

pytestmark = pytest.mark.kernel


def counted(square) -> int:
    """Bytes of all accounts, in all incarnations."""
    rows = square.folder / "tables"
    shutil.rmtree(rows, ignore_errors=True)
    square.cli("export", str(rows), "--format", "json", "--table", "cells")
    return sum(row["down"] + row["up"] for row in json.loads((rows / "cells.json").read_text()))


def test_a_node_comes_back_from_a_backup_with_its_vouchers_and_its_people(place, comes):
    square = place.square
    square.start()
    sheet = json.loads(square.cli("backup", "key", "--json").stdout.splitlines()[-1])
    (square.folder / "key.txt").write_text(sheet["key"] + "\n")
    phone = comes("phone")
    codes = square.ask("vouchers-issue", count="3", group="day-pass", lasts="1 day", devices="3")["codes"]
    form = {"url": "http://login.procomu.lan/", "ends": "/join/code", "fields": {"code": codes[0]}}
    assert 303 == phone.do("press", **form)["status"]
    assert phone.do("echo", seconds=0.3)["came"] > 0
    file = square.folder / "square.backup"
    assert 0 == square.cli("backup", "create", str(file)).returncode
    before = counted(square)
    refused = square.cli("restore", str(file), "--key", str(square.folder / "key.txt"), "--yes")
    assert "another node runs" in refused.stderr
    square.daemon.stop()
    assert 0 == square.cli("reset", "--yes").returncode
    assert not list(square.data.iterdir())
    assert not square.config.exists()
    done = square.cli("restore", str(file), "--key", str(square.folder / "key.txt"))
    assert 0 == done.returncode, done.stderr
    square.start()
    assert eventually(lambda: phone.do("echo", seconds=0.3)["came"] > 0, 20), "it is online as before"
    other = comes("browser")
    assert 303 == other.do("press", **{**form, "fields": {"code": codes[1]}})["status"]
    square.daemon.stop()
    with closing(connect(square.data / "procomu.db")) as db:
        names = {name for (name,) in db.execute("SELECT DISTINCT incarnation FROM cells")}
    assert len(names) <= 2
    assert counted(square) >= before
