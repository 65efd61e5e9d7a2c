"""The form of one rule, from a draft and back."""

import pytest

from node.admin.rule_form import RuleForm, apply_form, by_blank, new_rules, rule_form
from node.app.admin import RuleOptions
from node.errors import Finding
from node.governance.rule_edit import HEADING, NEW_RULES
from tests.unit.node.governance.test_rule_edit import FILE, draft_of

OPTIONS = RuleOptions(("everyone", "tier:guest", "group:school"), ("library", "mill"))


def opened(name: str, text: str = FILE, **typed: str) -> RuleForm:
    form = rule_form(draft_of(text), name, OPTIONS, typed=typed)
    assert form is not None
    return form


def test_menus_offer_what_there_is_in_words_and_what_the_rule_says():
    form = opened("guest-top", FILE.replace('"tier:guest"', '["group:a", "group:b", "group:c"]'))
    assert ("everyone", "all people") in form.people
    assert ("group:a", "people in the group a") in form.people
    assert ("group:b, group:c", "people in the group b and people in the group c") in form.people
    units = ["kbit/s", "Mbit/s", "Gbit/s"]
    assert [(unit, unit) for unit in units] == [
        (value, text.strip()) for value, text in form.options("up_unit")
    ]
    quota = FILE + '[[rule]]\nid = "q"\nquota = "9 kB per 12 days"\nthen = "tell"\nwho = "x"\nby = "D-1"\n'
    form = opened("q", quota)
    assert ("kB", "kB") in form.options("volume_unit")
    assert ("12 days", "12 days") in form.options("period")
    assert ("tell", "they are told, and nothing else") in form.options("then")
    assert ("x", "x") in form.people, "a mistake is shown as it was written"


def test_only_rules_with_the_same_effect_can_be_replaced():
    assert (("guest-night", "guest-night"),) == opened("guest-top").others
    assert () == opened("a", '[[rule]]\nid = "a"\nshare = 1\n[[rule]]\nid = "b"\ndevices = 1\n').others
    lost = FILE.replace('exception_to = "guest-top"', 'exception_to = "lost"')
    assert ("lost", "lost") in opened("guest-night", lost).others


def test_a_line_is_asked_for_only_where_there_are_several():
    line = '[uplink.{}]\ndown = "9 Mbit/s"\nup = "9 Mbit/s"\n'
    first = FILE if "[uplink." in FILE else FILE + line.format("main")
    assert () == opened("guest-top", first).uplinks
    several = first + line.format("mill")
    assert (("main", "main"), ("mill", "mill")) == opened("guest-top", several).uplinks
    edit = apply_form(draft_of(several), {"rule": "guest-top", "uplink": "mill"})
    assert 'uplink = "mill"' in edit.text
    assert several == apply_form(draft_of(edit.text), {"rule": "guest-top", "uplink": ""}).text
    both = opened("guest-top", edit.text.replace('uplink = "mill"', 'uplink = ["main", "mill"]'))
    assert ("main, mill", "main, mill") in both.uplinks


def test_what_was_typed_is_shown_again():
    form = opened("guest-top", down="five", nothing="7")
    assert ("five", "1") == (form.form.value("down"), form.form.value("up"))
    assert "nothing" not in form.form.values
    assert rule_form(draft_of(), "nobody", OPTIONS) is None


def test_a_term_of_a_decision_is_no_day():
    assert opened("guest-top").has_day("expires")
    assert not opened("guest-top", expires="D-1 + 12 months").has_day("expires")


def test_findings_stand_at_the_blanks_of_their_rule():
    found = [
        Finding("E01", 1, "One.", "fix"),
        Finding("W01", 2, "Two.", "fix"),
        Finding("E01", 0, "Three.", "f"),
    ]
    places = {found[0]: ("a", "down"), found[1]: ("b", HEADING)}
    assert {"down": (found[0],)} == by_blank(found, places, "a")
    assert {HEADING: (found[1],)} == by_blank(found, places, "b")
    assert {} == by_blank(found, places, "")


@pytest.mark.parametrize(
    ("fields", "shown", "has_changed"),
    [
        ({"change": "guest-night"}, "guest-night", False),
        ({"rule": "guest-top", "change": "guest-night", "down": "4"}, "guest-night", True),
        ({"rule": "guest-top", "do": "check", "down": "4"}, "guest-top", True),
        ({"rule": "guest-top", "do": "close", "down": "4"}, "", True),
        ({"rule": "guest-top", "do": "exception", "down": "4"}, "guest-top-except", True),
        ({"rule": "guest-top", "do": "new", "effect": "share"}, "share", True),
        ({"do": "new", "effect": "ceiling"}, "ceiling", True),
        ({"rule": "guest-night", "do": "remove", "start": "nonsense"}, "", True),
        ({"do": "check", "down": "4"}, "", False),
    ],
)
def test_a_button_is_obeyed_after_the_blanks_were_filled_in(fields, shown, has_changed):
    edited = apply_form(draft_of(), fields)
    assert ({}, shown) == (edited.refused, edited.opened)
    assert has_changed == (edited.text != FILE)
    assert ('"4 Mbit/s down' in edited.text) == (fields.get("down") == "4" and "rule" in fields)


@pytest.mark.parametrize("do", ["check", "close", "exception", "new", "save"])
def test_a_blank_that_cannot_be_read_keeps_the_draft_and_its_rule_open(do):
    edited = apply_form(draft_of(), {"rule": "guest-top", "do": do, "down": "five", "effect": "share"})
    assert (FILE, "guest-top", {"down"}) == (edited.text, edited.opened, edited.refused.keys())
    assert edited.typed is not None
    assert "five" == edited.typed["down"]


def test_somebody_who_adds_a_rule_chooses_among_all_effects():
    assert list(NEW_RULES) == [effect for effect, _ in new_rules()]
