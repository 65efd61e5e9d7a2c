"""Looks at the machine's network: its interfaces, what is plugged where, and which network manager is there. Reads only."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from node.errors import NodeError
from node.lan.managed_daemon import installed, run
from node.setup.drop_ins import INTERFACES_FILE, INTERFACES_FOLDER
from node.setup.network_layout import InterfaceFacts, InterfaceKind, Manager, NetworkFacts
from node.translator import gettext_lazy
from node.uplink.proc_net import default_routes

MACHINE = Path("/")
"""Root of the file system; tests put another folder here."""
_IFF_UP = 0x1
_PRODUCT_CHARS_MAX = 40
_UNITS: Mapping[Manager, str] = {
    "NetworkManager": "NetworkManager.service",
    "networkd": "systemd-networkd.service",
}
_NETWORKD_FOLDERS = ("usr/lib/systemd", "lib/systemd")
_SECTION = re.compile(r"^\s*iface\s+(\S+)", re.MULTILINE)
_NOT_A_SIDE = {"dummy", "ifb", "wireguard", "tun"}


@dataclass(frozen=True, slots=True)
class InterfacesSeen:
    """This machine's interfaces, without the loopback interface and the ports of bridges."""

    names: tuple[str, ...]
    default_route: str | None
    """The interface that leads to the Internet now."""

    def other_than(self, name: str | None) -> str | None:
        """The only one beside `name`; None if there are several."""
        others = [each for each in self.names if each != name]
        return others[0] if len(others) == 1 else None


def look_at_interfaces() -> InterfacesSeen:
    names = sorted(path.name for path in (MACHINE / "sys/class/net").glob("*") if _may_be_a_side(path))
    route = next((name for name in _routed() if name in names), None)
    return InterfacesSeen(tuple(names), route)


def _carrying() -> set[str]:
    """Interfaces that others stand on: VLANs and the like, or PPPoE. Without an address they are just the cable."""
    table = MACHINE / "proc/net/pppoe"
    # A line is "session, address of the other side, interface".
    lines = table.read_text().splitlines()[1:] if table.exists() else []
    return {
        *(path.parent.name for path in (MACHINE / "sys/class/net").glob("*/upper_*")),
        *(words[-1] for words in map(str.split, lines) if words),
    }


def _routed() -> list[str]:
    """Interfaces of default routes."""
    tables = (MACHINE / "proc/net/route", MACHINE / "proc/net/ipv6_route")
    ipv4, ipv6 = (table.read_text() if table.exists() else "" for table in tables)
    return [each.interface for each in default_routes(ipv4, ipv6)]


def _may_be_a_side(path: Path) -> bool:
    """Hardware, a bridge, or what is up; what is a part of a bridge or bond is no side of its own."""
    if path.name == "lo" or (path / "brport").exists() or (path / "master").exists():
        return False
    try:
        is_up = bool(int((path / "flags").read_text(), 16) & _IFF_UP)
    except (OSError, ValueError):
        is_up = False  # it is gone already
    return is_up or (path / "device").exists() or (path / "bridge").exists()


def look(ip: Callable[[], str] | None = None) -> NetworkFacts:
    """Raises NodeError without iproute2. `ip` returns the output of ``ip -d -j address``."""
    listed = {each["ifname"]: each for each in json.loads((ip or _ip)())}
    seen, routed = look_at_interfaces(), _routed()
    files = _ifupdown_files()
    carrying = _carrying()
    sections = {name for _, text in files for name in _SECTION.findall(text)}
    ports = count(1)
    found = []
    for name in seen.names:
        details = listed.get(name)
        if details is None or details.get("linkinfo", {}).get("info_kind") in _NOT_A_SIDE:
            continue
        each = _interface(details, ports)
        if name in carrying and not each.addresses and name not in routed:
            continue
        each = replace(each, has_default_route=name in routed)
        if each.managed_by == "none" and name in sections:
            each = replace(each, managed_by="ifupdown")
        found.append(each)
    return NetworkFacts(
        interfaces=tuple(found),
        manager=_manager(found, sections),
        has_hostapd=installed("hostapd") is not None,
        has_networkd=any((MACHINE / folder / "systemd-networkd").exists() for folder in _NETWORKD_FOLDERS),
        ifupdown_files=files,
    )


def _ip() -> str:
    program = installed("ip")
    if program is None:
        raise NodeError("iproute2 is not installed", "apt-get install iproute2")
    return run([program, "-d", "-j", "address", "show"]).stdout


def _interface(details: Mapping[str, Any], ports: Iterator[int]) -> InterfaceFacts:
    name, folder = details["ifname"], MACHINE / "sys/class/net" / details["ifname"]
    kind = _kind(details, folder)
    manager, profile = _managed_by(details["ifindex"])
    return InterfaceFacts(
        name=name,
        kind=kind,
        described=_described(details, folder, kind, ports),
        has_carrier="LOWER_UP" in details.get("flags", ()),
        addresses=tuple(
            f"{each['local']}/{each['prefixlen']}"
            for each in details.get("addr_info", ())
            if each.get("scope") == "global"
        ),
        mac=details.get("address", ""),
        driver=(folder / "device/driver").resolve().name if (folder / "device/driver").exists() else "",
        managed_by=manager,
        profile=profile,
    )


def _kind(details: Mapping[str, Any], folder: Path) -> InterfaceKind:
    made = details.get("linkinfo", {}).get("info_kind", "")
    if (folder / "phy80211").exists() or (folder / "wireless").exists():
        return "wifi"
    if made in {"bridge", "vlan"}:
        return "bridge" if made == "bridge" else "vlan"
    return "ethernet" if details.get("link_type") == "ether" else "other"


def _described(details: Mapping[str, Any], folder: Path, kind: InterfaceKind, ports: Iterator[int]) -> str:
    device = folder / "device"
    is_usb = device.exists() and "/usb" in str(device.resolve())
    if kind == "bridge":
        return gettext_lazy("bridge")
    if kind == "vlan":
        number = details["linkinfo"].get("info_data", {}).get("id", 0)
        return gettext_lazy("VLAN {number} of {name}", number=number, name=details.get("link", "?"))
    if kind == "other":
        return gettext_lazy("a line of another kind")
    if is_usb:
        product = _product(device)
        text = gettext_lazy("USB radio") if kind == "wifi" else gettext_lazy("USB adapter")
        return gettext_lazy("{what}, {product}", what=text, product=product) if product else text
    if kind == "wifi":
        return gettext_lazy("built-in radio")
    if device.exists():
        return gettext_lazy("port {number} of this machine", number=next(ports))
    return gettext_lazy("virtual port")


def _product(device: Path) -> str:
    """Name of a USB device, as its maker wrote it: it may be anything."""
    try:
        text = (device.resolve().parent / "product").read_text(errors="replace").strip()
    except OSError:
        return ""
    return text[:_PRODUCT_CHARS_MAX] if text.isprintable() else ""


def _managed_by(index: int) -> tuple[Manager, str]:
    """The network manager of an interface, and NetworkManager's UUID of its connection."""
    networkd = _values(MACHINE / f"run/systemd/netif/links/{index}")
    if networkd.get("NETWORK_FILE") and networkd.get("ADMIN_STATE") != "unmanaged":
        return "networkd", ""
    manager = _values(MACHINE / f"run/NetworkManager/devices/{index}")
    if manager.get("managed") in {"1", "true"} or manager.get("connection-uuid"):
        return "NetworkManager", manager.get("connection-uuid", "")
    return "none", ""


def _values(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {key: value for key, found, value in (line.partition("=") for line in lines) if found}


def _manager(interfaces: list[InterfaceFacts], sections: set[str]) -> Manager:
    """The one that has most to do here, of those that run."""
    running: list[Manager] = [name for name, unit in _UNITS.items() if _is_active(unit)]
    if sections - {"lo"}:
        running.append("ifupdown")
    tasks = {name: sum(each.managed_by == name for each in interfaces) for name in running}
    return max(running, key=lambda name: tasks[name], default="none")


def _is_active(unit: str) -> bool:
    program = installed("systemctl")
    return program is not None and run([program, "is-active", "--quiet", unit]).returncode == 0


def _ifupdown_files() -> tuple[tuple[str, str], ...]:
    if not any((MACHINE / folder / "ifup").exists() for folder in ("usr/sbin", "sbin")):
        return ()
    folder = MACHINE / INTERFACES_FOLDER.lstrip("/")
    paths = [
        MACHINE / INTERFACES_FILE.lstrip("/"),
        *(sorted(folder.glob("[!.]*")) if folder.is_dir() else ()),
    ]
    texts = []
    for path in paths:
        try:
            texts.append((f"/{path.relative_to(MACHINE)}", path.read_text()))
        except (OSError, UnicodeDecodeError):
            continue
    return tuple(texts)
