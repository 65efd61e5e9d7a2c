"""The wire format: encoding and decoding are inverse, and malformed input changes nothing."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.messages import (
    Changed,
    Encodable,
    Graft,
    Have,
    Hello,
    Keepalive,
    PageNames,
    Prune,
    Root,
    Streams,
    TimeAnswer,
    TimeRequest,
    Unknown,
    decode,
    encode,
)
from mesh.page_format import Malformed, Page
from mesh.pages import UsagePages
from mesh.usage_kind import usage_rows
from node.units import AccountId
from tests.fakes.neighbours import TODAY, bucket, id_of, key_of

HILL = id_of("hill")
HELLO = Hello(1, "the-village", HILL, "Hill", "0123456789abcdef")
HAVE = Have(HILL, "life-1", "", "~", (("usage/2026-11-24/0000", 7, "00ff00ff00ff00ff"),), asks=True)
STREAMS = Streams("", "~", ((HILL, "life-1", "0" * 32),))


def a_page(**amounts: int) -> Page:
    pages = UsagePages(key_of("hill"), "the-village", "life-1")
    for account, down in (amounts or {"ana": 5}).items():
        pages.note(TODAY, AccountId(account), bucket(down))
    return next(pages.write())


@pytest.mark.parametrize(
    "message",
    [
        HELLO,
        Keepalive(),
        TimeRequest(),
        TimeAnswer(1_795_600_000, 2),
        PageNames(("0" * 16,)),
        Graft(()),
        Changed("0" * 32, ()),
        Prune(),
        Root("f" * 32),
        STREAMS,
        HAVE,
    ],
)
def test_an_encoded_message_decodes_to_the_same(
    message: Encodable,
) -> None:
    assert message == decode(encode(message))


def test_a_page_keeps_exactly_the_bytes_that_its_author_signed() -> None:
    page = a_page(ana=5, ben=6)
    assert page == decode(page.raw)
    assert page.raw.startswith(page.signed)
    assert ((AccountId("ana"), bucket(5)), (AccountId("ben"), bucket(6))) == usage_rows(page.body)
    assert f"{HILL}/life-1/usage/2026-11-24/0000" == page.name


@given(st.binary(max_size=300))
def test_no_bytes_raise(frame: bytes) -> None:
    assert isinstance(decode(frame), Malformed | Unknown)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=60)
    | st.just(HILL)
    | st.just("f" * 32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["v", "community", "node", "name", "boot", "digest", "after", "upto", "streams", "author", "incarnation",
        "pages", "asks", "kind", "period", "part", "seq", "rows", "can", "machine", "unix", "hops", "digests"]  # fmt: skip
KINDS = [
    "hello",
    "beat",
    "names",
    "graft",
    "changed",
    "prune",
    "when",
    "time",
    "root",
    "streams",
    "have",
    "page",
]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS), VALUES), st.booleans(), st.booleans())
def test_no_fields_raise(kind: str, fields: dict[str, object], signed: bool, real: bool) -> None:
    """Any JSON at any place, in a valid message or alone, with or without the shape of a page."""
    whole = (
        json.loads(encode({"hello": HELLO, "streams": STREAMS, "have": HAVE}.get(kind, Keepalive())))
        if real
        else {}
    )
    frame = json.dumps(whole | {"is": kind} | fields).encode("utf-8", "replace")
    if signed:
        frame += b"\n" + frame + b"\n" + b"0" * 128
    decode(frame)
    usage_rows(frame)


def without(key: str) -> Callable[[dict[str, object]], dict[str, object]]:
    return lambda fields: {name: value for name, value in fields.items() if name != key}


@pytest.mark.parametrize("message", [HELLO, TimeAnswer(1, 2), Root("f" * 32), STREAMS, HAVE])
def test_every_field_is_required(message: Hello | TimeAnswer | Root | Streams | Have) -> None:
    fields = json.loads(encode(message))
    for key in fields:
        answer = decode(json.dumps(without(key)(fields)).encode())
        assert isinstance(answer, Malformed), key


def test_a_message_of_a_later_version_with_more_fields_is_understood() -> None:
    fields = json.loads(encode(HELLO)) | {"languages": ["ca"]}
    assert HELLO == decode(json.dumps(fields).encode())
    assert Unknown("dance") == decode(b'{"is":"dance"}')


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"x" * (64 * 1024 + 1), "larger than"),
        (b"x" * 2000 + b"\n{}\n", "head larger than"),
        (b"\xff", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b'{"is":"root","is":"root"}', "not JSON"),
        (b'{"is":' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"a":1}', "no message kind"),
        (b'{"is":"root","digest":"F"}', "without a digest"),
    ],
)
def test_the_error_names_what_is_wrong(frame: bytes, reason: str) -> None:
    answer = decode(frame)
    assert isinstance(answer, Malformed)
    assert reason in answer.reason


@pytest.mark.parametrize("name", ["", "x" * 65, "bell\a", "e\u0301", "\u202egnp", "line\n"])
def test_a_name_is_printable_normalized_and_short(name: str) -> None:
    fields = json.loads(encode(HELLO)) | {"name": name}
    assert isinstance(decode(json.dumps(fields).encode()), Malformed)


@pytest.mark.parametrize(
    "changed",
    [{"v": 2}, {"kind": "Vote"}, {"kind": "v" * 17}, {"kind": ""},
     {"period": "2026-13-01"}, {"period": "20261124"}, {"part": -1}, {"part": 1000},
     {"seq": 1.0}, {"seq": True}, {"seq": 2**53}, {"author": HILL.upper()}, {"incarnation": "a/b"},
     {"incarnation": ""}, {"is": "hello"}],
)  # fmt: skip
def test_a_page_with_an_invalid_head_is_malformed(changed: dict[str, object]) -> None:
    head, body, signature = a_page().raw.split(b"\n")
    fields = json.loads(head) | changed
    assert isinstance(decode(b"\n".join((json.dumps(fields).encode(), body, signature))), Malformed)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n" + b"0" * 127, b"\n" + b"G" * 128, b"\n" + b"A" * 128])
def test_a_page_without_its_signature_line_is_malformed(end: bytes) -> None:
    assert isinstance(decode(a_page().signed + end), Malformed)
