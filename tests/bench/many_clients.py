"""Any number of devices on one link: each with its own IPv4 and hardware address, none with an interface.

Their namespace owns the whole address range. nftables sets the source hardware address of each outgoing frame by its IP
address, and accepts frames for all of them. The router has permanent neighbour entries for them.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from tests.lab.netns import Lab, Namespace

RANGE = IPv4Network("10.77.64.0/18")
ROUTER = "10.77.0.1"


@dataclass(frozen=True, slots=True)
class VirtualDevice:
    number: int
    mac: str
    address: str


def device(number: int) -> VirtualDevice:
    mac = f"02:c0:00:00:{number >> 8:02x}:{number & 255:02x}"
    return VirtualDevice(number, mac, str(RANGE[256 + number]))


def many_clients(
    lab: Lab, router: Namespace, size: int, lan: str = "br-lan"
) -> tuple[Namespace, list[VirtualDevice]]:
    """The clients' namespace, connected to the router's bridge, and its devices."""
    place = lab.namespace("crowd")
    lab.veth(place, "eth0", router, "crowd", offload=False)
    router.plug("crowd", lan)
    devices = [device(number) for number in range(1, size + 1)]
    face_them(place, router, devices, "10.77.31.254/16", lan)
    return place, devices


def face_them(
    place: Namespace, router: Namespace, devices: list[VirtualDevice], own_address: str, lan: str = "br-lan"
) -> None:
    """Makes the devices reachable on ``eth0`` of `place`."""
    place.address("eth0", own_address)
    place.run("ip", "route", "add", "local", str(RANGE), "dev", "lo")
    place.route(f"default via {ROUTER}")
    own = place.run("cat", "/sys/class/net/eth0/address").strip()
    place.run("nft", "-f", "-", stdin=_faces(devices, own))
    router.ip(*(f"neigh replace {d.address} lladdr {d.mac} dev {lan} nud permanent" for d in devices))


def _faces(devices: list[VirtualDevice], own: str) -> str:
    elements = ", ".join(f"{d.address} : {d.mac}" for d in devices)
    return f"""
table netdev faces {{
  map face {{ type ipv4_addr : ether_addr; elements = {{ {elements} }} }}
  set arrived {{ type ipv4_addr; flags dynamic; size 65535; counter; }}
  chain leaving {{
    type filter hook egress device eth0 priority 0;
    ether saddr set ip saddr map @face
  }}
  chain arriving {{
    type filter hook ingress device eth0 priority 0;
    ip daddr {RANGE} update @arrived {{ ip daddr }}
    ip daddr {RANGE} ether daddr set {own} meta pkttype set host
  }}
}}
"""
