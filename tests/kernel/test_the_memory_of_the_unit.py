"""The real daemon within the memory limit of its unit: many hostile connections neither kill nor block it."""

import re
import time
from collections.abc import Iterator
from statistics import median

import pytest

from tests.bench.single_router import PORTAL, ClientProcess, SingleRouter, single_router
from tests.lab.internet import ROOT
from tests.lab.memory_limit import MIB, MemoryLimit, missing_for_memory_limits

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.alone,
    pytest.mark.skipif(missing_for_memory_limits() is not None, reason=str(missing_for_memory_limits())),
]
UNIT = (ROOT / "deploy/systemd/procomu.service").read_text()
HALF_WITHIN_S, ALL_WITHIN_S = 2.0, 10.0
"""For requests of the welcome page; a SYN lost under load is retransmitted after a second, and again."""
PER_SECOND = 1_500
"""New connections of an attack that a slow machine accepts in time. Of one that opens all it can, and shares the node's
processor here, chance decides which of the SYNs finds room in the listen queue: a page may take until the attack ends."""


def of_unit(setting: str) -> int:
    """MemoryMax of the shipped unit, in bytes."""
    found = re.search(rf"^{setting}=(\d+)M$", UNIT, re.MULTILINE)
    assert found is not None, f"the unit sets no {setting}"
    return int(found[1]) * MIB


@pytest.fixture
def place() -> Iterator[SingleRouter]:
    with single_router() as made:
        made.furnish()
        made.router.memory = MemoryLimit(made.lab, of_unit("MemoryMax"), of_unit("MemoryHigh"))
        yield made


def started(place: SingleRouter, size: int) -> ClientProcess:
    """Namespaces of the devices, and the node while it runs."""
    people = place.crowd(size)
    place.router.start()
    ends = time.monotonic() + 10
    while people.do("locate", people.devices[:1], patience=0.2)["status"] not in {302, 303, 307}:
        assert time.monotonic() < ends, place.router.daemon.output()[-2000:]
        time.sleep(0.05)
    return people


def crowd_out(
    place: SingleRouter,
    people: ClientProcess,
    *,
    silent: int,
    slow: int,
    seconds: float,
    per_second: float | None = None,
) -> None:
    """Requests the welcome page repeatedly, and admits ten devices afterwards. The attack opens as many connections as it
    can, or so many per second."""
    router, limit = place.router, place.router.memory
    assert limit is not None
    attackers = ClientProcess(people.place, people.devices[20:])
    attackers.begin(
        "slowloris",
        attackers.devices,
        to=PORTAL,
        port=80,
        silent=silent,
        slow=slow,
        seconds=seconds,
        **({} if per_second is None else {"per_second": per_second}),
    )
    try:
        ends, took = time.monotonic() + seconds, []
        while time.monotonic() < ends - 1:
            assert router.daemon.is_alive(), router.daemon.output()[-2000:]
            began = time.monotonic()
            page = people.do("fetch", people.devices[:1], to=PORTAL, port=80, url=f"http://{PORTAL}/")
            took.append(time.monotonic() - began)
            assert 200 == page["status"]
            time.sleep(0.2)
        came = people.do("flows", people.devices[1:11], to=PORTAL, port=80, at_once=5)
        assert 10 == came["let_in"], came
        attackers.answer()
        used, half = f"{limit.peak_bytes / MIB:.1f} of {limit.limit_bytes / MIB:.0f} MB", median(took)
        said = f"used {used}; {len(took)} pages, half within {half:.3f} s, the slowest {max(took):.2f} s"
        print(said)
        assert 0 == limit.kills, said
        assert router.daemon.is_alive(), said
        assert half < HALF_WITHIN_S, said
        assert per_second is None or max(took) < ALL_WITHIN_S, said
        assert limit.peak_bytes <= limit.limit_bytes, said
    finally:
        attackers.close()


@pytest.mark.parametrize(
    "per_second",
    [pytest.param(None, id="all it can", marks=pytest.mark.thorough), pytest.param(PER_SECOND, id="steady")],
)
def test_more_connections_than_fit_neither_kill_the_node_nor_block_others(
    place: SingleRouter, per_second: float | None
) -> None:
    """The node had been killed at about 11,000 connections."""
    people = started(place, 420)
    told = place.router.ask("status")["memory"]
    assert told["allowed_bytes"] == of_unit("MemoryHigh"), "under cgroup v1 as much, of the hard limit alone"
    assert told["connections_max"] < 12_288
    crowd_out(place, people, silent=12_000, slow=500, seconds=12, per_second=per_second)
    people.close()


@pytest.mark.slow
def test_the_same_with_a_thousand_devices_online_and_for_a_minute(place: SingleRouter) -> None:
    people = started(place, 1_500)
    for first in (500, 1_000):
        came = people.do("flows", people.devices[first : first + 500], to=PORTAL, port=80, at_once=100)
        assert 500 == came["let_in"], came
    crowd_out(place, people, silent=12_000, slow=1_000, seconds=60)
    people.close()
