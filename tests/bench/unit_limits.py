"""The node as its unit runs it: within the unit's limits, restarted when it ends; and its resource usage meanwhile."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from node.enforcement.kernel import make_room_for_neighbours
from tests.lab.internet import ROOT
from tests.lab.memory_limit import MIB, MemoryLimit
from tests.lab.village import Router

UNIT = ROOT / "deploy/systemd/procomu.service"
RESTART_S = 1.0
LOOK_S = 0.2
NEIGHBOURS = Path("/proc/sys/net")
CONNTRACK_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")


def unit_bytes(name: str) -> int | None:
    """A memory limit of the shipped unit, such as ``MemoryMax``; None if it sets none."""
    found = re.search(rf"^{name}=(\d+)M$", UNIT.read_text(), re.MULTILINE)
    return int(found[1]) * MIB if found else None


def unit_files() -> int:
    found = re.search(r"^LimitNOFILE=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@contextmanager
def room_for_neighbours() -> Iterator[None]:
    """Raises the limits of the neighbour tables for the block: they belong to the machine, so a node in a namespace
    cannot raise them as it does on a machine of its own."""
    before = {
        path: path.read_text()
        for family in ("ipv4", "ipv6")
        for path in (NEIGHBOURS / family / "neigh/default").glob("gc_thresh*")
    }
    make_room_for_neighbours()
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


class UnitSupervisor:
    """Starts a router's node within the unit's limits and restarts it until the block ends."""

    def __init__(self, router: Router) -> None:
        limit = unit_bytes("MemoryMax")
        assert limit is not None
        self.router = router
        self.memory = router.memory = MemoryLimit(router.lab, limit, unit_bytes("MemoryHigh"))
        router.before = ("prlimit", f"--nofile={unit_files()}:{unit_files()}", "--")
        self.restarts = self.connections = 0
        self.rss_bytes = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="warden")

    def __enter__(self) -> "UnitSupervisor":
        self.router.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()

    @property
    def kills(self) -> int:
        """Unexpected ends of the node, or kills within its limit (of dnsmasq too) if those are more."""
        return max(self.restarts, self.memory.kills)

    def _watch(self) -> None:
        with self.router.place.entered():
            while not self._ends.wait(LOOK_S):
                self._look()

    def _look(self) -> None:
        daemon = self.router.daemon
        assert daemon is not None
        with contextlib.suppress(OSError, ValueError):
            self.connections = max(self.connections, int(CONNTRACK_COUNT.read_text()))
        if daemon.is_alive():
            self.rss_bytes = max(self.rss_bytes, most_resident_bytes(daemon.pid))
            return
        self.restarts += 1
        time.sleep(RESTART_S)
        self.router.start(wait=False)


def most_resident_bytes(pid: int) -> int:
    """Peak resident memory of a process in bytes; 0 if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
