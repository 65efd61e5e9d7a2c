"""Commands about the community record, with a node that answers: what is interrupted is completed by the same command, and
no node leaves the community on the way."""

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.community_service import CommunityService
from node.app.community import CommunityCommands
from node.cli import main
from node.console import Answer
from node.errors import NodeError
from node.identity import key_from_pem, own_node_id
from node.units import NodeId
from tests.contracts.test_cli import config, node_running
from tests.fakes.neighbours import id_of
from tests.fakes.statement_store import FakeStatementStore

__all__ = ["config"]
NODES = tuple(map(id_of, ("square", "hills", "library")))


class AnsweringNode:
    """A node with these nodes in its settings; `adds` questions that bring statements are answered, and then none."""

    def __init__(self) -> None:
        self.service = CommunityService(
            own=NODES[0], listed=NODES, store=FakeStatementStore(), secret=bytes(32)
        )
        self._commands = CommunityCommands(self.service)
        self.adds: int | None = None
        self.members_seen: list[frozenset[NodeId]] = []

    def answers(self) -> Mapping[str, Answer]:
        return {**self._commands.all(), "community-add": self._add}

    async def _add(self, question: dict[str, Any]) -> Mapping[str, Any]:
        if self.adds == 0:
            raise NodeError("the node was stopped", "start it")
        self.adds = None if self.adds is None else self.adds - 1
        answer = await self._commands.add(question)
        assert self.service.state is not None
        self.members_seen.append(self.service.state.nodes())
        return answer


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> AnsweringNode:
    """It is told one statement at a time."""
    monkeypatch.setattr("node.cli.community_commands.PORTION_BYTES", 1)
    return AnsweringNode()


def admin_in(path: Path) -> NodeId:
    return own_node_id(key_from_pem(path.read_bytes()))


def run(path: Path, *words: str) -> int:
    return main(["--config", str(path), "community", *words])


def test_a_new_admin_key_is_completed_after_an_interruption_and_the_old_one_counts_no_longer(
    config: Path, node: AnsweringNode
) -> None:
    key = config.parent / "admin.key"
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        node.members_seen.clear()
        old = admin_in(key)
        assert 0o600 == stat.S_IMODE(key.stat().st_mode)
        node.adds = 2  # the version with both keys, and the first membership that is signed again
        assert 1 == run(config, "rotate")
        assert old == admin_in(key)
        node.adds = None
        assert 0 == run(config, "rotate")
    new = admin_in(key)
    assert node.service.state is not None
    assert node.service.state.head is not None
    assert old != new
    assert {new} == node.service.state.head.admin_keys
    assert {frozenset(NODES)} == set(node.members_seen)


def test_a_key_that_is_no_admin_is_not_replaced(config: Path, node: AnsweringNode) -> None:
    key = config.parent / "admin.key"
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        key.unlink()
        assert 0 == run(config, "key")
        stranger = admin_in(key)
        assert 1 == run(config, "rotate")
    assert stranger == admin_in(key)


def test_an_admin_is_removed_without_any_node_leaving_also_when_it_is_interrupted(
    config: Path, node: AnsweringNode
) -> None:
    key, second = config.parent / "admin.key", config.parent / "second" / "admin.key"
    second.parent.mkdir()
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        node.members_seen.clear()
        first = admin_in(key)
        key.rename(second)
        assert 0 == run(config, "key")
        pau = admin_in(key)
        key.rename(key.with_suffix(".pau"))
        second.rename(key)
        assert 0 == run(config, "admins", "--add", pau, "--label", "Pau")
        key.with_suffix(".pau").rename(key)
        node.adds = 2
        assert 1 == run(config, "admins", "--remove", first)
        node.adds = None
        assert 0 == run(config, "admins", "--remove", first)
    assert node.service.state is not None
    assert node.service.state.head is not None
    assert {pau} == node.service.state.head.admin_keys
    assert {frozenset(NODES)} == set(node.members_seen)
