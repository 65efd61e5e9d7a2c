"""The environment of the systemd unit has its intended effect on the C library."""

import ctypes
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.lab.unit_environment import UNIT, unit_environment

ALLOCATE = """
import ctypes, threading
held = []
barrier = threading.Barrier(8)

def allocate():
    barrier.wait()
    held.append([bytes(1_000 + number) for number in range(1_000)])
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc"
)


def heaps(environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.count("<heap nr=")


def test_threads_share_one_heap() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    assert 1 < heaps(plain)
    assert 1 == heaps(plain | unit_environment())


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze missing (apt-get install systemd)"
)
def test_the_unit_is_exposed_as_little_as_its_documents_say() -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for procomu.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    for text in (UNIT.read_text(), (UNIT.parents[1] / "README.md").read_text()):
        said = re.search(r"(?:EXPOSURE|exposure\s+of|gives it) ([0-9.]+)[ ;]", text)
        assert said is not None
        assert found[1] == said[1]
