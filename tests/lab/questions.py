"""DNS queries (RFC 1035) built by hand, without the pauses and retries of a stub resolver."""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator

from tests.lab.netns import Namespace

A, TXT, AAAA = 1, 16, 28
_numbers = itertools.count(1)


def question(name: str, kind: int = A) -> bytes:
    """One query with recursion desired and a unique id."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack("!6H", next(_numbers) & 0xFFFF, 0x0100, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack("!2H", kind, 1)
    )


def rcode(answer: bytes) -> int:
    return answer[3] & 0x0F


def ask(place: Namespace, server: str, name: str, *, kind: int = A, wait_s: float = 2.0) -> bytes | None:
    """The UDP answer, through a new socket; None after a timeout or if the query was refused."""
    asked = question(name, kind)
    with place.entered(), _socket(server, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait_s)
        with contextlib.suppress(OSError):
            sock.connect((server, 53))
            sock.send(asked)
            answer = sock.recv(4096)
            return answer if answer[:2] == asked[:2] else None
    return None


def ask_by_tcp(place: Namespace, server: str, name: str, *, wait_s: float = 2.0) -> bytes | None:
    """The TCP answer, without its length field."""
    asked = question(name)
    with place.entered(), _socket(server, socket.SOCK_STREAM) as sock:
        sock.settimeout(wait_s)
        with contextlib.suppress(OSError):
            sock.connect((server, 53))
            sock.sendall(struct.pack("!H", len(asked)) + asked)
            answer = sock.recv(4096)
            return answer[2:] or None
    return None


def hold_by_tcp(place: Namespace, server: str, number: int) -> list[socket.socket]:
    """Connections to the server that send nothing."""
    held = []
    with place.entered():
        for _ in range(number):
            sock = _socket(server, socket.SOCK_STREAM)
            sock.settimeout(0.5)
            with contextlib.suppress(OSError):
                sock.connect((server, 53))
            held.append(sock)
    return held


@contextlib.contextmanager
def flood(place: Namespace, server: str, per_second: float, name: str = "dead{}.example") -> Iterator[None]:
    """For the duration of the block one device queries a new name each time, through many sockets, and reads no
    answer."""
    done = threading.Event()

    def run() -> None:
        with place.entered(), contextlib.ExitStack() as stack:
            socks = [stack.enter_context(_socket(server, socket.SOCK_DGRAM)) for _ in range(20)]
            for sock in socks:
                sock.setblocking(False)
            began = time.monotonic()
            for sent in itertools.count():
                late = time.monotonic() - began - sent / per_second
                if done.wait(max(0.0, -late)):
                    return
                with contextlib.suppress(OSError):
                    socks[sent % 20].sendto(question(name.format(next(_numbers))), (server, 53))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _socket(server: str, kind: socket.SocketKind) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind)
