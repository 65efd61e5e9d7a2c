"""Beginning and ending: one node at a time, and an end within three seconds whatever hangs."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.daemon import claim
from node.errors import NodeError

ROOT = Path(__file__).parents[2]
A_NODE_THAT_HANGS = """
import asyncio, os, sys, time
from node.daemon import until_told

class Hanging:
    async def run(self):
        print("running", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(time.sleep, 60)  # a disk that does not answer

    def give_up(self):
        print("gave up", flush=True)
        os._exit(0)

asyncio.run(until_told(Hanging()))
"""


def test_a_second_node_with_the_same_folder_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    with claim(tmp_path / "run"), pytest.raises(NodeError, match="another node runs"):
        claim(tmp_path / "run")
    claim(tmp_path / "run").close()


def test_a_node_told_to_stop_ends_within_three_seconds_even_if_its_disk_hangs() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", A_NODE_THAT_HANGS], stdout=subprocess.PIPE, cwd=ROOT
    ) as node:
        assert node.stdout is not None
        assert b"running\n" == node.stdout.readline()
        began = time.monotonic()
        node.send_signal(signal.SIGTERM)
        assert b"gave up\n" == node.stdout.readline()
        assert 0 == node.wait(10)
        assert time.monotonic() - began < 3
