"""While no resolver upstream answers, names still lead to the portal, so that every system shows its page.

A second dnsmasq answers then, on a loopback address that the first one always asks too: the first, which also hands
out addresses, needs no other file and no restart.
"""

import asyncio
import logging
from pathlib import Path

from node.addressing.configuration import STAND_IN_RESOLVER, stand_in_conf
from node.addressing.programs import Program
from node.addressing.upstream import Upstream

log = logging.getLogger(__name__)


class StandIn:
    """Runs the second resolver exactly while it is needed. It ends with the daemon's `stop`, not with the daemon."""

    def __init__(self, upstream: Upstream, run_dir: Path, *, has_ipv6: bool) -> None:
        self.upstream = upstream
        conf_file, pid_file = run_dir / "stand-in.conf", run_dir / "stand-in.pid"
        self._text = stand_in_conf(has_ipv6=has_ipv6, pid_file=str(pid_file))
        self._program = Program(
            "dnsmasq",
            "dnsmasq-base",
            (f"--conf-file={conf_file}",),
            conf_file,
            pid_file,
            f"see what holds port 53 of {STAND_IN_RESOLVER}: 'ss -lunp' names it",
        )

    def warnings(self) -> tuple[str, ...]:
        if self.upstream.answers:
            return ()
        return (
            f"The line to the Internet has been down for {self.upstream.silent_minutes} min: no resolver upstream "
            "answers, and names lead to the portal until one does. "
            "See whether the uplink is plugged in and whether lan.dns_upstream is right.",
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when the second resolver is needed and cannot be started."""
        while True:
            wait_s = await self.upstream.look()
            if self.upstream.answers:
                await asyncio.to_thread(self._step_down)
            else:
                await asyncio.to_thread(self._step_in)
            await asyncio.sleep(wait_s)

    def stop(self) -> None:
        """Names are what they are again."""
        self._program.stop()

    def _step_in(self) -> None:
        if self._program.pid() is None:
            log.warning("no resolver upstream answers: names lead to the portal")
        self._program.keep(self._text)

    def _step_down(self) -> None:
        if self._program.pid() is not None:
            log.warning("resolvers upstream answer: names are what they are")
            self._program.stop()
