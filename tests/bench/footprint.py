"""Resources of the node: memory, start time, processes. It runs as installed: compiled by deploy/setup, with a database."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figures import Figures, of_total, say
from tests.bench.namespaces import first_child, rss_mb
from tests.bench.single_router import PORTAL, ClientProcess, SingleRouter, single_router
from tests.lab.internet import ROOT
from tests.lab.unit_environment import unit_environment

KEYS = ("rss_mb_idle", "rss_mb_1000", "kb_per_device", "ready_s", "processes_started_per_admission")
MANY, AT_ONCE = 1_000, 200
VERY_MANY = 10_000
"""With these the memory of one device is measured: the increase after the first MANY."""
FIRST = 20
"""Devices admitted before processes are counted, so that everything that is started on demand runs by then."""
SETTLE_S = 8.0
READY_S_MAX = 15.0
ASK_AGAIN_S = 0.1
"""The kernel repeats an unanswered neighbour solicitation after a second only, which would distort the measurement."""


class Counter:
    """Number of processes and threads ever created in a process namespace; reading it creates none."""

    def __init__(self, pid: int) -> None:
        loop = "while read -r _; do read -r n </proc/sys/kernel/ns_last_pid; echo $n; done"
        self._shell = subprocess.Popen(
            ["nsenter", "-t", str(pid), "-p", "-m", "sh", "-c", loop],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def read(self) -> int:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write("\n")
        return int(self._shell.stdout.readline())

    def close(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait(5)


def _start(place: SingleRouter) -> int:
    """The daemon as pid 1 of a process namespace of its own; its pid outside."""
    box = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    node = (sys.executable, "-m", "node", "run", "--config", str(place.router.config))
    log = place.lab.folder / "node.log"
    return first_child(place.router.place.start(*box, *node, cwd=ROOT, log=log, env=unit_environment()).pid)


def _start_once(place: SingleRouter, people: ClientProcess) -> None:
    """The first start makes the database, for which it imports sqlite-utils; all later ones find it."""
    pid = _start(place)
    people.wait_until_captured(READY_S_MAX, ASK_AGAIN_S)
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.05)


def _started_by(people: ClientProcess, counter: Counter) -> Figures:
    first, rest = people.devices[:FIRST], people.devices[FIRST:MANY]
    people.do("flows", first, to=PORTAL, port=80, at_once=FIRST)
    before = counter.read()
    came = people.do("flows", rest, to=PORTAL, port=80, at_once=AT_ONCE)
    started = counter.read() - before
    say(f"{started} processes and threads started while {came['let_in']} of {len(rest)} people came in")
    each = round(started / max(1, came["let_in"]), 3)
    return of_total("processes_started_per_admission", each, came["let_in"], len(rest))


def measure() -> Figures:
    with single_router() as place:
        place.router.place.ip(
            "link add mesh0 type veth peer name mesh1", "link set mesh0 up", "link set mesh1 up"
        )
        place.furnish(mesh=("mesh0",))
        people = place.crowd(VERY_MANY)
        _start_once(place, people)
        began = time.monotonic()
        pid = _start(place)
        people.wait_until_captured(READY_S_MAX, ASK_AGAIN_S)
        ready = time.monotonic() - began
        time.sleep(SETTLE_S)
        idle = rss_mb(pid)
        say(
            f"ready after {ready:.2f} s, {idle} MB when idle, {len(list(Path(f'/proc/{pid}/task').iterdir()))} threads"
        )
        counter = Counter(pid)
        try:
            started = _started_by(people, counter)
        finally:
            counter.close()
        time.sleep(SETTLE_S)
        crowded = rss_mb(pid)
        each = _each_device(people, pid, crowded)
        people.close()
    return {"rss_mb_idle": idle, "rss_mb_1000": crowded, **each, "ready_s": round(ready, 2), **started}


def _each_device(people: ClientProcess, pid: int, before_mb: float) -> Figures:
    """Kilobytes of resident memory for one more device; all admitted devices count."""
    let_in, began = 0, time.monotonic()
    for first in range(MANY, VERY_MANY, MANY):
        came = people.do("flows", people.devices[first : first + MANY], to=PORTAL, port=80, at_once=AT_ONCE)
        let_in += came["let_in"]
        say(f"{MANY + let_in} devices are on, {rss_mb(pid)} MB, after {time.monotonic() - began:.0f} s")
    time.sleep(SETTLE_S)
    each_kb = round(1_024 * (rss_mb(pid) - before_mb) / max(1, let_in), 2)
    return of_total("kb_per_device", each_kb, let_in, VERY_MANY - MANY)
