"""Two processes in two namespaces on a link with link-local addresses only: no IPv4, no router, no DNS."""

import json
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab import PATIENCE
from tests.lab.netns import Lab, LabProgram, Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]

WAIT_SECONDS = 12.0 * PATIENCE
Line = dict[str, object]
NOTHING_PASSES = """
table inet cut {
    chain in { type filter hook input priority 0; iifname "mesh0" drop; }
    chain out { type filter hook output priority 0; oifname "mesh0" drop; }
}
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("mesh") as lab:
        yield lab


def hills(lab: Lab) -> tuple[Namespace, Namespace]:
    valley, hill = lab.namespace("valley"), lab.namespace("hill")
    lab.veth(valley, "mesh0", hill, "mesh0")
    for router in (valley, hill):
        router.ip("link set lo up", "link set mesh0 up")
    return valley, hill


def node(where: Namespace, name: str, *members: str) -> LabProgram:
    return where.start(sys.executable, "-m", "tests.kernel.mesh_node", name, "mesh0", *members)


def lines(program: LabProgram, what: str) -> list[Line]:
    found = [json.loads(line) for line in program.output().splitlines() if line.startswith("{")]
    return [line for line in found if line["what"] == what]


def at_which(
    program: LabProgram, what: str, wanted: Callable[[Line], bool] = bool, seconds: float = WAIT_SECONDS
) -> float:
    """When the first matching line was printed, in seconds of the monotonic clock."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for line in lines(program, what):
            if wanted(line):
                return float(str(line["at"]))
        time.sleep(0.02)
    raise AssertionError(f"never {what}: {program.output()}")


def is_trusting(line: Line) -> bool:
    return "trusted" in str(line["peers"])


def is_stranger(line: Line) -> bool:
    return "stranger" in str(line["peers"])


def test_two_routers_on_one_link_find_trust_and_update_each_other(
    lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    """Both start at once, no address is configured; trusted within 5 s, and a usage bucket arrives within 2 s."""
    valley, hill = hills(lab)
    low, high = node(valley, "low", "high"), node(hill, "high", "low")
    later = max(at_which(low, "started"), at_which(high, "started"))
    trusted = max(at_which(low, "peers", is_trusting), at_which(high, "peers", is_trusting))
    told = max(
        at_which(low, "merged") - at_which(high, "booked"), at_which(high, "merged") - at_which(low, "booked")
    )
    print(f"trusted after {trusted - later:.2f} s, a cell crossed in {told:.2f} s")
    record_property("trusted_s", trusted - later)
    record_property("told_s", told)
    assert trusted - later < 5.0
    assert told < 2.0


def test_a_router_that_starts_later_is_found_at_once(lab: Lab) -> None:
    """Target: 2 s from the start of the later one, while the other already runs."""
    valley, hill = hills(lab)
    low = node(valley, "low", "high")
    at_which(low, "started")
    time.sleep(3.0)
    high = node(hill, "high", "low")
    started = at_which(high, "started")
    trusted = max(at_which(low, "peers", is_trusting), at_which(high, "peers", is_trusting))
    print(f"trusted after {trusted - started:.2f} s")
    assert trusted - started < 2.0


def test_a_node_that_is_on_no_list_is_shown_and_gets_no_data(lab: Lab) -> None:
    valley, hill = hills(lab)
    low, passer_by = node(valley, "low", "high"), node(hill, "passer-by", "low")
    at_which(low, "peers", is_stranger)
    at_which(passer_by, "peers", lambda line: "does not know this node's key" in str(line["warnings"]))
    time.sleep(1.0)
    assert [] == [line for line in lines(low, "peers") + lines(passer_by, "peers") if is_trusting(line)]
    assert [] == lines(passer_by, "merged") + lines(low, "merged")


def test_a_router_that_stops_says_goodbye_and_stops_within_three_seconds(lab: Lab) -> None:
    valley, hill = hills(lab)
    low, high = node(valley, "low", "high"), node(hill, "high", "low")
    at_which(low, "peers", is_trusting)
    asked = time.monotonic()
    high.popen.terminate()
    stopped = at_which(high, "stopped")
    assert stopped - asked < 3.0
    assert 0 == high.popen.wait(5)
    assert [None] == [line["error"] for line in lines(high, "stopped")]
    at_which(low, "peers", lambda line: "silent" in str(line["peers"]))


def test_a_link_that_appears_late_or_comes_back_is_used(lab: Lab) -> None:
    """The mesh link is down when the nodes start, and goes down again later."""
    valley, hill = hills(lab)
    valley.ip("link set mesh0 down")
    low, high = node(valley, "low", "high"), node(hill, "high", "low")
    at_which(low, "peers", lambda line: "ip link set mesh0 up" in str(line["warnings"]))
    valley.ip("link set mesh0 up")
    at_which(low, "peers", lambda line: is_trusting(line) and line["warnings"] == [])
    at_which(high, "peers", is_trusting)


def test_a_half_open_connection_ends_and_its_node_is_trusted_again_when_packets_pass(lab: Lab) -> None:
    """The other side vanishes without a word: no packet of the end of a connection arrives anywhere."""
    valley, hill = hills(lab)
    low, high = node(valley, "low", "high"), node(hill, "high", "low")
    at_which(low, "peers", is_trusting)
    at_which(high, "peers", is_trusting)
    hill.run("nft", "-f", "-", stdin=NOTHING_PASSES)
    cut = time.monotonic()
    for program in (low, high):
        at_which(program, "peers", lambda line: is_silent_after(line, cut), 100 * PATIENCE)
    hill.run("nft", "delete", "table", "inet", "cut")
    joined = time.monotonic()
    for program in (low, high):
        at_which(program, "peers", lambda line: is_trusting(line) and at(line) > joined, 100 * PATIENCE)
    assert low.popen.poll() is high.popen.poll() is None


def at(line: Line) -> float:
    return float(str(line["at"]))


def is_silent_after(line: Line, moment: float) -> bool:
    return "silent" in str(line["peers"]) and at(line) > moment
