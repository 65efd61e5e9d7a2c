"""Admissions and removals at length: 100,000 devices come and go on one router while packets pass. Their bytes must be
counted to the byte, and afterwards the router must forward as fast as one whose table is new."""

import json
from collections.abc import Mapping
from dataclasses import replace

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import Admission, TrafficPlan
from node.units import MacAddress, Monotonic, Usage
from tests.bench.figures import Figures, of_tries, ratios, say
from tests.bench.forward import NOW, SESSION_MS, SMALL, plan, turned
from tests.bench.topology import FAR, PERSON, Flow, Topology, flow
from tests.kernel.frames import UDP, frame, ip, raw_socket, udp
from tests.lab.netns import Lab

KEYS = ("churn_ratio_pps", "churn_exact")
STANDING = 1_000
"""Devices that stay, the measured one among them."""
AT_ONCE, GENERATIONS = 1_000, 100
SENDERS, FRAMES = 40, 3
"""Devices of each generation that send, and datagrams of each."""
MARK_FIRST = 100_000
ROUNDS, BURST_S, REPEATS = 15, 0.2, 3
PORT = 9
COUNTED = f"""
table ip counted {{
  chain arrives {{ type filter hook input priority 0; udp dport {PORT} counter drop; }}
}}
"""


def generation(number: int) -> dict[MacAddress, Admission]:
    first = MARK_FIRST + number * AT_ONCE
    macs = [
        MacAddress(f"02:02:{number >> 8:02x}:{number & 255:02x}:{n >> 8:02x}:{n & 255:02x}")
        for n in range(AT_ONCE)
    ]
    ends = Monotonic(NOW + SESSION_MS)
    return {mac: Admission(mac, first + n, 16 + STANDING + n, ends) for n, mac in enumerate(macs)}


class ChurningRouter:
    """A router whose devices come and go, and the bytes that they sent."""

    def __init__(self, road: Topology) -> None:
        self.road, self.standing = road, plan(STANDING, shaped=False)
        self._counted: dict[int, Usage] = {}
        """Of each mark: the last reading that had it."""
        with road.router.entered():
            self.kernel = LinuxKernel()
        road.internet.run("nft", "-f", "-", stdin=COUNTED)
        router = json.loads(road.router.run("ip", "-j", "link", "show", "lan0"))[0]
        with road.person.entered():
            self._wire = raw_socket("eth0")
        self._router_mac = router["address"]

    def churn(self) -> None:
        """Each generation is admitted, sends, is removed, and its last bytes are read before its counters go: the order
        in which the control loop does it."""
        with self.road.router.entered():
            self.kernel.apply(self.standing, NOW)
            gone: Mapping[MacAddress, Admission] = {}
            for number in range(GENERATIONS):
                here = generation(number)
                admitted = {**self.standing.admitted, **here}
                retiring = {each.mark: each.class_minor for each in gone.values()}
                self.kernel.apply(replace(self.standing, admitted=admitted, retiring=retiring), NOW)
                self._read()
                self._send(number, here)
                gone = here
                if number % 20 == 19:
                    say(f"churn: {(number + 1) * AT_ONCE} devices came and went")
            retiring = {each.mark: each.class_minor for each in gone.values()}
            self.kernel.apply(replace(self.standing, retiring=retiring), NOW)
            self._read()
            self.kernel.apply(self.standing, NOW)

    def _read(self) -> None:
        counted = self.kernel.read().counted
        self._counted |= {mark: usage for mark, usage in counted.items() if mark >= MARK_FIRST}

    def counted_up(self) -> int:
        """Bytes that the devices of all generations have sent, as their router counted them."""
        return sum(usage.up for usage in self._counted.values())

    def _send(self, number: int, here: Mapping[MacAddress, Admission]) -> None:
        for n, mac in enumerate(list(here)[:: AT_ONCE // SENDERS]):
            port = 20_000 + SENDERS * number + n  # a flow of its own
            for size in range(FRAMES):
                datagram = udp(PERSON, FAR, port, PORT, bytes(20 + 7 * size + n))
                self._wire.send(frame(self._router_mac, mac, ip(PERSON, FAR, UDP, datagram)))

    def arrived(self) -> int:
        """IP bytes of these datagrams at the far end, by its own counter, which then is removed: it costs time."""
        listed = json.loads(self.road.internet.run("nft", "-j", "list", "table", "ip", "counted"))["nftables"]
        self.road.internet.run("nft", "delete table ip counted")
        rule = next(each["rule"] for each in listed if "rule" in each)
        return int(next(each["counter"]["bytes"] for each in rule["expr"] if "counter" in each))

    def stop_sending(self) -> None:
        """Its socket would get a copy of every packet."""
        self._wire.close()

    def close(self) -> None:
        self.stop_sending()
        with self.road.router.entered():
            self.kernel.close()


def alternated(flows: Mapping[str, Flow], *, upwards: bool) -> list[float]:
    """The churned router's rate to that of the fresh one, in bursts one directly after the other."""
    size = SMALL.first
    for each in flows.values():
        size = int(SMALL.rate(each, size, upwards) * BURST_S)
    found: dict[str, list[float]] = {name: [] for name in flows}
    for number in range(ROUNDS):
        for name in turned(list(flows), number):
            found[name].append(SMALL.rate(flows[name], size, upwards))
    return ratios(found["churned"], found["fresh"])


def _ratio(churned: Topology, fresh: Topology, wanted: TrafficPlan, port: int) -> float:
    """Of one comparison, the worse direction. The table of the fresh router is made for it."""
    for road in (churned, fresh):
        road.merge_segments(False)
    with fresh.router.entered():
        kernel = LinuxKernel()
        kernel.apply(wanted, NOW)
    try:
        with flow(churned, port) as old, flow(fresh, port) as new:
            ways = [alternated({"churned": old, "fresh": new}, upwards=upwards) for upwards in (True, False)]
        say(f"churn: 64-byte packets, to a new table: {ways}")
        return min(float(of_tries("ratio", way)["ratio"] or 0) for way in ways)
    finally:
        with fresh.router.entered():
            kernel.remove()
            kernel.close()


def measure() -> Figures:
    with Lab("bench") as lab, Lab("bench") as other:
        churned, fresh = Topology(lab), Topology(other)
        router = ChurningRouter(churned)
        try:
            router.churn()
            router.stop_sending()
            sent = router.arrived()
            say(f"churn: counted {router.counted_up()} bytes, arrived {sent}")
            repeats = [_ratio(churned, fresh, router.standing, 6200 + n) for n in range(REPEATS)]
            say(f"churn: {repeats}")
        finally:
            router.close()
    expected = GENERATIONS * sum(48 + 7 * size + n for size in range(FRAMES) for n in range(SENDERS))
    exact = router.counted_up() == sent == expected
    return {
        "churn_ratio_pps": sorted(repeats)[REPEATS // 2],
        "churn_exact": int(exact),
    }
