"""The page with rules that do not bind yet, from the data of the service."""

import asyncio

import pytest

from captive_portal.next_rules_page import NextRulesPage, next_rules
from captive_portal.request_context import SENTENCE_CHARACTERS_MAX
from node.accounts.rule_objections import RuleObjection
from node.app.next_rules import NextRulesService, NextRulesView, OwnRules
from node.app.views import NextRules
from node.units import AccountId
from tests.fakes.portal_server import context, rendered

WAITING = NextRulesView(
    NextRules("waiting", 4),
    by="admin Ana",
    at="2026-12-01T06:00",
    objections=1,
    needed=2,
    accounts=8,
    verdict="One thing changes.",
    changes=("Members: less instead of more.", "x" * (SENTENCE_CHARACTERS_MAX + 1)),
)
OBJECTION = RuleObjection(AccountId("ana"), 4, "f4", "2026-11-24", "I work at night.")


def page(view: NextRulesView, monkeypatch: pytest.MonkeyPatch, **more: str) -> NextRulesPage:
    async def shown(*_: object) -> NextRulesView:
        return view

    monkeypatch.setattr(NextRulesService, "view", shown)
    request = context(path="/rules/next")
    return asyncio.run(next_rules(request, **more))  # type: ignore[arg-type]


def test_a_reader_without_a_session_gets_no_token_and_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    made = page(WAITING, monkeypatch)
    assert ("", ()) == (made.token, made.own_changes)
    assert b'<form method="post" action="/rules' not in rendered(made)


def test_long_sentences_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    made = page(WAITING, monkeypatch)
    assert [30, SENTENCE_CHARACTERS_MAX] == [len(each) for each in made.changes]


def test_what_a_member_wrote_stands_in_the_form_unless_they_type_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = OwnRules(("You: less.",), can_object=True, objection=OBJECTION)
    view = NextRulesView(WAITING.note, at=WAITING.at, verdict="One thing changes.", own=own)
    made = page(view, monkeypatch)
    assert made.token
    assert b"I work at night.</textarea>" in rendered(made)
    again = page(view, monkeypatch, reason="old", text="Other words.")
    assert b"Other words.</textarea>" in rendered(again)
    assert b'role="alert"' in rendered(again)


def test_an_unknown_deed_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "" == (page(WAITING, monkeypatch, deed="everything")).deed
