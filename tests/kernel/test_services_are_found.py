"""A host on the LAN announces a wiki, and the node discovers it: real mDNS between namespaces."""

import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from node.lan.mdns_services import HTTP
from tests.kernel.kernel_testbed import (
    FIREWALL,
    MEMBER,
    MEMBER_MAC,
    ROUTER,
    STRANGER,
    KernelTestbed,
    kernel_testbed,
)
from tests.kernel.mdns import GROUP4, PORT, crowded, mouth4
from tests.lab import PATIENCE
from tests.lab.netns import LabProgram, Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]
WAIT_SECONDS = 15.0 * PATIENCE
WIKI = ["Wiki", f"http://{STRANGER[0]}:8080/here", f"machine-8080.local, {STRANGER[0]}"]


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("find") as made:
        made.admit(firewall=replace(FIREWALL, hears_services=True))
        yield made


def machine(where: Namespace, *words: str) -> LabProgram:
    return where.start(sys.executable, "-m", "tests.kernel.service_machine", *words)


def ear(place: KernelTestbed) -> LabProgram:
    return machine(place.router, "hear", "lan0", f"{ROUTER[0]}/16", f"{ROUTER[1]}/64")


def last_heard(program: LabProgram) -> list[list[str]]:
    lines = [json.loads(line) for line in program.output().splitlines() if line.startswith("{")]
    return lines[-1]["found"] if lines else []


def waited(program: LabProgram, wanted: Callable[[list[list[str]]], bool]) -> list[list[str]]:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if wanted(last_heard(program)):
            return last_heard(program)
        time.sleep(0.05)
    raise AssertionError(f"never heard: {program.output()}")


def test_a_service_of_an_unauthorized_device_is_found_and_removed_on_goodbye(
    place: KernelTestbed,
) -> None:
    listening = ear(place)
    offering = machine(place.stranger, "offer", STRANGER[0], "Wiki:8080")
    assert [WIKI] == waited(listening, bool)
    offering.stop()
    assert [] == waited(listening, lambda found: not found)
    listening.stop()


def test_a_service_older_than_the_node_is_found_and_one_host_shows_only_a_few(
    place: KernelTestbed,
) -> None:
    services = [f"{name}:{port}" for port, name in enumerate("abcde", 8080)]
    offering = machine(place.stranger, "offer", STRANGER[0], *services)
    time.sleep(2)
    listening = ear(place)
    assert ["a", "b", "c"] == [each[0] for each in waited(listening, lambda found: len(found) == 3)]
    time.sleep(1)
    assert 3 == len(last_heard(listening))
    listening.stop()
    offering.stop()


def heard_each_second(place: KernelTestbed, sender: Namespace, address: str, port: int) -> float:
    """A thousand announcements a second for two seconds."""
    with place.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear4:
        ear4.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_000_000)
        ear4.bind(("", PORT))
        group = socket.inet_aton(GROUP4) + socket.inet_aton(ROUTER[0])
        ear4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        began = time.monotonic()
        with sender.entered(), mouth4(address, port) as send:
            for number in range(2_000):
                send(crowded(HTTP, number, 300))
                time.sleep(max(0.0, began + number / 1_000 - time.monotonic()))
        ear4.setblocking(False)
        heard = 0
        with contextlib.suppress(BlockingIOError):
            while ear4.recv(2_000):
                heard += 1
    return heard / (time.monotonic() - began)


@pytest.mark.parametrize("port", [PORT, 40_000])
def test_neither_a_member_nor_a_stranger_makes_the_node_read_without_limit(
    place: KernelTestbed, port: int
) -> None:
    """Packets over the limit of all devices together had been accepted from admitted ones."""
    place.admit(MEMBER_MAC, firewall=replace(FIREWALL, hears_services=True))
    assert heard_each_second(place, place.member, MEMBER[0], port) < 30
    assert heard_each_second(place, place.stranger, STRANGER[0], port) < 30


def test_a_service_is_found_while_one_host_announces_without_pause(place: KernelTestbed) -> None:
    listening = ear(place)
    with place.member.entered(), mouth4(MEMBER[0]) as send:
        number = 0
        offering = machine(place.stranger, "offer", STRANGER[0], "Wiki:8080")
        deadline = time.monotonic() + WAIT_SECONDS
        while not last_heard(listening) and time.monotonic() < deadline:
            number += 1
            send(crowded("_ipp._tcp.local.", number, 200))
            time.sleep(0.001)
    assert [WIKI] == last_heard(listening)
    offering.stop()
    listening.stop()


def test_endless_services_of_one_type_are_noticed(place: KernelTestbed) -> None:
    """All of them are records of one name, and the limit had counted names only."""
    listening = ear(place)
    with contextlib.ExitStack() as held:
        sends = []
        for address, where in ((MEMBER[0], place.member), (STRANGER[0], place.stranger)):
            with where.entered():
                sends.append(held.enter_context(mouth4(address)))
        deadline, number = time.monotonic() + WAIT_SECONDS, 0
        while not warning(listening) and time.monotonic() < deadline:
            number += 1
            sends[number % 2](crowded(HTTP, number))
            time.sleep(0.02)
    assert "thousands of" in warning(listening)
    listening.stop()


def warning(program: LabProgram) -> str:
    lines = [json.loads(line) for line in program.output().splitlines() if line.startswith("{")]
    return str(lines[-1]["warning"]) if lines else ""


def test_a_node_that_does_not_browse_refuses_announcements(place: KernelTestbed) -> None:
    place.admit(firewall=FIREWALL)
    listening = ear(place)
    offering = machine(place.stranger, "offer", STRANGER[0], "Wiki:8080")
    time.sleep(4)
    assert [] == last_heard(listening)
    listening.stop()
    offering.stop()
