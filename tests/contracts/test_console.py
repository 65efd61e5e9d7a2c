"""The control socket on a real socket: queries, change events, and clients that misbehave."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from node import console
from node.console import ASKERS_MAX, QUESTION_BYTES_MAX, UNREAD_EVENTS_MAX, Broadcast, Console, NoRunningNode
from node.errors import Fatal, NodeError


@dataclass(frozen=True, slots=True)
class Household:
    name: str
    tiers: frozenset[str]
    since: datetime


def answer_ana(question: dict[str, Any]) -> dict[str, Any]:
    return {
        "who": question.get("who"),
        "home": Household("ana", frozenset({"b", "a"}), datetime(2026, 11, 24, tzinfo=UTC)),
    }


async def answer_late(_question: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"late": True}


def answer_no(_question: dict[str, Any]) -> dict[str, Any]:
    raise NodeError("nobody here is called ben", "look at the list")


ANSWERS = {"ana": answer_ana, "late": answer_late, "no": answer_no}


@pytest.fixture
def events() -> Broadcast:
    return Broadcast()


@pytest.fixture
async def path(tmp_path: Path, events: Broadcast) -> AsyncIterator[str]:
    async with running(tmp_path / "run" / "console.sock", events) as listening:
        yield str(listening)


@asynccontextmanager
async def running(path: Path, events: Broadcast) -> AsyncIterator[Path]:
    task = asyncio.get_running_loop().create_task(Console(str(path), ANSWERS, events).run())
    while not path.is_socket():
        assert not task.done(), task
        await asyncio.sleep(0.001)
    try:
        yield path
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
    return await asyncio.to_thread(console.ask, path, question)


async def say(path: str, lines: Iterable[bytes]) -> list[bytes]:
    """Everything received after `lines` were sent and our side of the connection was closed."""
    reader, writer = await asyncio.open_unix_connection(path)
    with suppress(ConnectionError):
        writer.writelines(lines)
        writer.write_eof()
        await writer.drain()
    try:
        with suppress(ConnectionError):
            return (await reader.read()).splitlines()
        return []
    finally:
        writer.close()


async def test_a_query_is_answered_with_plain_values(path):
    home = {"name": "ana", "tiers": ["a", "b"], "since": "2026-11-24T00:00:00+00:00"}
    assert {"ok": True, "who": "ana", "home": home} == await ask(path, {"ask": "ana", "who": "ana"})


async def test_an_answer_may_take_its_time(path):
    assert {"ok": True, "late": True} == await ask(path, {"ask": "late"})


async def test_an_error_says_what_to_do(path):
    expected = {"ok": False, "message": "nobody here is called ben", "fix": "look at the list"}
    assert expected == await ask(path, {"ask": "no"})


async def test_an_unknown_query_is_answered_with_the_known_ones(path):
    assert "it knows ana, late, no, watch" == (await ask(path, {"ask": "weather"}))["fix"]


async def test_one_connection_carries_many_queries(path):
    answers = await say(path, [b'{"ask": "late"}\n', b'{"ask": "no"}\n'])
    assert [True, False] == [json.loads(line)["ok"] for line in answers]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"hello\n",
        b"\xff\xfe\n",
        b"[" * 50_000 + b"\n",
        b'{"ask": {}}\n',
        b'{"ask": "ana", "who": "\\udce9"}\n',
    ],
)
async def test_an_invalid_query_gets_an_error_and_affects_nobody(path, line):
    answers = await say(path, [line, b'{"ask": "late"}\n'])
    assert [False, True] == [json.loads(each)["ok"] for each in answers]


async def test_a_query_without_end_is_disconnected(path):
    assert [] == await say(path, [b"x" * (QUESTION_BYTES_MAX * 3)])
    assert (await ask(path, {"ask": "late"}))["ok"]


async def test_only_root_and_its_group_may_connect(path):
    assert 0o660 == stat.S_IMODE(Path(path).stat().st_mode)


async def test_too_many_clients_are_refused_with_a_message_until_one_leaves(path):
    lines = [await asyncio.open_unix_connection(path) for _ in range(ASKERS_MAX)]
    for reader, writer in lines:
        writer.write(b'{"ask": "late"}\n')
        await reader.readline()
    assert "too many requests at once" == (await ask(path, {"ask": "late"}))["message"]
    for _, writer in lines:
        writer.close()
    await eventually(lambda: ask(path, {"ask": "late"}))


async def eventually(ask_again: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    async with asyncio.timeout(2):
        while not (await ask_again())["ok"]:
            await asyncio.sleep(0.01)


async def test_a_watcher_receives_each_change(path, events):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"ask": "watch"}\n')
    assert {"ok": True} == json.loads(await reader.readline())
    await asyncio.sleep(0.01)
    events.publish({"event": "admitted", "mac": "02:00:00:00:00:0a"})
    events.publish({"event": "left", "mac": "02:00:00:00:00:0a"})
    assert ["admitted", "left"] == [json.loads(await reader.readline())["event"] for _ in range(2)]
    writer.close()


async def test_the_command_line_client_receives_changes_too(path, events):
    changes = console.watch(path)
    first = asyncio.get_running_loop().run_in_executor(None, next, changes)
    while not first.done():
        events.publish({"event": "admitted"})
        await asyncio.sleep(0.01)
    assert {"event": "admitted"} == await first
    changes.close()


async def test_a_watcher_that_does_not_read_misses_changes_is_told_and_delays_nobody(events):
    watching = events.watch()
    first = asyncio.get_running_loop().create_task(anext(watching))
    await asyncio.sleep(0)
    for number in range(UNREAD_EVENTS_MAX + 10):
        events.publish({"event": number})
    await first
    events.publish({"event": "one more"})
    assert "lost" == (await anext(watching))["event"]
    assert isinstance((await anext(watching))["event"], int)
    await watching.aclose()


async def test_a_socket_left_by_a_killed_node_is_taken_over(tmp_path, events):
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "console.sock"))
    left.close()
    task = asyncio.get_running_loop().create_task(
        Console(str(tmp_path / "console.sock"), ANSWERS, events).run()
    )
    await asyncio.sleep(0.05)
    assert (await ask(str(tmp_path / "console.sock"), {"ask": "late"}))["ok"]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_second_node_does_not_start_beside_a_running_one(path, events):
    with pytest.raises(Fatal, match="another node runs"):
        await Console(path, ANSWERS, events).run()
    assert (await ask(path, {"ask": "late"}))["ok"]


async def test_a_stopped_node_removes_its_socket(tmp_path, events):
    async with running(tmp_path / "console.sock", events):
        pass
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("turns", range(10))
async def test_a_stopped_node_closes_every_connection_however_new(tmp_path, events, turns):
    """Also one whose task was cancelled before it began, and so closes nothing itself."""
    async with running(tmp_path / "console.sock", events) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        for _ in range(turns):
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            assert b"" == await reader.read()
    writer.close()


def test_without_a_node_the_client_is_told_how_to_start_one(tmp_path):
    with pytest.raises(NoRunningNode, match="procomu run"):
        console.ask(str(tmp_path / "console.sock"), {"ask": "status"})


def test_text_that_is_not_utf8_is_refused_before_a_node_is_contacted(tmp_path):
    with pytest.raises(NodeError, match="not UTF-8 text"):
        console.ask(str(tmp_path / "console.sock"), {"ask": "ana", "who": "l\udce9a"})
