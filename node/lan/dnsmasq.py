"""Keeps one dnsmasq running with the node's configuration, and adopts one that an earlier run of the daemon started."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from node.errors import NodeError
from node.lan.managed_daemon import ManagedDaemon, installed, interface_index, numbered, run

LOOK_EVERY_S = 2.0


class Dnsmasq:
    """One dnsmasq process, and the addresses of its interfaces. dnsmasq outlives the daemon on purpose, so that
    devices keep their addresses during a restart.

    `text` returns the configuration and is called again and again. A change takes effect within `LOOK_EVERY_S`, as
    does the recreation of an interface, where dnsmasq would still listen on the old one.
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
        """`name` separates this dnsmasq's files in `run_dir` from those of another; `mend` is the fix shown when it
        cannot start."""
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
        """Until cancelled. Raises NodeError when dnsmasq cannot be started or has exited."""
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
        """Process id of the running dnsmasq, started by this daemon or an earlier run."""
        return self._program.pid()

    def stop(self) -> None:
        """Stop the running dnsmasq, started by this daemon or an earlier run."""
        self._program.stop()

    def _prepare(self) -> None:
        for interface, address in self._addresses:
            run([installed("ip") or "ip", "address", "replace", address, "dev", interface])
        self._program.keep(self._wanted())

    def _wanted(self) -> str:
        return self._text() + numbered(tuple(name for name, _ in self._addresses))

    def _is_displaced(self) -> bool:
        """True when an interface was recreated, one of our addresses is missing, or the configuration changed."""
        if not all(interface_index(name) for name, _ in self._addresses):
            return False
        lost = not all(_holds(address) for _, address in self._addresses)
        return lost or self._program.says() != self._wanted()


def _holds(address: str) -> bool:
    """Whether this machine has the address, written as address/prefix length."""
    bare = address.partition("/")[0]
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((bare, 0))
        except OSError:
            return False
    return True
