"""Delay that downloads and uploads of others add, and one's own: a line with a bloated modem, 24 accounts that transfer
at full rate and a light one with a small packet each 20 ms. "Added" is a percentile under load less the same percentile
while the line is idle, in the same run. A packet that was not answered was later than all others: a percentile that falls
on one is no figure, and their part of all packets is a figure of its own."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.fairness import WEIGHTS, far, means, members, rates_of_seconds, rules
from tests.bench.figures import Figures, jain, missing, quantile, say
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import PORTAL, SingleRouter
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, Namespace
from tests.lab.village import Modem

KEYS = (
    "light_added_ms_p50",
    "light_added_ms_p95",
    "own_added_ms_p50",
    "own_added_ms_p95",
    "own_lost_percent",
    "line_use_percent",
    "weighted_jain",
    "probes_lost",
    "none_light_added_ms_p50",
    "none_light_added_ms_p95",
)
LINE_BITS = 20_000_000
MODEM_BYTES = 2_500_000
"""The modem's own queue: a second of the line, in each direction."""
ACCOUNTS, LIGHT, OWN = 25, 0, 3
"""The first device is the light one; the one at OWN has a probe beside its own two transfers."""
FLOWS = (64, *(1 + number % 3 for number in range(ACCOUNTS - 2)))
IDLE_S, SETTLE_S, SECONDS = 8, 9, 14
NONE_SETTLE_S, NONE_SECONDS = 5, 7


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

    def let_in(self) -> None:
        devices = self.people.devices
        came = self.people.do("flows", devices, to=PORTAL, port=80, at_once=ACCOUNTS)
        if came["let_in"] < ACCOUNTS:
            raise RuntimeError(f"not everybody was let in: {came}")

    def remove_queues(self) -> None:
        """What ends the shaping: a node that has ended leaves the devices admitted, and its queues."""
        for interface in ("br-lan", "wan0"):
            self.place.router.place.run("tc", "qdisc", "delete", "dev", interface, "root")

    def idle(self) -> RoundTrips:
        return self._answer(self._begin_probe(1, IDLE_S))

    def load(self, *, upwards: bool, settle: int, seconds: int) -> tuple[RoundTrips, list[list[float]]]:
        """Round trips, and bit/s of each greedy device for each second. Half of the devices use IPv6."""
        sources = [d.address6 if self._is_v6(d) else d.address for d in self._greedy]
        self.people.begin(
            "greed",
            [],
            addresses=sources,
            fars=[self._far(device) for device in self._greedy],
            flows=FLOWS,
            upwards=upwards,
            seconds=settle + seconds + 1,
        )
        probe = self._begin_probe(settle, settle + seconds)
        time.sleep(settle)
        rates = rates_of_seconds(lambda: self._arrived(upwards), seconds)
        trips = self._answer(probe)
        say(f"{'up' if upwards else 'down'}: {self.people.answer()}")
        return trips, rates

    def _begin_probe(self, begins: float, ends: float) -> "subprocess.Popen[bytes]":
        pairs = [pair for d in self._probed for pair in ((d.address, far(d)), (d.address6, far6(d)))]
        job = json.dumps({"pairs": pairs, "begins": begins, "ends": ends})
        return self.people.place.popen(
            sys.executable, "-m", "tests.bench.latency_probe", "probe", job, stdout=subprocess.PIPE, cwd=ROOT
        )

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


def measure() -> Figures:
    with Lab("bench") as lab:
        place = SingleRouter(lab, Modem(LINE_BITS, MODEM_BYTES))
        line = BloatedLine(place)
        place.furnish(rules=rules(LINE_BITS), members=members(line.people.devices))
        daemon = place.router.start()
        time.sleep(1)
        line.let_in()
        idle = line.idle()
        reported("idle", idle)
        trips, uses, fair = [], [], []
        for upwards in (False, True):
            found, rates = line.load(upwards=upwards, settle=SETTLE_S, seconds=SECONDS)
            reported("shaped, " + ("up" if upwards else "down"), found, rates)
            trips.append(found)
            uses.append(100 * sum(means(rates)) / LINE_BITS)
            fair.append(fairness(rates))
        daemon.stop()
        line.remove_queues()
        none = []
        for upwards in (False, True):
            found, rates = line.load(upwards=upwards, settle=NONE_SETTLE_S, seconds=NONE_SECONDS)
            reported("no shaping, " + ("up" if upwards else "down"), found, rates)
            none.append(found)
        line.people.close()
    return {
        **added("light_added_ms_p50", trips, idle, 0.5),
        **added("light_added_ms_p95", trips, idle, 0.95),
        **added("own_added_ms_p50", trips, idle, 0.5, own=True),
        **added("own_added_ms_p95", trips, idle, 0.95, own=True),
        "own_lost_percent": lost_percent(trips),
        "line_use_percent": round(min(uses), 1),
        "weighted_jain": min(fair),
        "probes_lost": sum(each.lost() for each in trips),
        **added("none_light_added_ms_p50", none, idle, 0.5),
        **added("none_light_added_ms_p95", none, idle, 0.95),
    }
