"""Keeps dnsmasq running with the node's configuration, and adopts one that an earlier run of the daemon started: one for
admitted devices, with DHCP, and one for all others."""

import asyncio
import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path

from node.config import NodeConfig
from node.errors import NodeError
from node.lan.dnsmasq_config import Names, captive_dns_conf, dnsmasq_conf
from node.lan.managed_daemon import (
    ManagedDaemon,
    announced_mtu,
    end,
    installed,
    interface_index,
    interface_mtu,
    numbered,
    run,
)

LOOK_EVERY_S = 2.0
CAPTIVE_DNS = "captive-dns"
"""Base name of the files of the resolver for unauthorized devices, in the run directory."""
SETUP_DNSMASQ = "setup-dnsmasq"
"""Base name of the files of the one that `node.setup` runs before there is a node."""
ADDED_ADDRESSES = "added-addresses"
"""File in the run directory: the addresses that the node added to an interface, one on a line."""


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
        fix: str = "if port 53 or 67 is taken, stop the other server; 'ss -lunp' names it",
    ) -> None:
        """`name` separates this dnsmasq's files in `run_dir` from those of another; `fix` is the fix shown when it
        cannot start."""
        self._text, self._addresses, self._run_dir = text, addresses, run_dir
        self.conf_file = run_dir / f"{name}.conf"
        self.pid_file = run_dir / f"{name}.pid"
        self._program = ManagedDaemon(
            "dnsmasq",
            "dnsmasq-base",
            (f"--conf-file={self.conf_file}",),
            self.conf_file,
            self.pid_file,
            fix,
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
            add_address(self._run_dir, interface, address)
        self._program.keep(self._wanted())

    def _wanted(self) -> str:
        return self._text() + numbered(tuple(name for name, _ in self._addresses))

    def _is_displaced(self) -> bool:
        """True when an interface was recreated, one of our addresses is missing, or the configuration changed."""
        if not all(interface_index(name) for name, _ in self._addresses):
            return False
        lost = not all(_holds(address) for _, address in self._addresses)
        return lost or self._program.says() != self._wanted()


def end_setup(config: NodeConfig) -> None:
    """Ends the dnsmasq of a set-up that was killed, which would be in the way of the node's own, and removes the addresses
    of the set-up: one on another interface would draw a part of the people's network there."""
    run_dir = Path(config.node.run_dir)
    end(run_dir / f"{SETUP_DNSMASQ}.pid", run_dir / f"{SETUP_DNSMASQ}.conf")
    remove_added_addresses(run_dir, _addresses(config))


def add_address(run_dir: Path, interface: str, address: str) -> None:
    """Gives an address to an interface, for `remove_added_addresses`; one that was there before is not removed."""
    # Not "to" of ip(8): it also finds the address with another prefix length.
    if f" {address} " not in _ip("-o", "address", "show", "dev", interface):
        run_dir.mkdir(parents=True, exist_ok=True)
        with (run_dir / ADDED_ADDRESSES).open("a") as added:
            added.write(f"{address} {interface}\n")
    _ip("address", "replace", address, "dev", interface)


def remove_added_addresses(run_dir: Path, kept: Collection[tuple[str, str]] = ()) -> None:
    """Removes the addresses that a node or a set-up added to interfaces; those that were there before it stay, and those of
    `kept`, each as interface and address."""
    file, left = run_dir / ADDED_ADDRESSES, []
    for line in file.read_text().splitlines() if file.exists() else ():
        address, _, interface = line.partition(" ")
        if (interface, address) in kept:
            left.append(f"{line}\n")
        else:
            _ip("address", "del", address, "dev", interface)
    if left:
        file.write_text("".join(dict.fromkeys(left)))
    else:
        file.unlink(missing_ok=True)


def _ip(*words: str) -> str:
    """Output of ip(8); empty where it fails, for example because there is no such interface now."""
    return run([installed("ip") or "ip", *words]).stdout


def _holds(address: str) -> bool:
    """Whether this machine has the address, written as address/prefix length."""
    bare = address.partition("/")[0]
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((bare, 0))
        except OSError:
            return False
    return True


def dnsmasq(config: NodeConfig, portal_api: Callable[[], str]) -> Dnsmasq:
    """DHCP, and the resolver for admitted devices. `portal_api` returns the captive portal API's URI, or an empty text;
    the result may change."""
    lan, run_dir = config.lan, Path(config.node.run_dir)
    leases, mtu = str(lease_file(config)), announced_mtu(config)

    def text() -> str:
        return dnsmasq_conf(
            interface=lan.interface,
            address4=lan.address4,
            address6=lan.address6,
            dhcp=lan.dhcp == "managed",
            first=lan.dhcp_first,
            last=lan.dhcp_last,
            lease=lan.dhcp_lease,
            domain=lan.domain,
            portal_host=config.portal.host,
            dns_upstream=lan.dns_upstream,
            lease_file=leases,
            pid_file=str(run_dir / "dnsmasq.pid"),
            portal_api=portal_api(),
            has_radvd=installed("radvd") is not None,
            mtu=smallest if (smallest := mtu()) < interface_mtu(lan.interface) else None,
            names=_names(config),
        )

    return Dnsmasq(text, run_dir, _addresses(config))


def captive_dns(config: NodeConfig) -> Dnsmasq:
    """Resolver for unauthorized devices; the packet filter redirects their queries to it."""
    lan, run_dir = config.lan, Path(config.node.run_dir)
    text = captive_dns_conf(
        interface=lan.interface,
        port=config.portal.dns_port,
        address4=lan.address4,
        address6=lan.address6,
        domain=lan.domain,
        portal_host=config.portal.host,
        dns_upstream=lan.dns_upstream,
        pid_file=str(run_dir / f"{CAPTIVE_DNS}.pid"),
        names=_names(config),
    )
    fix = "'ss -lunp' shows who has its port; end that, or choose another portal.dns_port in node.toml"
    return Dnsmasq(lambda: text, run_dir, _addresses(config), name=CAPTIVE_DNS, fix=fix)


def _addresses(config: NodeConfig) -> tuple[tuple[str, str], ...]:
    lan = config.lan
    own = [str(lan.address4), *([str(lan.address6)] if lan.address6 is not None else [])]
    return tuple((lan.interface, address) for address in own)


def _names(config: NodeConfig) -> Names:
    """Local names of services."""
    local = f".{config.lan.domain}"
    return tuple(
        (service.host, address)
        for service in config.services.offered
        if service.host.endswith(local) and service.host != config.portal.host
        for address in service.addresses
    )


def lease_file(config: NodeConfig) -> Path:
    """In the run directory when the data directory is not writable: dnsmasq does not run without its lease file, and
    devices still need addresses."""
    data_dir = Path(config.node.data_dir)
    folder = data_dir if os.access(data_dir, os.W_OK) else Path(config.node.run_dir)
    return folder / "dhcp.leases"
