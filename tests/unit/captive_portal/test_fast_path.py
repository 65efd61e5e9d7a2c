"""Which requests are plain enough to be answered without the HTTP library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal.fast_path import FastPath, FastRequest, fast_request
from node.web.framing import measure

PHONE = b"GET /x?y HTTP/1.1\r\nHost: a.example\r\naccept-LANGUAGE:\tca, es;q=0.5 \r\nConnection: Keep-Alive"


def test_a_phones_request_is_plain() -> None:
    assert fast_request(PHONE) == FastRequest("/x?y", "a.example", "ca, es;q=0.5")
    assert fast_request(b"GET / HTTP/1.1\r\nhost:a") == FastRequest("/", "a", "")


@pytest.mark.parametrize(
    "head",
    [
        b"HEAD / HTTP/1.1\r\nHost: a",
        b"GET / HTTP/1.0\r\nHost: a",
        b"GET http://a/ HTTP/1.1\r\nHost: a",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c",
        b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue",
        b"GET / HTTP/1.1\r\nHost: \xc3\xa9",
    ],
)
def test_any_unusual_request_goes_to_the_library(head: bytes) -> None:
    assert fast_request(head) is None


@given(st.lists(st.tuples(st.sampled_from(["Host", "hOST", "Accept-Language", "X", "Connection"]),
                          st.text("abc,;=. -", max_size=12)), max_size=6))  # fmt: skip
def test_a_field_is_read_as_it_is_and_never_from_another(fields: list[tuple[str, str]]) -> None:
    head = "\r\n".join(["GET / HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]).encode()
    first = {}
    for name, value in fields:
        first.setdefault(name.lower(), value.strip())
    is_refused = measure(head, lines_max=64, body_bytes_max=0)[0]
    if is_refused or first.get("connection", "") not in {"", "keep-alive"}:
        return
    found = fast_request(head)
    assert found is not None
    assert [found.host, found.accept_language] == [first.get("host", ""), first.get("accept-language", "")]


@given(st.binary(max_size=200))
def test_no_bytes_raise(head: bytes) -> None:
    found = fast_request(b"GET /" + head)
    assert found is None or found.target.startswith("/")


def test_a_response_has_its_length_and_date() -> None:
    heads = FastPath()
    for body in (b"page", b"", b"another"):
        answer = heads.answer(200, (("A", "b"),), body, b"Thu, 01 Jan 1970 00:00:00 GMT")
        date = b"Date: Thu, 01 Jan 1970 00:00:00 GMT"
        length = b"Content-Length: %d" % len(body)
        assert answer == b"\r\n".join([b"HTTP/1.1 200 OK", b"A: b", length, date, b"", body])
