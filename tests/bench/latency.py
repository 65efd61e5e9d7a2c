"""Delay that downloads and uploads of others add, and one's own: a line with a bloated modem, 24 accounts that transfer
at full rate and a light one with a small packet each 20 ms. "Added" is a percentile under load less the same percentile
while the line is idle, in the same run. A packet that was not answered was later than all others: a percentile that falls
on one is no figure, and their part of all packets is a figure of its own.

Also the responsiveness of one account while the others transfer (`tests.bench.rpm`), and how many packets that keep the
line alive have no answer while all transfer in both directions at once (`tests.bench.control_packets`)."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.link_writer import ROUND_EVERY_S
from tests.bench.fairness import WEIGHTS, far, means, members, rates_of_seconds, rules
from tests.bench.figures import Figures, jain, missing, quantile, say
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import ClientProcess, SingleRouter
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, Namespace
from tests.lab.people import Person, settle
from tests.lab.village import SQUARE, Modem, Router

KEYS = (
    "light_added_ms_p50",
    "light_added_ms_p95",
    "own_added_ms_p50",
    "own_added_ms_p95",
    "own_lost_percent",
    "line_use_percent",
    "line_use_up_percent",
    "weighted_jain",
    "probes_lost",
    "none_light_added_ms_p50",
    "none_light_added_ms_p95",
    "rpm",
    "none_rpm",
    "control_packets_lost",
)
LINE_BITS = 20_000_000
MODEM_BYTES = 2_500_000
"""The modem's own queue: a second of the line, in each direction."""
ACCOUNTS, LIGHT, OWN = 25, 0, 3
"""The first device is the light one; the one at OWN has a probe beside its own two transfers."""
FLOWS = (64, *(1 + number % 3 for number in range(ACCOUNTS - 2)))
BOTH = (False, True)
IDLE_S, SETTLE_S, SECONDS = 8, 9, 14
NONE_SETTLE_S, NONE_SECONDS = 5, 7
RPM_SETTLE_S, RPM_SECONDS, NONE_RPM_SECONDS, RPM_PATIENCE_S = 4, 11, 9, 3
CONTROL_SETTLE_S, CONTROL_SECONDS, CONTROL_SECONDS_LONG = 3, 120, 600
RESIDENT_NUMBER, RESIDENT_MAC = 40, "02:aa:00:00:00:28"
"""A device with a lease of its own, which does what keeps the line alive."""
MESH_ROUND_S, MESH_ROUND_LATE_S = int(ROUND_EVERY_S), 1.2 * ROUND_EVERY_S + 2
"""Of the mesh: between two messages of a neighbour that has no news, and when one has not come."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Of the light account and of a greedy one, in ms, by IP version; None for a packet that was lost."""

    light: tuple[Sequence[float | None], ...]
    own: tuple[Sequence[float | None], ...]

    def at(self, part: float, *, own: bool = False) -> tuple[float, ...]:
        """A quantile for each IP version; infinite where it falls on a lost packet."""
        return tuple(
            quantile([math.inf if each is None else each for each in one], part)
            for one in (self.own if own else self.light)
        )

    def lost(self, *, own: bool = False) -> int:
        return sum(each is None for one in (self.own if own else self.light) for each in one)


def added(
    key: str, loaded: Sequence[RoundTrips], idle: RoundTrips, part: float, *, own: bool = False
) -> Figures:
    """The worst of all directions and IP versions."""
    before = idle.at(part, own=own)
    if not all(map(math.isfinite, before)):
        raise RuntimeError("packets were lost while the line was idle")
    worst = max(
        now - then for each in loaded for now, then in zip(each.at(part, own=own), before, strict=True)
    )
    if math.isinf(worst):
        return missing([key], f"more than {100 - 100 * part:.0f} of 100 packets had no answer")
    return {key: round(worst, 2)}


def lost_percent(loaded: Sequence[RoundTrips]) -> float:
    """Of an account's own calls, in both directions and IP versions."""
    sent = sum(len(one) for each in loaded for one in each.own)
    return round(100 * sum(each.lost(own=True) for each in loaded) / sent, 1)


def far6(device: VirtualDevice) -> str:
    return f"fd99::{device.number:x}"


class BloatedLine:
    """A router whose modem has a long queue in both directions, the crowd, and the probes."""

    def __init__(self, place: SingleRouter) -> None:
        self.place = place
        self.people = place.crowd(ACCOUNTS, v6=True)
        for end in (self.people.place, place.internet.place):
            use_cubic(end)
        devices = self.people.devices
        self._greedy = devices[1:]
        self._probed = (devices[LIGHT], devices[OWN])
        addresses = [address for device in self._probed for address in (far(device), far6(device))]
        place.internet.place.start(
            sys.executable, "-m", "tests.bench.latency_probe", "echo", *addresses, cwd=ROOT
        )
        self._tested = devices[OWN]
        place.internet.place.start(
            sys.executable, "-m", "tests.bench.rpm", "serve", far(self._tested), cwd=ROOT
        )

    def remove_queues(self) -> None:
        """What ends the shaping: a node that has ended leaves the devices admitted, and its queues."""
        for interface in ("br-lan", "wan0"):
            self.place.router.place.run("tc", "qdisc", "delete", "dev", interface, "root")

    def idle(self) -> RoundTrips:
        return self._answer(self._begin_probe(1, IDLE_S))

    def load(self, *, upwards: bool, settle: int, seconds: int) -> tuple[RoundTrips, list[list[float]]]:
        """Round trips, and bit/s of each greedy device for each second. Half of the devices use IPv6."""
        self._begin_transfers(self.people, self._greedy, upwards=upwards, seconds=settle + seconds + 1)
        probe = self._begin_probe(settle, settle + seconds)
        time.sleep(settle)
        rates = rates_of_seconds(lambda: self._arrived(upwards), seconds)
        trips = self._answer(probe)
        say(f"{'up' if upwards else 'down'}: {self.people.answer()}")
        return trips, rates

    def _begin_transfers(
        self, people: ClientProcess, devices: Sequence[VirtualDevice], *, upwards: bool, seconds: float
    ) -> None:
        people.begin(
            "greed",
            [],
            addresses=[d.address6 if self._is_v6(d) else d.address for d in devices],
            fars=[self._far(device) for device in devices],
            flows=[FLOWS[self._greedy.index(device)] for device in devices],
            upwards=upwards,
            seconds=seconds,
        )

    def rpm(self, *, upwards: bool, settle: int, seconds: int) -> float:
        """Round trips per minute of one account, while the other 23 transfer in the same direction."""
        others = [device for device in self._greedy if device is not self._tested]
        self._begin_transfers(
            self.people, others, upwards=upwards, seconds=settle + seconds + RPM_PATIENCE_S + 1
        )
        time.sleep(settle)
        source, target = self._tested.address, far(self._tested)
        job = json.dumps({"source": source, "far": target, "upwards": upwards, "seconds": seconds})
        argv = (sys.executable, "-m", "tests.bench.rpm", "measure", job)
        with self.people.place.entered():
            done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        say(f"{'up' if upwards else 'down'}: {self.people.answer()}")
        if done.returncode:
            raise RuntimeError(f"the responsiveness test: {done.stderr.strip()[-300:]}")
        say(f"responsiveness, {'up' if upwards else 'down'}: {done.stdout.strip()}")
        return float(json.loads(done.stdout)["rpm"])

    def control_packets(self, resident: Person, seconds: int) -> dict[str, tuple[int, int]]:
        """By kind how many were sent, and how many had no answer, while everybody transfers both ways at once."""
        uploads = ClientProcess(self.people.place, self.people.devices)
        lasts = CONTROL_SETTLE_S + seconds + 1
        for people, upwards in ((self.people, False), (uploads, True)):
            self._begin_transfers(people, self._greedy, upwards=upwards, seconds=lasts)
        time.sleep(CONTROL_SETTLE_S)
        node, site = self.place.router, SQUARE
        lan = {
            "interface": resident.interface,
            "address": resident.address_v4,
            "address6": resident.addresses_v6()[0],
            "mac": resident.mac,
            "node": site.lan_v4,
            "node6": site.lan_v6,
        }
        uplink = {
            "interface": "wan0",
            "address": site.wan_v4,
            "address6": site.wan_v6,
            "mac": node.place.run("cat", "/sys/class/net/wan0/address").strip(),
            "node": site.next_hop_v4,
            "node6": site.next_hop_v6,
            "is_uplink": True,
        }
        programs = [
            place.popen(
                sys.executable, "-m", "tests.bench.control_packets", json.dumps({**job, "seconds": seconds}),
                stdout=subprocess.PIPE, cwd=ROOT,
            )
            for place, job in ((resident.place, lan), (node.place, uplink))
        ]  # fmt: skip
        counted = {"mesh rounds": _mesh_rounds(node, seconds)}
        for name, program in zip(("", "uplink: "), programs, strict=True):
            found = json.loads(program.communicate(timeout=60)[0])
            counted |= {f"{name}{kind}": (sent, unanswered) for kind, (sent, unanswered) in found.items()}
        for people in (self.people, uploads):
            say(f"transfers: {people.answer()}")
        uploads.close()
        return counted

    def _begin_probe(self, begins: float, ends: float) -> "subprocess.Popen[bytes]":
        pairs = [pair for d in self._probed for pair in ((d.address, far(d)), (d.address6, far6(d)))]
        return self.people.begin_probe(pairs, begins, ends)

    @staticmethod
    def _answer(probe: "subprocess.Popen[bytes]") -> RoundTrips:
        said, _ = probe.communicate(timeout=60)
        light4, light6, own4, own6 = json.loads(said)
        return RoundTrips((light4, light6), (own4, own6))

    @staticmethod
    def _is_v6(device: VirtualDevice) -> bool:
        return device.number % 2 == 0

    def _far(self, device: VirtualDevice) -> str:
        return far6(device) if self._is_v6(device) else far(device)

    def _arrived(self, upwards: bool) -> list[int]:
        """IP bytes of each greedy device that reached the other end: what a queue dropped does not count."""
        if upwards:
            counted = self.place.internet.counted()
            return [counted.get(self._far(d), {}).get("arrived", 0) for d in self._greedy]
        came = self.people.arrived()
        return [came.get(d.address6 if self._is_v6(d) else d.address, 0) for d in self._greedy]


def _mesh_rounds(node: Router, seconds: int) -> tuple[int, int]:
    """Of the neighbour on the mesh link: how many messages were due, and how many had not come in time."""
    began, late = time.monotonic(), 0
    due = seconds // MESH_ROUND_S
    for number in range(1, due + 1):
        time.sleep(max(0.0, began + number * MESH_ROUND_S - time.monotonic()))
        peers = {peer["state"]: peer["heard_seconds_ago"] for peer in node.peers()}
        if peers.get("trusted", MESH_ROUND_LATE_S + 1) > MESH_ROUND_LATE_S:
            say(f"round {number} of the mesh is late: {peers}")
            late += 1
    return due, late


def use_cubic(place: Namespace) -> None:
    """Congestion control that most servers use, whatever this machine's default is; as an attribute of the routes,
    because a namespace may not choose among all that the kernel has."""
    for version in ("-4", "-6"):
        for route in place.run("ip", version, "route", "show", "table", "main").splitlines():
            if " dev eth0" in route or " dev line1" in route:
                place.run("ip", version, "route", "change", *route.split(), "congctl", "cubic")


def fairness(rates: list[list[float]]) -> float:
    return jain([rate / weight for rate, weight in zip(means(rates), WEIGHTS[1:], strict=True)])


def reported(name: str, trips: RoundTrips, rates: list[list[float]] | None = None) -> None:
    shown = [
        f"p{part * 100:.0f} {trips.at(part)} own {trips.at(part, own=True)}" for part in (0.5, 0.95, 0.99)
    ]
    use = (
        ""
        if rates is None
        else (
            f"; line use {100 * sum(means(rates)) / LINE_BITS:.1f} %, fair {fairness(rates)}, "
            f"kbit/s {[int(rate / 1000) for rate in means(rates)]}"
        )
    )
    say(f"{name}: {'; '.join(shown)}; lost {trips.lost()} own {trips.lost(own=True)}{use}")


def responsiveness(key: str, line: BloatedLine, settle: int, seconds: int) -> Figures:
    """The worse of both directions."""
    try:
        return {key: int(min(line.rpm(upwards=upwards, settle=settle, seconds=seconds) for upwards in BOTH))}
    except RuntimeError as failure:
        return missing([key], str(failure))


def settle_resident(place: SingleRouter) -> Person:
    """A member's device with a lease, online."""
    resident = settle(place.lab, place.router.place, "resident", RESIDENT_NUMBER, RESIDENT_MAC)
    resident.join()
    if resident.do("accept")["first_packet_ms"] is None:
        raise RuntimeError("the resident was not let in")
    return resident


def control_packets_lost(counted: dict[str, tuple[int, int]]) -> int:
    for kind, (sent, unanswered) in counted.items():
        say(f"control packets, {kind}: {sent} sent, {unanswered} without an answer")
    return sum(unanswered for _, unanswered in counted.values())


def measure(*, is_long: bool = False) -> Figures:
    """`is_long`: ten minutes of control packets instead of two."""
    with Lab("bench") as lab:
        place = SingleRouter(lab, Modem(LINE_BITS, MODEM_BYTES))
        place.add_neighbour()
        line = BloatedLine(place)
        resident = f'\n[[account]]\nid = "resident"\ndevices = ["{RESIDENT_MAC}"]\n'
        place.furnish(rules=rules(LINE_BITS), members=members(line.people.devices) + resident)
        daemon = place.router.start()
        time.sleep(1)
        line.people.let_in(ACCOUNTS)
        idle = line.idle()
        reported("idle", idle)
        trips, uses, fair = [], [], []
        for upwards in BOTH:
            found, rates = line.load(upwards=upwards, settle=SETTLE_S, seconds=SECONDS)
            reported("shaped, " + ("up" if upwards else "down"), found, rates)
            trips.append(found)
            uses.append(100 * sum(means(rates)) / LINE_BITS)
            fair.append(fairness(rates))
        assert place.neighbour is not None
        neighbour = place.neighbour.start()
        rpm = responsiveness("rpm", line, RPM_SETTLE_S, RPM_SECONDS)
        seconds = CONTROL_SECONDS_LONG if is_long else CONTROL_SECONDS
        lost = control_packets_lost(line.control_packets(settle_resident(place), seconds))
        neighbour.stop()
        daemon.stop()
        line.remove_queues()
        none = []
        for upwards in BOTH:
            found, rates = line.load(upwards=upwards, settle=NONE_SETTLE_S, seconds=NONE_SECONDS)
            reported("no shaping, " + ("up" if upwards else "down"), found, rates)
            none.append(found)
        rpm |= responsiveness("none_rpm", line, NONE_SETTLE_S, NONE_RPM_SECONDS)
        line.people.close()
    return {
        **added("light_added_ms_p50", trips, idle, 0.5),
        **added("light_added_ms_p95", trips, idle, 0.95),
        **added("own_added_ms_p50", trips, idle, 0.5, own=True),
        **added("own_added_ms_p95", trips, idle, 0.95, own=True),
        "own_lost_percent": lost_percent(trips),
        "line_use_percent": round(min(uses), 1),
        "line_use_up_percent": round(uses[BOTH.index(True)], 1),
        "weighted_jain": min(fair),
        "probes_lost": sum(each.lost() for each in trips),
        **added("none_light_added_ms_p50", none, idle, 0.5),
        **added("none_light_added_ms_p95", none, idle, 0.95),
        **rpm,
        "control_packets_lost": lost,
    }
