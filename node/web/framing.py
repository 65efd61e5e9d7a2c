"""Message framing of one HTTP request (RFC 9112), parsed as strictly as the RFC allows
before any other code reads it."""

import re

HEAD_END = b"\r\n\r\n"
# An absolute target is matched in full: the HTTP library fails on ports out of range and on punycode names.
_TARGET = rb"/[!-~]{0,8191}|http://(?!xn--|[^/]*\.xn--)[a-z0-9.-]{1,255}(?::[0-9]{1,4})?(?:/[!-~]{0,8000})?"
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (?:" + _TARGET + rb") HTTP/1\.([01])")
# As strict as RFC 9112 section 5, so that the library finds no error (and writes no long log entry).
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|\Z))*")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r\n|\Z)")
_STREAM_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|\Z)")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*(?:\r\n|\Z)")
# The library answers any other expectation by itself, without the pages and limits of the site.
_EXPECT_OTHER = re.compile(rb"\r\nexpect:(?![ \t]*100-continue[ \t]*(?:\r\n|\Z))")
ALLOWED = "GET, HEAD, POST"
"""Value of Allow for a method that no page has."""
_OFFERS = re.compile(rb"\r\n(?:upgrade|expect):[^\r]*", re.IGNORECASE)
_METHODS = frozenset(ALLOWED.encode().split(b", "))
_REASONS = {
    400: b"Bad Request",
    405: b"Method Not Allowed",
    411: b"Length Required",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}
REFUSALS = {
    status: b"HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n%s\n"
    % (status, reason, len(reason) + 1, f"Allow: {ALLOWED}\r\n".encode() if status == 405 else b"", reason)
    for status, reason in _REASONS.items()
}


def dated(refusal: bytes, date: bytes) -> bytes:
    """One of REFUSALS with the time at which it is sent (RFC 9110 section 6.6.1)."""
    first, end, rest = refusal.partition(b"\r\n")
    return b"%b%bDate: %b%b%b" % (first, end, date, end, rest)


def measure(head: bytes, *, lines_max: int, body_bytes_max: int) -> tuple[int, int]:
    """Checks a request head without its final empty line. Returns (0, body length in octets), or (error status, 0)."""
    status, lower = _checked(head, lines_max)
    if status:
        return status, 0
    if b"\r\ntransfer-encoding:" in lower:
        return 411, 0
    status, octets = _length(lower, _LENGTH)
    return (413, 0) if octets > body_bytes_max else (status, octets)


def measure_stream(head: bytes, *, lines_max: int) -> tuple[int, int | None]:
    """Like `measure`, for a body that is read as it comes: of any length, or chunked, for which the length is None."""
    status, lower = _checked(head, lines_max)
    if status:
        return status, 0
    codings = lower.count(b"\r\ntransfer-encoding:")
    if not codings:
        return _length(lower, _STREAM_LENGTH)
    # Both fields together are how requests are smuggled (RFC 9112 section 6.3).
    if codings > 1 or b"\r\ncontent-length:" in lower or not _CHUNKED.search(lower):
        return 400, 0
    return 0, None


def _checked(head: bytes, lines_max: int) -> tuple[int, bytes]:
    """Checks all but the length of the body. Returns (0, the head in lower case), or (error status, nothing)."""
    if head.count(b"\n") > lines_max:
        return 431, b""
    first, _, fields = head.partition(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None or not _FIELDS.fullmatch(fields):
        return 400, b""
    lower = head.lower()
    hosts = lower.count(b"\r\nhost:")
    if hosts > 1 or (not hosts and line[2] == b"1"):  # RFC 9112 section 3.2
        return 400, b""
    if b"\r\nsec-websocket-key1:" in lower:  # of a draft that nothing uses; the library fails on it
        return 400, b""
    if line[1] not in _METHODS:
        return 405, b""
    if _EXPECT_OTHER.search(lower):
        return 417, b""
    return 0, lower


def _length(lower: bytes, form: re.Pattern[bytes]) -> tuple[int, int]:
    """(0, the length that Content-Length states, 0 without it), or (error status, 0)."""
    lengths = lower.count(b"\r\ncontent-length:")
    if not lengths:
        return 0, 0
    length = form.search(lower)
    return (400, 0) if lengths > 1 or length is None else (0, int(length[1]))


def without_offers(request: bytes) -> bytes:
    """The measured and complete request without the fields Upgrade and Expect, which a server may ignore (RFC 9110
    sections 7.8 and 10.1.1). The library would take the body after an Upgrade for another protocol, parse nothing after
    it, and write "100 Continue" even to a client that has gone."""
    head, end, body = request.partition(HEAD_END)
    lower = head.lower()
    if b"\r\nupgrade:" not in lower and b"\r\nexpect:" not in lower:
        return request
    return _OFFERS.sub(b"", head) + end + body
