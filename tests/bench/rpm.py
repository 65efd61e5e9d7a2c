"""Responsiveness under working conditions, in round trips per minute (RPM): draft-ietf-ippm-responsiveness, over HTTP/2
without TLS.

``python -m tests.bench.rpm serve ADDRESS`` is the server; ``... measure JSON`` the client, with ``source``, ``far``,
``upwards``, ``seconds``. A connection that fills the path is added each second until their goodput is stable. Meanwhile it
probes: a new connection with one small request (its handshake and its request), and a small request on a connection that
transfers. The probes that were begun in the last `COUNTED_S` seconds count. Without TLS a new connection has two times
instead of the draft's three: each weighs a quarter instead of a sixth.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, WindowUpdated
from h2.settings import SettingCodes

from tests.bench.latency_probe import ahead_of_other_programs, family

PORT = 7008
TCP_NOTSENT_LOWAT, UNSENT_BYTES = 25, 1
"""What an endpoint holds unsent in its socket: one frame at most, since a probe on the same connection waits behind it, and
the path is measured, not the endpoint (the draft recommends this to servers)."""
FRAME_BYTES = 1_400
WINDOW_BYTES = 1 << 28
INTERVAL_S, STABLE_INTERVALS, STABLE_PART, CONNECTIONS_MAX = 1.0, 4, 0.05, 16
"""The draft's ID, MAD, SDT and MNP."""
PROBES_PER_S_MAX, PROBES_PART, PROBE_BYTES = 50.0, 0.05, 1_500
"""Pairs of a foreign and a self probe: at most 100 probes a second, and 5 % of the goodput; what one pair takes."""
TRIMMED = 0.95
"""The draft's TMP: without the slowest 5 %."""
COUNTED_S, PATIENCE_S = 6.0, 3.0
BYTES_ACKED = struct.Struct("=120xQ")
"""The field of struct tcp_info with the bytes that were acknowledged."""

_BLOCK = bytes(FRAME_BYTES)


class H2Endpoint(asyncio.Protocol):
    """One HTTP/2 connection: streams that transfer without end, and small ones in between."""

    def __init__(self, *, is_client: bool) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=is_client, header_encoding="utf-8"))
        self.received = 0
        self.waiting: dict[int, Callable[[], None]] = {}
        """What to do when a stream's answer has ended."""
        self._sending: int | None = None
        """The stream on which this side sends without end."""
        self._is_choked = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        transport.set_write_buffer_limits(high=1, low=0)
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES})
        self.h2.increment_flow_control_window(WINDOW_BYTES)
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._handle(event)
        self.flush()
        self._send_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def pause_writing(self) -> None:
        self._is_choked = True

    def resume_writing(self) -> None:
        self._is_choked = False
        self._send_on()

    def flush(self) -> None:
        octets = self.h2.data_to_send()
        if octets and self.transport is not None:
            self.transport.write(octets)

    def request(self, path: str, *, uploads: bool = False, ended: Callable[[], None] | None = None) -> None:
        stream = self.h2.get_next_available_stream_id()
        method = "POST" if uploads else "GET"
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "far")]
        self.h2.send_headers(stream, head, end_stream=not uploads)
        if ended is not None:
            self.waiting[stream] = ended
        if uploads:
            self._sending = stream
        self.flush()
        self._send_on()

    def bytes_acked(self) -> int:
        """Of what this side has sent."""
        if self.transport is None:
            return 0
        info = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        return int(BYTES_ACKED.unpack_from(info)[0])

    def _handle(self, event: Event) -> None:
        match event:
            case RequestReceived():
                head = dict(event.headers)
                self.h2.send_headers(event.stream_id, [(":status", "200")])
                if head[":path"] == "/large":
                    self._sending = event.stream_id
                elif head[":path"] == "/small":
                    self.h2.send_data(event.stream_id, b"x", end_stream=True)
            case DataReceived():
                self.received += len(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.waiting.pop(event.stream_id, lambda: None)()
            case WindowUpdated():
                pass

    def _send_on(self) -> None:
        while self._sending is not None and not self._is_choked and self.transport is not None:
            octets = min(FRAME_BYTES, self.h2.local_flow_control_window(self._sending))
            if octets <= 0:
                return
            self.h2.send_data(self._sending, _BLOCK[:octets])
            self.flush()


@dataclass(slots=True)
class ProbeTimes:
    """In seconds, each with when it was begun. A probe without an answer has `PATIENCE_S`."""

    connect: list[tuple[float, float]] = field(default_factory=list)
    request: list[tuple[float, float]] = field(default_factory=list)
    on_transfer: list[tuple[float, float]] = field(default_factory=list)


def trimmed_mean(values: Sequence[float]) -> float:
    """Without the slowest; raises ValueError without values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no probe was answered")
    return fmean(ordered[: max(1, int(TRIMMED * len(ordered)))])


def round_trips_per_minute(times: ProbeTimes, since: float) -> float:
    """Half of the weight is on new connections, half on requests on a connection that transfers."""
    connect, request, on_transfer = (
        trimmed_mean([seconds for began, seconds in each if began >= since])
        for each in (times.connect, times.request, times.on_transfer)
    )
    return 60 / ((connect + request) / 4 + on_transfer / 2)


def is_stable(goodputs: Sequence[float]) -> bool:
    """Whether the moving averages of the last intervals differ by less than 5 % of the present one."""
    if len(goodputs) < 2 * STABLE_INTERVALS - 1:
        return False
    averages = [
        fmean(goodputs[end - STABLE_INTERVALS : end])
        for end in range(len(goodputs) - STABLE_INTERVALS + 1, len(goodputs) + 1)
    ]
    return pstdev(averages) < STABLE_PART * averages[-1]


class ResponsivenessClient:
    def __init__(self, job: dict[str, Any]) -> None:
        self._source, self._far = job["source"], job["far"]
        self._upwards, self._seconds = bool(job["upwards"]), float(job["seconds"])
        self._loads: list[H2Endpoint] = []
        self._times = ProbeTimes()
        self._goodputs: list[float] = []
        """Bytes a second, of each interval."""

    async def run(self) -> dict[str, Any]:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._add_loads(began))
            group.create_task(self._probe_often(group, began))
        times, since = self._times, began + self._seconds - COUNTED_S
        for load in self._loads:
            if load.transport is not None:
                load.transport.abort()
        counted = [
            [round(1000 * seconds) for at, seconds in each if at >= since]
            for each in (times.connect, times.request, times.on_transfer)
        ]
        return {
            "rpm": round(round_trips_per_minute(times, since)),
            "connect_ms": counted[0],
            "request_ms": counted[1],
            "on_transfer_ms": counted[2],
            "connections": len(self._loads),
            "kbit_s": round(8 * fmean(self._goodputs[-STABLE_INTERVALS:]) / 1000),
            "is_stable": is_stable(self._goodputs),
        }

    async def _open(self) -> H2Endpoint:
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: H2Endpoint(is_client=True), self._far, PORT, local_addr=(self._source, 0)
        )
        return made

    async def _add_loads(self, began: float) -> None:
        before, number = 0, 0
        is_full = False
        while time.monotonic() < began + self._seconds + PATIENCE_S:
            if (
                not is_full
                and len(self._loads) < CONNECTIONS_MAX
                and time.monotonic() < began + self._seconds
            ):
                with contextlib.suppress(OSError):
                    load = await self._open()
                    load.request("/upload" if self._upwards else "/large", uploads=self._upwards)
                    self._loads.append(load)
            number += 1
            await asyncio.sleep(max(0.0, began + number * INTERVAL_S - time.monotonic()))
            moved = sum(load.bytes_acked() if self._upwards else load.received for load in self._loads)
            if time.monotonic() < began + self._seconds + INTERVAL_S / 2:
                self._goodputs.append((moved - before) / INTERVAL_S)
            before = moved
            is_full = is_full or is_stable(self._goodputs)

    async def _probe_often(self, group: asyncio.TaskGroup, began: float) -> None:
        while time.monotonic() < began + self._seconds:
            goodput = fmean(self._goodputs[-STABLE_INTERVALS:]) if self._goodputs else 0.0
            per_s = min(PROBES_PER_S_MAX, max(1.0, PROBES_PART * goodput / PROBE_BYTES))
            await asyncio.sleep(1 / per_s)
            group.create_task(self._foreign_probe())
            transferring = [load for load in self._loads if load.transport is not None]
            if transferring:
                group.create_task(self._answered(random.choice(transferring), self._times.on_transfer))

    async def _foreign_probe(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                made = await self._open()
        except (OSError, TimeoutError):  # a refusal comes soon, and is no answer either
            self._times.connect.append((began, PATIENCE_S))
            return
        connected = time.monotonic()
        self._times.connect.append((began, connected - began))
        await self._answered(made, self._times.request)
        if made.transport is not None:
            made.transport.abort()

    async def _answered(self, endpoint: H2Endpoint, times: list[tuple[float, float]]) -> None:
        began, ended = time.monotonic(), asyncio.Event()
        endpoint.request("/small", ended=ended.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await ended.wait()
        times.append((began, time.monotonic() - began))


async def serve(address: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: H2Endpoint(is_client=False), address, PORT, family=family(address), backlog=128
    )
    await server.serve_forever()


def main() -> None:
    role, what = sys.argv[1:3]
    ahead_of_other_programs()
    if role == "serve":
        asyncio.run(serve(what))
        return
    print(json.dumps(asyncio.run(ResponsivenessClient(json.loads(what)).run())), flush=True)


if __name__ == "__main__":
    main()
