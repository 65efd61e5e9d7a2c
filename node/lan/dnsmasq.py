"""Keeps one dnsmasq running with our configuration, and takes over the one that an earlier life left."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from node.errors import NodeError
from node.lan.managed_daemon import ManagedDaemon, installed, interface_index, numbered, run

LOOK_EVERY_S = 2.0


class Dnsmasq:
    """One dnsmasq process. It outlives the daemon on purpose: people keep their addresses while it restarts.

    `text` is asked again and again: what it says holds within `LOOK_EVERY_S`, and so do our addresses on an interface
    that was made anew, on whose predecessor dnsmasq still listens.
    """

    def __init__(
        self,
        text: Callable[[], str],
        run_dir: Path,
        addresses: tuple[tuple[str, str], ...],
        *,
        name: str = "dnsmasq",
        mend: str = "if port 53 or 67 is taken, stop the other server; 'ss -lunp' names it",
    ) -> None:
        """`name` tells its files in `run_dir` from those of another dnsmasq; `mend` helps when it cannot start."""
        self._text, self._addresses = text, addresses
        self.conf_file = run_dir / f"{name}.conf"
        self.pid_file = run_dir / f"{name}.pid"
        self._program = ManagedDaemon(
            "dnsmasq",
            "dnsmasq-base",
            (f"--conf-file={self.conf_file}",),
            self.conf_file,
            self.pid_file,
            mend,
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when it cannot be started or has ended."""
        await asyncio.to_thread(self._prepare)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._is_displaced():
                await asyncio.to_thread(self._prepare)
            if self.pid() is None:
                raise NodeError(
                    "dnsmasq has ended", f"try it by hand: dnsmasq --no-daemon --conf-file={self.conf_file}"
                )

    def pid(self) -> int | None:
        """Of the one that is running, ours or an earlier life's."""
        return self._program.pid()

    def stop(self) -> None:
        """End the one that is running, ours or an earlier life's."""
        self._program.stop()

    def _prepare(self) -> None:
        for interface, address in self._addresses:
            run([installed("ip") or "ip", "address", "replace", address, "dev", interface])
        self._program.keep(self._wanted())

    def _wanted(self) -> str:
        return self._text() + numbered(tuple(name for name, _ in self._addresses))

    def _is_displaced(self) -> bool:
        """The interfaces are there, but not as they were, or an address of ours is missing, or the text is another."""
        if not all(interface_index(name) for name, _ in self._addresses):
            return False
        lost = not all(_holds(address) for _, address in self._addresses)
        return lost or self._program.says() != self._wanted()


def _holds(address: str) -> bool:
    """Whether the address, written with its network's size, is this machine's own."""
    bare = address.partition("/")[0]
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((bare, 0))
        except OSError:
            return False
    return True
