"""The shape of the house: names, sizes, tasks with owners, a test for every pure room, imports as drawn."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("node", "captive_portal", "mesh")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
NO_NOUN = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "handler"}
NO_NOUN |= {"processor", "data", "info"}
MODULE_LINES_MAX = 600
LONG_MODULES: dict[str, str] = {}
"""Modules that may be longer, by name and reason."""
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def edges() -> list[str]:
    """Rooms that may touch the world, as the import contract lists them."""
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    (pure,) = (contract for contract in contracts if contract["name"] == "Pure unless named an edge")
    return [line.split(" -> ")[0] for line in pure["ignore_imports"]]


def is_edge(path: Path) -> bool:
    return any(fnmatch(name_of(path), edge) for edge in edges())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_file_is_named_by_a_noun(path):
    assert path.stem not in NO_NOUN
    assert path.parent.name not in NO_NOUN


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_too_long_to_read_at_once(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MODULE_LINES_MAX or name_of(path) in LONG_MODULES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_task_belongs_to_a_group(path):
    """A task that no group owns dies unseen. A group is what ``async with asyncio.TaskGroup() as`` names."""
    tree = ast.parse(path.read_text())
    groups = {
        ast.unparse(item.optional_vars)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if item.optional_vars is not None and "TaskGroup" in ast.unparse(item.context_expr)
    }
    passed = {
        argument.arg
        for function in functions(path)
        for argument in [*function.args.args, *function.args.kwonlyargs]
        if argument.annotation is not None and "TaskGroup" in ast.unparse(argument.annotation)
    }
    kept = {
        ast.unparse(node.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and "TaskGroup" in ast.unparse(node.annotation)
    }
    owners = {
        ast.unparse(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "create_task"
    }
    assert set() == owners - groups - passed - kept


PURE = [path for path in SOURCES if path.stem != "__init__" and not is_edge(path)]
VALUES_ONLY = {
    "node.__main__",
    "node.errors",
    "node.admin.ports",
    "node.config.model",
    "node.enforcement.plan",
    "node.enforcement.ports",
    "node.governance.allowance",
    "node.governance.rules",
    "node.accounts.auth_result",
    "node.accounts.ports",
    "node.control.ports",
    "captive_portal.framing",
    "captive_portal.ports",
    "mesh.ports",
}
"""Rooms that hold only shapes: whoever uses them tests them."""
AWAITED = {
    "node.accounting.booking",
    "node.app.console",
    "node.app.mesh_usage",
    "node.app.status",
    "node.app.account",
    "node.governance.policy_slice",
    "node.control.usage_delta",
    "node.control.rates",
    "node.control.accounting_cycle",
    "node.control.active_ruleset",
}
"""Rooms that are tested through their neighbours only, until they have a mirror of their own."""


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_every_pure_room_has_its_mirror_among_the_tests(path):
    if name_of(path) in VALUES_ONLY | AWAITED:
        return
    mirror = ROOT / "tests" / "unit" / path.relative_to(ROOT).with_name(f"test_{path.stem}.py")
    assert mirror.exists(), f"write {mirror.relative_to(ROOT)}"


def test_exceptions_are_for_rooms_that_are_still_there():
    assert set() == (VALUES_ONLY | AWAITED) - {name_of(path) for path in SOURCES}


def test_imports_go_where_the_drawing_says():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stdout
