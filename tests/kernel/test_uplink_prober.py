"""Probes of a real line: which direction has the queue, how much passed, and what happens without answers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from node.clock import SystemClock
from node.units import NO_RATES, Microseconds
from node.uplink import queueing_delay
from node.uplink.line import BUSY_PACE_US, IDLE_PACE_US, URGENT_PACE_US, Sample
from node.uplink.prober import SAVED_MAX, UplinkProber
from node.uplink.queueing_delay import NOTHING_SEEN, QueueingDelay
from tests.lab.netns import Lab, Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.alone]
FAR_V4, FAR_V6 = "10.88.1.254", "fd88:1::fe"
SLOW = "tbf rate 1mbit burst 3100 limit 500000"
FILTER = "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c ip protocol icmp"
OCTETS = 30_000
"""A quarter of a second of the slow line."""


@dataclass
class ProbedLine:
    router: Namespace
    far: Namespace

    def watch(
        self,
        prober: UplinkProber,
        seconds: float,
        *,
        target: int = 0,
        pace_us: int = BUSY_PACE_US,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Sample]:
        found, ends = [], time.monotonic() + seconds
        with self.router.entered():
            while time.monotonic() < ends:
                found.append(prober.observe(target, pace_us))
                meanwhile()
                time.sleep(0.05)
        return found

    def send(self, there: bool) -> None:
        """A burst of datagrams that nobody receives."""
        place, to = (self.router, FAR_V4) if there else (self.far, "10.88.1.1")
        program = (
            "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\n"
            f"for _ in range({OCTETS // 1000}): s.sendto(bytes(1000), ('{to}', 9))"
        )
        place.run("/usr/bin/python3", "-c", program)


@pytest.fixture
def line() -> Iterator[ProbedLine]:
    with Lab("probe") as lab:
        router, far = lab.namespace("router"), lab.namespace("far")
        lab.veth(router, "wan0", far, "line", offload=False)
        router.address("wan0", "10.88.1.1/24", "fd88:1::1/64")
        far.address("line", f"{FAR_V4}/24", f"{FAR_V6}/64")
        router.route(f"default via {FAR_V4}", f"default via {FAR_V6}")
        for place, end in ((router, "wan0"), (far, "line")):
            place.run("tc", "qdisc", "add", "dev", end, "root", *SLOW.split())
        yield ProbedLine(router, far)


@pytest.fixture
def prober() -> Iterator[UplinkProber]:
    made = UplinkProber("wan0", clock=SystemClock().microseconds)
    try:
        yield made
    finally:
        made.close()


def answered(line: ProbedLine, prober: UplinkProber, *, target: int = 0, within_s: float = 15) -> bool:
    """Whether a probe is answered before the time is over; neighbours may have to be found first."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        if delays(line.watch(prober, 0.3, target=target)):
            return True
    return False


def delays(samples: list[Sample]) -> list[QueueingDelay]:
    sensor, found = NOTHING_SEEN, []
    for sample in samples:
        for answer in sample.answers:
            sensor, delay = queueing_delay.take(sensor, answer, is_idle=True)
            found.append(delay)
    return found


def test_an_idle_line_answers_without_a_delay(line: ProbedLine, prober: UplinkProber) -> None:
    samples = line.watch(prober, 2)
    found = delays(samples)
    assert len(found) >= 9
    assert all(each.is_by_direction for each in found[1:])
    assert sorted(max(each.down_us, each.up_us) for each in found)[len(found) // 2] < 5_000
    assert samples[-1].targets == 3, "both kinds of the IPv4 next hop, and the IPv6 one"


@pytest.mark.parametrize("there", [True, False], ids=["up", "down"])
def test_a_queue_is_seen_in_its_own_direction(line: ProbedLine, prober: UplinkProber, there: bool) -> None:
    quiet = line.watch(prober, 1)
    line.send(there)
    found = delays([*quiet, *line.watch(prober, 1)])
    longest = max(found, key=lambda each: max(each.up_us, each.down_us))
    own, other = (longest.up_us, longest.down_us) if there else (longest.down_us, longest.up_us)
    assert longest.is_by_direction
    assert own > 50_000
    assert other < 20_000


@pytest.mark.parametrize("target", [1, 2], ids=["echo", "IPv6"])
def test_the_other_probes_are_answered_too(line: ProbedLine, prober: UplinkProber, target: int) -> None:
    found = delays(line.watch(prober, 1, target=target))
    assert len(found) >= 4
    assert not any(each.is_by_direction for each in found)


def test_what_passes_is_counted(line: ProbedLine, prober: UplinkProber) -> None:
    line.watch(prober, 0.2)
    line.send(there=True)
    before = time.monotonic()
    (sample,) = line.watch(prober, 0.04)
    seconds = time.monotonic() - before
    assert sample.carried.up > 0
    assert sample.carried.up * (seconds + 0.2) / 8 <= OCTETS * 1.2 + 2_000


def test_filtered_probes_are_unanswered_and_lost_ones_are_not_late(
    line: ProbedLine, prober: UplinkProber
) -> None:
    line.watch(prober, 0.5)
    line.far.run("nft", f"{FILTER} drop")
    samples = line.watch(prober, 1.5)
    assert not samples[-1].answers
    assert samples[-1].unanswered is not None
    line.far.run("nft", "delete table inet t")
    assert line.watch(prober, 0.7)[-1].unanswered is None


def test_probes_take_at_most_two_kilobits_a_second(line: ProbedLine, prober: UplinkProber) -> None:
    """Also when all of them are urgent; what was saved before is sent first."""
    line.far.run("nft", f"{FILTER} counter")
    line.watch(prober, 5, pace_us=URGENT_PACE_US)
    words = line.far.run("nft", "list", "table", "inet", "t").split()
    octets = int(words[words.index("bytes") + 1])
    assert 8_000 < 8 * octets <= 5 * 2_000 + SAVED_MAX * 8 * 40


def test_an_idle_line_is_probed_once_in_ten_seconds(line: ProbedLine, prober: UplinkProber) -> None:
    assert 1 == len(delays(line.watch(prober, 3.5, pace_us=IDLE_PACE_US)))


def test_an_interface_that_is_unplugged_and_plugged_in_again(line: ProbedLine, prober: UplinkProber) -> None:
    line.watch(prober, 0.3)
    line.router.run("ip", "link", "set", "wan0", "down")
    line.watch(prober, 0.5)
    line.router.run("ip", "link", "set", "wan0", "up")
    line.router.route(f"default via {FAR_V4}")
    assert answered(line, prober)
    line.router.run("ip", "link", "del", "wan0")
    assert line.watch(prober, 0.3)[-1].carried == NO_RATES


def test_answers_of_others_are_not_taken(line: ProbedLine, prober: UplinkProber) -> None:
    """A flood of replies that answer nothing: other numbers, other senders."""
    program = (
        "import socket, struct\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
        "for n in range(2000):\n"
        "    s.sendto(struct.pack('!BBHHHIII', 14, 0, 0, n, n, 0, 1, 1), ('10.88.1.1', 0))\n"
    )
    line.watch(prober, 0.5)
    line.far.run("tc", "qdisc", "del", "dev", "line", "root")
    line.far.run("/usr/bin/python3", "-c", program)
    found = delays(line.watch(prober, 1.5))
    assert found
    assert all(each.sent > Microseconds(0) for each in found)


def test_an_address_behind_another_interface_is_not_probed_there(line: ProbedLine) -> None:
    """That would be the delay of another line."""
    other = line.router.lab.namespace("other")
    line.router.lab.veth(line.router, "other0", other, "end", offload=False)
    line.router.address("other0", "10.99.1.1/24")
    other.address("end", "10.99.1.254/24")
    probes = UplinkProber("wan0", ("10.99.1.254",), clock=SystemClock().microseconds)
    try:
        assert line.watch(probes, 0.2)[-1].targets == 5
        assert not delays(line.watch(probes, 1, target=3))
        assert delays(line.watch(probes, 1, target=0))
    finally:
        probes.close()


@pytest.mark.thorough
def test_an_interface_that_is_made_again_is_probed_again(line: ProbedLine, prober: UplinkProber) -> None:
    """A socket stays bound to the interface that is gone."""
    assert answered(line, prober, target=2)
    line.router.run("ip", "link", "del", "wan0")
    line.watch(prober, 0.5, target=2)
    line.router.run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "again")
    line.router.run("ip", "link", "set", "again", "netns", line.far.name)
    line.router.run("ip", "link", "set", "wan0", "address", "02:00:00:00:00:01")
    line.router.run("ip", "link", "set", "wan0", "up")
    line.far.run("ip", "link", "set", "again", "up")
    line.router.address("wan0", "10.88.1.1/24", "fd88:1::1/64")
    line.far.address("again", f"{FAR_V4}/24", f"{FAR_V6}/64")
    line.router.route(f"default via {FAR_V4}", f"default via {FAR_V6}")
    assert any(delays(line.watch(prober, 1, target=2)) for _ in range(21))
