"""A notice page says one notice for all nodes, or that it was withdrawn."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.messages import FRAME_BYTES_MAX
from mesh.notice_kind import (
    NOTICE_PARTS,
    NoticeContent,
    notice_body,
    notice_content,
    notice_label,
    part_of_notice,
)
from mesh.page_format import LABEL, Malformed, canonical
from mesh.page_kind import Unread
from mesh.page_kinds import page_content
from mesh.registry_kind import VALUE_BYTES_MAX
from node.accounts.notices import Notice, NoticeText
from tests.fakes.mesh_exchange import an_other_page

NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(NoticeText("en", "Hello", "a\nb"),))
VECTOR = (
    b'{"day":"2026-11-25","notice":{"audience":"everyone","first_day":"","last_day":"",'
    b'"texts":[["en","Hello","a\\nb"]],"urgent":false,"where":"network"}}'
)


def test_the_vector_of_the_protocol():
    content = NoticeContent("2026-11-25", NOTICE)
    assert VECTOR == notice_body(content)
    assert content == notice_content(VECTOR)
    assert content == notice_content(VECTOR.replace(b'"day"', b'"brand":[1],"day"')), (
        "a field of later versions"
    )
    assert b'{"day":"","notice":{}}' == notice_body(NoticeContent("", None))
    assert NoticeContent("", None) == notice_content(b'{"day":"","notice":{}}')


@pytest.mark.parametrize("part", range(NOTICE_PARTS))
def test_a_label_names_its_part(part):
    assert LABEL.fullmatch(notice_label(part))
    assert part == part_of_notice(notice_label(part))


@pytest.mark.parametrize("label", ["notice/now/0016", "notice/then/0001", "batch/now/0001"])
def test_other_labels_name_none(label):
    assert part_of_notice(label) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"day":"2026-11-25"}',
        b'{"day":"unknown","notice":{}}',
        b'{"notice":{}}',
        b'{"day":"","notice":[]}',
        VECTOR.replace(b'"network"', b'"here"'),
        VECTOR.replace(b'"a\\nb"', b'"' + b"x" * VALUE_BYTES_MAX + b'"'),
        VECTOR.replace(b'"a\\nb"', b"[" * 4000 + b"]" * 4000),
    ],
)
def test_what_cannot_be_read_is_no_notice(body):
    assert isinstance(notice_content(body), Malformed)


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: canonical({"day": "", "notice": v}))
)
def test_no_body_raises(body):
    assert isinstance(notice_content(body), Malformed | NoticeContent)


def test_a_page_of_another_part_or_period_is_kept_and_not_read():
    for period, part, body in (("now", NOTICE_PARTS, VECTOR), ("then", 0, VECTOR), ("now", 0, b"{}")):
        page = an_other_page(kind="notice", period=period, part=part, body=body, name="hill", seq=1)
        assert Unread() == page_content(page)
    page = an_other_page(kind="notice", period="now", part=1, body=VECTOR, name="hill", seq=1)
    assert NoticeContent("2026-11-25", NOTICE) == page_content(page)


def test_the_greatest_notice_fits_into_a_frame():
    fields = json.loads(VECTOR)
    assert len(canonical(fields)) + VALUE_BYTES_MAX + 2048 < FRAME_BYTES_MAX
