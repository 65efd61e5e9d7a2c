"""Keeps one radvd running while router advertisements must tell more than dnsmasq can: where the portal is."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from node.lan.managed_daemon import ManagedDaemon, interface_index, numbered

LOOK_EVERY_S = 2.0


class Radvd:
    """At most one radvd process on `interface`. It outlives the daemon, as dnsmasq does.

    `text` is asked again and again: within `LOOK_EVERY_S` radvd runs with what it says, or is ended when it is empty.
    """

    def __init__(self, text: Callable[[], str], run_dir: Path, interface: str) -> None:
        conf_file, pid_file = run_dir / "radvd.conf", run_dir / "radvd.pid"
        self._text, self._interface = text, interface
        self._program = ManagedDaemon(
            "radvd",
            "radvd",
            ("-C", str(conf_file), "-p", str(pid_file), "-m", "syslog"),
            conf_file,
            pid_file,
            f"see what is wrong with: radvd -c -C {conf_file}",
            # Its farewell would tell devices that the router is gone, while it is only another program that speaks.
            makes_room_by=signal.SIGKILL,
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when radvd is wanted and cannot be started."""
        while True:
            await asyncio.to_thread(self.settle)
            await asyncio.sleep(LOOK_EVERY_S)

    def settle(self) -> None:
        """Once: running with the text of now, or ended when there is none. Raises NodeError."""
        text = self._text()
        if not text:
            self._program.make_room()
        elif interface_index(self._interface):
            self._program.keep(text + numbered((self._interface,)))

    def pid(self) -> int | None:
        return self._program.pid()

    def stop(self) -> None:
        """End the one that is running, ours or an earlier life's."""
        self._program.stop()
