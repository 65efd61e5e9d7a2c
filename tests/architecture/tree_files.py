"""The files of this tree, also in an unpacked archive and in a clone that belongs to another user."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = (
    "__pycache__",
    ".git",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    "dist",
    "build",
)
"""Folders that programs make; `.gitignore` has them too."""


def tree_files(root: Path = ROOT) -> list[Path]:
    """Without what is ignored; relative to `root`, sorted."""
    if not (root / ".git").exists():
        return sorted(_walked(root, root))
    # git refuses to look into another user's repository unless it is told to.
    argv = ["git", "-c", f"safe.directory={root}", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=root, capture_output=True, check=True).stdout.decode()
    return sorted(Path(name) for name in listed.split("\0") if name and (root / name).is_file())


def _walked(folder: Path, root: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_symlink() or entry.name in NOT_OURS or entry.name.startswith(".venv"):
            continue
        if entry.is_dir():
            yield from _walked(entry, root)
        elif entry.suffix != ".pyc":
            yield entry.relative_to(root)
