"""One line, 25 accounts that all transfer at full rate, one of them with 64 connections."""

import time
from collections.abc import Callable, Sequence

from tests.bench import opennds
from tests.bench.figures import Figures, jain, of_total, say
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import ClientProcess, SingleRouter, single_router
from tests.lab.village import LINE_BITS

KEYS = ("weighted_jain", "use_percent", "lifeline_held_percent", "peer_jain")
ACCOUNTS = 25
FLOWS = (64, *(1 + number % 3 for number in range(ACCOUNTS - 1)))
"""Connections of each account."""
WEIGHTS = tuple(200 if number % 5 == 4 else 100 for number in range(ACCOUNTS))
USABLE_PERCENT = 85
"""With a higher setting 64 connections can keep the line's own queue full, and that queue does not know households."""
USABLE = LINE_BITS * USABLE_PERCENT // 100
LIFELINE_DOWN, LIFELINE_UP = 256_000, 96_000
SETTLE_S, SECONDS, PEER_SETTLE_S = 9, 12, 35


def rules(line_bits: int, usable_percent: int | None = None) -> str:
    """The rule file: a school counts twice; the node's default where no usable part is given."""
    usable = "" if usable_percent is None else f"usable_percent = {usable_percent}\n"
    return f"""\
[ruleset]
community = "Vall Alta"
version = 1
decision = "D-2026-001"

[uplink.main]
down = "{line_bits // 1_000_000} Mbit/s"
up = "{line_bits // 1_000_000} Mbit/s"
{usable}
[charter]
lifeline = "{LIFELINE_DOWN // 1000} kbit/s down, {LIFELINE_UP // 1000} kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4

[[rule]]
id = "equal-share"
share = 100
who = "tier:member"
by = "D-2026-001"
why = "every household counts the same"

[[rule]]
id = "school-share"
share = 200
who = "tier:school"
by = "D-2026-001"
why = "many people share one line"
"""


def members(devices: Sequence[VirtualDevice]) -> str:
    """Each device is an account; every fifth is a school with weight two."""
    entries = []
    for device, weight in zip(devices, WEIGHTS, strict=True):
        tier = 'tier = "school"\n' if weight == 200 else ""
        entries.append(f'[[account]]\nid = "house-{device.number}"\n{tier}devices = ["{device.mac}"]\n')
    return "\n".join(entries)


def far(device: VirtualDevice) -> str:
    """An address in the Internet that only this device uses."""
    return f"203.0.113.{100 + device.number}"


def arrived(place: SingleRouter, people: ClientProcess, *, upwards: bool) -> list[int]:
    """IP bytes of each device that arrived at their destination: packets dropped by a queue do not count."""
    if upwards:
        counted = place.internet.counted()
        return [counted.get(far(device), {}).get("arrived", 0) for device in people.devices]
    bytes_of = people.arrived()
    return [bytes_of.get(device.address, 0) for device in people.devices]


def watch(place: SingleRouter, people: ClientProcess, *, upwards: bool, settle: int) -> list[list[float]]:
    """All transfer at full rate; bit/s of each device, for each second."""
    people.begin(
        "greed",
        people.devices,
        fars=[far(device) for device in people.devices],
        flows=FLOWS,
        upwards=upwards,
        seconds=settle + SECONDS + 2,
    )
    time.sleep(settle)
    rates = rates_of_seconds(lambda: arrived(place, people, upwards=upwards), SECONDS)
    say(f"{'up' if upwards else 'down'}: {people.answer()}")
    return rates


def rates_of_seconds(counted: Callable[[], list[int]], seconds: int) -> list[list[float]]:
    """bit/s for each of these seconds, from counters of bytes."""
    rates: list[list[float]] = []
    began = time.monotonic()
    then, before = began, counted()
    for number in range(1, seconds + 1):
        time.sleep(max(0.0, began + number - time.monotonic()))
        now, after = time.monotonic(), counted()
        rates.append([8 * (b - a) / (now - then) for a, b in zip(before, after, strict=True)])
        then, before = now, after
    return rates


def judged(seconds: list[list[float]], lifeline: int) -> tuple[float, float, float]:
    """Weighted Jain index, use of the usable rate, and share of household-seconds with the full lifeline, both in
    percent."""
    rates = means(seconds)
    fair = jain([rate / weight for rate, weight in zip(rates, WEIGHTS, strict=True)])
    say(
        f"fair {fair}, use {100 * sum(rates) / USABLE:.1f} %, rates in kbit/s {[int(r / 1000) for r in rates]}"
    )
    return fair, round(100 * sum(rates) / USABLE, 2), held_percent(seconds, lifeline)


def held_percent(seconds: list[list[float]], lifeline: int) -> float:
    """Of the household-seconds, with the full lifeline."""
    held = [rate >= lifeline for second in seconds for rate in second]
    return round(100 * sum(held) / len(held), 2)


def means(seconds: list[list[float]]) -> list[float]:
    return [sum(of_one) / len(of_one) for of_one in zip(*seconds, strict=True)]


def _ours(place: SingleRouter) -> Figures:
    people = place.crowd(ACCOUNTS)
    place.furnish(rules=rules(LINE_BITS, USABLE_PERCENT), members=members(people.devices))
    place.router.start()
    time.sleep(1)
    people.let_in(ACCOUNTS)
    ways = [
        judged(watch(place, people, upwards=up, settle=SETTLE_S), lifeline)
        for up, lifeline in ((False, LIFELINE_DOWN), (True, LIFELINE_UP))
    ]
    people.close()
    fair, use, held = (min(values) for values in zip(*ways, strict=True))
    return {"weighted_jain": fair, "use_percent": use, "lifeline_held_percent": held}


def _peer() -> Figures:
    """openNDS has rate limits for each client: an equal part for all. Fairness is among those that it admitted."""
    caps = [f"downloadrate '{LINE_BITS // 1000 // ACCOUNTS}'", "download_unrestricted_bursting '0'"]
    with single_router() as place:
        place.forward_plainly()
        people = place.crowd(ACCOUNTS)
        with opennds.running(place.lab, place.router.place, people.devices, more=caps) as peer:
            peer.wait_until_it_captures(people)
            let_in = [peer.admit(device.address) for device in people.devices]
            rates = means(watch(place, people, upwards=False, settle=PEER_SETTLE_S))
            people.close()
    say(f"openNDS: rates in kbit/s {[int(rate / 1000) for rate in rates]}")
    online = [rate for rate, is_in in zip(rates, let_in, strict=True) if is_in]
    return of_total("peer_jain", jain(online), len(online), ACCOUNTS)


def measure() -> Figures:
    with single_router() as place:
        found = _ours(place)
    return found | opennds.beside(["peer_jain"], _peer)
