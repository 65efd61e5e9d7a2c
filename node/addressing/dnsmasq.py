"""Keeps one dnsmasq running with our configuration, and takes over the one that an earlier life left."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from node.errors import NodeError

LOOK_EVERY_S = 2.0
STARTS, START_AGAIN_S = 5, 0.3


class Dnsmasq:
    """One dnsmasq process. It outlives the daemon on purpose: people keep their addresses while it restarts.

    An interface that was made anew has lost our addresses, and dnsmasq still listens on the old one: both are set
    right within `LOOK_EVERY_S`.
    """

    def __init__(self, text: str, run_dir: Path, addresses: tuple[tuple[str, str], ...]) -> None:
        self._text, self._addresses = text, addresses
        self.conf_file = run_dir / "dnsmasq.conf"
        self.pid_file = run_dir / "dnsmasq.pid"

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when it cannot be started or has ended."""
        await asyncio.to_thread(self._prepare)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._is_displaced():
                await asyncio.to_thread(self._prepare)
            if running(self.pid_file, self.conf_file) is None:
                raise NodeError(
                    "dnsmasq has ended", f"try it by hand: dnsmasq --no-daemon --conf-file={self.conf_file}"
                )

    def stop(self) -> None:
        """End the one that is running, ours or an earlier life's."""
        end(self.pid_file, self.conf_file)

    def _prepare(self) -> None:
        for interface, address in self._addresses:
            _run([shutil.which("ip") or "/usr/sbin/ip", "address", "replace", address, "dev", interface])
        text = self._text + self._links()
        unchanged = self.conf_file.exists() and self.conf_file.read_text() == text
        if unchanged and running(self.pid_file, self.conf_file) is not None:
            return
        self.stop()
        self.conf_file.parent.mkdir(parents=True, exist_ok=True)
        self.conf_file.write_text(text)
        program = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
        if not Path(program).exists():
            raise NodeError("dnsmasq is not installed", "apt-get install dnsmasq-base")
        for _ in range(STARTS):
            done = _run([program, f"--conf-file={self.conf_file}"])
            if not done.returncode:
                return
            time.sleep(START_AGAIN_S)  # a predecessor's port is free only a moment after its end
        raise NodeError(
            f"dnsmasq did not start: {(done.stderr or done.stdout).strip()[:300]}",
            "if port 53 or 67 is taken, stop the other server; 'ss -lunp' names it",
        )

    def _links(self) -> str:
        """A comment for the file, another one when an interface was made anew: dnsmasq is then started again."""
        indexes = {name: _index(name) for name, _ in self._addresses}
        return "".join(f"# {name} was interface number {index}\n" for name, index in indexes.items())

    def _is_displaced(self) -> bool:
        """The interfaces are there, but not as they were, or an address of ours is missing."""
        if not all(_index(name) for name, _ in self._addresses):
            return False
        lost = not all(_holds(address) for _, address in self._addresses)
        return lost or not self.conf_file.exists() or not self.conf_file.read_text().endswith(self._links())


def _index(interface: str) -> int:
    """0 while it is missing."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return 0


def _holds(address: str) -> bool:
    """Whether the address, written with its network's size, is this machine's own."""
    bare = address.partition("/")[0]
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((bare, 0))
        except OSError:
            return False
    return True


def running(pid_file: Path, conf_file: Path) -> int | None:
    """The process id of a dnsmasq that runs with our configuration."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return None
    return pid if _runs_with(pid, conf_file) else None


def end(pid_file: Path, conf_file: Path) -> None:
    """Stop a dnsmasq that runs with our configuration, and nothing else."""
    pid = running(pid_file, conf_file)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(100):
        # Its file is gone before the process is, which still holds its ports then.
        if not _runs_with(pid, conf_file):
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)


def _runs_with(pid: int, conf_file: Path) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"--conf-file={conf_file}".encode() in arguments


def _run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    # Every word comes from a checked node.toml, and no shell reads them.
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=10)  # noqa: S603
