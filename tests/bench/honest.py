"""Load of honest clients during an attack: members open flows and query names, newcomers use the portal.

``python -m tests.bench.honest member|newcomer '{...}'`` runs until SIGTERM, for the job's ``seconds`` at most, and
prints one line of JSON: for each try its start (CLOCK_MONOTONIC, seconds) and its duration in milliseconds, null if it
failed.
"""

import asyncio
import errno
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.lab.people import UDHCPC_SCRIPT
from tests.lab.wire import ClientDevice, resolve

FLOW_S, NAME_S = 3.0, 4.0
"""Timeouts after which a person gives up."""
FLOW_EVERY_S, NAME_EVERY_S, ADMIN_EVERY_S = 0.1, 0.2, 1.0
PAGE_S = 10.0
ARRIVE_EVERY_S = 0.5
"""Of one newcomer after the other; four at once are fewer than the ten leases a second that strangers are given."""
PROBE = "http://connectivitycheck.gstatic.com/generate_204"
GAVE_UP = (OSError, TimeoutError, ValueError, IndexError, EOFError)
NUMBERS = re.compile(r"[0-9a-f]{4,}|\d+")
Try = tuple[float, float | None]


_told_to_end: list[int] = []


def is_over(ends: float) -> bool:
    return bool(_told_to_end) or time.monotonic() >= ends


def told(failure: BaseException) -> str:
    """The same text for failures of the same kind, without names or addresses."""
    kind = errno.errorcode.get(failure.errno or 0, "") if isinstance(failure, OSError) else ""
    return f"{type(failure).__name__} {kind or NUMBERS.sub('#', str(failure))}".strip()


class HonestMember:
    """New flows to `fars` (IPv4 and IPv6 in turn), new names from `resolver`, and the admins' sign-in page at `admin`,
    if there is one."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._job = job
        self.flows: list[Try] = []
        self.names: list[Try] = []
        self.admin: list[Try] = []
        self.why = Counter[str]()

    async def run(self) -> dict[str, Any]:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._often(group, FLOW_EVERY_S, self._flow, self.flows))
            group.create_task(self._often(group, NAME_EVERY_S, self._name, self.names))
            if self._job.get("admin"):
                group.create_task(self._often(group, ADMIN_EVERY_S, self._admin, self.admin))
        return {"flows": self.flows, "names": self.names, "admin": self.admin, "why": self.why}

    async def _often(
        self, group: asyncio.TaskGroup, every: float, act: Callable[[int], Awaitable[None]], tries: list[Try]
    ) -> None:
        began, number = time.monotonic(), 0
        while not is_over(began + self._job["seconds"]):
            group.create_task(self._timed(act, number, tries))
            number += 1
            await asyncio.sleep(max(0.0, began + number * every - time.monotonic()))

    async def _timed(self, act: Callable[[int], Awaitable[None]], number: int, tries: list[Try]) -> None:
        began = time.monotonic()
        try:
            await act(number)
        except GAVE_UP as failure:
            self.why[f"{act.__name__} {told(failure)}"] += 1
            tries.append((began, None))
        else:
            tries.append((began, 1000 * (time.monotonic() - began)))

    async def _flow(self, number: int) -> None:
        fars = self._job["fars"]
        await _get(fars[number % len(fars)], 80)

    async def _admin(self, _: int) -> None:
        await _get(*self._job["admin"])

    async def _name(self, _: int) -> None:
        async with asyncio.timeout(NAME_S):
            name = f"{secrets.token_hex(6)}.example"
            await resolve(name, server=self._job["resolver"], wants_v6=False)


async def _get(address: str, port: int) -> None:
    """Raises one of `GAVE_UP` unless an answer comes in time."""
    async with asyncio.timeout(FLOW_S):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n".encode())
            if not (await reader.readline()).startswith(b"HTTP/1.1 "):
                raise ValueError("not what was asked for")
        finally:
            writer.close()


class Newcomers:
    """One device after the other on `interface`, each with a hardware address that begins with `mac`: a lease, the
    system's probe, and the portal's page with a form."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._interface, self._mac, self._seconds = job["interface"], job["mac"], float(job["seconds"])
        self._lease = Path(job["lease"])
        self.leases: list[Try] = []
        self.pages: list[Try] = []
        self.why = Counter[str]()

    async def run(self) -> dict[str, Any]:
        ends, number = time.monotonic() + self._seconds, 0
        while not is_over(ends):
            number += 1
            began = due = time.monotonic()
            resolver = self._arrive(number)
            if not resolver and _told_to_end:
                break  # udhcpc received SIGTERM too
            self.leases.append((began, 1000 * (time.monotonic() - began) if resolver else None))
            if resolver:
                began = time.monotonic()
                self.pages.append((began, await self._page(resolver, began)))
            await asyncio.sleep(max(0.0, due + ARRIVE_EVERY_S - time.monotonic()))
        return {"leases": self.leases, "pages": self.pages, "why": self.why}

    def _arrive(self, number: int) -> str | None:
        """The resolver of the lease; None without a lease."""
        mac = f"{self._mac}:{number >> 8:02x}:{number & 255:02x}"
        self._lease.unlink(missing_ok=True)
        subprocess.run(
            ["ip", "-batch", "-"], input=
            f"link set {self._interface} down\naddr flush dev {self._interface}\n"
            f"link set {self._interface} address {mac} up\n",
            text=True, check=False, capture_output=True,
        )  # fmt: skip
        client = subprocess.run(
            ["udhcpc", "-i", self._interface, "-n", "-q", "-f", "-t", "8", "-T", "1", "-s", str(UDHCPC_SCRIPT)],
            env={**os.environ, "LAB_LEASE": str(self._lease)}, check=False, capture_output=True,
        )  # fmt: skip
        if not self._lease.exists():
            said = client.stderr.decode(errors="replace").splitlines()
            self.why[f"no lease: {client.returncode}, {NUMBERS.sub('#', ' / '.join(said[-3:]))}"] += 1
            return None
        lease = dict(line.partition("=")[::2] for line in self._lease.read_text().splitlines())
        return str(lease["dns"].split()[0])

    async def _page(self, resolver: str, began: float) -> float | None:
        device = ClientDevice(resolver, interface=self._interface)
        try:
            async with asyncio.timeout(PAGE_S):
                _, page = await device.follow(PROBE, await device.request(PROBE))
        except GAVE_UP as failure:
            self.why[told(failure)] += 1
            return None
        is_welcome = page.status == 200 and "<form" in page.body
        if not is_welcome:
            title = page.body.partition("<title>")[2].partition("</title>")[0]
            self.why[f"another page, {page.status}: {title}"] += 1
        return 1000 * (time.monotonic() - began) if is_welcome else None


JOBS: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]] = {
    "member": lambda job: HonestMember(job).run(),
    "newcomer": lambda job: Newcomers(job).run(),
}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: _told_to_end.append(number))
    print(json.dumps(asyncio.run(JOBS[sys.argv[1]](json.loads(sys.argv[2])))), flush=True)


if __name__ == "__main__":
    main()
