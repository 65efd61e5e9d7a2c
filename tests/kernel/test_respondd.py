"""A node answers collectors of respondd: real packets between namespaces, through the firewall table."""

import contextlib
import json
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.export.respondd import short_id
from node.lan.respondd_server import AT_ONCE, LAN_GROUP, MESH_GROUP, OF_ONE_AT_ONCE
from tests.fakes.node_graphs import HILL
from tests.kernel.frames import UDP, ip, udp
from tests.kernel.kernel_testbed import (
    FIREWALL,
    HILL_MAC,
    MEMBER,
    MEMBER_MAC,
    MESH_MAC,
    ROUTER,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab import PATIENCE
from tests.lab.netns import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]
PORT = 1001
ALL = b"GET nodeinfo statistics neighbours"
ON = replace(FIREWALL, answers_respondd=True)
MESH_SIDE = "fd66::1"


@pytest.fixture(scope="module")
def street() -> Iterator[KernelTestbed]:
    with kernel_testbed("respondd") as made:
        made.admit(MEMBER_MAC, firewall=ON)
        program = made.router.start(sys.executable, "-m", "tests.kernel.respondd_machine", "lan0", "mesh0")
        deadline = time.monotonic() + 60 * PATIENCE
        while "warnings []" not in program.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield made
        program.stop()


@pytest.fixture
def place(street: KernelTestbed) -> KernelTestbed:
    time.sleep(AT_ONCE / 10)  # the limits are full again
    return street


@contextlib.contextmanager
def collector(place: Namespace, port: int = 0) -> Iterator[socket.socket]:
    with place.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
        made.bind(("::", port))
        made.settimeout(2 * PATIENCE)
        yield made


def ask(place: Namespace, host: str, question: bytes = ALL) -> bytes:
    with collector(place) as made:
        made.sendto(question, (host, PORT))
        try:
            return made.recv(65_536)
        except (TimeoutError, ConnectionRefusedError):
            return b""


def told(answer: bytes) -> dict[str, dict[str, object]]:
    found = json.loads(zlib.decompress(answer, -15))
    assert isinstance(found, dict)
    return found


def test_a_neighbour_on_the_mesh_is_answered_at_once(place: KernelTestbed) -> None:
    began = time.monotonic()
    found = told(ask(place.hill, f"{MESH_GROUP}%eth0"))
    assert time.monotonic() - began < 1
    assert {"nodeinfo", "statistics", "neighbours"} == found.keys()
    assert {short_id(HILL)} == {each["node_id"] for each in found.values()}


def test_both_addresses_of_the_node_are_answered_too(place: KernelTestbed) -> None:
    assert "nodeinfo" in told(ask(place.hill, MESH_SIDE))
    assert "nodeinfo" in told(ask(place.stranger, ROUTER[1]))
    assert short_id(HILL) == json.loads(ask(place.hill, MESH_SIDE, b"nodeinfo"))["node_id"]


def test_the_group_of_the_lan_is_answered_within_ten_seconds(place: KernelTestbed) -> None:
    """By devices that are admitted and by others, each after a random time."""
    with contextlib.ExitStack() as held:
        opened = [held.enter_context(collector(each)) for each in (place.member, place.stranger) * 3]
        began, arrived = time.monotonic(), []
        for each in opened:
            each.sendto(ALL, (LAN_GROUP, PORT))
            each.setblocking(False)
        waiting = set(opened)
        while waiting and time.monotonic() - began < 11:
            for each in tuple(waiting):
                with contextlib.suppress(BlockingIOError):
                    assert "nodeinfo" in told(each.recv(65_536))
                    arrived.append(time.monotonic() - began)
                    waiting.discard(each)
            time.sleep(0.01)
    assert 6 == len(arrived), "each is answered"
    assert arrived[-1] - arrived[0] > 0.5, "not all at once"


def test_an_answer_never_leaves_the_link(place: KernelTestbed) -> None:
    """The source is forged: it is behind the router, and its own route to it exists."""
    for source, own in (("fd99::1", MESH_SIDE), (MEMBER[1], MESH_SIDE), ("2001:db8::9", MESH_SIDE)):
        packet = ip(source, own, UDP, udp(source, own, 40_000, PORT, ALL))
        place.send(place.hill, packet, HILL_MAC, MESH_MAC)
    time.sleep(0.3)
    for each in (place.far, place.hill, place.member):
        assert [] == place.heard(each, b"\x03\xe9\x9c\x40"), "from port 1001 to port 40000"


def test_services_below_port_1024_are_not_answered(place: KernelTestbed) -> None:
    with collector(place.hill, 53) as made:
        made.settimeout(0.7)
        made.sendto(ALL, (MESH_SIDE, PORT))
        with pytest.raises(TimeoutError):
            made.recv(65_536)


def test_hostile_packets_get_no_answer_and_do_no_harm(place: KernelTestbed) -> None:
    hostile = (
        b"",
        b"\0" * 300,
        b"GET",
        b"GET " + b"x " * 120,
        b"nodeinfo" * 20,
        b"\xff" * 256,
        b"{}",
        b"statistics x",
    )
    with collector(place.hill) as made:
        made.settimeout(0.5)
        for each in hostile:
            made.sendto(each, (MESH_SIDE, PORT))
        with pytest.raises(TimeoutError):
            made.recv(65_536)
    time.sleep(len(hostile))
    assert "nodeinfo" in told(ask(place.hill, MESH_SIDE))


def answers_in(place: Namespace, host: str, questions: int, seconds: float) -> tuple[int, float]:
    """How many, and how long it took to ask."""
    found, began = 0, time.monotonic()
    with collector(place) as made:
        for _ in range(questions):
            made.sendto(ALL, (host, PORT))
            time.sleep(seconds / questions)
        took_s = time.monotonic() - began
        made.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while made.recv(65_536):
                found += 1
    return found, took_s


def test_one_source_gets_a_few_answers_and_another_is_still_answered(place: KernelTestbed) -> None:
    got, took_s = answers_in(place.hill, MESH_SIDE, 300, 1.0)
    assert OF_ONE_AT_ONCE <= got <= OF_ONE_AT_ONCE + took_s + 2
    with collector(place.hill) as made:
        made.sendto(ALL, (f"{MESH_GROUP}%eth0", PORT))
        assert made.recv(65_536)


def test_many_forged_sources_get_no_more_than_the_interface_may_send(place: KernelTestbed) -> None:
    place.ear(place.hill), place.heard(place.hill, b"")
    for number in range(400):
        source = f"fd66::5:{number:x}"
        packet = ip(source, MESH_SIDE, UDP, udp(source, MESH_SIDE, 40_001, PORT, ALL))
        place.send(place.hill, packet, HILL_MAC, MESH_MAC)
    place.router.ip(*(f"neigh replace fd66::5:{n:x} lladdr {HILL_MAC} dev mesh0" for n in range(50)))
    answers = place.heard(place.hill, b"\x03\xe9\x9c\x41")
    assert len(answers) <= AT_ONCE + 10


def test_a_flood_to_the_group_of_the_lan_waits_in_no_queue(place: KernelTestbed) -> None:
    got, _ = answers_in(place.member, LAN_GROUP, 400, 2.0)
    assert got <= OF_ONE_AT_ONCE + 3
    assert "nodeinfo" in told(ask(place.stranger, ROUTER[1]))


def test_a_node_that_does_not_answer_refuses_at_once(place: KernelTestbed) -> None:
    place.admit(firewall=FIREWALL)
    try:
        with collector(place.stranger) as made:
            made.connect((ROUTER[1], PORT))
            made.send(ALL)
            with pytest.raises(PermissionError):  # administratively prohibited
                made.recv(65_536)
    finally:
        place.admit(MEMBER_MAC, firewall=ON)


def test_an_interface_that_is_made_again_is_served_again(place: KernelTestbed) -> None:
    place.router.ip("link set mesh0 down", "link set mesh0 up", "addr replace fd66::1/64 dev mesh0 nodad")
    deadline = time.monotonic() + 60 * PATIENCE
    while not (answer := ask(place.hill, f"{MESH_GROUP}%eth0")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "nodeinfo" in told(answer)


def test_a_port_that_is_taken_is_said(place: KernelTestbed) -> None:
    with collector(place.hill, PORT):
        program = place.hill.start(sys.executable, "-m", "tests.kernel.respondd_machine", "eth0")
        deadline = time.monotonic() + 60 * PATIENCE
        while "1001" not in program.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "Address already in use" in program.output()
        program.stop()


def test_a_packet_of_the_lan_with_a_stolen_source_is_dropped(place: KernelTestbed) -> None:
    """The node's own address as the source, from the LAN."""
    packet = ip(ROUTER[1], ROUTER[1], UDP, udp(ROUTER[1], ROUTER[1], 40_002, PORT, ALL))
    place.send(place.stranger, packet, STRANGER_MAC)
    assert [] == place.heard(place.stranger, b"\x03\xe9\x9c\x42")
