"""The files of the set-up on a disk with little room: with 50 MB left it works, and on a full one it says so and the machine
stays without settings, until there is room."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.internet import ROOT

pytestmark = pytest.mark.kernel
WRITES = """
import json, sys
from pathlib import Path
from node.errors import NodeError
from node.setup import mode
from tests.contracts.test_setup_files import ANSWERS

folder = Path(sys.argv[1])
seen = {}
try:
    (folder / "run").mkdir()
    setup = mode.SetupMode(folder / "etc/node.toml", folder / "run", folder / "data")
    filler = folder / "filler"
    if sys.argv[2] == "full":
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
    try:
        setup.write_files(ANSWERS, "br-lan")
    except NodeError as error:
        seen["trouble"] = error.message
        seen["settings"] = setup.config.exists()
        filler.unlink()
        setup.write_files(ANSWERS, "br-lan")
finally:
    seen["written"] = (folder / "etc/node.toml").exists()
    print(json.dumps(seen))
"""


def written_on(folder: Path, megabytes: int, state: str) -> dict[str, Any]:
    """In a mount namespace of its own, with a file system in memory."""
    script = 'mount -t tmpfs -o size=$1m none "$2" && shift 2 && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", script, "sh", str(megabytes), str(folder)]
    words += [sys.executable, "-c", WRITES, str(folder), state]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert 0 == done.returncode, done.stderr
    return dict(json.loads(done.stdout))


def test_fifty_megabytes_are_enough(tmp_path: Path) -> None:
    assert {"written": True} == written_on(tmp_path, 50, "empty")


def test_a_full_disk_is_said_and_the_rest_is_written_when_there_is_room(tmp_path: Path) -> None:
    seen = written_on(tmp_path, 20, "full")
    assert "no space left" in seen["trouble"]
    assert (False, True) == (seen["settings"], seen["written"])
