"""A hostile device that poisons the router's neighbour table and sends requests to the portal over HTTP or HTTPS."""

import contextlib
import re
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.kernel.frames import _pseudo, checksum, octets, raw_socket
from tests.lab.netns import Namespace

PORTAL_HOST = "login.procomu.lan"
FAMILIES = (socket.AF_INET, socket.AF_INET6)
ARP_LOCK = "net__ipv4__neigh__br-lan__locktime"
"""Linux ignores a new hardware address for an entry younger than `locktime` (1 s by default); 0 avoids the wait."""
CLAIMS, CLAIM_AGAIN_S = 3, 0.02
"""Even so it ignores one that comes in the same tick of its clock as the entry's last change."""
CACHED_S = 0.6
"""The portal may use an entry of the neighbour table for so long (`captive_portal.neighbours.CACHE_MS`)."""
ANSWER_S, TRIES = 6.0, 3
"""Long enough for TCP retransmissions: the first response goes to the claimed hardware address."""
ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD


def forged_arp(sender: str, address: str, claimed: str, to_mac: str, to_address: str) -> bytes:
    """An ARP reply (RFC 826): `address` is at `claimed`; the frame has the true source address `sender`."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + octets(claimed) + socket.inet_aton(address)
    body += octets(to_mac) + socket.inet_aton(to_address)
    return octets(to_mac) + octets(sender) + struct.pack("!H", ETH_P_ARP) + body


def forged_advertisement(sender: str, address: str, claimed: str, to_mac: str, to_address: str) -> bytes:
    """A neighbour advertisement (RFC 4861 section 4.4), solicited and with the override flag."""
    target = socket.inet_pton(socket.AF_INET6, address)
    head = struct.pack("!BBHI", 136, 0, 0, 0x6000_0000) + target + b"\x02\x01" + octets(claimed)
    total = checksum(_pseudo(address, to_address, 58, len(head)) + head)
    packet = struct.pack("!IHBB", 6 << 28, len(head), 58, 255) + target
    packet += socket.inet_pton(socket.AF_INET6, to_address) + head[:2] + struct.pack("!H", total) + head[4:]
    return octets(to_mac) + octets(sender) + struct.pack("!H", ETH_P_IPV6) + packet


@dataclass
class ForgerAnswer:
    """The response; status 0 if none came."""

    status: int
    body: str

    def form(self, action: str, **typed: str) -> str:
        """The body of the form with the action `action`, hidden fields included."""
        found = re.search(rf'action="{action}">(.*?)</form>', self.body, re.DOTALL)
        assert found, f"no form for {action}"
        return urlencode(dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[1])) | typed)


@dataclass
class ForgingDevice:
    """A device with one address of each family; `secure` selects HTTPS."""

    place: Namespace
    mac: str
    addresses: tuple[str, str]
    router_mac: str
    router: tuple[str, str]

    def claim(self, address: str, mac: str) -> None:
        """Tells the router that `address` is at `mac`."""
        way = int(":" in address)
        make = (forged_arp, forged_advertisement)[way]
        with contextlib.closing(self.raw_socket()) as wire:
            for _ in range(CLAIMS):
                wire.send(make(self.mac, address, mac, self.router_mac, self.router[way]))
                time.sleep(CLAIM_AGAIN_S)

    def raw_socket(self) -> socket.socket:
        with self.place.entered():
            return raw_socket("eth0")

    def connect(self, way: int, *, secure: bool = False) -> socket.socket:
        with self.place.entered():
            sock = socket.socket(FAMILIES[way])
        try:
            sock.settimeout(ANSWER_S)
            sock.bind((self.addresses[way], 0))
            sock.connect((self.router[way], 443 if secure else 80))
            if not secure:
                return sock
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            # With 1.3 the first payload after the handshake can be session tickets and not the response (`ask_as`).
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            return context.wrap_socket(sock, server_hostname=PORTAL_HOST)
        except OSError:
            sock.close()
            raise

    def ask(
        self, way: int, path: str = "/", form: str | None = None, *, secure: bool = False
    ) -> ForgerAnswer:
        with contextlib.closing(self.connect(way, secure=secure)) as sock:
            sock.sendall(request(path, form))
            return heard(sock)

    def ask_as(
        self, victim: "ForgingDevice", way: int, path: str, form: str | None = None, *, secure: bool = False
    ) -> ForgerAnswer:
        """Connects with its own hardware address, claims the victim's until the portal has answered, and takes its own
        back before TCP retransmits the response."""
        own, answer = self.addresses[way], ForgerAnswer(0, "")
        for _ in range(TRIES):
            with (
                contextlib.closing(self.connect(way, secure=secure)) as sock,
                contextlib.closing(victim.raw_socket()) as wire,
            ):
                self.claim(own, victim.mac)
                time.sleep(CACHED_S)
                sock.sendall(request(path, form))
                wait_for_payload(wire, way, 443 if secure else 80, sock.getsockname()[1])
                self.claim(own, self.mac)
                answer = heard(sock)
            if answer.status:
                break
        return answer


def wait_for_payload(wire: socket.socket, way: int, source: int, destination: int) -> None:
    """Returns when `wire` carries the first TCP segment with payload between these ports, or after `ANSWER_S`."""
    at, ports = 14 + (20, 40)[way], struct.pack("!HH", source, destination)
    deadline = time.monotonic() + ANSWER_S
    while (left := deadline - time.monotonic()) > 0:
        for _ in select.select([wire], [], [], left)[0]:
            frame = wire.recv(65_536)
            if frame[at : at + 4] == ports and len(frame) > at + 4 * (frame[at + 12] >> 4):
                return


def request(path: str, form: str | None) -> bytes:
    head = (
        f"{'GET' if form is None else 'POST'} {path} HTTP/1.1\r\nHost: {PORTAL_HOST}\r\nConnection: close\r\n"
    )
    if form is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    return (head + "\r\n" + (form or "")).encode()


def heard(sock: socket.socket) -> ForgerAnswer:
    raw = b""
    with contextlib.suppress(OSError):
        while chunk := sock.recv(65_536):
            raw += chunk
    head, _, body = raw.decode(errors="replace").partition("\r\n\r\n")
    words = head.split(maxsplit=2)
    return ForgerAnswer(int(words[1]) if len(words) > 1 else 0, body)
