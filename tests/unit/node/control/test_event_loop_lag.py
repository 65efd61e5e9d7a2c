"""What keeps the event loop waiting is seen where the control loop waits, and an event is no delay."""

import asyncio
import threading

from node.control.event_loop_lag import WAITS_KEPT, EventLoopLag


async def blocked_while_waiting(lag: EventLoopLag, block_s: float) -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(0.005, threading.Event().wait, block_s)
    await lag.wait(asyncio.Event(), loop.time() + 0.01)


async def test_what_keeps_the_loop_waiting_is_seen() -> None:
    lag = EventLoopLag()
    await blocked_while_waiting(lag, 0.2)
    assert 150_000 <= lag.longest_us


async def test_it_is_forgotten_after_as_many_waits() -> None:
    lag = EventLoopLag()
    await blocked_while_waiting(lag, 0.2)
    before = lag.longest_us
    for _ in range(WAITS_KEPT):
        await lag.wait(asyncio.Event(), 0.0)
    assert lag.longest_us < before


async def test_an_event_ends_the_wait_at_once_and_is_no_delay() -> None:
    lag, event, loop = EventLoopLag(), asyncio.Event(), asyncio.get_running_loop()
    begun = loop.time()
    loop.call_later(0.01, event.set)
    await lag.wait(event, begun + 60)
    assert loop.time() - begun < 30
    assert 0 == lag.longest_us


async def test_a_time_that_is_over_already_is_no_delay_of_the_loop() -> None:
    lag, loop = EventLoopLag(), asyncio.get_running_loop()
    await lag.wait(asyncio.Event(), loop.time() - 60)
    assert lag.longest_us < 30_000_000
