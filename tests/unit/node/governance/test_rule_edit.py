"""The text of a rule file changes only where its form was filled in."""

import difflib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import Finding
from node.governance import rule_edit
from node.governance.parse import parse_ruleset
from node.governance.rule_blanks import TICKS, blank_of, changes, keys_of
from node.governance.rule_edit import NEW_RULES, RuleDraft, read_draft, rule_blanks
from node.governance.rule_table import EFFECTS
from tests.examples import examples
from tests.fakes.rule_texts import rule_texts

COMMUNITIES = sorted((Path(__file__).parents[4] / "deploy" / "communities").glob("*.rules.toml"))
FILE = """\
# The rules of Vall Alta.
[ruleset]
community = "Vall Alta"
version = 3
decision = "D-2026-014"  # the spring assembly
[uplink.main]
down = "40 Mbit/s"
up = "8 Mbit/s"

# So that members come first.
[[rule]]
id = "guest-top"   # since the beginning
ceiling = "3 Mbit/s down, 1 Mbit/s up"   # was 2
who = "tier:guest"
# who decided it
by = "D-2025-002"

[[rule]]
id = "guest-night"
ceiling = "none"
when = "daily 00:00-06:00"
exception_to = "guest-top"
by = 'D-2025-019'
# the last rule

[[test]]
given = "guest, fri 21:00"
expect = "down <= 3 Mbit/s"
"""


def draft_of(text: str = FILE) -> RuleDraft:
    draft = read_draft(text)
    assert isinstance(draft, RuleDraft), draft
    return draft


def changed(name: str, text: str = FILE, **typed: str) -> str:
    edited = rule_edit.changed(draft_of(text), name, typed)
    assert isinstance(edited, str), edited
    return edited


def lines_between(before: str, after: str) -> list[str]:
    return [each for each in difflib.ndiff(before.split("\n"), after.split("\n")) if each[0] in "+-"]


def test_a_number_changes_one_line_and_its_comment_stays():
    assert [
        '- ceiling = "3 Mbit/s down, 1 Mbit/s up"   # was 2',
        '+ ceiling = "5 Mbit/s down, 1 Mbit/s up"   # was 2',
    ] == lines_between(FILE, changed("guest-top", down="5"))


def test_a_key_that_is_new_comes_below_the_others_of_its_rule_and_one_that_is_gone_leaves_no_line():
    edited = changed("guest-top", start="18:00", end="23:00")
    assert ['+ when = "daily 18:00-23:00"'] == lines_between(FILE, edited)
    assert FILE == changed("guest-top", edited, start="", end="")
    assert ['- when = "daily 00:00-06:00"'] == lines_between(FILE, changed("guest-night", start="", end=""))


def test_people_in_a_list_keep_their_comments():
    text = FILE.replace(
        '"tier:guest"', '[\n  "group:a",  # the first\n  "group:b",\n  "group:c",  # the last\n]'
    )
    edited = changed("guest-top", text, who="group:x")
    assert [each.lstrip("+ ") for each in lines_between(text, edited) if each[0] == "+"] == ['"group:x",']
    assert ["group:b", "group:c", "group:x"] == draft_of(edited).tables[0]["who"]
    assert "# the last" in edited


@settings(max_examples=examples(150), deadline=None)
@given(rule_texts())
def test_blanks_that_are_sent_as_they_were_shown_change_no_byte(text):
    draft = draft_of(text)
    for name in draft.ids:
        shown = rule_blanks(draft, name)
        assert shown is not None
        assert text == rule_edit.changed(draft, name, shown)


@pytest.mark.parametrize("path", COMMUNITIES, ids=lambda path: path.stem)
def test_forms_of_real_communities_change_no_byte_and_a_reason_changes_one_line(path):
    text = path.read_text()
    draft = draft_of(text)
    for name in draft.ids:
        assert text == rule_edit.changed(draft, name, rule_blanks(draft, name) or {})
        lines = lines_between(text, changed(name, text, why="So it was “decided”, \"at last\" \\ and 'now'"))
        assert [True] == [each.startswith("+ why = ") for each in lines if each[0] == "+"]
        assert all(each.startswith("- why = ") for each in lines if each[0] == "-")


VALUES = {
    "who": "group:shop",
    "except": "tier:x",
    "when": "sun 01:00-02:00; mon 03:00-04:00",
    "at": "roof",
    "busy": "yes",
}
VALUES |= {"first": "2026-12-24", "expires": "2026-12-31", "by": "D-9", "why": "Because.", "lifted": "yes"}
VALUES |= {"observe": "yes", "together": "yes"}


@settings(max_examples=examples(150), deadline=None)
@given(rule_texts(), st.data())
def test_one_blank_changes_the_lines_of_its_key_and_no_others(text, data):
    draft = draft_of(text)
    if not draft.ids:
        return
    name = data.draw(st.sampled_from(draft.ids))
    rule = draft.rule(name)
    key = data.draw(st.sampled_from(keys_of(rule)))
    blank = "when" if key == "when" else blank_of(key, rule)
    typed = {blank: VALUES.get(blank, "7")}
    edited = rule_edit.changed(draft, name, typed)
    if not isinstance(edited, str):
        assert edited.keys() <= set(rule_blanks(draft, name) or {}), "another blank of this key is empty"
        return
    assert all(each[2:].startswith(f"{key} = ") for each in lines_between(text, edited))
    others = [each for each in draft.tables if each is not rule]
    assert others == [each for each in draft_of(edited).tables if each.get("id") != name]
    again = draft_of(edited).rule(name)
    if key in ("who", "except") and isinstance(again[key], list):
        assert VALUES[blank] in again[key], "in any order"
        return
    assert ({}, {}) == changes(again, {name: text for name, text in typed.items() if name not in TICKS})


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=60), st.sampled_from(("why", "by", "at", "who", "except", "when", "expires", "down")))
def test_no_text_of_a_form_breaks_out_of_its_value(typed, blank):
    edited = rule_edit.changed(draft_of(), "guest-top", {blank: typed})
    if isinstance(edited, str):
        before, after = draft_of(), draft_of(edited)
        assert before.tables[1:] == after.tables[1:]
        assert {**before.document.data, "rule": 0} == {**after.document.data, "rule": 0}
        assert after.tables[0].keys() <= {*before.tables[0].keys(), blank}
        assert len(lines_between(FILE, edited)) <= 2
    else:
        assert {blank} == edited.keys()


def test_a_rule_that_is_written_in_another_way_is_left_to_the_text():
    text = '[[rule]]\nid = "a"\nshare = 100\nwho = "tier:member"\nby = "D-1"\n'
    inline = 'rule = [{id = "a", share = 100, who = "tier:member", by = "D-1"}]\n'
    assert isinstance(rule_edit.changed(draft_of(text), "a", {"share": "50"}), str)
    for edited in (
        rule_edit.changed(draft_of(inline), "a", {"share": "50"}),
        rule_edit.changed(draft_of(text), "b", {"share": "50"}),
    ):
        assert isinstance(edited, dict)
        assert {rule_edit.HEADING} == edited.keys()
    assert isinstance(rule_edit.removed(draft_of(inline), "a"), Finding)
    assert isinstance(rule_edit.removed(draft_of(text), "b"), Finding)
    assert isinstance(rule_edit.with_exception(draft_of(text), "b"), Finding)
    assert isinstance(rule_edit.added(draft_of(text), "burst"), Finding)


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_new_rule_can_be_read_and_has_an_id_of_its_own(effect):
    assert EFFECTS == tuple(each for each in EFFECTS if each in NEW_RULES)
    text = FILE
    for number in (1, 2, 3):
        made = rule_edit.added(draft_of(text), effect)
        assert isinstance(made, tuple)
        text, name = made
        assert f"{effect}-{number}" == name or (effect, 1) == (name, number)
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None or {"E02"} == {each.code for each in findings}, findings
    assert 3 == [each.get("by") for each in draft_of(text).tables].count("D-2026-014")
    assert all(each[0] == "+" for each in lines_between(FILE, text))
    assert text.index(f'id = "{effect}-3"') < text.index("[[test]]"), "beside the other rules"


def test_the_first_rule_of_a_file_comes_at_its_end():
    head = FILE[: FILE.index("# So that")].rstrip("\n")
    made = rule_edit.added(draft_of(head), "ceiling")
    assert isinstance(made, tuple)
    assert made[0].startswith(f"{head}\n\n[[rule]]\n")
    assert rule_edit.removed(draft_of(made[0]), "ceiling") == f"{head}\n"


def test_a_rule_is_removed_once_no_other_is_an_exception_to_it():
    refused = rule_edit.removed(draft_of(), "guest-top")
    assert isinstance(refused, Finding)
    assert "guest-night replaces this rule." in refused.message
    without = rule_edit.removed(draft_of(), "guest-night")
    assert isinstance(without, str)
    assert ("# the last rule" in without, "guest-night" in without) == (True, False)
    edited = rule_edit.removed(draft_of(without), "guest-top")
    assert isinstance(edited, str)
    assert [] == draft_of(edited).tables
    assert "# So that members come first." in edited


def test_an_exception_says_what_its_rule_says_at_other_times():
    made = rule_edit.with_exception(draft_of(), "guest-top")
    assert isinstance(made, tuple)
    text, name = made
    assert "guest-top-except" == name
    rule = draft_of(text).rule(name)
    assert rule == {
        "id": name,
        "ceiling": "3 Mbit/s down, 1 Mbit/s up",
        "when": "daily 18:00-23:00",
        "exception_to": "guest-top",
        "by": "D-2026-014",
    }
    assert text.index("guest-top-except") < text.index("guest-night")
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    long = FILE.replace("guest-top", "g" * 40)
    made = rule_edit.with_exception(draft_of(long), "g" * 40)
    assert isinstance(made, tuple)
    assert len(made[1]) <= 40


def test_findings_have_their_place_in_a_form():
    for broken, place in (
        (FILE.replace("3 Mbit/s down, 1", "3 Mbit/s down; 1"), ("guest-top", "down")),
        (FILE.replace('by = "D-2025-002"\n', ""), ("guest-top", "by")),
        (FILE.replace('who = "tier:guest"\n', ""), ("guest-top", "who")),
        (FILE.replace("00:00-06:00", "0:00-6:00"), ("guest-night", "when")),
        (FILE.replace('exception_to = "guest-top"', 'exception_to = "x"'), ("guest-night", "exception_to")),
        (FILE.replace("\nwho = ", "\nhue = 1\nwho = "), ("guest-top", rule_edit.HEADING)),
        (FILE.replace("[uplink.main]\ndown", "[uplink.main]\ndwn"), ("[uplink.main]", rule_edit.HEADING)),
        (FILE.replace("[[test]]\ngiven", "[[test]]\ngivn"), None),
        (FILE.replace('"tier:guest"', '[\n"tier:guest",\n"x",\n]'), ("guest-top", "who")),
        (FILE.replace('"tier:guest"', "[\n1,\n2,\n]"), ("guest-top", "who")),
    ):
        ruleset, findings = parse_ruleset(broken)
        assert ruleset is None
        assert place == draft_of(broken).place_of(findings[0]), findings[0]


def test_a_line_within_a_value_belongs_to_its_key():
    text = FILE.replace('"tier:guest"', '[\n"tier:guest",\n"group:x",\n]')
    line = text[: text.index('"group:x"')].count("\n") + 1
    assert ("guest-top", "who") == draft_of(text).place_of(Finding("E01", line, "Wrong.", "fix"))
    for line in (0, 1, 3, text.count("\n") + 9):
        assert draft_of(text).place_of(Finding("E01", line, "Wrong.", "fix")) is None


def test_names_of_the_file_are_offered():
    assert (("D-2026-014", "D-2025-019", "D-2025-002"), ()) == (draft_of().decisions, draft_of().named_days)
    named = draft_of(
        f'{FILE}[calendar]\nholidays = ["2026-12-25"]\n[decisions]\n"D-2027-001" = "2027-01-09"\n'
    )
    assert ("holidays",) == named.named_days
    assert "D-2027-001" == named.decisions[0]
    assert ((), ()) == (
        draft_of("calendar = 1\nruleset = 2\ndecisions = 3\n").decisions,
        draft_of("").named_days,
    )


def test_a_text_that_is_no_toml_is_named_as_such():
    found = read_draft(FILE + "nonsense\n")
    assert isinstance(found, Finding)
    assert FILE.count("\n") + 1 == found.line
