"""The forms of a line and of the charter: each blank once, and with what was typed."""

import pytest

from node.admin.table_form import table_form
from node.errors import Finding
from node.governance.rule_edit import read_draft
from node.governance.table_blanks import blanks_of
from tests.fakes.admin_pages import RULES


def draft():
    found = read_draft(RULES)
    assert not isinstance(found, Finding)
    return found


@pytest.mark.parametrize("table", ["uplink.main", "charter"])
def test_the_form_has_each_blank_of_its_table(table):
    found = table_form(draft(), table, 1)
    shown = set[str]()
    for each in (each for group in found.groups for each in group.fields):
        shown |= {
            "rates": {f"{each.name}{way}{unit}" for way in ("down", "up") for unit in ("", "_unit")},
            "amount": {each.name, f"{each.name}_unit"},
        }.get(each.kind, {each.name})
    assert blanks_of(table, {}).keys() == shown == found.form.values.keys()


def test_what_was_typed_is_shown_again_and_nothing_else():
    found = table_form(draft(), "uplink.main", 1, typed={"line_down": "much", "who": "x"})
    assert ("much", "8") == (found.form.value("line_down"), found.form.value("line_up"))
    assert "who" not in found.form.values
    assert ("main", "[uplink.main]", ()) == (found.line, found.rule, found.at("line_down"))


def test_a_value_that_no_menu_offers_is_offered_as_it_is():
    found = table_form(draft(), "uplink.main", 1, typed={"rate": "guessed", "line_up_unit": "bit/s"})
    assert ["stated", "measured", "guessed"] == [value for value, _ in found.options("rate")]
    assert "bit/s" in [value for value, _ in found.options("line_up_unit")]


def test_only_the_charter_says_how_many_must_approve_it():
    assert [3, 0, 0] == [
        table_form(draft(), *each).approvals for each in (("charter", 3), ("charter", 1), ("uplink.main", 3))
    ]
    assert table_form(draft(), "uplink.mill", 1) is None
