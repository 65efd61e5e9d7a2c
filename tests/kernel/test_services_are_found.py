"""A machine on the people's side announces a wiki, and the node hears of it: real mDNS between namespaces."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.kernel.street import GATE, ROUTER, STRANGER, Street, street
from tests.lab.netns import Namespace, Program

pytestmark = pytest.mark.kernel
WAIT_SECONDS = 15.0
WIKI = ["Wiki", f"http://{STRANGER[0]}:8080/here", f"machine-8080.local, {STRANGER[0]}"]


@pytest.fixture
def place() -> Iterator[Street]:
    with street("find") as made:
        made.admit(gate=replace(GATE, hears_services=True))
        yield made


def machine(where: Namespace, *words: str) -> Program:
    return where.start(sys.executable, "-m", "tests.kernel.service_machine", *words)


def ear(place: Street) -> Program:
    return machine(place.router, "hear", "lan0", f"{ROUTER[0]}/16", f"{ROUTER[1]}/64")


def last_heard(program: Program) -> list[list[str]]:
    lines = [json.loads(line) for line in program.output().splitlines() if line.startswith("{")]
    return lines[-1]["found"] if lines else []


def waited(program: Program, wanted: Callable[[list[list[str]]], bool]) -> list[list[str]]:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if wanted(last_heard(program)):
            return last_heard(program)
        time.sleep(0.05)
    raise AssertionError(f"never heard: {program.output()}")


def test_a_service_of_somebody_who_is_not_admitted_is_found_and_gone_when_it_says_goodbye(
    place: Street,
) -> None:
    listening = ear(place)
    offering = machine(place.stranger, "offer", STRANGER[0], "Wiki:8080")
    assert [WIKI] == waited(listening, bool)
    offering.stop()
    assert [] == waited(listening, lambda found: not found)
    listening.stop()


def test_a_service_that_was_there_before_the_node_is_found_and_one_machine_shows_only_a_few(
    place: Street,
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


def test_a_node_that_hears_nothing_refuses_announcements(place: Street) -> None:
    place.admit(gate=GATE)
    listening = ear(place)
    offering = machine(place.stranger, "offer", STRANGER[0], "Wiki:8080")
    time.sleep(4)
    assert [] == last_heard(listening)
    listening.stop()
    offering.stop()
