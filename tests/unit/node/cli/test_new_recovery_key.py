"""A new recovery key is shown once: before the record can have it in force, and not in output for programs."""

import io
from pathlib import Path
from typing import Any

import pytest

from mesh.community_record import CommunityRecord, read_record
from mesh.recovery_key import read_recovery_text
from node.cli import community_admins
from node.cli.commands import CommandContext
from node.cli.terminal import Terminal
from node.errors import NodeError
from node.identity import key_from_raw, key_to_pem, own_node_id
from tests.fakes.community_statements import begun, state_of
from tests.fakes.neighbours import key_of

FIRST = begun("square")


def asking(folder: Path, *, json: bool) -> CommandContext:
    (folder / "admin.key").write_bytes(key_to_pem(key_of("rosa")))
    names = ("add", "votes", "label", "remove", "threshold", "recovery", "save")
    asked = {**dict.fromkeys(names), "new_recovery": True, "json": json, "config": folder / "node.toml"}
    return CommandContext(asked, Terminal(coloured=False), io.StringIO())


def test_the_key_is_shown_also_when_the_node_takes_it_in_and_cannot_store_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []

    def full_disk(_context: object, _question: object, made: Any) -> None:
        taken.extend(made)
        raise NodeError("it could not be stored: the disk is full", "look at the node's disk")

    context = asking(tmp_path, json=False)
    monkeypatch.setattr(community_admins, "followed", lambda _: state_of(FIRST.community, FIRST.statements))
    monkeypatch.setattr(community_admins, "tell_node", full_disk)
    with pytest.raises(NodeError, match="could not be stored"):
        community_admins.admins(context)
    shown = context.out.getvalue().splitlines()[0]
    record = read_record(taken[0])
    assert isinstance(record, CommunityRecord)
    assert record.recovery == (own_node_id(key_from_raw(read_recovery_text(shown))),)


def test_it_is_never_made_where_nobody_would_see_it(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="never as JSON") as told:
        community_admins.admins(asking(tmp_path, json=True))
    assert "--json" in told.value.fix
