"""Fast path: redirects of captured requests and the splash page, answered without the HTTP library.

Phones repeat their probes several times a second, and an event can bring a thousand devices at once. Any
request that is not simple goes to the library, which gives the same answer.
"""

from dataclasses import dataclass
from http import HTTPStatus

HEADS_MAX = 256
"""Languages times responses."""
_LINE_END = b" HTTP/1.1"


@dataclass(frozen=True, slots=True)
class FastRequest:
    """A GET of HTTP/1.1 with keep-alive, in ASCII, in origin form (no absolute target)."""

    target: str
    host: str
    accept_language: str


def fast_request(head: bytes) -> FastRequest | None:
    """Parses a request head; None when the request is not simple."""
    first, _, fields = head.partition(b"\r\n")
    if not first.startswith(b"GET /") or not first.endswith(_LINE_END) or not head.isascii():
        return None
    lower = b"\r\n" + fields.lower()
    keeps = head_field(lower, fields, b"connection").lower()
    if keeps not in {"", "keep-alive"} or b"\r\nupgrade:" in lower or b"\r\nexpect:" in lower:
        return None
    host = head_field(lower, fields, b"host")
    return FastRequest(
        first[4 : -len(_LINE_END)].decode(), host, head_field(lower, fields, b"accept-language")
    )


def head_field(lower: bytes, fields: bytes, name: bytes) -> str:
    """The first field of that name; `lower` is `fields` in lower case after one CRLF."""
    start = lower.find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    begin = start + len(name) + 1  # `lower` has a CRLF at its start that `fields` lacks
    end = fields.find(b"\r\n", begin)
    return fields[begin : end if end >= 0 else len(fields)].decode().strip(" \t")


class FastPath:
    """Response heads as octets, cached for each set of fields; the date is added each time."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, tuple[tuple[str, str], ...]], bytes] = {}

    def answer(self, status: int, fields: tuple[tuple[str, str], ...], body: bytes, date: bytes) -> bytes:
        """A complete HTTP/1.1 response; `date` in the format of RFC 9110 section 5.6.7."""
        head = self._made.get((status, fields))
        if head is None:
            if len(self._made) >= HEADS_MAX:
                self._made.clear()
            lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{n}: {v}" for n, v in fields))
            head = self._made[status, fields] = "\r\n".join((*lines, "Content-Length: ")).encode()
        return b"%b%d\r\nDate: %b\r\n\r\n%b" % (head, len(body), date, body)
