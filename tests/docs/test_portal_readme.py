"""The portal's README agrees with the code: state machine, addresses and limits."""

import re
from dataclasses import fields
from pathlib import Path

from captive_portal import responsiveness
from captive_portal.forms import CHARACTERS_MAX
from captive_portal.server import ADDRESSES
from node.memory_budget import Allowed, allowed_memory, budget
from node.sessions.state import TRANSITIONS
from node.web.connections import Limits
from tests.docs.sessions_diagram import ARROWS, diagram

PACKAGE = Path(__file__).parents[2] / "captive_portal"
README = (PACKAGE / "README.md").read_text()


def test_the_diagram_is_generated_from_the_state_machine() -> None:
    assert f"```mermaid\n{diagram()}\n```" in README
    assert {(state.__name__, event.__name__) for state, event in TRANSITIONS} == {
        (state, event) for state, event, _ in ARROWS
    }


def test_every_address_is_in_the_table() -> None:
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `/")]
    assert ADDRESSES == {address for row in rows for address in re.findall(r"`(/[^`]*)`", row)}


def test_every_module_is_in_the_reading_order_once() -> None:
    named = re.findall(r"`(\w+\.py)`", README.partition("## Reading order")[2])
    assert sorted(named) == sorted(path.name for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def test_every_field_is_in_the_table_with_its_limit() -> None:
    rows = {
        match[1]: int(match[2])
        for match in re.finditer(r"^\| field `(\w+)` \| (\d+) \|$", README, re.MULTILINE)
    }
    assert CHARACTERS_MAX == rows


def test_every_limit_is_in_the_table_with_its_value() -> None:
    rows = {
        match[1]: match[2] for match in re.finditer(r"^\| `(\w+)`[^|]*\| ([\d.]+) \|$", README, re.MULTILINE)
    }
    assert {field.name: str(field.default) for field in fields(Limits)} == rows


def test_the_limits_of_the_responsiveness_test_are_as_in_the_code() -> None:
    rows = README.partition("| limit of the test | value |")[2].partition("\n\n")[0]
    documented = [float(value) for row in rows.splitlines()[2:] for value in row.split("|")[2].split(";")]
    assert documented == [
        responsiveness.TEST_S,
        responsiveness.IDLE_S,
        responsiveness.PAUSE_S,
        responsiveness.TEST_BYTES,
        responsiveness.LARGE_BYTES,
        responsiveness.TRANSFERS_MAX,
        responsiveness.CHUNK_BYTES,
        1000 * responsiveness.CHUNK_S,
        responsiveness.SOCKET_BYTES,
    ]


def test_the_capacity_table_agrees_with_the_memory_budget() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", README, re.MULTILINE)
    found = {int(mib): budget(Allowed(int(mib) << 20, "")) for mib, *_ in rows}
    assert 4 == len(rows)
    assert rows == [
        (str(mib), f"{each.connections(0):,}", f"{each.connections(1_000):,}", f"{each.devices:,}")
        for mib, each in found.items()
    ]
    unit = (PACKAGE.parent / "deploy/systemd/procomu.service").read_text()
    assert f"MemoryHigh={min(found)}M\n" in unit


def test_the_planned_share_of_a_hard_limit_is_as_documented() -> None:
    files = {"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": f"{25 << 20}\n"}
    assert 23 << 20 == allowed_memory(files.get).bytes
    assert "92 % of `memory.max`" in README


def test_every_failure_of_others_has_an_existing_test() -> None:
    rows = [
        line.split("|")
        for line in README.partition("## What went wrong elsewhere")[2].partition("\n## ")[0].splitlines()
        if line.startswith("| ") and "::" in line
    ]
    assert len(rows) > 30
    for *_, cell, _ in rows:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
        assert named, cell
        for path, name in named:
            text = (Path(__file__).parents[1] / path).read_text()
            assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), name
