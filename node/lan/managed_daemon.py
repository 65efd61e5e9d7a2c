"""A server program with generated configuration. It outlives the daemon on purpose, so that devices keep their
addresses during a restart."""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node.config import NodeConfig
from node.config.field_types import MTU_MIN
from node.errors import NodeError

STARTS, START_AGAIN_S = 5, 0.3
_ETHERNET_MTU = 1_500
# From linux/sockios.h, and struct ifreq of linux/if.h with an integer.
_SIOCGIFMTU, _IFREQ = 0x8921, "16si20x"


@dataclass(frozen=True, slots=True)
class ManagedDaemon:
    """One program: its command line, its files, and the fix to show when it cannot start."""

    name: str
    package: str
    arguments: tuple[str, ...]
    """Must name the configuration and the pid file; the program must daemonize itself."""
    conf_file: Path
    pid_file: Path
    fix: str
    makes_room_by: signal.Signals = signal.SIGTERM
    """Signal that stops it when another program takes over its task."""

    def pid(self) -> int | None:
        """Process id when it runs with our configuration, started by this daemon or an earlier run."""
        return running(self.pid_file, self.conf_file)

    def keep(self, text: str) -> None:
        """Ensure that it runs with exactly this configuration. Raises NodeError."""
        if self.says() == text and self.pid() is not None:
            return
        self.make_room()
        self.conf_file.parent.mkdir(parents=True, exist_ok=True)
        self.conf_file.write_text(text)
        program = installed(self.name)
        if program is None:
            raise NodeError(f"{self.name} is not installed", f"apt-get install {self.package}")
        for _ in range(STARTS):
            done = run_outside([program, *self.arguments], self.name)
            if not done.returncode:
                return
            time.sleep(START_AGAIN_S)  # the port of an earlier process is released a moment after it exits
        raise NodeError(f"{self.name} did not start: {(done.stderr or done.stdout).strip()[:300]}", self.fix)

    def says(self) -> str:
        """The configuration file's content; empty when there is none."""
        return self.conf_file.read_text() if self.conf_file.exists() else ""

    def make_room(self) -> None:
        """Stop it because another program takes over its task."""
        end(self.pid_file, self.conf_file, self.makes_room_by)

    def stop(self) -> None:
        """Stop it, whether this daemon or an earlier run started it."""
        end(self.pid_file, self.conf_file)


def installed(name: str) -> str | None:
    """Path of the program; also finds it when the search path lacks the system directories."""
    usual = Path("/usr/sbin", name)
    return shutil.which(name) or (str(usual) if usual.exists() else None)


def running(pid_file: Path, conf_file: Path) -> int | None:
    """Process id of a program that runs with our configuration."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _runs_with(pid, conf_file) else None


def end(pid_file: Path, conf_file: Path, by: signal.Signals = signal.SIGTERM) -> None:
    """Stop a program only if it runs with our configuration."""
    pid = running(pid_file, conf_file)
    if pid is None:
        return
    os.kill(pid, by)
    for _ in range(100):
        # The pid file is removed before the process exits, which still holds its ports then.
        if not _runs_with(pid, conf_file):
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)


def interface_index(interface: str) -> int:
    """0 while the interface is missing."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def interface_mtu(interface: str) -> int:
    """In bytes; Ethernet's default while the interface is missing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            found = fcntl.ioctl(probe, _SIOCGIFMTU, struct.pack(_IFREQ, interface.encode(), 0))
        except OSError:
            return _ETHERNET_MTU
    mtu: int = struct.unpack(_IFREQ, found)[1]
    return mtu


def numbered(interfaces: tuple[str, ...]) -> str:
    """A comment for a configuration that changes when an interface is recreated, so that the program is restarted."""
    indexes = {name: interface_index(name) for name in interfaces}
    return "".join(f"# {name} was interface number {index}\n" for name, index in indexes.items())


def run_outside(words: list[str], name: str) -> "subprocess.CompletedProcess[str]":
    """Run a server outside the control group of the node's unit, so that their memory is accounted separately. Uses a
    systemd scope when systemd started the node and accepts it; otherwise like `run`."""
    scope = installed("systemd-run") if _is_a_unit() else None
    if scope is not None:
        said = ["--scope", "--quiet", "--collect", f"--description={name}, started by procomu"]
        done = run([scope, *said, "--", *words])
        if not done.returncode or "Failed to" not in done.stderr:
            return done
    return run(words)


def _is_a_unit() -> bool:
    """Whether systemd started this process as a service (systemd.exec(5), INVOCATION_ID)."""
    return "INVOCATION_ID" in os.environ and Path("/run/systemd/system").is_dir()


def run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    # All arguments come from a validated node.toml, and no shell is involved.
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)  # noqa: S603


def _runs_with(pid: int, conf_file: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return bool({f"--conf-file={conf_file}".encode(), str(conf_file).encode()} & set(arguments))


def announced_mtu(config: NodeConfig) -> Callable[[], int]:
    """MTU in bytes to announce: the smaller of LAN and uplink. While the uplink's interface is missing, the last
    value is kept, so that an unstable link does not restart the servers each time."""
    seen = interface_mtu(config.lan.interface)

    def smallest() -> int:
        nonlocal seen
        if interface_index(config.uplink.interface):
            seen = interface_mtu(config.uplink.interface)
        line = min(seen, config.uplink.mtu or seen)
        return max(MTU_MIN, min(interface_mtu(config.lan.interface), line))

    return smallest
