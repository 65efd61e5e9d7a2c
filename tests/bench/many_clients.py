"""Any number of devices on one link: each with its own IPv4, IPv6 and hardware address, none with an interface.

Their namespace owns the whole address range. nftables sets the source hardware address of each outgoing frame by its IP
address, and accepts frames for all of them. The router has permanent neighbour entries for them.
"""

import json
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from tests.lab.netns import Lab, Namespace

RANGE, RANGE6 = IPv4Network("10.77.64.0/18"), IPv6Network("fd77::c0:0/112")
ROUTER, ROUTER6 = "10.77.0.1", "fd77::1"


@dataclass(frozen=True, slots=True)
class VirtualDevice:
    number: int
    mac: str
    address: str

    @property
    def address6(self) -> str:
        """Only usable where the crowd was made with IPv6."""
        return str(RANGE6[self.number])


def device(number: int) -> VirtualDevice:
    mac = f"02:c0:00:00:{number >> 8:02x}:{number & 255:02x}"
    return VirtualDevice(number, mac, str(RANGE[256 + number]))


def many_clients(
    lab: Lab, router: Namespace, size: int, lan: str = "br-lan", *, v6: bool = False
) -> tuple[Namespace, list[VirtualDevice]]:
    """The clients' namespace, connected to the router's bridge, and its devices."""
    place = lab.namespace("crowd")
    lab.veth(place, "eth0", router, "crowd", offload=False)
    router.plug("crowd", lan)
    devices = [device(number) for number in range(1, size + 1)]
    face_them(place, router, devices, "10.77.31.254/16", lan)
    if v6:
        _face_them_v6(place, router, devices, lan)
    return place, devices


def _face_them_v6(place: Namespace, router: Namespace, devices: list[VirtualDevice], lan: str) -> None:
    place.sysctl(net__ipv6__ip_nonlocal_bind=1)
    place.address("eth0", "fd77::bf:1/64")
    place.run("ip", "-6", "route", "add", "local", str(RANGE6), "dev", "lo")
    place.route(f"default via {ROUTER6}")
    own = place.run("cat", "/sys/class/net/eth0/address").strip()
    elements = ", ".join(f"{d.address6} : {d.mac}" for d in devices)
    place.run("nft", "-f", "-", stdin=_FACES6.format(elements=elements, range=RANGE6, own=own))
    router.ip(*(f"neigh replace {d.address6} lladdr {d.mac} dev {lan} nud permanent" for d in devices))


def arrived(place: Namespace) -> dict[str, int]:
    """IP bytes that reached each address of the crowd."""
    listed = json.loads(place.run("nft", "-j", "list", "table", "netdev", "faces"))
    elements = [
        each["elem"]
        for item in listed["nftables"]
        if item.get("set", {}).get("name", "").startswith("arrived")
        for each in item["set"].get("elem", [])
    ]
    return {element["val"]: element["counter"]["bytes"] for element in elements}


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


_FACES6 = """
table netdev faces {{
  map face6 {{ type ipv6_addr : ether_addr; elements = {{ {elements} }} }}
  set arrived6 {{ type ipv6_addr; flags dynamic; size 65535; counter; }}
  chain leaving {{
    ether saddr set ip6 saddr map @face6
  }}
  chain arriving {{
    ip6 daddr {range} update @arrived6 {{ ip6 daddr }}
    ip6 daddr {range} ether daddr set {own} meta pkttype set host
  }}
}}
"""
