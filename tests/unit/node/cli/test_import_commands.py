"""Bringing in what another portal had: a dry run, codes that are shown once, and a second import of the same file."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from node.accounts.vouchers import BATCH_MAX
from node.cli import import_commands
from node.cli.arguments import EXIT_NO, EXIT_YES
from node.cli.commands import CommandContext
from node.cli.import_commands import IMPORT_COMMANDS
from node.cli.terminal import Terminal
from node.errors import NodeError
from node.units import parse_duration

OPNSENSE = "username,password,vouchergroup,validity\na,x,g,86400\nb,y,g,86400\nc,z,g,604800\n"


class AskedNode:
    """The running node's vouchers."""

    def __init__(self) -> None:
        self.batches: list[Mapping[str, Any]] = []
        self.fails_after = 99

    def answer(
        self, _context: CommandContext, question: Mapping[str, Any], _timeout_s: float = 0
    ) -> Mapping[str, Any]:
        if question["ask"] == "vouchers-list":
            return {"ok": True, "batches": [{"batch": each} for each in self.batches]}
        assert question["ask"] == "vouchers-issue"
        assert parse_duration(question["lasts"]) > 0
        assert int(question["count"]) <= BATCH_MAX
        assert len(question["note"]) <= 200
        if len(self.batches) >= self.fails_after:
            raise NodeError("the disk is full", "make room")
        self.batches.append(dict(question))
        number = len(self.batches)
        return {"ok": True, "codes": [f"{number:04}-{each:04}" for each in range(int(question["count"]))]}


@pytest.fixture
def asked_node(monkeypatch: pytest.MonkeyPatch) -> AskedNode:
    made = AskedNode()
    monkeypatch.setattr(import_commands, "answer_to", made.answer)
    return made


def run(path: Path, kind: str, *, exit_code: int = EXIT_YES, **asked: Any) -> str:
    out = StringIO()
    given = {"json": False, "dry_run": False, "group": None, "devices": None, **asked}
    asked |= {"verb": "import", "kind": kind, "file": str(path), "config": "x"}
    context = CommandContext(given | asked, Terminal(coloured=False), out)
    assert exit_code == IMPORT_COMMANDS["import"](context)
    return out.getvalue()


@pytest.fixture
def opnsense(tmp_path: Path) -> Path:
    path = tmp_path / "pass.csv"
    path.write_text(OPNSENSE)
    return path


def test_a_dry_run_shows_what_would_come_in_and_asks_nothing(asked_node, opnsense) -> None:
    text = run(opnsense, "opnsense", dry_run=True)
    assert "3 vouchers would come in" in text
    assert "2 for 24 hours" in text
    assert asked_node.batches == []


def test_each_voucher_gets_a_code_and_a_second_import_brings_nothing(asked_node, opnsense) -> None:
    said = json.loads(run(opnsense, "opnsense", json=True, group="week", devices="2"))
    assert [(each["name"], each["code"]) for each in said["issued"]] == [
        ("a", "0001-0000"),
        ("b", "0001-0001"),
        ("c", "0002-0000"),
    ]
    assert {(each["group"], each["devices"], each["lasts"]) for each in asked_node.batches} == {
        ("week", "2", "1440 minutes"),
        ("week", "2", "10080 minutes"),
    }
    again = json.loads(run(opnsense, "opnsense", json=True))
    assert (again["issued"], again["already_there"]) == ([], 3)
    assert len(asked_node.batches) == 2


def test_a_second_import_hours_later_brings_nothing_either(asked_node, tmp_path, monkeypatch) -> None:
    path, began_s = tmp_path / "vouchers.json", 1_800_000_000
    rows = [
        {"id": str(each), "name": f"ana-{each}", "code": f"QHSEZ{each}", "duration_m": 1_440} | more
        for each, more in enumerate(({}, {"activation_date": began_s - 7_000}, {"activation_date": began_s}))
    ]
    path.write_text(json.dumps(rows))
    issued = []
    for later_s in (1, 5_000, 40_000):
        monkeypatch.setattr("node.cli.import_commands.time.time", lambda later_s=later_s: began_s + later_s)
        issued.append(len(json.loads(run(path, "pirania", json=True))["issued"]))
    assert issued == [3, 0, 0]


def test_codes_are_shown_although_the_next_batch_fails_and_the_rest_comes_later(asked_node, opnsense) -> None:
    asked_node.fails_after = 1
    text = run(opnsense, "opnsense", exit_code=EXIT_NO)
    assert "0001-0001" in text
    assert "the disk is full" in text
    asked_node.fails_after = 99
    said = json.loads(run(opnsense, "opnsense", json=True))
    assert [each["name"] for each in said["issued"]] == ["c"]


def test_many_vouchers_are_several_batches(asked_node, tmp_path) -> None:
    path = tmp_path / "many.csv"
    rows = "".join(f"user{number},p,g,86400\n" for number in range(BATCH_MAX + 5))
    path.write_text("username,password,vouchergroup,validity\n" + rows)
    said = json.loads(run(path, "opnsense", json=True))
    assert BATCH_MAX + 5 == len(said["issued"])
    assert ["960", "5"] == [each["count"] for each in asked_node.batches]


def test_what_does_not_come_in_is_named_with_its_place(asked_node, tmp_path) -> None:
    path = tmp_path / "vouchers.json"
    good = {"id": "a", "name": "ana\x1b[31m", "code": "QHSEZZ", "duration_m": 1440}
    path.write_text(json.dumps([good, good, 7]))
    text = run(path, "pirania")
    assert "\x1b" not in text
    assert "place 2: it is in the file already" in text
    assert "place 3: it cannot be read" in text


def test_hotspots_and_users_of_wifidog_are_listed(asked_node, tmp_path) -> None:
    path = tmp_path / "tables.csv"
    path.write_text('kind,id,name\nhotspot,001217DA42D2,"Café"\nuser,7,"a""b"\n')
    text = run(path, "wifidog")
    assert "001217DA42D2" in text
    assert 'id = "a\\"b"' in text
    assert asked_node.batches == []


def test_another_kind_is_refused(asked_node, opnsense) -> None:
    with pytest.raises(NodeError, match="write one of: pirania, opnsense, wifidog"):
        run(opnsense, "chilli")


@pytest.mark.parametrize("name", ["missing.csv", ""])
def test_a_file_that_cannot_be_read_is_named(asked_node, tmp_path, name) -> None:
    with pytest.raises(NodeError, match="cannot be read"):
        run(tmp_path / name, "opnsense")


def test_another_file_is_refused_with_what_to_do(asked_node, tmp_path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("hello")
    with pytest.raises(NodeError, match="username and validity"):
        run(path, "opnsense")
