"""Declared dependencies and imported packages are the same set."""

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("node", "captive_portal", "mesh")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULE_OF = {"import-linter": "importlinter", "pillow": "PIL", "pil": "PIL", "pytest-xdist": "xdist"}
"""Distributions whose module name is not the distribution name with underscores for hyphens."""
NO_LIBRARY = {"python3", "python3-venv"}
"""Debian packages of the interpreter itself."""
RUN_AS = {
    "importlinter": ("deploy/check", ".venv/bin/lint-imports"),
    "mypy": ("deploy/check", ".venv/bin/mypy"),
    "pytest_asyncio": ("pyproject.toml", "asyncio_mode"),
    "ruff": ("deploy/check", ".venv/bin/ruff"),
    "xdist": ("deploy/check", "--dist loadfile"),
}
"""Tools that nothing imports: the file that runs or configures each."""


@cache
def imported(*folders: str) -> set[str]:
    """Top-level modules imported below `folders` that belong neither to the standard library nor to this project."""
    found: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module is not None:
                    found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {*PACKAGES, "tests"}


def modules(distributions: list[str]) -> set[str]:
    return {MODULE_OF.get(name, name.replace("-", "_")) for name in distributions}


def declared(requirements: list[str]) -> set[str]:
    names = [match[0] for each in requirements if (match := re.match(r"[A-Za-z0-9-]+", each))]
    return modules(names)


def debian(array: str) -> set[str]:
    """Modules provided by the Debian packages of one array in deploy/setup."""
    found = re.search(
        rf"^{array}=\((.*?)\)", (ROOT / "deploy" / "setup").read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None, array
    names = [name for name in found[1].split() if name not in NO_LIBRARY]
    libraries = [name for name in names if name.startswith("python3-") or name == "sqlite-utils"]
    return modules([name.removeprefix("python3-") for name in libraries])


def test_what_pyproject_declares_is_what_production_code_imports() -> None:
    assert imported(*PACKAGES) == declared(PROJECT["dependencies"])


def test_debian_packages_of_the_node_are_what_production_code_imports() -> None:
    assert imported(*PACKAGES) == debian("RUN_PACKAGES")


def test_the_debian_package_depends_on_what_pyproject_declares_in_the_same_versions() -> None:
    control = (ROOT / "deploy" / "debian" / "control").read_text()
    depends = control.partition("\nDepends:")[2].partition("\nRecommends:")[0]
    libraries = re.findall(r"^ (?:python3-([a-z0-9]+)|(sqlite-utils)) \(>= ([\d.]+)\)", depends, re.MULTILINE)
    assert sorted(PROJECT["dependencies"]) == sorted(f"{a or b}>={least}" for a, b, least in libraries)
    assert (
        PROJECT["requires-python"] == f">={re.search(r'^ python3 .>= ([0-9.]+)', depends, re.MULTILINE)[1]}"
    )


def test_what_only_tests_import_is_declared_for_development_or_installed_for_the_browser() -> None:
    only_tests = imported("tests") - imported(*PACKAGES)
    assert only_tests == (declared(PROJECT["optional-dependencies"]["dev"]) - RUN_AS.keys()) | (
        debian("CHECK_PACKAGES") | debian("BROWSER_PACKAGES")
    )


def test_the_tools_of_pyproject_are_those_that_setup_installs() -> None:
    found = re.search(r"^CHECK_TOOLS=\((.*?)\)", (ROOT / "deploy" / "setup").read_text(), re.MULTILINE)
    assert found is not None
    assert modules(found[1].split()) == declared(PROJECT["optional-dependencies"]["dev"])


def loaded_at_import(module: str, seen: set[str]) -> None:
    """Adds to `seen` what is loaded with a module of tests/, without what only type checkers or single functions import."""
    seen.add(module)
    path = ROOT / (module.replace(".", "/") + ".py")
    if not module.startswith("tests.") or not path.exists():
        return
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            seen |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                if name not in seen:
                    loaded_at_import(name, seen)


def test_what_is_measured_needs_no_tool_of_the_tests() -> None:
    """`deploy/bench` and `deploy/demo` install only what the node needs."""
    seen: set[str] = set()
    for folder in ("tests/bench", "tests/lab"):
        for path in sorted((ROOT / folder).glob("*.py")):
            loaded_at_import(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."), seen)
    assert "tests.fakes.repository" in seen, "the imports are followed"
    assert not {name.partition(".")[0] for name in seen} & {"hypothesis", "playwright", "pytest"}


@pytest.mark.parametrize("tool", sorted(RUN_AS))
def test_tools_that_nothing_imports_are_run_or_set(tool: str) -> None:
    path, words = RUN_AS[tool]
    assert words in (ROOT / path).read_text()


def test_packages_come_from_their_package_managers_and_from_no_fixed_address() -> None:
    """So that a mirror, a proxy or a folder of wheels can serve the whole installation."""
    hosts = re.compile(
        r"npmjs\.|registry\.[a-z]+\.(?:org|com|io)|pypi\.org|pythonhosted\.org|crates\.io|unpkg\.com|jsdelivr\.net"
    )
    top = [path for path in ROOT.iterdir() if path.is_file()]
    folders = (*PACKAGES, "deploy", "tests", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    text = [path for path in (*top, *files) if path.suffix not in {".pyc", ".png", ".mo", ".pdf", ".webp"}]
    found = [
        path for path in text if path != Path(__file__) and hosts.search(path.read_text(errors="replace"))
    ]
    assert [] == [str(path.relative_to(ROOT)) for path in found]


def importers(module: str) -> set[str]:
    """Production files that import this module or something in it."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(path.read_text())))
            names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
            if module in {name.partition(".")[0] for name in names}:
                found.add(str(path.relative_to(ROOT)))
    return found


def test_toml_is_read_in_one_place_and_edited_in_one() -> None:
    """node.toml_reader has the limits for hostile files and the line numbers of findings; the editor keeps
    comments.
    """
    assert {"node/toml_reader.py"} == importers("tomllib")
    assert {1} == {len(importers("tomlkit"))}
