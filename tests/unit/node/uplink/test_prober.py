"""The prober without a network: lost probes, clocks that are set, sockets that are of no use any more, what is said."""

import errno
import logging
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.units import Microseconds
from node.uplink import icmp, prober
from node.uplink.line import BUSY_PACE_US, Sample
from node.uplink.prober import SO_TIMESTAMPNS, ProbeTarget, UplinkProber

REAL_US = 1_800_000_000_000_000
DEV = "head\nhead\n  wan0: 1000 0 0 0 0 0 0 0 2000 0 0 0 0 0 0 0\n"


@dataclass
class Network:
    """Answers each probe after `takes_us`, but not those that it loses."""

    now: int = 1_000_000
    ahead: int = REAL_US
    takes_us: int = 20_000
    waits_us: int = 0
    """Between two looks at the clocks."""
    lost: set[int] = field(default_factory=set)
    """By the number of the probe, from 1."""
    trouble: int = 0
    sent: int = 0
    made: int = 0
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    set_before: list[int] = field(default_factory=list)
    """Of the next answers: by how much another clock stamped them."""

    def clock(self) -> Microseconds:
        self.now += self.waits_us
        return Microseconds(self.now)

    def real(self) -> Microseconds:
        self.now += self.waits_us
        return Microseconds(self.now + self.ahead)

    def connected(self, _target: ProbeTarget, _interface: str) -> "Network":
        self.made += 1
        return self

    def send(self, message: bytes) -> None:
        self.sent += 1
        if self.trouble:
            raise OSError(self.trouble, errno.errorcode[self.trouble])
        _, _, _, identifier, sequence = struct.unpack_from("!BBHHH", message)
        if self.sent not in self.lost:
            reply = struct.pack("!BBHHH", icmp.REPLY["timestamp"], 0, 0, identifier, sequence)
            stamps = struct.pack("!III", 0, 1, 1)
            self.answers.append((self.now + self.takes_us, bytes([0x45]) + bytes(19) + reply + stamps))

    def recvmsg(self, _size: int, _more: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        if not self.answers or self.answers[0][0] > self.now:
            raise BlockingIOError
        at, packet = self.answers.pop(0)
        at += self.set_before.pop(0) if self.set_before else 0
        seconds, rest = divmod(at + self.ahead, 1_000_000)
        stamp = struct.pack("@ll", seconds, rest * 1000)
        return packet, [(socket.SOL_SOCKET, SO_TIMESTAMPNS, stamp)], 0, None

    def close(self) -> None:
        """Nothing is held."""

    def watch(self, probes: UplinkProber, seconds: float, target: int = 0) -> list[Sample]:
        ends, found = self.now + round(seconds * 1e6), []
        while self.now < ends:
            self.now += 100_000
            found.append(probes.observe(target, BUSY_PACE_US))
        return found


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(prober, "_connected", made.connected)
    return made


@pytest.fixture
def probes(network: Network, tmp_path: Path) -> UplinkProber:
    folder = tmp_path / "proc/net"
    folder.mkdir(parents=True)
    (folder / "dev").write_text(DEV)
    return UplinkProber(
        "wan0", ("192.0.2.1", "192.0.2.2"), root=tmp_path, clock=network.clock, real_clock=network.real
    )


def trips(samples: list[Sample]) -> list[int]:
    return [each.received - each.sent for sample in samples for each in sample.answers]


@pytest.mark.parametrize("takes_us", [20_000, 600_000])
def test_one_lost_probe_is_not_late(network: Network, probes: UplinkProber, takes_us: int) -> None:
    network.takes_us, network.lost = takes_us, {5, 11}
    late = [
        network.now
        for _ in range(40)
        for sample in network.watch(probes, 0.1)
        if sample.unanswered is not None and network.now - sample.unanswered > takes_us
    ]
    assert not late


def test_probes_that_all_stay_without_an_answer_are_late(network: Network, probes: UplinkProber) -> None:
    network.watch(probes, 1)
    network.lost = set(range(1_000))
    assert any(sample.unanswered is not None for sample in network.watch(probes, 0.6))


@pytest.mark.parametrize("step_us", [-3_600_000_000, -50_000, 50_000, 3_600_000_000])
def test_an_answer_that_came_before_the_clock_was_set_is_not_used(
    network: Network, probes: UplinkProber, step_us: int
) -> None:
    calm = trips(network.watch(probes, 2))
    while not network.answers:
        network.watch(probes, 0.1)
    # The kernel stamps what waits now by the clock as it was.
    network.set_before = [-step_us] * len(network.answers)
    network.ahead += step_us
    assert {20_000} == {*calm, *trips(network.watch(probes, 2))}


def test_a_thread_that_had_to_wait_between_two_clocks_measures_nothing(
    network: Network, probes: UplinkProber
) -> None:
    calm = trips(network.watch(probes, 2))
    network.waits_us = 15_000
    waited = trips(network.watch(probes, 2))
    network.waits_us = 0
    assert {20_000} == set(calm)
    assert not waited
    assert trips(network.watch(probes, 2))


def test_an_answer_that_comes_while_the_routes_are_read_took_no_less_time(
    network: Network, probes: UplinkProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shortest time of the last minute is what delays are compared with."""
    read = Path.read_text

    def slow(path: Path, **how: str) -> str:
        network.now += 15_000 if path.name == "route" else 0
        return read(path, **how)

    monkeypatch.setattr(Path, "read_text", slow)
    network.takes_us, found = 105_000, set[int]()
    for _ in range(100):
        probes._routes_due, probes._was_answered = Microseconds(0), True  # they are read with each look
        found.update(trips(network.watch(probes, 0.1)))
    assert {105_000} == found


def test_a_socket_without_answers_is_made_again(network: Network, probes: UplinkProber) -> None:
    """It keeps the interface and the source address of the time when it was made."""
    network.watch(probes, 25)
    assert network.made <= 2
    made, network.lost = network.made, set(range(10_000))
    network.watch(probes, 25)
    assert made + 1 <= network.made <= made + 3


def test_the_same_trouble_is_said_once_until_a_probe_is_answered(
    network: Network, probes: UplinkProber, caplog: pytest.LogCaptureFixture
) -> None:
    network.trouble = errno.ENETUNREACH
    with caplog.at_level(logging.WARNING):
        for number in range(20):
            network.watch(probes, 3, target=number % 4)
        assert 2 == len(caplog.records), "once for each address"
        network.trouble = 0
        network.watch(probes, 2)
        network.trouble = errno.ENETUNREACH
        network.watch(probes, 2)
        assert 3 == len(caplog.records)


def test_names_of_interfaces_may_be_any_octets(
    network: Network, probes: UplinkProber, tmp_path: Path
) -> None:
    (tmp_path / "proc/net/dev").write_bytes(DEV.encode() + b"  \xff\xfe: 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n")
    assert len(network.watch(probes, 0.3)) == 3
