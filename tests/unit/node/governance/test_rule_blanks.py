"""The blanks of a rule: shown from its values, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.document import TEXT_MAX
from node.governance.rule_blanks import KEYS, blank_of, blanks_of, changes, effect_of
from node.governance.rule_edit import NEW_RULES
from node.governance.rule_table import EFFECTS
from node.governance.times import DAYS, parse_times

CEILING = {"id": "guest-top", "ceiling": "3 Mbit/s down, 1 Mbit/s up", "who": "tier:guest", "by": "D-1"}


def new_values(rule, **typed):
    values, wrong = changes(rule, typed)
    assert {} == wrong
    return values


def wrong_blanks(rule, **typed):
    return {name: str(finding) for name, finding in changes(rule, typed)[1].items()}


@pytest.mark.parametrize("effect", EFFECTS)
def test_every_effect_is_shown_by_blanks_that_are_filled_in(effect):
    rule = {**NEW_RULES[effect], "by": "D-1"}
    shown = blanks_of(rule)
    assert effect == effect_of(rule)
    assert shown[blank_of(effect, rule)]
    assert ({}, {}) == changes(rule, shown)


def test_a_number_replaces_the_value_of_its_key_alone():
    assert {"ceiling": "5 Mbit/s down, 1 Mbit/s up"} == new_values(CEILING, down="5")
    assert {"ceiling": "2.5 Mbit/s down, 800 kbit/s up"} == new_values(
        CEILING, down="2,5", up="800", up_unit="kbit/s"
    )
    assert {"ceiling": "none"} == new_values(CEILING, lifted="yes")
    assert {"quota": "80 GB per week"} == new_values(NEW_RULES["quota"], volume="80", period="week")
    assert {"then": "tell"} == new_values(NEW_RULES["quota"], then="tell")
    assert {"then": "ceiling 1 Mbit/s down, 500 kbit/s up until reset"} == new_values(
        NEW_RULES["quota"],
        then="ceiling",
        then_down="1",
        then_up="500",
        then_up_unit="kbit/s",
    )
    assert {"session": "1 day"} == new_values(NEW_RULES["session"], length="1", length_unit="day")
    assert {"reserve": "20 percent"} == new_values(NEW_RULES["reserve"], percent="20")
    assert {"credit": "share +80"} == new_values(NEW_RULES["credit"], credit="80")
    assert {"devices": 3} == new_values(NEW_RULES["devices"], devices="٣")


def test_people_times_and_places_replace_theirs():
    assert {"who": ["tier:guest", "group:school"]} == new_values(CEILING, who_too="group:school")
    assert {"who": ["tier:guest", "group:b", "group:c"]} == new_values(
        {**CEILING, "who": ["group:a", "group:b", "group:c"]}, who="tier:guest"
    )
    assert {"who": "group:b"} == new_values({**CEILING, "who": ["group:a", "group:b"]}, who="")
    assert {"except": ["tier:x", "tier:y"]} == new_values(
        {**CEILING, "except": "tier:x"}, except_too="tier:y"
    )
    assert {"who": None} == new_values(CEILING, who="")
    assert {"when": "daily 18:00-23:00"} == new_values(CEILING, start="18:00", end="23:00")
    assert {"when": "sat,sun 00:00-24:00"} == new_values(CEILING, sat="yes", sun="yes")
    assert {"when": "mon-wed 22:00-24:00"} == new_values(
        CEILING, mon="yes", tue="yes", wed="yes", start="22:00", end="00:00"
    )
    assert {"when": None} == new_values({**CEILING, "when": "daily 18:00-23:00"}, start="", end="")
    assert {"while": "busy", "at": "node:mill"} == new_values(CEILING, busy="yes", at="mill")
    assert {"observe": True} == new_values(CEILING, observe="yes")
    assert {"observe": None} == new_values({**CEILING, "observe": True}, observe="")
    assert {"while": None} == new_values({**CEILING, "while": "busy"}, busy="")
    assert {"expires": "2027-01-31", "why": "It is full."} == new_values(
        CEILING, expires="2027-01-31", why="It is full."
    )


def test_days_that_the_file_names_are_left_out():
    rule = {**CEILING, "when": "mon-fri 08:00-16:00 except holidays, market"}
    shown = blanks_of(rule)
    assert ("holidays, market", "08:00", "", "") == tuple(
        shown[name] for name in ("closed", "start", "sat", "when")
    )
    assert {"when": "mon-fri 08:00-16:00 except holidays"} == new_values(rule, closed="holidays")
    assert {"when": "mon-fri 08:00-16:00"} == new_values(rule, closed="")
    assert {"when": "daily 00:00-24:00 except holidays"} == new_values(CEILING, closed="holidays")
    assert {"closed"} == wrong_blanks(CEILING, closed='x"; mon 01:00-02:00').keys()


def test_people_count_together_unless_the_rule_that_is_replaced_says_so():
    assert {"together": True} == new_values(CEILING, together="yes")
    assert {"together": None} == new_values({**CEILING, "together": True}, together="")
    assert "together" not in blanks_of({**CEILING, "exception_to": "x"})
    assert "together" not in blanks_of(NEW_RULES["quota"])


def test_times_that_no_blanks_can_show_stay_text():
    holidays = "mon-fri 08:00-16:00 except holidays; sat 10:00-14:00"
    rule = {**CEILING, "when": holidays}
    assert (holidays, "") == (blanks_of(rule)["when"], blanks_of(rule)["start"])
    assert "when" == blank_of("when", rule)
    assert {"when": "sat 10:00-15:00"} == new_values(rule, when="sat 10:00-15:00")
    assert {"when": None} == new_values(rule, when="")


@given(
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_days_and_times_that_are_written_are_shown_again(days, start, end):
    times = {"start": f"{start // 60:02}:{start % 60:02}", "end": f"{end // 60:02}:{end % 60:02}"}
    typed = {**dict.fromkeys(days, "yes"), **times}
    values, wrong = changes(CEILING, typed)
    if start == end and start:
        assert {"end"} == wrong.keys()
        return
    if not values:
        assert (set(DAYS), 0, 0) == (days, start, end), "always"
        return
    shown = blanks_of({**CEILING, "when": values["when"]})
    assert typed == {name: text for name, text in shown.items() if name in (*DAYS, "start", "end") and text}
    assert parse_times(values["when"]).holds(start + 1440 * DAYS.index(min(days, key=DAYS.index)))


@pytest.mark.parametrize(
    ("typed", "blank", "said"),
    [
        ({"down": "five"}, "down", "“five” is not a number."),
        ({"up": ""}, "up", "A number is missing."),
        ({"up": "-1"}, "up", "“-1” is not a number."),
        ({"down": "1,500"}, "down", "can be read as two different numbers"),
        ({"down": "1.500"}, "down", "can be read as two different numbers"),
        ({"up": "١.٥٠٠"}, "up", "can be read as two different numbers"),
        ({"down": "999999999", "down_unit": "Gbit/s"}, "down", "too large"),
        ({"down_unit": "miles"}, "down_unit", "“miles” cannot be chosen here."),
        ({"start": "18:00"}, "end", "One of the two times is missing."),
        ({"start": "6 pm", "end": "23:00"}, "start", "“6 pm” is not a time of the day."),
        ({"start": "18:00", "end": "18:00"}, "end", "when it begins"),
    ],
)
def test_a_mistake_is_found_at_its_own_blank(typed, blank, said):
    wrong = wrong_blanks(CEILING, **typed)
    assert {blank} == wrong.keys()
    assert said in wrong[blank]
    assert "Fix:" in wrong[blank]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\rb", "a\tb", "a\x00b", "a\u202eb", "a\u200bb", "a\u2028b", "x" * (TEXT_MAX + 1)]
)
def test_misleading_and_endless_texts_are_refused_at_every_blank(effect, hostile):
    rule = NEW_RULES[effect]
    for name in blanks_of(rule):
        assert {name} == wrong_blanks(rule, **{name: hostile}).keys()


@pytest.mark.parametrize("value", [True, 7, "", "nonsense", [1], {"a": 1}, ["tier:guest"] * 900])
def test_values_that_no_blank_can_show_leave_the_blanks_as_they_are_without_a_value(value):
    for key, form in KEYS.items():
        needed = {"counts": "quota", "then": "quota", "burst": "ceiling"}.get(key, "share")
        effect = {} if key in EFFECTS else {needed: 1}
        shown = blanks_of({**effect, key: value})
        assert form.empty.keys() <= shown.keys()
        assert all(isinstance(text, str) for text in shown.values())


def test_a_number_that_the_form_itself_shows_is_kept():
    rule = {"ceiling": "1.536 Mbit/s down, 1 Mbit/s up"}
    assert "1.536" == blanks_of(rule)["down"]
    assert ({"ceiling": "1.536 Mbit/s down, 0.256 Mbit/s up"}, {}) == changes(rule, {"up": "0.256"})


def test_a_line_is_chosen_from_a_menu_and_several_stay_as_they_are():
    rule = {**CEILING, "uplink": "mill"}
    assert "mill" == blanks_of(rule)["uplink"]
    assert {"uplink": "main"} == new_values(rule, uplink="main")
    assert {"uplink": None} == new_values(rule, uplink="")
    assert {"uplink": "mill"} == new_values(CEILING, uplink="mill")
    both = {**CEILING, "uplink": ["mill", "main"]}
    assert "mill, main" == blanks_of(both)["uplink"]
    assert ({}, {}) == changes(both, blanks_of(both))
    assert {"uplink": "mill"} == new_values(both, uplink="mill")
    assert "uplink" == blank_of("uplink", both)
