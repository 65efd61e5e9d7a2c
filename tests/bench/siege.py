"""Attacks of five hostile devices at once, two of them admitted, while honest clients use the network.

The node runs as its unit runs it (memory, open files, restarts), with its real dnsmasq and table. The attackers share
the machine with it and have a lower priority; what they achieved is printed on the standard error.
"""

import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.bench import opennds
from tests.bench.field import (
    HOUSEHOLDS,
    MEMBERS,
    NODE_TOML,
    Field,
    FieldRouter,
    Force,
    attack,
    by_terms,
    field,
    honest,
)
from tests.bench.figures import Figures, missing, of_tries, quantile, say
from tests.bench.single_router import SingleRouter, single_router
from tests.bench.unit_limits import UnitSupervisor, most_resident_bytes, room_for_neighbours
from tests.lab.internet import DNS_V4
from tests.lab.people import Person
from tests.lab.village import SQUARE

PEER_KEYS = (
    "peer_member_new_flows_failed",
    "peer_member_names_failed",
    "peer_newcomer_p95_ms",
    "peer_rss_mb_max",
    "peer_kills",
    "peer_recovery_s",
)
KEYS = (
    "member_new_flows_failed",
    "member_new_flows",
    "member_flow_ms_p95",
    "member_names_failed",
    "member_names",
    "member_name_ms_p95",
    "newcomer_p95_ms",
    "newcomers",
    "newcomers_failed",
    "admin_pages_failed",
    "stolen_pages",
    "flows_tracked_max",
    "rss_mb_max",
    "memory_mb_max",
    "kills",
    "recovery_s",
    *PEER_KEYS,
)
OF_PEER = tuple(key.removeprefix("peer_") for key in PEER_KEYS)
PEER_S, PEER_SETTLES_S = 15.0, 8.0
"""It restarts its dnsmasq after it answers."""
PEER_LEASES = "10.77.150.1,10.77.199.254,255.255.0.0,1h"
MIB = 1024 * 1024
SLACK_S = 60.0
NORMAL_PAGE_MS, NORMAL_FLOW_MS = 500.0, 100.0
STEADY_S = 1.0


@dataclass(frozen=True, slots=True)
class Phases:
    """On the machine's monotonic clock, in seconds."""

    calm: float
    attack: float
    after: float
    ends: float


def besieged(
    here: Field, target: FieldRouter, force: Force
) -> tuple[Phases, dict[str, dict[str, Any]], dict[str, int]]:
    """Before, during and after the attack: times, results of the honest clients, and results of the attacks."""
    began = time.monotonic()
    people = honest(here, target, force.calm_s + force.seconds + SLACK_S + force.after_s)
    time.sleep(force.calm_s)
    attacks = attack(here, target, force)
    # Each job's time begins when its program has started: the attack is over when the last one is.
    attack_began = time.monotonic()
    hostile = [(task.name, task.result(force.seconds + 60)) for task in attacks]
    over = time.monotonic()
    time.sleep(force.after_s)
    for task in people.values():
        task.end()
    phases = Phases(began, attack_began, over, time.monotonic())
    for name, came in hostile:
        say(f"{name}: {came}")
    stolen = next(came["stolen"] for _, came in hostile if "stolen" in came)
    return phases, {name: task.result(60) for name, task in people.items()}, stolen


Tries = list[tuple[float, float | None]]


def of_all(met: dict[str, dict[str, Any]], names: Sequence[str], kind: str) -> Tries:
    """Ordered by start time."""
    return sorted((tuple(each) for name in names for each in met[name][kind]), key=lambda each: each[0])


def within(tries: Tries, begins: float, ends: float) -> list[float | None]:
    return [ms for began, ms in tries if begins <= began < ends]


def failed(tries: Tries) -> int:
    return sum(ms is None for _, ms in tries)


def recovery(phases: Phases, flows: Tries, pages: Tries) -> float | None:
    """Seconds from the end of the attack until members' new flows take normal time for a second, and so do two
    newcomers' pages in a row; None if that does not happen within the time measured."""
    flowing = next((t for t, _ in flows if t >= phases.after and _steady(flows, t, t + STEADY_S)), None)
    later = [(t, ms) for t, ms in pages if t >= phases.after]
    shown = [t for (t, ms), (_, other) in itertools.pairwise(later) if _normal(ms) and _normal(other)]
    if flowing is None or not shown:
        return None
    return round(max(flowing, shown[0]) - phases.after, 1)


def _normal(ms: float | None) -> bool:
    return ms is not None and ms <= NORMAL_PAGE_MS


def _steady(flows: Tries, begins: float, ends: float) -> bool:
    there = within(flows, begins, ends)
    return bool(there) and all(ms is not None and ms <= NORMAL_FLOW_MS for ms in there)


def judged(phases: Phases, met: dict[str, dict[str, Any]]) -> Figures:
    """Results of the honest clients; the victim of address spoofing is listed separately."""
    for name, of_one in met.items():
        if of_one.get("why"):
            say(f"{name} met: {of_one['why']}")
    members = [name for name in HOUSEHOLDS if name != "victim" and name in met]
    newcomers = [name for name in met if name.startswith("new")]
    flows, asked = of_all(met, members, "flows"), of_all(met, members, "names")
    leases, pages = of_all(met, newcomers, "leases"), of_all(met, newcomers, "pages")
    attacked = (phases.attack, phases.after)
    _tell("calm", phases.calm, phases.attack, flows, asked, leases, pages)
    _tell("attack", *attacked, flows, asked, leases, pages)
    _tell("after", phases.after, phases.ends, flows, asked, leases, pages)
    recovered = recovery(phases, flows, pages)
    return (
        {
            "member_new_flows_failed": failed(flows),
            "member_new_flows": len(flows),
            "member_names_failed": failed(asked),
            "member_names": len(asked),
            "newcomers": len(within(leases, *attacked)),
            "newcomers_failed": failed(leases) + failed(pages),
        }
        | of_tries("member_flow_ms_p95", _rounded(within(flows, *attacked)), 0.95)
        | of_tries("member_name_ms_p95", _rounded(within(asked, *attacked)), 0.95)
        | of_tries("newcomer_p95_ms", _rounded(within(pages, *attacked)), 0.95)
        | (
            {"recovery_s": recovered}
            if recovered is not None
            else missing(
                ["recovery_s"], f"not within the {phases.ends - phases.after:.0f} s that were watched"
            )
        )
    )


def _rounded(tries: Sequence[float | None]) -> list[float | None]:
    return [None if ms is None else round(ms, 1) for ms in tries]


def _tell(phase: str, begins: float, ends: float, *kinds: Tries) -> None:
    texts = []
    for name, tries in zip(("flows", "names", "leases", "pages"), kinds, strict=True):
        there = within(tries, begins, ends)
        came = [ms for ms in there if ms is not None] or [0.0]
        times = f"median {quantile(came, 0.5):.0f} ms, 95 of 100 {quantile(came, 0.95):.0f} ms"
        texts.append(f"{name} {len(there)}, {there.count(None)} failed, {times}")
    say(f"{phase}: {'; '.join(texts)}")


def measured(place: SingleRouter, force: Force) -> Figures:
    """On a machine with raised neighbour table limits: see `make_room_for_neighbours`."""
    place.furnish(members=MEMBERS, more=NODE_TOML)
    with field(place) as here, UnitSupervisor(place.router) as warden:
        here.come_in(by_terms)
        here.check()
        phases, met, stolen = besieged(here, FieldRouter(), force)
    say(f"the victim's new flows: {len(met['victim']['flows'])}, failed {failed(met['victim']['flows'])}")
    return judged(phases, met) | {
        "admin_pages_failed": failed(met[HOUSEHOLDS[0]]["admin"]),
        "stolen_pages": sum(stolen.values()),
        "flows_tracked_max": warden.connections,
        "rss_mb_max": round(warden.rss_bytes / MIB, 1),
        "memory_mb_max": round(warden.memory.peak_bytes / MIB, 1),
        "kills": warden.kills,
    }


def _wait_until_captured(person: Person) -> None:
    """Raises CannotRun."""
    for _ in range(opennds.START_S):
        with suppress(RuntimeError):
            if person.do("knock")["captured"]:
                return
        time.sleep(1)
    raise opennds.CannotRun(f"it captures nobody within {opennds.START_S} s")


def _peer() -> Figures:
    """The same for a shorter time, without IPv6, which openNDS does not forward, and without features that only this
    node has."""
    names = (
        f"server={DNS_V4}",
        f"address=/status.client/{SQUARE.lan_v4}",
        f"dhcp-range={PEER_LEASES}",
        "dhcp-authoritative",
        "no-ping",
    )
    target = FieldRouter((opennds.PORT, 80), None, has_v6=False)
    with single_router() as place, field(place) as here, room_for_neighbours():
        place.forward_plainly()
        with opennds.running(place.lab, place.router.place, [], names=names) as peer:
            peer.wait_until_it_answers()
            time.sleep(PEER_SETTLES_S)
            here.come_in(lambda person: peer.admit(person.address_v4), has_v6=False)
            _wait_until_captured(here.hostile["forger"])
            phases, met, _ = besieged(here, target, Force(seconds=PEER_S))
            resident = most_resident_bytes(peer.pid)
    found = judged(phases, met) | {"rss_mb_max": round(resident / MIB, 1), "kills": int(resident == 0)}
    return {f"peer_{key}": value for key, value in found.items() if key.startswith(OF_PEER)}


def measure() -> Figures:
    with room_for_neighbours(), single_router() as place:
        found = measured(place, Force())
    return found | opennds.beside(PEER_KEYS, _peer)
