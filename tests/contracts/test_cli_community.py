"""Commands about the community record, with a node that answers: what is interrupted is completed by the same command, and
no node leaves the community on the way."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.community_service import CommunityService
from node.accounting.link_days import LinkUse
from node.app.community import CommunityCommands
from node.cli import main
from node.console import Answer
from node.errors import NodeError
from node.identity import key_from_pem, own_node_id
from node.units import NodeId
from tests.contracts.test_cli import config, node_running
from tests.fakes.admin_pages import a_link_use
from tests.fakes.neighbours import id_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore

__all__ = ["config"]
NODES = tuple(map(id_of, ("square", "hills", "library")))


class AnsweringNode:
    """A node with these nodes in its settings; `adds` questions that bring statements are answered, and then none."""

    def __init__(self) -> None:
        self.service = CommunityService(
            own=NODES[0],
            listed=NODES,
            store=FakeStatementStore(),
            secret=bytes(32),
            secret_store=FakeSecretStore(),
        )
        self.uses: tuple[LinkUse, ...] = ()
        self._commands = CommunityCommands(self.service, uses=lambda: self.uses)
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


def test_a_new_secret_is_completed_after_an_interruption_and_the_one_of_before_is_kept(
    config: Path, node: AnsweringNode, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = node.service.secrets
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        assert (bytes(32),) == secrets.all()
        node.members_seen.clear()
        node.adds = 0
        assert 1 == run(config, "rotate", "--secret")
        assert (bytes(32),) == secrets.all()
        node.adds = None
        capsys.readouterr()
        assert 0 == run(config, "rotate", "--secret")
        said = capsys.readouterr().out
        assert 0 == run(config, "show")
        shown = capsys.readouterr().out
    assert 1 == secrets._store.made, "the same secret as before the interruption"
    assert [bytes(32)] == list(secrets.all()[1:])
    assert secrets.newest.hex() not in said + shown
    assert "secret in force is number 2" in shown
    assert {frozenset(NODES)} == set(node.members_seen)


def test_two_of_three_admins_make_a_new_secret_and_the_file_between_them_does_not_have_it(
    config: Path, node: AnsweringNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, change, signed = config.parent / "admin.key", tmp_path / "change.json", tmp_path / "signed.json"
    rosa = key.with_suffix(".rosa")
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        key.rename(rosa)
        assert 0 == run(config, "key")
        pau = admin_in(key)
        key.rename(key.with_suffix(".pau"))
        rosa.rename(key)
        assert 0 == run(config, "admins", "--add", pau, "--label", "Pau", "--threshold", "1")
        assert 1 == run(config, "admins", "--threshold", "2", "--save", str(signed))
        key.rename(rosa)
        key.with_suffix(".pau").rename(key)
        assert 0 == run(config, "sign", str(signed))
        assert 1 == run(config, "rotate", "--secret")
        assert 1 == run(config, "rotate", "--secret", "--save", str(change))
        assert 1 == node.service.secrets.exchange.number_in_force()
        rosa.rename(key)
        capsys.readouterr()
        assert 0 == run(config, "sign", str(change))
        assert "a new secret of the community" in capsys.readouterr().out
    assert 2 == node.service.secrets.exchange.number_held()
    assert node.service.secrets.newest.hex() not in change.read_text()
    assert 1 == node.service.secrets._store.made


def test_options_of_a_new_secret_are_not_ignored_for_a_new_key(
    config: Path, node: AnsweringNode, tmp_path: Path
) -> None:
    with node_running(config, node.answers()):
        assert 1 == run(config, "rotate", "--secret")
        assert 0 == run(config, "create")
        before = admin_in(config.parent / "admin.key")
        assert 1 == run(config, "rotate", "--save", str(tmp_path / "x"))
        assert before == admin_in(config.parent / "admin.key")


def test_removing_a_node_says_that_it_knows_the_secret(
    config: Path, node: AnsweringNode, capsys: pytest.CaptureFixture[str]
) -> None:
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        assert 0 == run(config, "remove", NODES[2])
    assert "procomu community rotate --secret" in capsys.readouterr().out


def test_one_key_is_not_said_to_decide_alone_where_a_recovery_key_is_on_paper(
    config: Path, node: AnsweringNode, capsys: pytest.CaptureFixture[str]
) -> None:
    with node_running(config, node.answers()):
        assert 0 == run(config, "create")
        assert 0 == run(config, "show")
        assert "One key decides alone" in capsys.readouterr().out
        assert 0 == run(config, "admins", "--new-recovery")
        assert 0 == run(config, "show")
    assert "One key decides alone" not in capsys.readouterr().out


@pytest.mark.parametrize("has_record", [False, True])
def test_what_links_carried_is_shown_beside_what_pages_say(
    config: Path, node: AnsweringNode, capsys: pytest.CaptureFixture[str], has_record: bool
) -> None:
    with node_running(config, node.answers()):
        if has_record:
            assert 0 == run(config, "create")
        capsys.readouterr()
        assert 0 == run(config, "show")
        assert "carried" not in capsys.readouterr().out
        node.uses = tuple(map(a_link_use, ("hills", "coast", "valley")))
        assert 0 == run(config, "show")
        shown = capsys.readouterr().out
        assert 0 == run(config, "show", "--json")
        document = json.loads(capsys.readouterr().out)
    for words in (
        "2 GB to it, 1 GB from it",
        "5 GB down, 0 B up",
        "cannot be: its pages say more than was sent to it, on 2026-11-24",
        "has a line of its own",
        "much more was sent than its pages say",
    ):
        assert words in shown
    assert ["more", "line", "less"] == [each["verdict"] for each in document["links"]]
