"""Events in words."""

from pathlib import Path
from typing import get_args

import pytest

from node.accounts.events import EVENT_KINDS, AccountKind, Event
from node.app.event_words import WHAT, about_words, by_text, kinds_with
from node.translator import ENGLISH
from node.units import AccountId


def event(kind: str, **more: object) -> Event:
    return Event("k", 0, "", "admin", kind, AccountId(""), **more)  # type: ignore[arg-type]


def test_every_kind_has_words_of_its_own():
    assert set(EVENT_KINDS) == set(WHAT)
    assert len(WHAT) == len(set(WHAT.values()))


def test_every_kind_is_made_somewhere():
    code = "".join(path.read_text() for path in (Path(__file__).parents[4] / "node").rglob("*.py"))
    named_only = {
        kind for kind in EVENT_KINDS if code.count(f'"{kind}"') < len(("the list", "its words", "its maker"))
    }
    assert set() == named_only


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("vouchers-issued", {"about": "7", "count": 40}, ("batch 7", "40 vouchers")),
        ("rules-adopted", {"about": "3"}, ("version 3",)),
        ("blocked", {"count": 2}, ("2 devices",)),
        ("blocked", {}, ()),
        ("sign-in-failed", {"about": "ana", "count": 12}, ("\u2068ana\u2069", "12 times")),
        ("access-removed", {"about": "issuer Pere"}, ("issuer Pere",)),
        ("terms-saved", {"about": "2"}, ("\u20682\u2069",)),
    ],
)
def test_an_event_says_what_it_concerns_and_how_many(
    kind: str, more: dict[str, object], said: tuple[str, ...]
) -> None:
    assert said == about_words(event(kind, **more))


def test_the_node_and_people_are_told_apart():
    assert ("the node", "admin Ana", "admin") == (by_text(""), by_text("admin Ana"), by_text("admin"))


def test_a_search_means_the_words_that_a_reader_sees():
    assert {"blocked", "unblocked"} == set(kinds_with(" BLOCKED ", ENGLISH))
    assert () == kinds_with("", ENGLISH)
    assert "message-sent" in get_args(AccountKind)
