"""Notices are shown to their audience, at their place and on their days; authors read what is wrong."""

from dataclasses import replace

import pytest

from node.accounts import notices
from node.accounts.notices import (
    NOBODY_YET,
    PLACE_CHARS_MAX,
    TEXT_CHARS_MAX,
    TITLE_CHARS_MAX,
    Notice,
    NoticeBoard,
    NoticeGone,
    NoticeText,
    Reader,
    notice_findings,
)
from node.accounts.terms import LANGUAGES_MAX

TEXT = NoticeText("ca", "Assemblea", "Divendres a les 19 h.")
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(TEXT,))
MEMBER = Reader(is_online=True, is_member=True, groups=frozenset({"school"}))
GUEST = Reader(is_online=True)


def board(*wishes: Notice) -> NoticeBoard:
    up = NoticeBoard()
    for wish in wishes:
        assert isinstance(up.put_up(wish), Notice)
    return up


def numbers(up: NoticeBoard, reader: Reader = NOBODY_YET, today: str = "2027-03-15") -> list[int]:
    return [each.number for each in up.visible(reader, node="plaza", zones=["centre"], today=today)]


def test_a_notice_is_shown_at_its_place():
    places = ("network", "node:plaza", "node:hill", "zone:centre", "zone:hills", "here")
    assert [6, 4, 2, 1] == numbers(board(*(replace(NOTICE, where=place) for place in places)))


@pytest.mark.parametrize(
    ("audience", "readers"),
    [
        ("everyone", [True, True, True]),
        ("online", [False, True, True]),
        ("guests", [False, True, False]),
        ("members", [False, False, True]),
        ("group:school", [False, False, True]),
        ("group:other", [False, False, False]),
    ],
)
def test_a_notice_is_shown_to_its_audience(audience, readers):
    up = board(replace(NOTICE, audience=audience))
    assert readers == [bool(numbers(up, reader)) for reader in (NOBODY_YET, GUEST, MEMBER)]


@pytest.mark.parametrize(
    ("first", "last", "today", "is_seen"),
    [
        ("", "", "2027-03-15", True),
        ("2027-03-15", "2027-03-15", "2027-03-15", True),
        ("2027-03-16", "", "2027-03-15", False),
        ("", "2027-03-14", "2027-03-15", False),
        ("", "2027-03-14", "", True),
    ],
)
def test_a_notice_is_shown_on_its_days_and_while_the_day_is_unknown(first, last, today, is_seen):
    assert is_seen is bool(numbers(board(replace(NOTICE, first_day=first, last_day=last)), today=today))


def test_urgent_notices_come_first_then_the_newest():
    up = board(NOTICE, replace(NOTICE, is_urgent=True), NOTICE)
    assert [2, 3, 1] == numbers(up) == [notice.number for notice in up.all()]


def test_an_edited_text_keeps_its_number():
    up = board(NOTICE, NOTICE)
    better = replace(NOTICE, number=1, texts=(replace(TEXT, title="Assemblea general"),))
    assert better == up.put_up(better) == up.get(1)
    assert [2, 1] == [notice.number for notice in up.all()]


def test_removing_twice_is_harmless():
    up = board(NOTICE)
    assert (NoticeGone(1),) == up.take_down(1)
    assert () == up.take_down(1)
    assert up.get(1) is None
    assert 2 == up.put_up(NOTICE).number


def test_the_number_of_notices_is_limited(monkeypatch):
    monkeypatch.setattr(notices, "NOTICES_MAX", 1)
    up = board(NOTICE)
    (finding,) = up.put_up(NOTICE)
    assert "remove an old one" in finding.fix
    assert isinstance(up.put_up(replace(NOTICE, number=1, is_urgent=True)), Notice)


@pytest.mark.parametrize(
    "changes",
    [
        {"where": ""},
        {"where": "node:"},
        {"where": "moon:base"},
        {"where": "node:" + "x" * 100},
        {"audience": "cats"},
        {"audience": "group:"},
        {"audience": "group:No Name"},
        {"first_day": "tomorrow"},
        {"last_day": "2027-02-30"},
        {"last_day": "20270301"},
        {"first_day": "2027-03-02", "last_day": "2027-03-01"},
        {"texts": ()},
        {"texts": (TEXT, TEXT)},
        {"texts": (replace(TEXT, language="?"),)},
        {"texts": (replace(TEXT, title=" "),)},
        {"texts": (replace(TEXT, title="x" * (TITLE_CHARS_MAX + 1)),)},
        {"texts": (replace(TEXT, text="x" * (TEXT_CHARS_MAX + 1)),)},
        {"texts": tuple(replace(TEXT, language=f"en-{n:03}") for n in range(30))},
    ],
)
def test_each_fault_is_reported_with_what_to_do_and_nothing_is_published(changes):
    wish = replace(NOTICE, **changes)
    findings = notice_findings(wish)
    assert len(findings) == 1
    assert findings[0].fix
    up = NoticeBoard()
    assert findings == up.put_up(wish)
    assert () == up.all()


def test_a_notice_may_be_as_long_as_its_limits_say():
    long = NoticeText("ca", "x" * TITLE_CHARS_MAX, "x" * TEXT_CHARS_MAX)
    texts = tuple(replace(long, language=f"en-{n:03}") for n in range(LANGUAGES_MAX))
    assert () == notice_findings(replace(NOTICE, where="node:".ljust(PLACE_CHARS_MAX, "x"), texts=texts))


def test_a_valid_notice_has_no_findings():
    assert () == notice_findings(
        replace(NOTICE, first_day="2027-03-01", last_day="2027-03-01", audience="group:school")
    )


def test_notices_are_restored_from_storage():
    up = NoticeBoard()
    up.take([replace(NOTICE, number=4)])
    assert 5 == up.put_up(NOTICE).number


def test_all_published_notices_are_counted_whatever_their_audience():
    up = board(replace(NOTICE, audience="members"))
    assert (0, 1) == (len(NoticeBoard()), len(up))
    up.take_down(1)
    assert len(up) == 0
