"""No source line starts a program through a shell or contains a private key."""

import ast
import re
import stat
from pathlib import Path

import pytest

from node.cli.init import InitOptions, create_files
from node.setup.network_facts import InterfacesSeen
from tests.architecture.test_structure import ROOT, SOURCES, name_of
from tests.architecture.tree_files import tree_files

SHELLS = {"system", "popen", "create_subprocess_shell", "getoutput", "getstatusoutput"}
PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}")


def shells(path: Path) -> list[int]:
    """Lines that call a shell, or can do so by a parameter."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SHELLS or any(keyword.arg == "shell" for keyword in node.keywords):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_program_is_started_through_a_shell(path: Path) -> None:
    assert [] == shells(path)


def test_the_search_finds_a_shell_where_there_is_one(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os, subprocess\nos.system('x')\nsubprocess.run('x', shell=True)\n")
    assert [2, 3] == shells(bad)


def test_no_private_key_is_in_the_repository() -> None:
    assert [] == [path for path in tree_files() if PRIVATE.search((ROOT / path).read_bytes())]


def test_two_new_nodes_have_no_key_in_common(tmp_path: Path) -> None:
    keys = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        wishes = InitOptions(
            config=folder / "node.toml",
            name="square",
            community="Vall",
            lan="lan0",
            uplink="up0",
            data_dir=folder / "data",
        )
        create_files(wishes, InterfacesSeen(("lan0", "up0"), None))
        secrets = [folder / "community.key", folder / "data" / "node.key"]
        assert [0o600] * 2 == [stat.S_IMODE(path.stat().st_mode) for path in secrets]
        keys += [path.read_text() for path in secrets]
    assert 4 == len(set(keys))
