"""The passphrase queue while a person with many devices fills it."""

import asyncio
import time

import pytest

from node.app.passphrase_queue import WAITING_MAX, PassphraseQueue
from node.errors import NodeError
from node.units import MacAddress

CHECK_S = 0.05
MEMBER = MacAddress("02:00:00:00:00:0a")


def check() -> bool:
    time.sleep(CHECK_S)
    return True


def attackers(count: int) -> list[MacAddress]:
    return [MacAddress(f"02:66:00:00:00:{number:02x}") for number in range(count)]


async def guess_without_end(desk: PassphraseQueue, mac: MacAddress) -> None:
    while True:
        try:
            await desk.turn(mac, check)
        except NodeError:
            await asyncio.sleep(0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_member_joins_while_forty_devices_guess_without_a_pause(is_known: bool) -> None:
    """Before, 32 devices held all places, and every other one was told to try again."""
    desk = PassphraseQueue()
    async with asyncio.TaskGroup() as tasks:
        guessing = [tasks.create_task(guess_without_end(desk, mac)) for mac in attackers(40)]
        await asyncio.sleep(45 * CHECK_S)  # each has been checked once
        began = time.monotonic()
        assert await desk.turn(MEMBER, check, is_known=is_known)
        assert time.monotonic() - began < 5 * CHECK_S + 0.5
        for each in guessing:
            each.cancel()


async def test_checks_are_one_at_a_time_and_each_device_waits_once() -> None:
    desk, at_once, most = PassphraseQueue(), 0, 0

    def counted() -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        time.sleep(0.01)
        at_once -= 1
        return True

    async with asyncio.TaskGroup() as tasks:
        turns = [tasks.create_task(desk.turn(mac, counted)) for mac in attackers(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(NodeError):
            await desk.turn(attackers(1)[0], counted)
    assert all(turn.result() for turn in turns)
    assert 1 == most


async def test_a_client_that_stops_waiting_delays_nobody() -> None:
    desk = PassphraseQueue()
    async with asyncio.TaskGroup() as tasks:
        first, second, third = (tasks.create_task(desk.turn(mac, check)) for mac in attackers(3))
        await asyncio.sleep(CHECK_S / 2)
        second.cancel()
    assert first.result()
    assert third.result()
