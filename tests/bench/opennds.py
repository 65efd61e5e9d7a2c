"""openNDS 10.3 (Debian package ``opennds``) in a container of its own inside a router's namespace.

The container has its own mount and process namespace: /tmp, /run, /etc and /var/lib/misc are private, so the machine's
own files are not changed, and everything that it starts ends with it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.bench.figures import Figures, missing, say, taken
from tests.bench.many_clients import VirtualDevice
from tests.bench.namespaces import first_child
from tests.lab.netns import Lab, Namespace

LAN = "br-lan"
PROGRAMS = ("opennds", "ndsctl", "nslookup", "dnsmasq", "unshare", "nsenter")
START_S = 45
PORT = 2050

CONFIG = """\
config opennds
  option enabled '1'
  option gatewayinterface '{lan}'
  option login_option_enabled '1'
  option maxclients '2000'
  option checkinterval '15'
  option allow_preemptive_authentication '1'
  option binauth '/usr/lib/opennds/binauth_log.sh'
  option debuglevel '1'
  option dhcp_leases_file '/etc/box/dhcp.leases'
{more}
"""
# openNDS asks systemd to restart or reload dnsmasq; there is no systemd here.
SYSTEMCTL = """\
#!/bin/sh
pkill -F /run/dnsmasq.pid 2>/dev/null && sleep 0.1
exec dnsmasq --conf-file=/etc/box/dnsmasq.conf --pid-file=/run/dnsmasq.pid
"""
DNSMASQ = """\
port=53
interface={lan}
except-interface=lo
bind-interfaces
no-resolv
no-hosts
user=root
{names}
dhcp-leasefile=/etc/box/dhcp.leases
conf-dir=/etc/dnsmasq.d,*.conf
"""
EVERY_NAME = ("address=/#/203.0.113.10",)
"""dnsmasq options for a container whose clients need no other names."""
BOX = """\
set -e
mount --bind {etc} /etc
for place in /tmp /run /var/lib/misc; do mount -t tmpfs box "$place"; done
binauth=/usr/lib/opennds/custombinauth.sh
[ ! -e /etc/box/custombinauth.sh ] || mount --bind /etc/box/custombinauth.sh "$binauth"
export PATH=/etc/box:/usr/sbin:/usr/bin:/sbin:/bin
systemctl
exec opennds -f
"""


TABLES = ("nds_filter", "nds_mangle", "nds_nat")
_WITHOUT = "".join(f"add table ip {name}\ndelete table ip {name}\n" for name in TABLES)


class CannotRun(Exception):
    """openNDS cannot be measured here; the text says why."""


def beside(keys: Sequence[str], take: Callable[[], Figures]) -> Figures:
    """The figures of openNDS, or why each is missing: its failures never affect the node's figures."""
    try:
        return taken(keys, take)
    except CannotRun as reason:
        return missing(keys, str(reason))


class Asks(Protocol):
    """Clients that can request a page."""

    devices: list[VirtualDevice]

    def do(self, do: str, devices: Sequence[VirtualDevice], **job: Any) -> dict[str, Any]: ...


class OpenNds:
    """The running container."""

    def __init__(self, place: Namespace, pid: int, log: Path) -> None:
        self._place, self._pid, self._log = place, pid, log
        self._rules = ""

    @property
    def pid(self) -> int:
        """The memory of openNDS itself."""
        return self._pid

    def inside(self, *argv: str, seconds: float = 60) -> str:
        """Runs a command in the container; both outputs as one text."""
        nsenter = ("nsenter", "-t", str(self._pid), "-m", "-p", "-n", "--")
        done = subprocess.run(
            [*nsenter, *argv], capture_output=True, text=True, check=False, timeout=seconds, errors="replace"
        )
        return done.stdout + done.stderr

    def admit(self, address: str) -> bool:
        """Admits a client that has sent no request, with ndsctl."""
        for _ in range(5):
            if "authenticated" in self.inside("ndsctl", "auth", address).lower():
                return True
            time.sleep(0.5)
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Its rules without its daemon, so that its periodic checks take no time from the measurement."""
        self._rules = "".join(self._place.run("nft", "list", "table", "ip", name) for name in TABLES)
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def rules_away(self) -> None:
        self._place.run("nft", "-f", "-", stdin=_WITHOUT)

    def rules_back(self) -> None:
        """The rules as they were when it was `held`."""
        self._place.run("nft", "-f", "-", stdin=_WITHOUT + self._rules)

    def wait_until_it_captures(self, people: Asks) -> None:
        """It needs many seconds to start. Raises CannotRun."""
        began = time.monotonic()
        while time.monotonic() - began < START_S:
            with contextlib.suppress(RuntimeError):
                if people.do("locate", people.devices[:1])["status"] in {302, 307}:
                    say(f"openNDS captures after {time.monotonic() - began:.1f} s")
                    return
            time.sleep(0.3)
        raise CannotRun(f"it captures nobody within {START_S} s: {self.log()[-300:]}")

    def wait_until_it_answers(self) -> None:
        """Runs ndsctl. Raises CannotRun."""
        began = time.monotonic()
        while time.monotonic() - began < START_S:
            if "Version" in self.inside("ndsctl", "status"):
                return
            time.sleep(0.5)
        raise CannotRun(f"it does not answer within {START_S} s: {self.log()[-300:]}")

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


@contextmanager
def running(
    lab: Lab,
    place: Namespace,
    clients: Sequence[VirtualDevice],
    *,
    more: Sequence[str] = (),
    names: Sequence[str] = EVERY_NAME,
    files: Mapping[str, str] | None = None,
) -> Iterator[OpenNds]:
    """openNDS on ``br-lan`` of `place`; `clients` have a lease; `names` are options for its dnsmasq; `files` are written
    below its /etc, and ``box/custombinauth.sh`` takes the place of openNDS's own. Raises CannotRun."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        raise CannotRun(f"not installed: {', '.join(absent)}")
    etc = _own_etc(lab, clients, more, names)
    for name, text in (files or {}).items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)
    # openNDS reads the kernel's neighbour table, so the clients need entries in it.
    place.ip(*(f"neigh replace {c.address} lladdr {c.mac} dev {LAN} nud permanent" for c in clients))
    log = lab.folder / "opennds.log"
    box = place.start(
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
        "sh", "-c", BOX.format(etc=etc), log=log,
    )  # fmt: skip
    try:
        peer = OpenNds(place, first_child(box.pid), log)
        yield peer
    finally:
        box.stop()


def _own_etc(lab: Lab, clients: Sequence[VirtualDevice], more: Sequence[str], names: Sequence[str]) -> Path:
    """A copy of /etc with the settings of the container."""
    etc = lab.folder / "etc"
    subprocess.run(["cp", "-a", "/etc", etc], check=True)
    for name in ("box", "config", "dnsmasq.d"):
        (etc / name).mkdir(exist_ok=True)
    options = "\n".join(f"  option {option}" for option in more)
    ends = int(time.time()) + 86_400
    files = {
        "config/opennds": CONFIG.format(lan=LAN, more=options),
        "box/dnsmasq.conf": DNSMASQ.format(lan=LAN, names="\n".join(names)),
        "box/systemctl": SYSTEMCTL,
        "box/dhcp.leases": "".join(f"{ends} {c.mac} {c.address} * *\n" for c in clients),
        "dnsmasq.conf": "",
    }
    for name, text in files.items():
        (etc / name).write_text(text)
    (etc / "box/systemctl").chmod(0o755)
    return etc
