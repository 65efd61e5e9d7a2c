"""Cost of the node's table for each packet: rates through the router against plain forwarding and masquerade,
alternated."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import NO_LIMIT, Admission, FirewallConfig, ShapedClass, TrafficPlan
from node.units import BitsPerSecond, MacAddress, Monotonic, Rates
from tests.bench import opennds
from tests.bench.figures import Figures, of_tries, ratios, say
from tests.bench.many_clients import VirtualDevice, device
from tests.bench.topology import LAN, PERSON, PERSON_MAC, UPLINK, Flow, Topology, flow
from tests.lab.netns import Lab

KEYS = (
    "ratio",
    "ratio_1500",
    "ratio_pps",
    "ratio_1500_10k",
    "ratio_shaped",
    "ratio_1500_shaped",
    "ratio_pps_shaped",
    "peer_ratio_1500",
)
ROUNDS = 15
BURST_S = 0.2
SETTLE_S = 0.05
"""The kernel frees deleted objects in the background."""
PEER_CLIENTS = 100
NOW = Monotonic(1_000_000)
SESSION_MS = 3_600_000
OPEN_LINE = Rates(BitsPerSecond(40_000_000_000), BitsPerSecond(40_000_000_000))
UNLIMITED = Rates(NO_LIMIT, NO_LIMIT)
NOTHING = Rates(BitsPerSecond(0), BitsPerSecond(0))

State = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TrafficKind:
    """A kind of load. `rate` is given a size (bytes or packets) and whether the direction is upstream."""

    key: str
    merged: bool
    rate: Callable[[Flow, int, bool], float]
    size_per_rate: float
    """Size per second for each unit of rate: bytes for bits, packets for packets."""
    first: int


MERGED = TrafficKind("ratio", True, Flow.stream, 1 / 8, 100_000_000)
SINGLE = TrafficKind("ratio_1500", False, Flow.stream, 1 / 8, 30_000_000)
SMALL = TrafficKind("ratio_pps", False, Flow.packets, 1, 20_000)


def plan(people: int, *, shaped: bool) -> TrafficPlan:
    """This many devices are admitted, the measured one first; shaped: with an account and a class for each."""
    macs = [MacAddress(PERSON_MAC)]
    macs += [MacAddress(f"02:01:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}") for i in range(1, people)]
    admitted = {
        mac: Admission(mac, mark, 16 + mark, Monotonic(NOW + SESSION_MS)) for mark, mac in enumerate(macs, 1)
    }
    minors = [a.class_minor for a in admitted.values()] if shaped else []
    classes = {minor: ShapedClass(minor, None, NOTHING, UNLIMITED, 100) for minor in minors}
    return TrafficPlan(
        FirewallConfig(LAN, UPLINK, 2080), admitted, {}, OPEN_LINE if shaped else None, classes
    )


def compare(road: Topology, states: Mapping[str, State], kind: TrafficKind, port: int, key: str) -> Figures:
    """Rate of each state divided by that of the state "plain", bursts alternated, in the worse direction: the figure
    `key` with the name of the state appended."""
    road.merge_segments(kind.merged)
    ways: dict[str, list[list[float | None]]] = {name: [] for name in states if name != "plain"}
    for upwards in (True, False):
        # The flow is opened while the device is admitted, so that it has the device's mark.
        next(enter for name, enter in states.items() if name != "plain")()
        with flow(road, port + upwards) as through:
            taken = _alternated(states, kind, through, upwards)
        plain = taken["plain"]
        for name, rounds in ways.items():
            lost = [None] * (ROUNDS - len(plain))
            rounds.append([*ratios(taken[name], plain), *lost])
            say(f"{kind.key} {name} {'up' if upwards else 'down'}: {rounds[-1]} of {plain}/s")
    return {k: v for name, rounds in ways.items() for k, v in worse(key + name, rounds).items()}


def worse(key: str, ways: Sequence[Sequence[float | None]]) -> Figures:
    """The lower median of both directions. If one has no value, the lower one is unknown."""
    figures = [of_tries(key, way) for way in ways]
    failed: Figures = {f"{key}_failed": sum(value is None for way in ways for value in way)}
    found = [value for figure in figures if isinstance(value := figure[key], int | float)]
    none = next((figure for figure in figures if figure[key] is None), None)
    return (none if none is not None else {key: min(found)}) | failed


def _alternated(
    states: Mapping[str, State], kind: TrafficKind, through: Flow, upwards: bool
) -> dict[str, list[float]]:
    size = kind.first
    for _ in range(3):
        size = int(kind.rate(through, size, upwards) * kind.size_per_rate * BURST_S)
    taken: dict[str, list[float]] = {name: [] for name in states}

    def burst(enter: State) -> float:
        enter()
        time.sleep(SETTLE_S)
        kind.rate(through, size // 10, upwards)
        return kind.rate(through, size, upwards)

    for number in range(ROUNDS):
        try:
            rates = {name: burst(states[name]) for name in turned(list(states), number)}
        except RuntimeError as broke:
            say(f"round {number + 1} of {ROUNDS} and those after it have no answer: {broke}")
            break
        for name, rate in rates.items():
            taken[name].append(rate)
    return taken


def turned(names: list[str], number: int) -> list[str]:
    """Another order each round, so that no state always follows the same other one."""
    start = number // 2 % len(names)
    order = names[start:] + names[:start]
    return order if number % 2 == 0 else order[::-1]


def _ours(road: Topology) -> Figures:
    """Runs in the router's namespace."""
    kernel = LinuxKernel()

    def plainly() -> None:
        road.plain(True)
        kernel.remove()

    def with_table(wanted: TrafficPlan) -> State:
        def enter() -> None:
            kernel.apply(wanted, NOW)
            road.plain(False)

        return enter

    states = {
        "plain": plainly,
        "": with_table(plan(1_000, shaped=False)),
        "_10k": with_table(plan(10_000, shaped=False)),
        "_shaped": with_table(plan(1_000, shaped=True)),
    }
    few = {name: state for name, state in states.items() if name != "_10k"}
    found: Figures = {}
    try:
        for number, (kind, wanted) in enumerate(((MERGED, few), (SINGLE, states), (SMALL, few))):
            found |= compare(road, wanted, kind, 6000 + 10 * number, kind.key)
        kernel.remove()
    finally:
        kernel.close()
    return found


def _peer() -> Figures:
    with Lab("bench") as lab:
        road = Topology(lab, lan=opennds.LAN)
        road.plain(True)
        clients = [device(number) for number in range(1, PEER_CLIENTS)]
        # In the middle of all clients: openNDS searches its rules linearly.
        clients.insert(PEER_CLIENTS // 2, VirtualDevice(0, PERSON_MAC, PERSON))
        with opennds.running(lab, road.router, clients) as peer:
            peer.wait_until_it_answers()
            let_in = sum(peer.admit(client.address) for client in clients)
            say(f"openNDS let in {let_in} of {PEER_CLIENTS} clients")
            with peer.held():
                # Its rules take longer with more clients: fewer than requested would make it look better.
                if let_in < PEER_CLIENTS:
                    raise opennds.CannotRun(f"it let in {let_in} of {PEER_CLIENTS} clients")
                states = {"plain": peer.rules_away, "peer_ratio_1500": peer.rules_back}
                return compare(road, states, SINGLE, 6100, "")


def measure() -> Figures:
    with Lab("bench") as lab:
        road = Topology(lab)
        with road.router.entered():
            found = _ours(road)
    return found | opennds.beside(["peer_ratio_1500"], _peer)
