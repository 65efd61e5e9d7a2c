"""A client, a router and the Internet in a line, and the flows between both ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.internet import ROOT
from tests.lab.netns import Lab, Namespace

PERSON, PERSON_MAC = "10.77.0.2", "02:00:00:00:00:01"
FAR = "203.0.113.10"
LAN, UPLINK = "lan0", "wan0"
PLAIN = """
table ip plain {
  chain after { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
}
"""


class End:
    """The program of `tests.bench.flow_endpoint` at one end."""

    def __init__(self, place: Namespace, role: str, port: int) -> None:
        self._program = place.popen(
            sys.executable, "-m", "tests.bench.flow_endpoint", role, FAR, str(port),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip

    def begin(self, command: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(f"{command}\n".encode())
        self._program.stdin.flush()

    def answer(self) -> str:
        assert self._program.stdout is not None
        line = self._program.stdout.readline().decode().strip()
        if not line:
            raise RuntimeError("the flow broke off")
        return line

    def close(self) -> None:
        self._program.terminate()
        self._program.wait()


class Flow:
    """A TCP and a UDP flow through the router; open it while the client is admitted."""

    def __init__(self, road: "Topology", port: int) -> None:
        self._far = End(road.internet, "listen", port)
        self._far.answer()
        self._near = End(road.person, "connect", port)
        for end in (self._near, self._far):
            end.answer()

    def stream(self, size: int, upwards: bool) -> float:
        """Bits per second received."""
        source, sink = (self._near, self._far) if upwards else (self._far, self._near)
        sink.begin(f"take {size}")
        source.begin(f"send {size}")
        source.answer()
        return 8 * float(sink.answer())

    def packets(self, count: int, upwards: bool) -> float:
        """Packets of 64 bytes per second received."""
        source, sink = (self._near, self._far) if upwards else (self._far, self._near)
        before = self._arrived(sink)
        source.begin(f"datagrams {count}")
        sent = float(source.answer())
        return sent * (self._arrived(sink) - before) / count

    def close(self) -> None:
        self._near.close()
        self._far.close()

    def _arrived(self, end: End) -> int:
        end.begin("arrived")
        return int(end.answer())


class Topology:
    """The three namespaces; the router forwards, and masquerades when `plain` says so."""

    def __init__(self, lab: Lab, *, lan: str = LAN) -> None:
        self.router = lab.namespace("router")
        self.person = lab.namespace("person")
        self.internet = lab.namespace("internet")
        port = f"{lan}-port" if lan != LAN else LAN
        lab.veth(self.person, "eth0", self.router, port, a_mac=PERSON_MAC)
        lab.veth(self.internet, "eth0", self.router, UPLINK)
        if lan != LAN:
            self.router.bridge(lan)
            self.router.plug(port, lan)
        self._cables = (
            (self.person, "eth0"),
            (self.router, port),
            (self.router, UPLINK),
            (self.internet, "eth0"),
        )
        self.router.address(lan, "10.77.0.1/16", "fd77::1/64")
        self.router.address(UPLINK, "10.88.0.2/24", "fd88::2/64")
        self.person.address("eth0", f"{PERSON}/16", "fd77::2/64")
        self.person.route("default via 10.77.0.1", "default via fd77::1")
        self.internet.address("eth0", "10.88.0.1/24", "fd88::1/64", f"{FAR}/32", "fd99::10/128")
        self.router.route(f"{FAR}/32 via 10.88.0.1", "fd99::/64 via fd88::1")
        self.internet.route("fd77::/64 via fd88::2")
        self.router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)

    def merge_segments(self, wanted: bool) -> None:
        """Whether packets are merged by offloading, up to 64 kB each, or sent one by one as on a wire."""
        switch = "on" if wanted else "off"
        for place, cable in self._cables:
            place.run("ethtool", "-K", cable, "tx", switch, "tso", switch, "gso", switch, "gro", switch)

    def plain(self, wanted: bool) -> None:
        """Masquerade on a router without the node's table."""
        again = "add table ip plain\ndelete table ip plain\n"
        self.router.run("nft", "-f", "-", stdin=again + (PLAIN if wanted else ""))


@contextmanager
def flow(road: Topology, port: int) -> Iterator[Flow]:
    made = Flow(road, port)
    try:
        yield made
    finally:
        made.close()
