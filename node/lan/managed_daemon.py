"""A server program that runs with a configuration of ours, and outlives the daemon on purpose: people keep their
addresses while it restarts."""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from node.errors import NodeError

STARTS, START_AGAIN_S = 5, 0.3
_ETHERNET_MTU = 1_500
# From linux/sockios.h, and struct ifreq of linux/if.h with a number in it.
_SIOCGIFMTU, _IFREQ = 0x8921, "16si20x"


@dataclass(frozen=True, slots=True)
class ManagedDaemon:
    """One program: how it is called, where its files are, and what to do when it cannot start."""

    name: str
    package: str
    arguments: tuple[str, ...]
    """Name the configuration and the pid file; the program goes to the background by itself."""
    conf_file: Path
    pid_file: Path
    mend: str
    makes_room_by: signal.Signals = signal.SIGTERM
    """How it is ended when another takes its place."""

    def pid(self) -> int | None:
        """Of the one that runs with our configuration, started by us or by an earlier life."""
        return running(self.pid_file, self.conf_file)

    def keep(self, text: str) -> None:
        """Running with exactly this configuration when it returns. Raises NodeError."""
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
            time.sleep(START_AGAIN_S)  # a predecessor's port is free only a moment after its end
        raise NodeError(f"{self.name} did not start: {(done.stderr or done.stdout).strip()[:300]}", self.mend)

    def says(self) -> str:
        """The configuration as written; empty while there is none."""
        return self.conf_file.read_text() if self.conf_file.exists() else ""

    def make_room(self) -> None:
        """End the one that is running, because another does its work from now on."""
        end(self.pid_file, self.conf_file, self.makes_room_by)

    def stop(self) -> None:
        """End the one that is running, ours or an earlier life's, and nobody comes after it."""
        end(self.pid_file, self.conf_file)


def installed(name: str) -> str | None:
    """Where the program is; also where the search path leaves the system's own folder out."""
    usual = Path("/usr/sbin", name)
    return shutil.which(name) or (str(usual) if usual.exists() else None)


def running(pid_file: Path, conf_file: Path) -> int | None:
    """The process id of a program that runs with our configuration."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _runs_with(pid, conf_file) else None


def end(pid_file: Path, conf_file: Path, by: signal.Signals = signal.SIGTERM) -> None:
    """Stop a program that runs with our configuration, and nothing else."""
    pid = running(pid_file, conf_file)
    if pid is None:
        return
    os.kill(pid, by)
    for _ in range(100):
        # Its file is gone before the process is, which still holds its ports then.
        if not _runs_with(pid, conf_file):
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)


def interface_index(interface: str) -> int:
    """0 while it is missing."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def interface_mtu(interface: str) -> int:
    """In bytes; Ethernet's own while the interface is missing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            found = fcntl.ioctl(probe, _SIOCGIFMTU, struct.pack(_IFREQ, interface.encode(), 0))
        except OSError:
            return _ETHERNET_MTU
    mtu: int = struct.unpack(_IFREQ, found)[1]
    return mtu


def numbered(interfaces: tuple[str, ...]) -> str:
    """A comment for a configuration, another one when an interface was recreated: the program is then started
    again."""
    indexes = {name: interface_index(name) for name in interfaces}
    return "".join(f"# {name} was interface number {index}\n" for name, index in indexes.items())


def run_outside(words: list[str], name: str) -> "subprocess.CompletedProcess[str]":
    """Run a server outside the control group of the node's own unit, so that neither's memory counts as the other's. In
    a scope of its own where a service manager has started the node; elsewhere, or where that refuses, as `run`."""
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
    # Every word comes from a checked node.toml, and no shell reads them.
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)  # noqa: S603


def _runs_with(pid: int, conf_file: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return bool({f"--conf-file={conf_file}".encode(), str(conf_file).encode()} & set(arguments))
