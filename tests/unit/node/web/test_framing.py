"""Framing of one HTTP request, from bytes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.web.framing import REFUSALS, dated, measure, measure_stream

LINES_MAX, BODY_BYTES_MAX = 64, 16_384


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", (0, 0)),
        (b"HEAD /x?y=%20 HTTP/1.0\r\nHost: a", (0, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 ", (0, 12)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 16384", (0, 16384)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 16385", (413, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999", (400, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: -1", (400, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10", (400, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length:", (400, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5", (400, 0)),
        (b"POST /join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", (411, 0)),
        (b"PUT / HTTP/1.1\r\nHost: a", (405, 0)),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue \r\nContent-Length: 5", (0, 5)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nexpect: 100-continue, x", (417, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: x", (417, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect:", (417, 0)),
        (b"GET http://captive.apple.com/x HTTP/1.1\r\nHost: a", (0, 0)),
        (b"GET http://captive.apple.com:80 HTTP/1.1\r\nHost: a", (0, 0)),
        (b"GET http://captive.apple.com:99999/ HTTP/1.1\r\nHost: a", (400, 0)),
        (b"GET http://xn--zz-/ HTTP/1.1\r\nHost: a", (400, 0)),
        (b"GET http://a.xn--/ HTTP/1.1\r\nHost: a", (400, 0)),
        (b"GET http://[::/ HTTP/1.1\r\nHost: a", (400, 0)),
        (b"GET http://ana@a/ HTTP/1.1\r\nHost: a", (400, 0)),
        (b"GET * HTTP/1.1\r\nHost: a", (400, 0)),
        (b"PRI * HTTP/2.0", (400, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00", (400, 0)),
        (b"GET /\xff HTTP/1.1\r\nHost: a", (400, 0)),
        (b"get / HTTP/1.1\r\nHost: a", (400, 0)),
        (b"\x16\x03\x01\x02\x00\x01\x00", (400, 0)),
        (b"", (400, 0)),
        (b"GET / HTTP/1.1", (400, 0)),
        (b"GET / HTTP/1.0", (0, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b", (400, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-Host: b", (0, 0)),
        (b"GET / HTTP/1.1\r\nHost : a", (400, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: yes", (400, 0)),
        (b"GET / HTTP/1.1\r\nHost: a\nX: y", (400, 0)),
        (b"GET / HTTP/1.1\r\nHost: \xff\xfe", (0, 0)),
        (b"GET / HTTP/1.1\r\nHost: a" + b"\r\nx: y" * 65, (431, 0)),
    ],
)
def test_the_size_of_a_head_is_checked_before_it_is_parsed(head: bytes, expected: tuple[int, int]) -> None:
    assert expected == measure(head, lines_max=LINES_MAX, body_bytes_max=BODY_BYTES_MAX)


@given(st.binary(max_size=300))
def test_no_bytes_raise(head: bytes) -> None:
    status, octets = measure(head, lines_max=LINES_MAX, body_bytes_max=BODY_BYTES_MAX)
    assert status in {0, 400, 405, 411, 413, 417, 431}
    assert 0 <= octets <= BODY_BYTES_MAX


@pytest.mark.parametrize("status", REFUSALS)
def test_an_error_carries_the_date_and_is_otherwise_the_same(status: int) -> None:
    date = b"Tue, 24 Nov 2026 12:00:00 GMT"
    first, second, *rest = dated(REFUSALS[status], date).split(b"\r\n")
    assert b"Date: " + date == second
    assert REFUSALS[status] == b"\r\n".join((first, *rest))


def test_an_error_is_a_complete_response_and_allow_is_sent_with_405_only() -> None:
    for status, answer in REFUSALS.items():
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        assert first == f"HTTP/1.1 {status} {body.decode().strip()}"
        assert int(fields["Content-Length"]) == len(body)
        assert ("GET, HEAD, POST" if status == 405 else None) == fields.get("Allow")
        assert "close" == fields["Connection"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", (0, 0)),
        (b"\r\nContent-Length: 8000000000", (0, 8_000_000_000)),
        (b"\r\nTransfer-Encoding: chunked", (0, None)),
        (b"\r\nTransfer-Encoding:  Chunked ", (0, None)),
        (b"\r\nTransfer-Encoding: gzip", (400, 0)),
        (b"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", (400, 0)),
        (b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 4", (400, 0)),
        (b"\r\nContent-Length: 4\r\nContent-Length: 4", (400, 0)),
        (b"\r\nContent-Length: 9999999999999999", (400, 0)),
        (b"\r\nExpect: 200-maybe", (417, 0)),
        (b"\r\nhost: b", (400, 0)),
    ],
)
def test_the_body_of_a_stream_has_one_length_or_is_chunked(
    fields: bytes, expected: tuple[int, int | None]
) -> None:
    head = b"POST /upload HTTP/1.1\r\nHost: a" + fields
    assert expected == measure_stream(head, lines_max=LINES_MAX)
