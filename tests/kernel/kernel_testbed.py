"""Testbed for kernel tests: a router with the real nftables table, a member, a stranger, a mesh neighbour, a far
host."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.units import MacAddress, Monotonic
from tests.kernel.frames import frame, raw_socket
from tests.lab.netns import Lab, Namespace
from tests.lab.router import linux_kernel

ROUTER_MAC, UPLINK_MAC, MESH_MAC = "02:77:00:00:00:01", "02:77:00:00:00:02", "02:77:00:00:00:03"
MEMBER_MAC, STRANGER_MAC, HILL_MAC = "02:77:00:00:00:0a", "02:77:00:00:00:0b", "02:77:00:00:00:0c"
FAR_MAC = "02:77:00:00:00:fe"
ROUTER, MEMBER, STRANGER = ("10.77.0.1", "fd77::1"), ("10.77.0.10", "fd77::a"), ("10.77.0.11", "fd77::b")
FAR, OUTSIDE, HILL = ("203.0.113.1", "fd99::1"), ("10.88.0.1", "fd88::1"), ("10.66.0.2", "fd66::2")
"""IPv4 and IPv6 address of each; OUTSIDE is the router's address on the uplink."""
FIREWALL = FirewallConfig("lan0", "wan0", 2080, mesh_interfaces=("mesh0",), mesh_port=7400)
NOW = Monotonic(1_000_000)
SETTLE_S = 0.15
MARK = b"SLIPPED-PAST"


@dataclass
class KernelTestbed:
    """Namespaces, sockets and the kernel adapter of one test; frames to `far` are captured from the start."""

    lab: Lab
    router: Namespace
    member: Namespace
    stranger: Namespace
    hill: Namespace
    far: Namespace
    kernel: LinuxKernel
    sockets: dict[str, object] = field(default_factory=dict)

    @property
    def offloads(self) -> bool:
        """Whether running flows go past the rules."""
        return "table netdev procomu" in self.router.run("nft", "list", "tables").splitlines()

    @property
    def has_flowtable(self) -> bool:
        return "flowtable" in self.router.run("nft", "list", "flowtables")

    def admit(
        self, *macs: str, ends: Monotonic | None = None, firewall: FirewallConfig = FIREWALL, **more: object
    ) -> None:
        """Makes these the only admitted devices; their marks are 1, 2, 3 in this order."""
        admitted = {
            MacAddress(mac): Admission(MacAddress(mac), n, 0x10 + n, ends) for n, mac in enumerate(macs, 1)
        }
        with self.router.entered():
            self.kernel.apply(TrafficPlan(firewall, admitted, **more), NOW)  # type: ignore[arg-type]

    def used(self, mark: int) -> int:
        with self.router.entered():
            return self.kernel.read().counted[mark].total

    def send(self, place: Namespace, packet: bytes, from_mac: str, to_mac: str = ROUTER_MAC) -> None:
        self.ear(place).send(frame(to_mac, from_mac, packet))

    def heard(self, place: Namespace, text: bytes = MARK) -> list[bytes]:
        """Frames received in `place` since the last call that contain `text`."""
        time.sleep(SETTLE_S)
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                data, origin = self.ear(place).recvfrom(65536)
                if origin[2] != 4 and text in data:  # 4: PACKET_OUTGOING, sent by the host itself
                    found.append(data)
        return found

    def ear(self, place: Namespace):  # type: ignore[no-untyped-def]
        if place.name not in self.sockets:
            with place.entered():
                self.sockets[place.name] = raw_socket("eth0")
        return self.sockets[place.name]


@contextlib.contextmanager
def kernel_testbed(
    word: str = "street", adapter: Callable[[], LinuxKernel] = linux_kernel
) -> Iterator[KernelTestbed]:
    """The table is installed and no device is admitted."""
    with Lab(word) as lab:
        router, member, stranger = lab.namespace("router"), lab.namespace("member"), lab.namespace("stranger")
        hill, far = lab.namespace("hill"), lab.namespace("far")
        router.bridge("lan0", mac=ROUTER_MAC)
        for place, mac, port in ((member, MEMBER_MAC, "p1"), (stranger, STRANGER_MAC, "p2")):
            lab.veth(place, "eth0", router, port, a_mac=mac)
            router.plug(port, "lan0")
        lab.veth(router, "wan0", far, "eth0", a_mac=UPLINK_MAC, b_mac=FAR_MAC)
        lab.veth(router, "mesh0", hill, "eth0", a_mac=MESH_MAC, b_mac=HILL_MAC)
        router.address("lan0", *(f"{a}/{n}" for a, n in zip(ROUTER, (16, 64), strict=True)))
        router.address("wan0", f"{OUTSIDE[0]}/24", f"{OUTSIDE[1]}/64")
        router.address("mesh0", "10.66.0.1/24", "fd66::1/64")
        hill.address("eth0", f"{HILL[0]}/24", f"{HILL[1]}/64")
        hill.route("default via 10.66.0.1", "default via fd66::1")
        far.address("eth0", "10.88.0.254/24", "fd88::fe/64")
        far.ip("link set lo up", f"addr add {FAR[0]}/24 dev lo", f"addr add {FAR[1]}/64 dev lo nodad")
        router.route("default via 10.88.0.254", "default via fd88::fe")
        far.route("default via 10.88.0.1", "default via fd88::1")
        for place, own in ((member, MEMBER), (stranger, STRANGER)):
            place.address("eth0", f"{own[0]}/16", f"{own[1]}/64")
            place.route(f"default via {ROUTER[0]}", f"default via {ROUTER[1]}")
        # Neighbour entries exist before the first packet, so that no test depends on ARP.
        far.ip(*(f"neigh replace {a} lladdr {UPLINK_MAC} dev eth0" for a in OUTSIDE))
        router.ip(*(f"neigh replace {a} lladdr {FAR_MAC} dev wan0" for a in ("10.88.0.254", "fd88::fe")))
        for own, mac in ((MEMBER, MEMBER_MAC), (STRANGER, STRANGER_MAC)):
            router.ip(*(f"neigh replace {a} lladdr {mac} dev lan0" for a in own))
        for place in (member, stranger):
            place.ip(*(f"neigh replace {a} lladdr {ROUTER_MAC} dev eth0" for a in ROUTER))
        with router.entered():
            kernel = adapter()
        made = KernelTestbed(lab, router, member, stranger, hill, far, kernel)
        try:
            made.admit()
            made.ear(far), made.ear(stranger), made.ear(member)
            yield made
        finally:
            for each in made.sockets.values():
                each.close()  # type: ignore[attr-defined]
            made.kernel.close()
