"""Keeps one radvd running while router advertisements must tell more than dnsmasq can: where the portal is."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from node.addressing.programs import Program, interface_index, numbered
from node.errors import NodeError

LOOK_EVERY_S = 2.0


class Radvd:
    """At most one radvd process on `interface`. It outlives the daemon, as dnsmasq does.

    `text` is asked again and again: within `LOOK_EVERY_S` radvd runs with what it says, or is ended when it is empty.
    """

    def __init__(self, text: Callable[[], str], run_dir: Path, interface: str) -> None:
        conf_file, pid_file = run_dir / "radvd.conf", run_dir / "radvd.pid"
        self._text, self._interface = text, interface
        self._program = Program(
            "radvd",
            "radvd",
            ("-C", str(conf_file), "-p", str(pid_file), "-m", "syslog"),
            conf_file,
            pid_file,
            f"see what is wrong with: radvd -c -C {conf_file}",
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when it is wanted and cannot be started or has ended."""
        while True:
            text = self._text()
            if not text:
                await asyncio.to_thread(self._program.stop)
            elif interface_index(self._interface):
                wanted = text + numbered((self._interface,))
                if self._program.says() == wanted and self._program.pid() is None:
                    self._program.conf_file.unlink(missing_ok=True)  # the next life starts it anew
                    raise NodeError("radvd has ended", "journalctl -t radvd shows why")
                await asyncio.to_thread(self._program.keep, wanted)
            await asyncio.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """End the one that is running, ours or an earlier life's."""
        self._program.stop()
