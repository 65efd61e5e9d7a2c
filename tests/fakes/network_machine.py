"""A machine with an uplink, two ports, a radio and a bridge, as the set-up sees it."""

from dataclasses import dataclass

from node.setup.drop_ins import INTERFACES_FILE, Command
from node.setup.network_layout import InterfaceFacts, Manager, NetworkFacts
from node.setup.network_plan import NetworkPlan

UPLINK = InterfaceFacts(
    "eth0", "ethernet", "port 1", has_carrier=True, addresses=("192.0.2.7/24",), has_default_route=True
)
LAN = InterfaceFacts(
    "eth1", "ethernet", "port 2", has_carrier=True, addresses=("10.77.0.1/24",), mac="02:00:00:00:00:01"
)
USB = InterfaceFacts("eth2", "ethernet", "USB adapter", addresses=("10.77.1.1/24",), mac="02:00:00:00:00:02")
RADIO = InterfaceFacts("wlan0", "wifi", "built-in radio", mac="02:00:00:00:00:03")
BRIDGE = InterfaceFacts("br0", "bridge", "bridge", addresses=("192.0.2.200/24",))
SOURCED = "auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n"
MANAGERS: tuple[Manager, ...] = ("networkd", "NetworkManager", "ifupdown", "none")


@dataclass(frozen=True, slots=True)
class TypedAnswers:
    uplink: str = "eth0"
    lan: tuple[str, ...] = ("eth1", "eth2")
    radio: str = ""
    wifi_name: str = "Vall Alta"
    wifi_country: str = "ES"


def machine(
    manager: Manager, *more: InterfaceFacts, without: tuple[InterfaceFacts, ...] = ()
) -> NetworkFacts:
    here = tuple(each for each in (UPLINK, LAN, USB, *more) if each not in without)
    files = ((INTERFACES_FILE, SOURCED),) if manager == "ifupdown" else ()
    return NetworkFacts(here, manager, has_hostapd=True, has_networkd=True, ifupdown_files=files)


def texts(plan: NetworkPlan) -> dict[str, str]:
    return {each.path.rpartition("/")[2]: each.text for each in plan.files}


def words(commands: tuple[Command, ...]) -> list[str]:
    return [" ".join(each.words) for each in commands]
