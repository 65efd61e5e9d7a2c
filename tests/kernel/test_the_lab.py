"""The lab removes everything that it made and nothing else."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.lab.netns import REGISTERS, Lab, entered_namespace, sweep

pytestmark = pytest.mark.kernel

KILLED_LAB = """
import os
from tests.lab.netns import Lab
lab = Lab("killed")
place = lab.namespace("place")
place.start("sleep", "1000")
print(lab.prefix, flush=True)
os.kill(os.getpid(), 9)
"""


def test_two_namespaces_reach_each_other_on_both_families():
    with Lab("lab") as lab:
        left, right = lab.namespace("left"), lab.namespace("right")
        lab.veth(left, "cable", right, "cable")
        left.address("cable", "10.1.0.1/24", "fd01::1/64")
        right.address("cable", "10.1.0.2/24", "fd01::2/64")
        for address in ("10.1.0.1", "fd01::1"):
            # The first packets can be lost while neighbours are looked up; from then on none is.
            right.run("ping", "-c3", "-i0.5", "-W2", address)
            assert "1 received" in right.run("ping", "-c1", "-W2", address)


def test_a_thread_started_inside_stays_inside():
    seen: list[list[str]] = []
    with entered_namespace():
        thread = threading.Thread(target=lambda: seen.append([name for _, name in socket.if_nameindex()]))
        thread.start()
        thread.join()
    assert [["lo"]] == seen


def test_a_closed_lab_leaves_no_namespace_process_or_folder():
    with Lab("lab") as lab:
        place = lab.namespace("place")
        program = place.start("sleep", "1000")
        folder = lab.folder
    assert not place.path.exists()
    assert not program.is_alive()
    assert not folder.exists()
    assert not (REGISTERS / f"{lab.prefix}.json").exists()


def test_the_sweep_removes_the_leftovers_of_a_killed_lab_and_nothing_else():
    with Lab("lab") as lab:
        other = lab.namespace("other")
        done = subprocess.run([sys.executable, "-c", KILLED_LAB], capture_output=True, text=True, check=False)
        assert -signal.SIGKILL == done.returncode, done.stderr
        prefix = done.stdout.strip()
        assert Path("/run/netns", f"{prefix}-place").exists()
        sweep()
        assert not Path("/run/netns", f"{prefix}-place").exists()
        assert other.path.exists()
