"""Programs in a process namespace of their own, seen from outside."""

import contextlib
import os
import time
from pathlib import Path


def first_child(pid: int) -> int:
    """The process with pid 1 in the namespace that `pid` (unshare) created."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                return int(children[0])
        time.sleep(0.02)
    raise RuntimeError(f"process {pid} started no other")


def keep_to_core(pid: int, core: int) -> None:
    """All threads of a process, and those it creates later."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def rss_mb(pid: int) -> float:
    """Resident memory of one process."""
    return round(rss_kb(pid) / 1024, 1)


def rss_kb(pid: int | str) -> int:
    """Resident memory of one process; `self` is this one."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no memory")
