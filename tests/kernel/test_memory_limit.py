"""The lab's memory limit is enforced, is accounted, and is removed with its lab."""

import signal
import sys
import time

import pytest

from tests.lab.memory_limit import MIB, MemoryLimit, missing_for_memory_limits
from tests.lab.netns import Lab

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(missing_for_memory_limits() is not None, reason=str(missing_for_memory_limits())),
]
TAKE = "import sys, time\nheld = bytearray(int(sys.argv[1]))\nprint(len(held), flush=True)\ntime.sleep(100)"
LOOK = (
    "print([line for line in open('/proc/self/cgroup') if ':memory:' in line or line.startswith('0::')]);"
    "from pathlib import Path; print([p.name for p in Path('/sys/fs/cgroup').iterdir()])"
)


def test_a_program_over_the_limit_is_killed_and_one_below_it_is_accounted():
    with Lab("limit") as lab:
        place, limit = lab.namespace("place"), MemoryLimit(lab, 40 * MIB)
        modest = place.start(*limit.enter, sys.executable, "-c", TAKE, str(10 * MIB))
        while str(10 * MIB) not in modest.output():
            assert modest.is_alive(), modest.output()
            time.sleep(0.02)
        assert [modest.pid] == limit.pids()
        assert 10 * MIB < limit.used_bytes <= limit.peak_bytes < 40 * MIB
        assert 0 == limit.kills
        greedy = place.start(*limit.enter, sys.executable, "-c", TAKE, str(60 * MIB))
        assert -signal.SIGKILL == greedy.popen.wait(20)
        assert limit.kills >= 1
        folder = limit.folder
    assert not folder.exists()


def test_a_program_inside_sees_its_limit_where_a_real_machine_has_it():
    with Lab("limit") as lab:
        place, limit = lab.namespace("place"), MemoryLimit(lab, 40 * MIB)
        seen = place.run(*limit.enter, sys.executable, "-c", LOOK)
        assert limit.folder.name in seen
        assert "memory" in seen or "cgroup.controllers" in seen
