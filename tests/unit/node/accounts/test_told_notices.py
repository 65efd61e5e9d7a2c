"""A notice for all nodes says to others what the admin wrote; one of another node is what an admin could have written."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.notices import TEXT_CHARS_MAX, Notice, NoticeText, notice_findings
from node.accounts.told_notices import (
    HEARD_MAX,
    TOLD_BY_NODE_MAX,
    TOLD_BYTES_MAX,
    HeardNotices,
    is_over,
    is_told,
    notice_of_value,
    notice_value,
    telling_findings,
)
from tests.fakes.neighbours import id_of

TEXT = NoticeText("ca", "Assemblea", "Divendres a les 19 h.\nPorteu cadires.")
NOTICE = Notice(3, "network", "everyone", "", "2027-03-31", is_urgent=True, texts=(TEXT,), by="Ana")
HILL, VALLEY, COAST = id_of("hill"), id_of("valley"), id_of("coast")
VALUE = notice_value(NOTICE)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_what_is_said_has_neither_the_admins_name_nor_the_number():
    assert "Ana" not in json.dumps(VALUE)
    assert replace(NOTICE, number=0, by="") == notice_of_value(VALUE)


def test_empty_lines_do_not_push_away_what_is_below():
    lines = "One." + "\r\n \t" * 300 + "\r\n" + "Two.\n\nThree." + "\n" * 300
    told = notice_of_value({**VALUE, "texts": [["ca", "Title", lines]]})
    assert "One.\n\nTwo.\n\nThree." == told.texts[0].text
    wish = replace(NOTICE, texts=(NoticeText("ca", "Title", lines),))
    assert notice_value(told) == notice_value(wish), "what was said is not said again"


@pytest.mark.parametrize(
    "where", ["here", "node:hill", "node:", "zone:", "zone", "", "network ", "zone:\ud800"]
)
def test_only_a_notice_for_other_nodes_is_taken_from_them(where):
    assert notice_of_value({**VALUE, "where": where}) is None


@pytest.mark.parametrize(
    "field",
    [
        {"audience": "kings"},
        {"audience": "group:<b>"},
        {"first_day": "2027-04-01"},
        {"last_day": "20270331"},
        {"last_day": None},
        {"texts": []},
        {"texts": [["ca", "", ""]]},
        {"texts": [["<b>", "Title", ""]]},
        {"texts": [["ca", "Title", "x" * (TEXT_CHARS_MAX + 1)]]},
        {"texts": [["ca", "Title"]]},
        {"texts": [["ca", "Title", 7]]},
        {"texts": [["ca", "One", ""], ["ca", "Two", ""]]},
        {"texts": [[f"q{a}{b}", "T", ""] for a in "abcde" for b in "abcde"]},
        {"texts": {"ca": "x"}},
    ],
)
def test_what_no_admin_could_write_is_none(field):
    assert notice_of_value({**VALUE, **field}) is None


@given(st.dictionaries(st.sampled_from([*VALUE]), anything))
def test_whatever_another_node_says_is_a_valid_notice_or_none(said):
    found = notice_of_value({**VALUE, **said})
    assert found is None or (not notice_findings(found) and is_told(found))
    if found is not None:
        json.dumps(notice_value(found), ensure_ascii=False).encode()
        assert found == notice_of_value(notice_value(found)), "what is said of it again is the same"


@pytest.mark.parametrize("hostile", ["\u202e", "\x1b", "\ud800", "\x00", "\u2066", "\ufeff"])
def test_no_text_controls_a_page_or_a_terminal(hostile):
    rows = [["ca", f"A{hostile}B", f"C{hostile}D"]]
    found = notice_of_value({**VALUE, "texts": rows})
    assert found is not None
    assert ("A B", "C D") == (found.texts[0].title, found.texts[0].text)


def test_a_node_says_at_most_so_much():
    others = [replace(NOTICE, number=number) for number in range(TOLD_BY_NODE_MAX - 1)]
    assert () == telling_findings(NOTICE, others)
    (finding,) = telling_findings(NOTICE, [*others, NOTICE])
    assert "only at this node" in str(finding.fix)
    assert () == telling_findings(replace(NOTICE, where="here"), [*others, NOTICE])
    assert () == telling_findings(NOTICE, [replace(NOTICE, where="here")] * 50)


def test_a_node_says_at_most_so_many_bytes():
    texts = tuple(NoticeText(tag, "Títol", "é" * TEXT_CHARS_MAX) for tag in ("ca", "es", "fr", "en", "ar"))
    long = replace(NOTICE, texts=texts)
    assert len(json.dumps(notice_value(long), ensure_ascii=False).encode()) > TOLD_BYTES_MAX // 2
    assert () == telling_findings(long, [])
    assert telling_findings(long, [long])


def test_a_notice_is_over_after_its_last_day_if_the_day_is_known():
    assert [False, False, True] == [is_over(NOTICE, today) for today in ("", "2027-03-31", "2027-04-01")]
    assert not is_over(replace(NOTICE, last_day=""), "2099-01-01")


def title(text: str, *, urgent: bool = False) -> Notice:
    return replace(NOTICE, texts=(NoticeText("en", text, ""),), is_urgent=urgent)


def heard(board: HeardNotices) -> list[str]:
    return [each.texts[0].title for each in board.all()]


def test_a_notice_has_the_name_of_its_node_until_that_withdraws_it_or_is_removed():
    board = HeardNotices()
    board.name_of = {HILL: "hill", VALLEY: "valley"}.__getitem__
    board.hear(HILL, 0, title("one"))
    board.hear(VALLEY, 0, title("two"))
    assert {("hill", "one"), ("valley", "two")} == {(each.node, each.texts[0].title) for each in board.all()}
    board.hear(HILL, 0, title("three"))
    assert {"three", "two"} == set(heard(board))
    board.hear(HILL, 0, None)
    assert ["two"] == heard(board)
    board.drop(VALLEY)
    assert [] == heard(board)
    assert 0 == len(board)


def test_a_node_that_says_everything_is_urgent_leaves_room_for_the_others():
    board = HeardNotices()
    for part in range(TOLD_BY_NODE_MAX):
        board.hear(HILL, part, title(f"hill {part}", urgent=True))
    board.hear(VALLEY, 15, title("valley", urgent=True))
    board.hear(COAST, 15, title("coast"))
    assert "valley" in heard(board)[:2]
    assert "coast" == heard(board)[-1]


def test_a_flood_of_notices_leaves_those_that_each_node_says_first():
    board = HeardNotices()
    nodes = [id_of(f"node-{number}") for number in range(20)]
    for node in nodes:
        for part in range(TOLD_BY_NODE_MAX):
            board.hear(node, part, title(f"{part}"))
    assert HEARD_MAX == len(board)
    board.hear(COAST, 9, title("coast"))
    assert HEARD_MAX == len(board)
    assert "coast" in heard(board)
