"""Warnings about rules from what a node keeps on its disk, while it does not run: `rules check` and `doctor`."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesh.community_service import CommunityService
from node.app.admin_access import ACCOUNTS, first_account
from node.cli.entry import main
from node.config import NodeConfig, parse_config
from node.control.capacity_recorder import STATE
from node.doctor.rule_facts import findings_in_force, findings_on_disk
from node.governance.members import NO_MEMBERS
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from node.storage.database import Store
from node.storage.repository import StoredStatements
from node.units import BitsPerSecond
from node.uplink.capacity_log import ENOUGH_S, NOTHING_LOGGED, counted, to_text
from tests.contracts.test_cli import GOOD, config, said_in_json
from tests.fakes.neighbours import id_of
from tests.fakes.secret_store import FakeSecretStore

__all__ = ["config"]

TODAY = datetime.now(UTC).astimezone().date()
LINE = '[uplink.main]\ndown = "40 Mbit/s"\nup = "8 Mbit/s"\n'
PROMISE = '[charter]\napprovals = 2\nguest_lifeline = "10 Mbit/s down, 2 Mbit/s up"\n'
RULES = GOOD + LINE + PROMISE
ELSEWHERE = '[[rule]]\nid = "top"\ndevices = 2\nwho = "tier:guest"\nby = "D-1"\nat = "node:mill"\n'


def ruleset(text: str = RULES) -> Ruleset:
    found, findings = parse_ruleset(text)
    assert found is not None, findings
    return found


def settings(path: Path) -> NodeConfig:
    found, _ = parse_config(path.read_text())
    assert found is not None
    return found


def keep(config: NodeConfig) -> None:
    """One admin, and an hour in which the line carried 1 Mbit/s."""
    path = Path(config.node.data_dir) / "procomu.db"
    store = Store(path)
    store.run_blocking(lambda _db: None)
    store.close()
    slow, log = BitsPerSecond(1_000_000), NOTHING_LOGGED
    for _ in range(ENOUGH_S):
        log = counted(log, TODAY, {"down": slow, "up": slow})
    account = first_account("Ana", "mirror bicycle harbour", b"s" * 16, f"{TODAY}")
    with sqlite3.connect(path) as db:
        values = [(STATE, to_text(log)), (ACCOUNTS, account)]
        db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", values)
    db.close()


def codes(config: NodeConfig, text: str = RULES, days: int = 0) -> list[str]:
    day = TODAY + timedelta(days=days)
    return sorted({each.code for each in findings_on_disk(config, ruleset(text), NO_MEMBERS, day)})


def test_each_is_found_from_the_disk_alone(config: Path) -> None:
    node = settings(config)
    assert [] == codes(node), "nothing is kept yet"
    keep(node)
    assert ["W21", "W22"] == codes(node)
    assert ["W22"] == codes(node, days=20), "what the line carried is of two weeks"
    assert ["W20"] == codes(node, GOOD + LINE + ELSEWHERE, days=20)
    assert ["W20", "W21", "W22"] == sorted(
        {each.code for each in findings_in_force(node, ruleset(RULES + ELSEWHERE), NO_MEMBERS, TODAY)}
    )
    several = LINE + LINE.replace("main", "mill")
    assert ["W21", "W22"] == codes(node, GOOD + several + PROMISE), "it is of the main line"
    others = replace(node, community=replace(node.community, nodes=("b" * 52,)))
    assert [] == codes(others, GOOD + LINE + ELSEWHERE, days=20), "another node may be called that"


async def test_a_node_that_follows_a_community_record_is_not_alone(config: Path) -> None:
    node = settings(config)
    await asyncio.to_thread(keep, node)
    assert "W20" in codes(node, GOOD + LINE + ELSEWHERE)
    store = Store(Path(node.node.data_dir) / "procomu.db")
    try:
        service = CommunityService(
            own=id_of("square"),
            listed=(),
            store=StoredStatements(store),
            secret=b"s",
            secret_store=FakeSecretStore(),
        )
        await service.follow("a" * 64)
    finally:
        store.close()
    assert "W20" not in codes(node, GOOD + LINE + ELSEWHERE), "another node may be called that"


@pytest.mark.parametrize("content", [b"", b"no database" * 200])
def test_a_database_that_cannot_be_read_adds_nothing(config: Path, content: bytes) -> None:
    node = settings(config)
    path = Path(node.node.data_dir) / "procomu.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    assert [] == codes(node)


def test_the_console_says_it_without_a_running_node(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node, draft = settings(config), config.parent / "draft.toml"
    keep(node)
    draft.write_text(RULES)
    assert 0 == main(["--config", str(config), "rules", "check", str(draft), "--json"])
    assert {"W21", "W22"} <= {each["code"] for each in said_in_json(capsys)["findings"]}
    Path(node.rules.file).write_text(RULES)
    main(["--config", str(config), "doctor"])
    told = capsys.readouterr().out
    assert ("W21" in told, "W22" in told) == (True, True)
