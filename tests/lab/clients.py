"""Real DHCP and network clients that detect a portal, each as if it ran on a device of its own.

``ip netns exec`` gives each a mount namespace, in which it gets an empty /run and a read-only /sys: without udev these
programs then assume a container and continue.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.netns import LabProgram, Namespace

_ROOM = "set -eu\nmount -t tmpfs tmpfs /run\nmount -o remount,ro /sys\n"
_NETWORKD = (
    _ROOM
    + """
mkdir -p /run/systemd/network
cp "$1" /run/systemd/network/10-lan.network
exec /usr/lib/systemd/systemd-networkd
"""
)
_NETWORK_MANAGER = (
    _ROOM
    + """
mount -t tmpfs tmpfs /var/lib/NetworkManager
mkdir -p /run/dbus /run/lab /run/NetworkManager/system-connections
cp "$1" /run/lab/NetworkManager.conf
cp "$2" /run/lab/resolv.conf
install -m 600 "$3" /run/NetworkManager/system-connections/eth0.nmconnection
mount --bind /run/lab/resolv.conf /etc/resolv.conf
dbus-daemon --system --nopidfile --nofork &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
exec NetworkManager --no-daemon --config=/run/lab/NetworkManager.conf --config-dir=/run/lab/conf.d
"""
)
_DHCPCD = (
    _ROOM
    + """
mkdir -p /run/dhcpcd /var/lib/dhcpcd
mount -t tmpfs tmpfs /var/lib/dhcpcd
exec dhcpcd --nobackground --config "$1" --script "$2" eth0
"""
)
CHECK_URI = "http://nmcheck.gnome.org/check_network_status.txt"


@dataclass
class Client:
    """One of the programs, running on a device."""

    place: Namespace
    program: LabProgram

    def inside(self, path: str) -> Path:
        """A path in the mount namespace of the program."""
        return Path(f"/proc/{self.program.pid}/root{path}")

    def run(self, *argv: str) -> str:
        """Runs a command in the namespaces of the program; its output."""
        return self.place.run("nsenter", "-t", str(self.program.pid), "-m", *argv, check=False)


@contextlib.contextmanager
def networkd(place: Namespace, network: str) -> Iterator[Client]:
    """systemd-networkd with one ``.network`` file for eth0."""
    text = f"[Match]\nName=eth0\n[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n{network}"
    with _running(place, _NETWORKD, _file(place, "network", text)) as client:
        yield client


def networkd_says(client: Client) -> dict[str, str]:
    """The state file of systemd-networkd's only link, which networkctl(1) reads."""
    folder = client.inside("/run/systemd/netif/links")
    # Other files are temporary ones that are renamed at once.
    files = list(folder.glob("[0-9]*")) if folder.is_dir() else []
    lines = [line for file in files for line in file.read_text().splitlines()]
    return dict(line.partition("=")[::2] for line in lines if "=" in line)


@contextlib.contextmanager
def network_manager(
    place: Namespace, resolver: str, *, ipv4: str = "auto", ipv6: str = "auto"
) -> Iterator[Client]:
    """NetworkManager with its connectivity check and the resolver `resolver`; each family is ``auto`` or ``disabled``."""
    text = (
        "[main]\nplugins=keyfile\ndhcp=internal\ndns=none\nauth-polkit=false\nno-auto-default=*\n"
        f"[connectivity]\nenabled=true\nuri={CHECK_URI}\ninterval=300\n"
    )
    link = (
        "[connection]\nid=eth0\ntype=ethernet\ninterface-name=eth0\n"
        f"[ipv4]\nmethod={ipv4}\n[ipv6]\nmethod={ipv6}\n"
    )
    files = [_file(place, "nm", text), _file(place, "resolv", f"nameserver {resolver}\n")]
    with _running(place, _NETWORK_MANAGER, *files, _file(place, "link", link)) as client:
        yield client


def connectivity(client: Client) -> tuple[str, str]:
    """IPv4 and IPv6 connectivity after a check: ``none``, ``limited``, ``portal`` or ``full``."""
    client.run("nmcli", "networking", "connectivity", "check")
    fields = "GENERAL.IP4-CONNECTIVITY,GENERAL.IP6-CONNECTIVITY"
    said = client.run("nmcli", "-g", fields, "device", "show", "eth0").split()
    words = [word.strip("()") for word in said if word.startswith("(")]
    return (words[0], words[1]) if len(words) == 2 else ("unknown", "unknown")


def settled_connectivity(client: Client, wanted: tuple[str, str], seconds: float = 20) -> tuple[str, str]:
    """`wanted`, or the value after `seconds`. Checks with pauses, because of the node's limit on DNS queries."""
    deadline = time.monotonic() + seconds
    while (found := connectivity(client)) != wanted and time.monotonic() < deadline:
        time.sleep(1)
    return found


@contextlib.contextmanager
def dhcpcd(place: Namespace) -> Iterator[Client]:
    """dhcpcd requesting the portal's URI in every way that it supports; `dhcpcd_says` returns what it learnt."""
    told = place.lab.folder / f"{place.short}-dhcpcd.told"
    told.touch()
    hook = _file(place, "hook", f'#!/bin/sh\n{{ echo "reason=$reason"; env | grep ^new_; }} >>{told}\n')
    hook.chmod(0o755)
    text = "option captive_portal_uri\noption domain_name_servers\nnogateway\nnohook resolv.conf\nduid\n"
    with _running(place, _DHCPCD, _file(place, "dhcpcd", text), hook) as client:
        yield client


def dhcpcd_says(client: Client) -> dict[str, str]:
    told = client.place.lab.folder / f"{client.place.short}-dhcpcd.told"
    return dict(line.partition("=")[::2] for line in told.read_text().splitlines())


def ask_api(place: Namespace, uri: str, address: str, authority: Path) -> dict[str, object]:
    """The response of the captive portal API at `uri` to this device, sent to `address` over TLS that trusts
    `authority`."""
    return dict(json.loads(place.run("python3", "-c", _ASK, uri, address, str(authority))))


_ASK = """
import http.client, json, socket, ssl, sys
from urllib.parse import urlsplit
uri, address, authority = sys.argv[1:]
parts = urlsplit(uri)
context = ssl.create_default_context(cafile=authority)
line = http.client.HTTPSConnection(parts.hostname, timeout=5)
line.sock = context.wrap_socket(socket.create_connection((address, 443), 5), server_hostname=parts.hostname)
line.request("GET", parts.path, headers={"Accept": "application/captive+json"})
reply = line.getresponse()
document = json.loads(reply.read(4096))
document["type"], document["cache"] = reply.headers["content-type"], reply.headers["cache-control"]
print(json.dumps(document))
"""


@contextlib.contextmanager
def _running(place: Namespace, script: str, *files: Path) -> Iterator[Client]:
    # Addresses that the kernel has configured already would be taken for those of another program.
    place.sysctl(net__ipv6__conf__eth0__accept_ra=0)
    place.ip("link set eth0 down", "addr flush dev eth0")
    program = place.start("sh", "-c", script, "client", *(str(file) for file in files))
    try:
        yield Client(place, program)
    finally:
        helpers = [pid for pid in place.pids() if _mounts(pid) == _mounts(program.pid)]
        program.stop()
        place.run("kill", "-9", *map(str, helpers), check=False)


def _mounts(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return ""


def _file(place: Namespace, name: str, text: str) -> Path:
    made = place.lab.folder / f"{place.short}-{name}-{place.lab.next_number()}"
    made.write_text(text)
    return made
