"""Supervision: one crashed task is restarted, others are not affected, and a fatal error stops the node."""

import asyncio

import pytest

from node.errors import Fatal, NodeError
from node.task_supervision import PAUSES_S, Parts, supervise


class Part:
    """Fails a given number of times, then finishes."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        if self.failures:
            raise self.failures.pop(0)


async def supervised(part: Part, parts: Parts) -> list[float]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await supervise("portal", part.run, parts, sleep=sleep, clock=lambda: 0.0)
    return pauses


async def test_a_crashed_task_is_restarted_after_growing_pauses() -> None:
    part, parts = Part(*(RuntimeError("bug") for _ in range(7))), Parts()
    assert [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]] == await supervised(part, parts)
    assert 8 == part.starts
    assert 7 == parts.of("portal").restarts


async def test_an_error_is_logged_with_its_fix() -> None:
    parts = Parts()
    await supervised(Part(NodeError("port 2080 is taken", "choose another")), parts)
    assert "port 2080 is taken (choose another)" == parts.of("portal").last_trouble


async def test_a_fatal_error_is_passed_on() -> None:
    parts = Parts()
    with pytest.raises(Fatal):
        await supervised(Part(Fatal("no libnftables", "install it")), parts)
    assert not parts.of("portal").running


async def test_a_crash_leaves_the_others_running() -> None:
    parts, steps = Parts(), []

    async def steady() -> None:
        for step in range(20):
            steps.append(step)
            await asyncio.sleep(0)

    async def no_pause(_seconds: float) -> None:
        await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(supervise("steady", steady, parts, sleep=no_pause))
        tasks.create_task(
            supervise("flaky", Part(ValueError("x"), ValueError("y")).run, parts, sleep=no_pause)
        )
    assert list(range(20)) == steps
    assert 2 == parts.of("flaky").restarts


async def test_stopping_the_node_stops_the_task_without_counting_a_crash() -> None:
    parts = Parts()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(supervise("portal", asyncio.Event().wait, parts))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
    assert 0 == parts.of("portal").restarts


async def test_status_names_the_error_and_not_the_exception_group() -> None:
    parts = Parts()
    trouble = NodeError("the disk is gone", "plug it in")
    part = Part(ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("x", [trouble])]))
    await supervise("memory", part.run, parts, sleep=lambda _seconds: asyncio.sleep(0))
    assert str(trouble) == parts.of("memory").last_trouble


async def test_a_fatal_error_stops_the_node_also_from_inside_a_group() -> None:
    part = Part(ExceptionGroup("unhandled errors in a TaskGroup", [Fatal("another node runs", "stop it")]))
    with pytest.raises(Fatal):
        await supervise("console", part.run, Parts())
