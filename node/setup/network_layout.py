"""The machine's network as it is, and which interface does what in it when the answers are carried out. Pure."""

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from node.accounts.appearance import WIFI_NAME_BYTES_MAX
from node.errors import NodeError
from node.translator import gettext_lazy

InterfaceKind = Literal["ethernet", "wifi", "vlan", "bridge", "other"]
"""``other`` is a line without Ethernet frames, such as PPP: it can lead to the Internet, but people cannot be on it."""
Manager = Literal["networkd", "NetworkManager", "ifupdown", "none"]

BRIDGE = "br-lan"
LAN_ADDRESS = "10.77.0.1"
"""Of set-up mode and of the node's settings; the node itself gives it to the bridge, not the network manager."""
NODE_LAN = f"{LAN_ADDRESS}/16"
PORTS_MAX = 32
"""LAN-side ports with an address of the set-up's."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
"""Anything else could be a pattern in the files of a network manager."""
_COUNTRY = re.compile(r"[A-Z]{2}")


def port_address(number: int) -> str:
    """The first port has the address that the node will have, in a network that is a part of the node's."""
    return f"10.77.{number}.1/24"


SETUP_ADDRESSES = frozenset({NODE_LAN, *map(port_address, range(PORTS_MAX))})


class NetworkAnswers(Protocol):
    """The answers that are about the network."""

    @property
    def uplink(self) -> str: ...
    @property
    def lan(self) -> tuple[str, ...]: ...
    @property
    def radio(self) -> str:
        """Empty for none."""

    @property
    def wifi_name(self) -> str: ...
    @property
    def wifi_country(self) -> str: ...


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """One interface that can be a side of the node; ports of bridges and the loopback interface are none."""

    name: str
    kind: InterfaceKind
    described: str
    """For people, translatable: ``USB adapter``."""
    has_carrier: bool = False
    """Whether something is plugged in and switched on."""
    addresses: tuple[str, ...] = ()
    """Without link-local ones, as ``192.0.2.7/24``."""
    has_default_route: bool = False
    mac: str = ""
    driver: str = ""
    managed_by: Manager = "none"
    profile: str = ""
    """UUID of NetworkManager's active connection."""

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Without those that the set-up gives."""
        return tuple(each for each in self.addresses if each not in SETUP_ADDRESSES)


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The machine's network at one moment."""

    interfaces: tuple[InterfaceFacts, ...]
    manager: Manager
    """The network manager that makes what is to be made."""
    has_hostapd: bool = False
    has_networkd: bool = False
    """Installed, whether it runs or not."""
    ifupdown_files: tuple[tuple[str, str], ...] = ()
    """Path and text of ``/etc/network/interfaces`` and the files that it reads; none where ifupdown is not installed."""

    def interface(self, name: str) -> InterfaceFacts | None:
        return next((each for each in self.interfaces if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which interface does what, checked against the machine."""

    lan: str
    is_new: bool
    """Whether the bridge is to be made."""
    ports: tuple[InterfaceFacts, ...]
    """Of a new bridge, without the radio."""
    radio: InterfaceFacts | None
    uplink: InterfaceFacts
    needs_dhcp: bool
    mac: str
    """Of the bridge: the connection of the person who is at this port goes on. Empty without a port."""

    @property
    def port_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.ports)

    @property
    def is_as_wanted(self) -> bool:
        return not (self.is_new or self.radio or self.needs_dhcp)


def layout_of(answers: NetworkAnswers, facts: NetworkFacts, asked_from: str) -> Layout:
    """Raises NodeError where the answers do not fit the machine."""
    uplink = _found(answers.uplink, facts)
    sides = tuple(_found(name, facts) for name in answers.lan)
    radio = _radio(answers, facts)
    _check_sides(uplink, sides, radio)
    bridges = tuple(each for each in sides if each.kind == "bridge")
    if bridges and len(sides) > 1:
        raise NodeError(
            gettext_lazy("{name} is a bridge, and no bridge can be a port of another", name=bridges[0].name),
            gettext_lazy("choose {name} alone", name=bridges[0].name),
        )
    first = next((each for each in sides if each.name == asked_from), sides[0] if sides else None)
    return Layout(
        lan=bridges[0].name if bridges else _free_name(facts),
        is_new=not bridges,
        ports=() if bridges else sides,
        radio=radio,
        uplink=uplink,
        needs_dhcp=_needs_dhcp(uplink),
        mac=first.mac if first is not None else "",
    )


def missing(name: str) -> tuple[str, str]:
    """What is wrong when an interface has gone, and what to do."""
    return (
        gettext_lazy("there is no interface {name} any longer", name=name),
        gettext_lazy("plug it in again, or choose another one"),
    )


def _found(name: str, facts: NetworkFacts) -> InterfaceFacts:
    found = facts.interface(name)
    if found is None:
        raise NodeError(*missing(name))
    if not _NAME.fullmatch(name):
        raise NodeError(f"{name!r} cannot be the name of an interface here", "rename it, and start again")
    return found


def _radio(answers: NetworkAnswers, facts: NetworkFacts) -> InterfaceFacts | None:
    if not answers.radio:
        return None
    radio = _found(answers.radio, facts)
    if radio.kind != "wifi":
        raise NodeError(f"{radio.name} is no radio", "choose a radio, or no Wi-Fi")
    if not facts.has_hostapd:
        raise NodeError(
            gettext_lazy("hostapd, which makes a Wi-Fi, is not installed"), "apt-get install hostapd"
        )
    size = len(answers.wifi_name.encode())
    if not 1 <= size <= WIFI_NAME_BYTES_MAX or not answers.wifi_name.isprintable():
        raise NodeError(f"the name of a Wi-Fi has 1 to {WIFI_NAME_BYTES_MAX} bytes", "choose another name")
    if not _COUNTRY.fullmatch(answers.wifi_country):
        raise NodeError("the country of the Wi-Fi is two letters", "write for example ES")
    return radio


def _check_sides(
    uplink: InterfaceFacts, sides: tuple[InterfaceFacts, ...], radio: InterfaceFacts | None
) -> None:
    people = (*sides, *([radio] if radio else []))
    if not people:
        raise NodeError(
            gettext_lazy("people have no interface to come in by"),
            gettext_lazy("choose a port or a radio for them"),
        )
    if uplink in people:
        raise NodeError(
            gettext_lazy("people and the Internet cannot be on one interface"),
            gettext_lazy("choose another one than {name}", name=uplink.name),
        )
    for each in sides:
        if each.kind in {"wifi", "other"}:
            raise NodeError(
                gettext_lazy("people cannot be on {name}", name=each.name),
                gettext_lazy("choose a port or a radio for them"),
            )
    if uplink.kind == "wifi" and not uplink.addresses:
        raise NodeError(
            gettext_lazy("{name} is a radio that has not joined a Wi-Fi", name=uplink.name),
            gettext_lazy("join one first, or plug in a cable that leads to the Internet"),
        )


def _needs_dhcp(uplink: InterfaceFacts) -> bool:
    """What works, or is the task of a network manager already, stays as it is."""
    is_configured = uplink.has_default_route or uplink.addresses or uplink.managed_by != "none"
    return not is_configured and uplink.kind in {"ethernet", "vlan", "bridge"}


def _free_name(facts: NetworkFacts) -> str:
    taken = {each.name for each in facts.interfaces}
    return next(
        name for name in (BRIDGE, *(f"{BRIDGE}{number}" for number in range(2, 99))) if name not in taken
    )


def expected_ports(layout: Layout, manager: Manager) -> tuple[str, ...]:
    """Ports of the bridge as soon as the network manager has made it."""
    # NetworkManager adds a port when something is plugged in.
    wired = [each.name for each in layout.ports if each.has_carrier or manager != "NetworkManager"]
    return (*wired, *([layout.radio.name] if layout.radio else []))
