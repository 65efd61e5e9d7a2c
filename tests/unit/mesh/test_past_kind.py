"""The page kind `past`: valid bodies are read, others refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.page_format import Malformed
from mesh.past_kind import past_of
from mesh.usage_kind import PageContent

ROW, COVER = '["1-a","ana",1,2,0,0]', '["1-a","usage/2026-11-24/0000",7]'


def past_text(rows: str = ROW, covers: str = COVER) -> bytes:
    return f'{{"covers":[{covers}],"rows":[{rows}]}}'.encode()


def test_a_pages_records_about_earlier_incarnations_are_read() -> None:
    past = past_of(past_text(), "2026-11-24")
    assert isinstance(past, PageContent)
    assert ("1-a", "ana", 3) == (past.rows[0][0], past.rows[0][1], past.rows[0][2].uplink.total)
    assert (("1-a", "usage/2026-11-24/0000", 7),) == past.covers
    for body in (past_text(rows=""), past_text(covers="")):
        assert isinstance(past_of(body, "2026-11-24"), PageContent)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"rows":[]}',
        past_text("", ""),
        past_text(f"{ROW},{ROW}"),
        past_text(ROW, f"{COVER},{COVER}"),
        past_text('["1-a","ben",1,2,0,0],["1-a","ana",1,2,0,0]'),
        past_text('["1-a","ana",1,2,0]'),
        past_text('["1 a","ana",1,2,0,0]'),
        past_text('["1-a","ana",-1,2,0,0]'),
        past_text('[["1-a"],"ana",1,2,0,0]'),
        past_text(ROW, '["1-a","usage/2026-11-23/0000",7]'),
        past_text(ROW, '["1-a","usage/2026-11-24/0",7]'),
        past_text(ROW, '["1-a","usage/2026-11-24/0000",-7]'),
        past_text(ROW, '["1-a","usage/2026-11-24/0000"]'),
        past_text(",".join(f'["{n:04d}-a","ana",1,2,0,0]' for n in range(1_001))),
        past_text(ROW, ",".join(f'["{n:04d}-a","usage/2026-11-24/0000",1]' for n in range(1_001))),
    ],
)
def test_invalid_records_about_earlier_incarnations_are_refused(body: bytes) -> None:
    assert isinstance(past_of(body, "2026-11-24"), Malformed)


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda each: (
        st.lists(each, max_size=4) | st.dictionaries(st.sampled_from(["rows", "covers"]), each, max_size=2)
    ),
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_body_about_earlier_incarnations_raises(body: bytes) -> None:
    past_of(body, "2026-11-24")
