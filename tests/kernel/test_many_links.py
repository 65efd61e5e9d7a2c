"""A node with several mesh links: a name is unique for each link only, and a link that appears late is used at once."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.announcement import SERVICE_TYPE
from tests.kernel.mdns import crowded, flood, mouth
from tests.kernel.test_two_routers_find_each_other import Line, at_which, is_trusting, lines
from tests.lab.netns import Lab, LabProgram, Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]

FLOOD_PER_S = 600
MEET_S = 10.0
"""On a loaded machine; alone it takes two to four."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("links") as lab:
        yield lab


def node(where: Namespace, name: str, interfaces: str, *members: str) -> LabProgram:
    return where.start(sys.executable, "-m", "tests.kernel.mesh_node", name, interfaces, *members)


def with_a_link_that_comes_later(where: Namespace, name: str, *members: str) -> LabProgram:
    """The first link has registered its name before the second probes for it."""
    where.ip("link set mesh1 down")
    program = node(where, name, "mesh0,mesh1", *members)
    at_which(program, "started")
    time.sleep(3.0)
    where.ip("link set mesh1 up")
    time.sleep(3.0)
    return program


def calls_it_a_clone(program: LabProgram) -> list[Line]:
    return [line for line in lines(program, "peers") if "already carries" in str(line["warnings"])]


def knows(*names: str, state: str = "trusted"):  # type: ignore[no-untyped-def]
    def is_so(line: Line) -> bool:
        peers = line["peers"]
        assert isinstance(peers, dict)
        return all(peers.get(name) == state for name in names)

    return is_so


def test_two_links_of_one_node_on_one_segment_are_no_conflict_and_both_are_announced(lab: Lab) -> None:
    """Both links of the node are connected to the same switch, as with a spare cable."""
    valley, hill, switch = (lab.namespace(name) for name in ("valley", "hill", "switch"))
    switch.bridge("br0")
    for where, link in ((valley, "mesh0"), (valley, "mesh1"), (hill, "mesh0")):
        port = f"p{lab.next_number()}"
        lab.veth(where, link, switch, port)
        switch.plug(port, "br0")
    low = with_a_link_that_comes_later(valley, "low", "high")
    high = node(hill, "high", "mesh0", "low")
    at_which(high, "peers", is_trusting)
    at_which(low, "peers", is_trusting)
    at_which(high, "peers", lambda line: len(found(line, "low")) == 1)
    time.sleep(5.0)  # probed on both links for a while
    addresses = set(valley.run("ip", "-6", "-o", "addr", "show", "scope", "link").split()) - {"lo"}
    own = {each.partition("/")[0] for each in addresses if each.startswith("fe80::")}
    said = lines(high, "peers")[-1]["addresses"]
    assert isinstance(said, dict)
    assert own == {each.partition("%")[0].lstrip("[") for each in said["low"] if "%" in each}
    assert [] == calls_it_a_clone(low) + calls_it_a_clone(high)


def test_two_links_receive_nothing_of_each_other(lab: Lab) -> None:
    """Each neighbour is discovered on its own link, and answers contain that link's address."""
    valley, hill, coast = (lab.namespace(name) for name in ("valley", "hill", "coast"))
    lab.veth(valley, "mesh0", hill, "mesh0")
    lab.veth(valley, "mesh1", coast, "mesh0")
    low = with_a_link_that_comes_later(valley, "low", "high", "far")
    high, far = node(hill, "high", "mesh0", "low", "far"), node(coast, "far", "mesh0", "low", "high")
    at_which(low, "peers", lambda line: found(line, "high") == {"mesh0"} and found(line, "far") == {"mesh1"})
    at_which(high, "peers", knows("low"))
    at_which(far, "peers", knows("low"))
    time.sleep(2.0)
    assert [] == calls_it_a_clone(low)
    last = lines(low, "peers")[-1]
    assert ({"mesh0"}, {"mesh1"}) == (found(last, "high"), found(last, "far"))


def found(line: Line, name: str) -> set[str]:
    """The links on which discovery found a node; an outgoing connection has none."""
    said = line["addresses"]
    assert isinstance(said, dict)
    return {each.partition("%")[2].partition("]")[0] for each in said.get(name, []) if "%" in each}


def two_pairs(lab: Lab) -> tuple[list[Namespace], list[LabProgram]]:
    places = [lab.namespace(name) for name in ("valley", "hill", "coast", "wood")]
    lab.veth(places[0], "mesh0", places[1], "mesh0")
    lab.veth(places[2], "mesh0", places[3], "mesh0")
    names = ["low", "high", "far", "near"]
    programs = [
        node(where, name, "mesh0,mesh1", *(other for other in names if other != name))
        for where, name in zip(places, names, strict=True)
    ]
    at_which(programs[0], "peers", knows("high"))
    at_which(programs[2], "peers", knows("near"))
    return places, programs


def test_two_running_pairs_meet_over_a_new_cable(lab: Lab) -> None:
    """They did not meet within 75 s: the new link heard the node's own name over the old one and took it for a
    conflict."""
    places, programs = two_pairs(lab)
    time.sleep(3.0)
    plugged = time.monotonic()
    lab.veth(places[0], "mesh1", places[2], "mesh1")
    met = max(at_which(programs[0], "peers", knows("far")), at_which(programs[2], "peers", knows("low")))
    print(f"met after {met - plugged:.2f} s")
    assert met - plugged < MEET_S
    assert [] == calls_it_a_clone(programs[0]) + calls_it_a_clone(programs[2])


def two_switches(lab: Lab, *places: tuple[Namespace, ...]) -> list[Namespace]:
    switches = [lab.namespace(name) for name in ("east", "west")]
    for switch, there in zip(switches, places, strict=True):
        switch.bridge("br0")
        for where in there:
            port = f"p{lab.next_number()}"
            lab.veth(where, "mesh0", switch, port)
            switch.plug(port, "br0")
    return switches


def join(lab: Lab, east: Namespace, west: Namespace) -> float:
    lab.veth(east, "join", west, "join")
    for switch in (east, west):
        switch.plug("join", "br0")
    return time.monotonic()


@pytest.mark.slow
def test_two_running_pairs_meet_when_their_switches_are_joined(lab: Lab) -> None:
    """No link of any node changes state: only a repeated query finds the new neighbours."""
    places = [lab.namespace(name) for name in ("valley", "hill", "coast", "wood")]
    switches = two_switches(lab, tuple(places[:2]), tuple(places[2:]))
    names = ["low", "high", "far", "near"]
    programs = [node(where, name, "mesh0", *names) for where, name in zip(places, names, strict=True)]
    at_which(programs[0], "peers", knows("high"))
    at_which(programs[2], "peers", knows("near"))
    time.sleep(35.0)  # a browser queries at 1, 3, 7, 15, 31 and 63 s
    plugged = join(lab, *switches)
    met = at_which(programs[0], "peers", knows("far", "near"), seconds=60.0)
    print(f"met after {met - plugged:.2f} s")
    assert met - plugged < 2 * MEET_S


def test_a_member_is_found_while_a_device_announces_a_thousand_invented_nodes(lab: Lab) -> None:
    """128 names had filled the cache of a link, and no new node was found. The two nodes cannot reach each other
    until both have received all announcements."""
    valley, hill, noise, din = (lab.namespace(name) for name in ("valley", "hill", "noise", "din"))
    switches = two_switches(lab, (valley, noise), (hill, din))
    low, high = node(valley, "low", "mesh0", "high"), node(hill, "high", "mesh0", "low")
    at_which(low, "started")
    at_which(high, "started")
    time.sleep(2.0)
    for where in (noise, din):
        with where.entered():
            flood("mesh0", 1_000)
    time.sleep(2.0)
    joined = join(lab, *switches)
    trusted = at_which(low, "peers", knows("high"), seconds=40.0)
    print(f"trusted after {trusted - joined:.2f} s")
    assert trusted - joined < 2 * MEET_S


def memory_kb(program: LabProgram) -> int:
    status = Path(f"/proc/{program.popen.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def hostile(number: int) -> bytes:
    """Endless services of one type, malformed messages that all differ, and endless queries."""
    match number % 3:
        case 0:
            return crowded(SERVICE_TYPE, number)
        case 1:
            return crowded(SERVICE_TYPE, number)[:-1] + b"\xff"
    return b"\x00\x00\x02\x00\x00\x00" + crowded(SERVICE_TYPE, number)[6:]


def test_a_member_is_found_and_memory_stays_small_while_a_link_is_flooded(lab: Lab) -> None:
    """A packet holds 65 records; zeroconf had kept each of them, and the error of each malformed packet."""
    valley, hill = lab.namespace("valley"), lab.namespace("hill")
    lab.veth(valley, "mesh0", hill, "mesh0")
    for where in (valley, hill):
        where.ip("link set lo up", "link set mesh0 up")
    low = node(valley, "low", "mesh0", "high")
    at_which(low, "started")
    time.sleep(1.0)
    before, began, number = memory_kb(low), time.monotonic(), 0
    high: LabProgram | None = None
    with hill.entered(), mouth("mesh0") as send:
        while time.monotonic() - began < 6.0:
            send(hostile(number := number + 1))
            time.sleep(max(0.0, began + number / FLOOD_PER_S - time.monotonic()))
            if high is None and time.monotonic() - began > 2.0:
                high = node(hill, "high", "mesh0", "low")
    at_which(low, "peers", knows("high"), seconds=MEET_S)
    print(f"{memory_kb(low) - before} kB for {number} packets")
    assert memory_kb(low) - before < 12_000
