"""Batch pages say which vouchers a node issued, by their accounts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.batch_kind import (
    BATCH_PARTS,
    PART_BYTES_MAX,
    BatchContent,
    BatchSaid,
    batch_body,
    batch_content,
    batch_label,
    batch_part,
    batches_by_part,
)
from mesh.messages import FRAME_BYTES_MAX, HEAD_BYTES_MAX
from mesh.page_format import LABEL, Malformed

ACCOUNTS = "aaaaaaaaaaaabbbbbbbbbbbb"
SAID = BatchSaid(7, "2026-11-24", "day-pass", 86_400_000, 3, ACCOUNTS)
VECTOR = b'{"batches":[[7,"2026-11-24","day-pass",86400000,3,"aaaaaaaaaaaabbbbbbbbbbbb"]],"day":"2026-11-25"}'


def test_the_vector_of_the_protocol():
    content = BatchContent("2026-11-25", (SAID,))
    assert VECTOR == batch_body(content)
    assert content == batch_content(VECTOR)
    assert content == batch_content(VECTOR.replace(b'"day"', b'"brand":[1],"day"')), (
        "a field of later versions"
    )
    assert "batch/now/0007" == batch_label(batch_part(7))
    assert LABEL.fullmatch(batch_label(BATCH_PARTS - 1))


short = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=12, max_size=12)
batches = st.builds(
    BatchSaid,
    st.integers(1, 10**9),
    st.sampled_from(["", "2026-11-24"]),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True),
    st.integers(600_000, 400 * 86_400_000),
    st.integers(0, 50),
    st.sets(short, min_size=1, max_size=30).map(lambda some: "".join(sorted(some))),
)


@given(st.lists(batches, max_size=5, unique_by=lambda said: said.number), st.sampled_from(["", "2026-11-24"]))
def test_what_is_written_is_read(some, day):
    content = BatchContent(day, tuple(sorted(some, key=lambda said: said.number)))
    assert content == batch_content(batch_body(content))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, 0),
        (0, True),
        (0, 10**9 + 1),
        (1, "unknown"),
        (1, "2026-02-30"),
        (2, "Day pass"),
        (2, "x" * 41),
        (2, ""),
        (3, 599_999),
        (3, 400 * 86_400_000 + 1),
        (3, 1e9),
        (4, -1),
        (4, 51),
        (5, ""),
        (5, ACCOUNTS[:-1]),
        (5, "bbbbbbbbbbbbaaaaaaaaaaaa"),
        (5, "aaaaaaaaaaaaaaaaaaaaaaaa"),
        (5, "a" * 11 + "1"),
        (
            5,
            "".join(
                sorted(f"{number:012d}".translate(str.maketrans("0189", "abcd")) for number in range(961))
            ),
        ),
        (5, None),
    ],
)
def test_a_batch_that_no_node_writes_is_refused(place, value):
    fields = json.loads(VECTOR)
    fields["batches"][0][place] = value
    assert isinstance(batch_content(json.dumps(fields).encode()), Malformed)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"batches":{},"day":""}',
        b'{"batches":[],"day":"unknown"}',
        b'{"batches":[]}',
        b'{"batches":[1],"day":""}',
        VECTOR.replace(b"]]", b'],[7,"","day-pass",86400000,3,"cccccccccccc"]]'),
    ],
)
def test_a_page_that_no_node_writes_is_refused(body):
    assert isinstance(batch_content(body), Malformed)


@given(
    st.lists(batches, max_size=40, unique_by=lambda said: said.number),
    st.integers(0, 60_000),
    st.integers(600, 2_000),
)
def test_what_does_not_fit_is_counted_and_the_newest_fit_first(some, most, least):
    parts, left_out = batches_by_part(some, most, least)
    fitting = [each for listed in parts.values() for each in listed]
    assert len(some) == len(fitting) + left_out
    assert all(batch_part(each.number) == part for part, listed in parts.items() for each in listed)
    assert most >= sum(
        max(least, 600 + len(batch_body(BatchContent("", listed))) - 40) for listed in parts.values()
    )
    assert all(list(listed) == sorted(listed, key=lambda said: said.number) for listed in parts.values())
    if some and left_out == 0:
        assert max(each.number for each in some) in {each.number for each in fitting}


def test_a_page_of_large_batches_fits_into_a_frame():
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    full = "".join(sorted(f"{alphabet[n // 32]}{alphabet[n % 32]}aaaaaaaaaa" for n in range(960)))
    large = [BatchSaid(16 * n, "2026-11-24", "x" * 40, 400 * 86_400_000, 50, full) for n in range(1, 9)]
    parts, left_out = batches_by_part(large, 10**6, 1024)
    assert (4, {0: 4}) == (left_out, {part: len(listed) for part, listed in parts.items()})
    body = batch_body(BatchContent("2026-11-24", parts[0]))
    assert PART_BYTES_MAX > len(body)
    assert len(body) + HEAD_BYTES_MAX + 600 < FRAME_BYTES_MAX
    assert isinstance(batch_content(body), BatchContent)
