"""The checks of the tree work on every kind of copy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree_files import ROOT, tree_files

SOME = {Path("README.md"), Path(".ci/run"), Path("node/units.py"), Path("tests/architecture/tree_files.py")}


def test_an_unpacked_archive_has_the_same_files_as_the_clone(tmp_path: Path) -> None:
    files = tree_files()
    assert set(files) >= SOME
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    for made in (".venv/bin/python", "node/__pycache__/units.cpython-313.pyc", ".ruff_cache/x"):
        (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made).write_text("")
    assert files == tree_files(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_clone_that_belongs_to_another_user_is_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 65534, 65534)
    assert [Path("a.txt")] == tree_files(tmp_path)
