"""The lines and the charter of a rule file, changed by their blanks: only what changed is written, and comments stay."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Finding
from node.governance.parse import parse_ruleset
from node.governance.rule_edit import HEADING, read_draft
from node.governance.table_blanks import blanks_of, place_of_table
from node.governance.table_edit import PLACE_MAX, table_at, table_changed, table_values
from tests.fakes.admin_pages import changed_lines

COMMUNITIES = sorted((Path(__file__).parents[4] / "deploy" / "communities").glob("*.rules.toml"))
FILE = """# our rules
[ruleset]
community = "c"   # all of us
version = 1
decision = "D-1"

# from the mill
[uplink.main]
down = "40 Mbit/s"   # measured in May
up = "8 Mbit/s"

[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"   # enough for a call
max_weight_ratio = 4

# rules
[[rule]]
id = "a"
share = 100
who = "everyone"
by = "D-1"
"""
BARE = FILE[: FILE.index("# from the mill")] + FILE[FILE.index("# rules") :]


def draft_of(text):
    draft = read_draft(text)
    assert not isinstance(draft, Finding)
    return draft


def edited(text, table, **typed):
    found = table_changed(draft_of(text), table, typed)
    assert isinstance(found, str), found
    return found


@pytest.mark.parametrize("path", COMMUNITIES, ids=lambda path: path.name)
def test_the_form_of_each_table_of_the_communities_sent_as_it_is_changes_nothing(path):
    text = path.read_text()
    draft = draft_of(text)
    for table in (*(f"uplink.{name}" for name in draft.document.data.get("uplink", {})), "charter"):
        assert text == edited(text, table, **blanks_of(table, table_values(draft, table)))


def test_only_the_line_of_the_key_changes_and_its_comment_stays():
    assert [
        '- down = "40 Mbit/s"   # measured in May',
        '+ down = "55 Mbit/s"   # measured in May',
    ] == changed_lines(FILE, edited(FILE, "uplink.main", line_down="55"))
    changed = edited(FILE, "charter", lifeline_down="300", approvals="2")
    assert [
        '- lifeline = "256 kbit/s down, 96 kbit/s up"   # enough for a call',
        '+ lifeline = "300 kbit/s down, 96 kbit/s up"   # enough for a call',
        "+ approvals = 2",
    ] == changed_lines(FILE, changed)
    assert ["- max_weight_ratio = 4"] == changed_lines(FILE, edited(FILE, "charter", max_weight_ratio=""))


def test_a_table_that_is_not_there_is_added_where_it_belongs():
    lined = edited(BARE, "uplink.main", line_down="40", line_up="8")
    assert lined.index("[ruleset]") < lined.index("[uplink.main]") < lined.index("# rules")
    both = edited(lined, "charter", max_weight_ratio="3")
    assert both.index("[uplink.main]") < both.index("[charter]") < both.index("# rules")
    ruleset, findings = parse_ruleset(both)
    assert ruleset is not None, findings
    assert (3, 40_000_000) == (ruleset.charter.max_weight_ratio, ruleset.uplink.down)
    assert BARE == edited(BARE, "charter"), "nothing typed, nothing added"


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ('uplink.mill = {down = "4 Mbit/s", up = "1 Mbit/s"}\n' + BARE, "uplink.mill"),
        ("charter.max_weight_ratio = 3\n" + BARE, "charter"),
        (BARE.replace("[ruleset]", '[uplink]\nmill.down = "4 Mbit/s"\n[ruleset]'), "uplink.mill"),
        ("charter = 7\n" + BARE, "charter"),
        ("uplink = 7\n" + BARE, "uplink.main"),
        ("uplink = [1]\n" + BARE, "uplink.main"),
        (FILE, "uplink.mill"),
    ],
)
def test_what_has_no_lines_of_its_own_is_left_to_the_text_with_a_reason(text, table):
    found = table_changed(draft_of(text), table, {"line_down": "5", "line_up": "1", "approvals": "2"})
    assert {HEADING} == found.keys()
    assert "text of the rule file" in str(found[HEADING])


@given(st.text(max_size=90))
def test_only_the_places_of_lines_and_of_the_charter_are_tables(text):
    assert table_at(text) == "" or text == place_of_table(table_at(text))
    assert (
        "" == table_at("[ruleset]") == table_at("charter") == table_at("[uplink]") == table_at("[uplink.a.b]")
    )
    assert "charter" == table_at("[charter]")
    assert "uplink.mill" == table_at("[uplink.mill]")
    assert len(f"[uplink.{'a' * 40}]") <= PLACE_MAX


def test_a_finding_is_at_the_blank_of_its_table():
    text = (
        FILE.replace('"8 Mbit/s"', '"8 miles"')
        .replace("= 4", "= 400")
        .replace("256 kbit/s down", "6 kbit/s down")
    )
    _, findings = parse_ruleset(text)
    draft = draft_of(text)
    assert [
        ("[uplink.main]", "line_up"),
        ("[charter]", "lifeline_down"),
        ("[charter]", "max_weight_ratio"),
    ] == [draft.place_of(each) for each in findings]
