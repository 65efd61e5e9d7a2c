"""A memory limit for programs of a lab, as a service manager sets it (``MemoryMax=``): a control group of its own.

    limit = MemoryLimit(lab, 96 * MIB)
    router.place.start(*limit.enter, "python3", "-m", "node", "run")
    limit.peak_bytes, limit.kills

With control groups v2 the limit includes all kernel memory, socket buffers too. With v1 it includes pages and kernel
objects; socket buffers have a counter of their own, which `peak_bytes` adds.
"""

import os
from pathlib import Path

from tests.lab.netns import Lab

MIB = 1024 * 1024
V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 62
# `ip netns exec` mounts a /sys without control groups: a program that reads its limit must find it as on a real
# machine.
_ENTER_V1 = """
if [ ! -e /sys/fs/cgroup/memory/cgroup.procs ]; then
  mount -t tmpfs lab-cgroup /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory &&
  mount -t cgroup -o memory lab-cgroup /sys/fs/cgroup/memory || exit 125
fi
echo $$ >"$0/cgroup.procs" || exit 125
exec "$@"
"""
_ENTER_V2 = """
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 lab-cgroup /sys/fs/cgroup || exit 125
echo $$ >"$0/cgroup.procs" || exit 125
exec "$@"
"""


def missing_for_memory_limits() -> str | None:
    """The reason why no memory limit can be set here, in one sentence; None if it can."""
    if os.geteuid() != 0:
        return "a memory limit needs root"
    if not _is_v1() and not _is_v2():
        return "no memory controller is mounted below /sys/fs/cgroup"
    return None


class MemoryLimit:
    """A control group; it is removed with its lab, programs that are still in it with their namespace."""

    def __init__(self, lab: Lab, limit_bytes: int, high_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._is_v1 = _is_v1()
        self.folder = (V1 if self._is_v1 else V2) / f"procomu-lab-{lab.prefix}-{lab.next_number()}"
        lab.record_cgroup(self.folder)
        self.folder.mkdir()
        if self._is_v1:
            self._write("memory.limit_in_bytes", limit_bytes)
            self._write("memory.kmem.tcp.limit_in_bytes", _NO_LIMIT)  # without a limit they are not counted
        else:
            self._write("memory.max", limit_bytes)
            self._write("memory.swap.max", 0)
            if high_bytes is not None:
                self._write("memory.high", high_bytes)

    @property
    def enter(self) -> tuple[str, ...]:
        """Prefix of a command line: the program and its children run within the limit, with the same process id."""
        return ("sh", "-c", _ENTER_V1 if self._is_v1 else _ENTER_V2, str(self.folder))

    @property
    def used_bytes(self) -> int:
        """Current usage, with socket buffers."""
        if self._is_v1:
            return self._read("memory.usage_in_bytes") + self._read("memory.kmem.tcp.usage_in_bytes")
        return self._read("memory.current")

    @property
    def peak_bytes(self) -> int:
        """Highest usage so far, with the page cache, which the kernel reclaims before it kills."""
        if self._is_v1:
            return self._read("memory.max_usage_in_bytes") + self._read("memory.kmem.tcp.max_usage_in_bytes")
        return self._read("memory.peak")

    @property
    def kernel_bytes(self) -> int:
        """Part of `used_bytes` that the kernel uses for the programs: sockets, their buffers, page tables."""
        if self._is_v1:
            return self._read("memory.kmem.usage_in_bytes") + self._read("memory.kmem.tcp.usage_in_bytes")
        return self._field("memory.stat", "kernel") + self._field("memory.stat", "sock")

    @property
    def kills(self) -> int:
        """Number of processes killed because of the limit."""
        return self._field("memory.oom_control" if self._is_v1 else "memory.events", "oom_kill")

    def pids(self) -> list[int]:
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def _write(self, name: str, value: int) -> None:
        (self.folder / name).write_text(str(value))

    def _read(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def _field(self, name: str, key: str) -> int:
        lines = (line.split() for line in (self.folder / name).read_text().splitlines())
        return next(int(words[1]) for words in lines if words[0] == key)


def _is_v1() -> bool:
    return (V1 / "memory.limit_in_bytes").exists() or (V1 / "cgroup.procs").exists()


def _is_v2() -> bool:
    controllers = V2 / "cgroup.subtree_control"
    return controllers.exists() and "memory" in controllers.read_text().split()
