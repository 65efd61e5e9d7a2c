"""Answers that need nothing of the HTTP library: where a captured request is sent, and the first page.

Phones repeat their probes several times a second, and a feast day brings a thousand people at once: these two are what
they ask for. Whatever is not plain goes to the library, which gives the same answer.
"""

from dataclasses import dataclass
from http import HTTPStatus

HEADS_MAX = 256
"""Languages times answers."""
_LINE_END = b" HTTP/1.1"


@dataclass(frozen=True, slots=True)
class FastRequest:
    """A GET of HTTP/1.1 that wants to keep its connection, in ASCII, for a path (no absolute target)."""

    target: str
    host: str
    accept_language: str


def fast_request(head: bytes) -> FastRequest | None:
    """A measured request's head, or None when it is not plain."""
    first, _, fields = head.partition(b"\r\n")
    if not first.startswith(b"GET /") or not first.endswith(_LINE_END) or not head.isascii():
        return None
    lower = b"\r\n" + fields.lower()
    keeps = _field(lower, fields, b"connection").lower()
    if keeps not in {"", "keep-alive"} or b"\r\nupgrade:" in lower or b"\r\nexpect:" in lower:
        return None
    host = _field(lower, fields, b"host")
    return FastRequest(first[4 : -len(_LINE_END)].decode(), host, _field(lower, fields, b"accept-language"))


def _field(lower: bytes, fields: bytes, name: bytes) -> str:
    """The first field of that name; `lower` is `fields` in lower case behind one line end."""
    place = lower.find(b"\r\n" + name + b":")
    if place < 0:
        return ""
    begin = place + len(name) + 1  # where `lower` has its line end, `fields` has nothing
    end = fields.find(b"\r\n", begin)
    return fields[begin : end if end >= 0 else len(fields)].decode().strip(" \t")


class FastPath:
    """Heads of answers as octets, made once for each set of fields, and with the date anew each second."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, tuple[tuple[str, str], ...]], bytes] = {}

    def answer(self, status: int, fields: tuple[tuple[str, str], ...], body: bytes, date: bytes) -> bytes:
        """One whole answer of HTTP/1.1; `date` as RFC 9110 section 5.6.7 has it."""
        head = self._made.get((status, fields))
        if head is None:
            if len(self._made) >= HEADS_MAX:
                self._made.clear()
            lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{n}: {v}" for n, v in fields))
            head = self._made[status, fields] = "\r\n".join((*lines, "Content-Length: ")).encode()
        return b"%b%d\r\nDate: %b\r\n\r\n%b" % (head, len(body), date, body)
