"""Structure of the source tree: file names, sizes, task ownership, tests for pure modules, import directions."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("node", "captive_portal", "mesh")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NO_NOUN = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "manager", "handler"}
NO_NOUN |= {"processor", "data", "info"}
MODULE_LINES_MAX = 600
LONG_MODULES: dict[str, str] = {}
"""Modules that may exceed the size limit, with the reason."""
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def edges() -> list[str]:
    """Modules that do I/O, as the import contract lists them."""
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
def test_every_file_has_a_docstring(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_exactly_the_named_modules_exceed_the_size_limit(path):
    lines = len(path.read_text().splitlines())
    assert (lines > MODULE_LINES_MAX) == (name_of(path) in LONG_MODULES)


def test_modules_that_may_be_long_exist():
    assert set() == LONG_MODULES.keys() - {name_of(path) for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_task_belongs_to_a_task_group(path):
    """An exception in a task without an owner is lost. A group is what ``async with asyncio.TaskGroup() as``
    names.
    """
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
    "node.backup.ports",
    "node.config.model",
    "node.enforcement.plan",
    "node.governance.allowance",
    "node.accounts.auth_result",
    "node.accounts.changes",
    "node.control.ports",
    "node.export.node_readings",
    "node.app.warning_codes",
    "node.app.ports",
    "mesh.ports",
}
"""Modules that hold only types; the tests of their users cover them."""
AWAITED = {"node.app.account"}
"""Modules that are covered by the tests of other modules and have no test file of their own yet."""


def mirror(path: Path) -> Path:
    """The file with a module's own unit tests."""
    return ROOT / "tests" / "unit" / path.relative_to(ROOT).with_name(f"test_{path.stem}.py")


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_every_pure_module_has_a_test_file(path):
    if name_of(path) in VALUES_ONLY | AWAITED:
        return
    assert mirror(path).exists(), f"write {mirror(path).relative_to(ROOT)}"


def test_exceptions_name_existing_pure_modules_that_have_no_test_file():
    assert set() == (VALUES_ONLY | AWAITED) - {name_of(path) for path in PURE if not mirror(path).exists()}


def runs_of_tests() -> list[tuple[str, set[str]]]:
    """Each command of `deploy/check` that runs tests, and their folders."""
    script = (ROOT / "deploy" / "check").read_text()
    commands = re.findall(r"^ *(pytest (?!\(\)).*)$", script, flags=re.MULTILINE)
    return [(each, set(re.findall(r"tests/\w+", each.partition("||")[0]))) for each in commands]


def test_deploy_check_runs_every_folder_of_tests():
    folders = {
        f"tests/{path.relative_to(ROOT / 'tests').parts[0]}" for path in ROOT.glob("tests/**/test_*.py")
    }
    assert folders == set().union(*(run for _, run in runs_of_tests()))


def test_deploy_check_runs_alone_what_it_leaves_out_elsewhere():
    (left_out,) = [run for command, run in runs_of_tests() if '-m "not alone"' in command]
    (alone,) = [run for command, run in runs_of_tests() if "-m alone" in command]
    assert left_out == alone


def test_continuous_integration_leaves_no_variation_out():
    (command,) = re.findall(r"^exec .*$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert "deploy/check" in command
    assert "--thorough" in command.split()


THOROUGH = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.thorough" in path.read_text()]


@pytest.mark.parametrize("path", THOROUGH, ids=lambda path: path.stem)
def test_no_file_of_tests_is_left_out_as_a_whole(path):
    every = [each for each in functions(path) if each.name.startswith("test_")]
    marks = [{ast.unparse(mark) for mark in each.decorator_list} for each in every]
    assert any("pytest.mark.thorough" not in each for each in marks)
    assert not re.search(r"^pytestmark.*thorough", path.read_text(), flags=re.MULTILINE)


def test_imports_follow_the_import_contracts():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stdout
