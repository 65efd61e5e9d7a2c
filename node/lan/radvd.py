"""Keeps one radvd running while router advertisements need what dnsmasq cannot send: the captive portal option."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from node.config import NodeConfig
from node.lan.managed_daemon import ManagedDaemon, announced_mtu, installed, interface_index, numbered
from node.lan.radvd_config import radvd_conf

LOOK_EVERY_S = 2.0


class Radvd:
    """At most one radvd process on `interface`. Like dnsmasq it outlives the daemon.

    `text` returns the configuration and is called again and again: within `LOOK_EVERY_S` radvd runs with it, or is
    stopped when it is empty.
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
            # On SIGTERM radvd would announce that the router is gone, although dnsmasq only takes over the
            # advertisements.
            makes_room_by=signal.SIGKILL,
        )

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when radvd is needed and cannot be started."""
        while True:
            await asyncio.to_thread(self.settle)
            await asyncio.sleep(LOOK_EVERY_S)

    def settle(self) -> None:
        """Once: run radvd with the current configuration, or stop it if that is empty. Raises NodeError."""
        text = self._text()
        if not text:
            self._program.make_room()
        elif interface_index(self._interface):
            self._program.keep(text + numbered((self._interface,)))

    def pid(self) -> int | None:
        return self._program.pid()

    def stop(self) -> None:
        """Stop the running radvd, started by this daemon or an earlier run."""
        self._program.stop()


def radvd(config: NodeConfig, portal_api: Callable[[], str]) -> Radvd:
    """Sends router advertisements while there is a captive portal URI to announce; otherwise dnsmasq sends them."""
    lan, mtu = config.lan, announced_mtu(config)

    def text() -> str:
        uri = portal_api()
        if not uri or lan.address6 is None or lan.dhcp == "external" or installed("radvd") is None:
            return ""
        return radvd_conf(
            interface=lan.interface,
            address6=lan.address6,
            lease=lan.dhcp_lease,
            portal_api=uri,
            mtu=mtu(),
        )

    return Radvd(text, Path(config.node.run_dir), lan.interface)
