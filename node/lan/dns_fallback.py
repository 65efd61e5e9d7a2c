"""While no upstream resolver answers, names of unauthorized devices resolve to the portal, so that their system shows
the page.

A second dnsmasq answers then, on a loopback address that the resolver for unauthorized devices always queries and the
resolver for admitted devices never does. Neither needs another configuration or a restart, and admitted devices get
no false answers, even if the check of the upstream resolvers is wrong.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from node.config import NodeConfig
from node.lan.dnsmasq_config import FALLBACK_RESOLVER, dns_fallback_conf
from node.lan.managed_daemon import ManagedDaemon
from node.lan.upstream import UpstreamResolvers
from node.units import Monotonic

log = logging.getLogger(__name__)


class DnsFallback:
    """Runs the fallback resolver while it is needed. It ends with `stop`, not with the daemon."""

    def __init__(self, upstream: UpstreamResolvers, run_dir: Path, *, has_ipv6: bool) -> None:
        self.upstream = upstream
        conf_file, pid_file = run_dir / "dns-fallback.conf", run_dir / "dns-fallback.pid"
        self._text = dns_fallback_conf(has_ipv6=has_ipv6, pid_file=str(pid_file))
        self._program = ManagedDaemon(
            "dnsmasq",
            "dnsmasq-base",
            (f"--conf-file={conf_file}",),
            conf_file,
            pid_file,
            f"see what holds port 53 of {FALLBACK_RESOLVER}: 'ss -lunp' names it",
        )

    def warnings(self) -> tuple[str, ...]:
        if self.upstream.gives_names:
            return ()
        if self.upstream.answers:
            return (
                "The resolvers upstream refuse the names by which devices find out whether they are online. Names lead "
                "people who are not online yet to the portal, and the others ask those resolvers as always. "
                "Write other resolvers at lan.dns_upstream in node.toml.",
            )
        return (
            f"The line to the Internet has been down for {self.upstream.silent_minutes} min: no resolver upstream "
            "answers, and names lead those who are not online yet to the portal until one does. "
            "See whether the uplink is plugged in and whether lan.dns_upstream is right.",
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when the fallback resolver is needed and cannot be started."""
        while True:
            wait_s = await self.upstream.look()
            if self.upstream.gives_names:
                await asyncio.to_thread(self._step_down)
            else:
                await asyncio.to_thread(self._step_in)
            await asyncio.sleep(wait_s)

    def stop(self) -> None:
        """End the fallback resolver; names resolve normally again."""
        self._program.stop()

    def _step_in(self) -> None:
        if self._program.pid() is None:
            log.warning("no resolver upstream gives names: those that strangers ask for lead to the portal")
        self._program.keep(self._text)

    def _step_down(self) -> None:
        if self._program.pid() is not None:
            log.warning("resolvers upstream give names: names are what they are")
            self._program.stop()


def dns_fallback(config: NodeConfig, clock: Callable[[], Monotonic]) -> DnsFallback:
    """Resolver for the time when no upstream resolver answers."""
    return DnsFallback(
        UpstreamResolvers(config.lan.dns_upstream, clock),
        Path(config.node.run_dir),
        has_ipv6=config.lan.address6 is not None,
    )
