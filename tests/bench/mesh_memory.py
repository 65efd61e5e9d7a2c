"""Memory and processor time of a real node that knows 200 others: ten accounts each, all days that the mesh keeps, seven
neighbours. Older days are in the database only.

The others are one process that drives the real exchange, and gives the node everything at once, as to one that is new.
"""

import datetime
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mesh.page_versions import DAYS_MAX
from node.identity import own_node_id
from node.keyring import open_keyring
from tests.bench.figures import Figures, say
from tests.bench.mesh_feeder import member_keys
from tests.bench.namespaces import rss_mb
from tests.lab.internet import ROOT
from tests.lab.netns import Namespace
from tests.lab.village import Village, village

KEYS = ("rss_mb_idle", "rss_mb_200_known", "rss_mb_200_added", "cpu_percent_200")
MEMBERS, ACCOUNTS, LINKS = 200, 10, 7
PORT = 7400
SETTLE_S = 20.0
KEEP_S = 90.0
"""Longer than between two times that pages are stored."""
IDLE_S = 60.0


def measure(members: int = MEMBERS, days: int = DAYS_MAX, settle_s: float = SETTLE_S) -> Figures:
    with village("known") as place:
        _furnish(place, members)
        place.square.start()  # the first start makes the database
        _stop(place)
        place.square.start()
        time.sleep(settle_s)
        idle, idle_cpu = rss_mb(_pid(place)), cpu_percent(_pid(place), IDLE_S)
        say(f"idle: {idle} MB, {idle_cpu:.2f} % of a core")
        feeder = FeederProcess(place.hills.place, _job(place, members, days))
        try:
            taught = feeder.do("teach")
            say(
                f"{members} nodes told {days} days in {taught['seconds']:.0f} s; then {rss_mb(_pid(place))} MB"
            )
            time.sleep(KEEP_S)
            say(f"and once that is stored {rss_mb(_pid(place))} MB")
            _stop(place)
            place.square.start()
            connected = feeder.do("connect")
            time.sleep(settle_s)
            known = rss_mb(_pid(place))
            began = _cpu_s(_pid(place))
            published = feeder.do("publish")
            busy = 100 * (_cpu_s(_pid(place)) - began) / published["seconds"]
            say(f"known: {known} MB, {busy:.2f} % of a core while all publish, {connected['links']} links")
        finally:
            feeder.close()
    return {
        "rss_mb_idle": idle,
        "rss_mb_200_known": known,
        "rss_mb_200_added": round(known - idle, 1),
        "cpu_percent_200": round(max(0.0, busy - idle_cpu), 2),
    }


class FeederProcess:
    """`tests.bench.mesh_feeder` in a namespace."""

    def __init__(self, place: Namespace, job: dict[str, Any]) -> None:
        argv = (sys.executable, "-m", "tests.bench.mesh_feeder", json.dumps(job))
        self._program = place.popen(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def do(self, order: str) -> dict[str, Any]:
        """Raises RuntimeError when it has ended."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{order}\n".encode())
        self._program.stdin.flush()
        line = self._program.stdout.readline()
        if not line:
            raise RuntimeError("the process of the other nodes has ended")
        return dict(json.loads(line))

    def close(self) -> None:
        self._program.kill()
        self._program.wait()


def cpu_percent(pid: int, seconds: float) -> float:
    """Processor time of a process, of one core."""
    began = _cpu_s(pid)
    time.sleep(seconds)
    return 100 * (_cpu_s(pid) - began) / seconds


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _furnish(place: Village, members: int) -> None:
    square = place.square
    nodes = [square.node_id, *(str(own_node_id(key)) for key in member_keys(members))]
    square.settings.community_key_file.write_text(secrets.token_hex(32))
    square.furnish(nodes, square.settings.community_key_file)


def _job(place: Village, members: int, days: int) -> dict[str, Any]:
    square = place.square
    shown = json.loads(square.place.run("ip", "-j", "-6", "addr", "show", "dev", "mesh0", "scope", "link"))
    address = shown[0]["addr_info"][0]["local"]
    return {
        "members": members,
        "accounts": ACCOUNTS,
        "days": days,
        "links": LINKS,
        "target": square.node_id,
        "community": open_keyring(square.settings.community_key_file, square.data / "node.key").community_id,
        "today": datetime.date.today().isoformat(),
        "host": f"{address}%mesh0",
        "port": PORT,
    }


def _pid(place: Village) -> int:
    assert place.square.daemon is not None
    return place.square.daemon.pid


def _stop(place: Village) -> None:
    assert place.square.daemon is not None
    place.square.daemon.stop()
