"""The control socket: a Unix socket on which a running node answers queries, one JSON object a line.

A query is ``{"ask": "status"}``, its response one line ``{"ok": true, ...}``; an error is a line ``{"ok": false,
"message": ..., "fix": ...}``. After ``{"ask": "watch"}`` each event is a line until the client disconnects.
"""

import asyncio
import contextlib
import dataclasses
import inspect
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from node.errors import Fatal, NodeError

QUESTION_BYTES_MAX = 600_000
"""A rule file of 256 KiB, with what JSON adds to it."""
ANSWER_BYTES_MAX = 64_000_000
"""Ten thousand devices need about four million."""
ASKERS_MAX = 32
SILENCE_S = 60.0
"""A client that sends nothing for so long is disconnected; one that watches may stay silent."""
UNREAD_EVENTS_MAX = 1_000
SOCKET_MODE = 0o660

Answer = Callable[[dict[str, Any]], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]
"""From a query to the members of its response, which may contain dataclasses and datetimes. Raises
NodeError for an error response."""


class NoRunningNode(NodeError):
    """No node listens on the control socket."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device in the response to ``devices``."""

    mac: str
    state: str
    """A value of `node.app.views.GuestState`."""
    account: str | None
    down: int
    """Bytes of its session that are booked; the counter starts again at zero with the packet filter, as after a reboot."""
    up: int
    rate_down: int
    """Bits per second, now."""
    rate_up: int
    seconds_left: int | None
    rule: str
    """Id of the rule that limits it now; empty when none does."""
    name: str = ""
    """The name its owner gave it."""
    way: str = ""
    """Its join method as named in `node.governance.rules`; empty while it has no session."""


class Broadcast:
    """Events for all watching clients. A client that does not keep up loses the oldest ones and
    gets an event that says so."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[Mapping[str, Any]]] = set()
        self.published: Counter[str] = Counter()
        """How many events there were so far, by their name."""

    def publish(self, event: Mapping[str, Any]) -> None:
        """Never waits; `event` has the form of a response."""
        self.published[str(event.get("event"))] += 1
        for unread in self._watchers:
            if unread.full():
                unread.get_nowait()
            unread.put_nowait(event)

    async def watch(self) -> AsyncGenerator[Mapping[str, Any]]:
        """Yields each event from now on, until the caller stops."""
        unread: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(UNREAD_EVENTS_MAX)
        self._watchers.add(unread)
        try:
            while True:
                if unread.full():
                    yield {"event": "lost", "text": "too many changes at once; some are not shown"}
                yield await unread.get()
        finally:
            self._watchers.discard(unread)


class Console:
    """Server side of the control socket. `answers` maps each query to its handler."""

    def __init__(self, path: str, answers: Mapping[str, Answer], events: Broadcast) -> None:
        self._path = Path(path)
        self._answers = answers
        self._events = events
        self._askers = 0

    async def run(self) -> None:
        """Runs until cancelled. Raises Fatal when another node listens on the same socket."""
        listening = _listen(self._path)
        try:
            async with asyncio.TaskGroup() as askers:
                server = await asyncio.start_unix_server(
                    lambda reader, writer: askers.create_task(self._serve(reader, writer)),
                    sock=listening,
                    limit=QUESTION_BYTES_MAX,
                )
                try:
                    await asyncio.Event().wait()
                finally:
                    server.close()
                    server.close_clients()
        finally:
            listening.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._askers += 1
        try:
            # Refuse only after the query was read: closing a socket with unread data would discard the refusal too.
            is_one_too_many = self._askers > ASKERS_MAX
            while (line := await _next_line(reader)) and not is_one_too_many:
                await self._reply(line, reader, writer)
            if line:
                await _say(writer, _no("too many requests at once", "close another 'procomu' first"))
        except (ConnectionError, TimeoutError):
            pass  # The client disconnected.
        finally:
            self._askers -= 1
            writer.close()

    async def _reply(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = _read_object(line)
        if question is None:
            await _say(writer, _no("the question is not one JSON object", 'ask as {"ask": "status"}'))
        elif question.get("ask") == "watch":
            await self._watch(reader, writer)
        else:
            await _say(writer, await self._answer(question))

    async def _answer(self, question: dict[str, Any]) -> Mapping[str, Any]:
        answer = self._answers.get(str(question.get("ask")))
        if answer is None:
            return _no(
                "this node does not know the question", f"it knows {', '.join(sorted(self._answers))}, watch"
            )
        try:
            said = answer(question)
            return {"ok": True, **(await said if inspect.isawaitable(said) else said)}
        except NodeError as error:
            return _no(error.message, error.fix)

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _say(writer, {"ok": True})
        async with asyncio.TaskGroup() as both:
            telling = both.create_task(self._tell(writer))
            with contextlib.suppress(ConnectionError):
                while await reader.read(QUESTION_BYTES_MAX):
                    pass  # Only the end of the connection matters.
            telling.cancel()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        async with contextlib.aclosing(self._events.watch()) as events:
            async for event in events:
                try:
                    await _say(writer, event)
                except ConnectionError:
                    return


def ask(path: str, question: Mapping[str, Any], timeout_s: float = 10.0) -> dict[str, Any]:
    """The response of the node that listens on `path`; blocking. Raises NoRunningNode, or NodeError when
    the query is not UTF-8 text."""
    with _call(path, question, timeout_s) as lines:
        for line in lines:
            answer = _read_object(line)
            if answer is not None:
                return answer
    raise _nobody(path)


def watch(path: str, timeout_s: float = 10.0) -> Iterator[dict[str, Any]]:
    """Yields each event of the node that listens on `path`, until the node stops; blocking. Raises NoRunningNode."""
    with _call(path, {"ask": "watch"}, timeout_s, waits_without_limit=True) as lines:
        for at, line in enumerate(lines):
            if at:  # the first line only confirms the query
                yield json.loads(line)


@contextlib.contextmanager
def _call(
    path: str, question: Mapping[str, Any], timeout_s: float, *, waits_without_limit: bool = False
) -> Iterator[Iterator[bytes]]:
    try:
        asked = _encode(question)
    except UnicodeEncodeError as error:
        raise NodeError("what you typed is not UTF-8 text", "type it in a terminal set to UTF-8") from error
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        try:
            line.connect(path)
            line.sendall(asked)
            if waits_without_limit:
                line.settimeout(None)
            with line.makefile("rb") as answers:
                yield iter(lambda: answers.readline(ANSWER_BYTES_MAX), b"")
        except PermissionError as error:
            raise NoRunningNode(
                f"you are not allowed to ask the node at {path}", "run this as root"
            ) from error
        except OSError as error:
            raise _nobody(path) from error


def _nobody(path: str) -> NoRunningNode:
    return NoRunningNode(
        f"no node answers at {path}", "start it with 'procomu run', or give its file with --config"
    )


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_room(path)
        before = os.umask(0o777 & ~SOCKET_MODE)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _make_room(path: Path) -> None:
    """Removes the socket that a killed node left; never that of a running one. Raises Fatal when one runs."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise Fatal(
        f"another node runs and answers at {path}", "stop it first, or give this one its own node.run_dir"
    )


async def _next_line(reader: asyncio.StreamReader) -> bytes:
    """Returns b"" at the end of the stream and for a line that is too long or incomplete."""
    try:
        async with asyncio.timeout(SILENCE_S):
            return await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return b""


async def _say(writer: asyncio.StreamWriter, answer: Mapping[str, Any]) -> None:
    writer.write(_encode(answer))
    await writer.drain()


def _read_object(line: bytes) -> dict[str, Any] | None:
    try:
        question = json.loads(line)
        json.dumps(question, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded as UTF-8
    except (ValueError, RecursionError):
        return None
    return question if isinstance(question, dict) else None


def _no(message: str, fix: str) -> dict[str, Any]:
    return {"ok": False, "message": message, "fix": fix}


def _encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, default=_plain, ensure_ascii=False).encode() + b"\n"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be part of an answer")
