"""Answers that need nothing of the HTTP library: where a captured request is sent, and the first page.

Phones repeat their probes several times a second, and a feast day brings a thousand people at once: these two are what
they ask for. Whatever is not plain goes to the library, which gives the same answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_LINE_END = b" HTTP/1.1"


@dataclass(frozen=True, slots=True)
class Plain:
    """A GET of HTTP/1.1 that wants to keep its connection, in ASCII, for a path (no absolute target)."""

    target: str
    host: str
    accept_language: str


def plain(head: bytes) -> Plain | None:
    """A measured request's head, or None when it is not plain."""
    first, _, fields = head.partition(b"\r\n")
    if not first.startswith(b"GET /") or not first.endswith(_LINE_END) or not head.isascii():
        return None
    lower = b"\r\n" + fields.lower()
    keeps = _field(lower, fields, b"connection").lower()
    if keeps not in {"", "keep-alive"} or b"\r\nupgrade:" in lower or b"\r\nexpect:" in lower:
        return None
    host = _field(lower, fields, b"host")
    return Plain(first[4 : -len(_LINE_END)].decode(), host, _field(lower, fields, b"accept-language"))


def _field(lower: bytes, fields: bytes, name: bytes) -> str:
    """The first field of that name; `lower` is `fields` in lower case behind one line end."""
    place = lower.find(b"\r\n" + name + b":")
    if place < 0:
        return ""
    begin = place + len(name) + 1  # where `lower` has its line end, `fields` has nothing
    end = fields.find(b"\r\n", begin)
    return fields[begin : end if end >= 0 else len(fields)].decode().strip(" \t")


def octets(status_line: str, headers: Iterable[tuple[str, str]], body_length: int) -> bytes:
    """An answer's head without its date and last empty line."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status_line}\r\n{fields}Content-Length: {body_length}\r\n".encode()
