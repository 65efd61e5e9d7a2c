"""The blanks of a line and of the charter: every key of the file has some, and they are read back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node.governance.document import TEXT_MAX
from node.governance.parse import CHARTER_KEYS, parse_ruleset
from node.governance.table_blanks import blank_of, blanks_of, changes, keys_of
from tests.fakes.rule_files import HEAD

LINE = {
    "down": "40 Mbit/s",
    "up": "8 Mbit/s",
    "usable_percent": 82,
    "usable_up_percent": 92,
    "rate": "measured",
    "least": "12 Mbit/s down, 4 Mbit/s up",
    "most": "50 Mbit/s down, 10 Mbit/s up",
}
CHARTER = {
    "lifeline": "256 kbit/s down, 96 kbit/s up",
    "guest_lifeline": "1 Mbit/s down, 256 kbit/s up",
    "max_weight_ratio": 4,
    "busy_above": 80,
    "busy_below": 60,
    "busy_after": "3 minutes",
    "overbook_percent": 120,
    "reserve_max_percent": 40,
    "approvals": 2,
    "charter_approvals": 3,
    "step_max_days": 20,
    "answer_days": 5,
    "waiting": "72 hours",
    "minutes_attested_by": 2,
}
TABLES = {"uplink.main": LINE, "uplink.mill": LINE, "charter": CHARTER}


def new_values(table, values, **typed):
    found, wrong = changes(table, values, typed)
    assert {} == wrong
    return found


def test_every_key_of_the_charter_and_of_a_line_has_blanks():
    assert set(CHARTER_KEYS) == keys_of("charter").keys() == CHARTER.keys()
    keys = keys_of("uplink.main")
    assert LINE.keys() == keys.keys()
    # A key that only the form knew would be refused by the parser.
    text = "".join(
        f'{key} = "{value}"\n' if isinstance(value, str) else f"{key} = {value}\n"
        for key, value in LINE.items()
    )
    ruleset, findings = parse_ruleset(f"{HEAD.partition('[uplink.main]')[0]}[uplink.main]\n{text}")
    assert ruleset is not None, findings
    assert {} == keys_of("ruleset") == keys_of("uplink") == keys_of("rule")


@pytest.mark.parametrize("table", TABLES)
def test_what_is_shown_changes_nothing_and_each_key_has_a_blank(table):
    values = TABLES[table]
    blanks = blanks_of(table, values)
    assert ({}, {}) == changes(table, values, blanks)
    assert ({}, {}) == changes(table, {}, blanks_of(table, {}))
    for key in values:
        assert blanks[blank_of(table, key)]
    assert "" == blank_of(table, "nothing")


def test_what_is_typed_replaces_the_value_of_its_key_alone():
    assert {"down": "77.5 Mbit/s"} == new_values("uplink.main", LINE, line_down="77,5")
    assert {"up": "900 kbit/s"} == new_values("uplink.main", LINE, line_up="900", line_up_unit="kbit/s")
    assert {"usable_percent": 85} == new_values("uplink.main", LINE, usable_percent="٨٥")
    assert {"rate": None, "least": None, "most": None} == new_values(
        "uplink.main", LINE, rate="stated", least_down="", least_up="", most_down="", most_up=""
    )
    assert {"lifeline": "300 kbit/s down, 96 kbit/s up"} == new_values(
        "charter", CHARTER, lifeline_down="300"
    )
    assert {"busy_after": "1 minute"} == new_values("charter", CHARTER, busy_after="1")
    assert {"max_weight_ratio": None, "approvals": 4} == new_values(
        "charter", CHARTER, max_weight_ratio="", approvals="4"
    )
    assert {"waiting": "1 hour"} == new_values("charter", CHARTER, waiting_hours="1")
    assert {"waiting": "0 hours"} == new_values("charter", CHARTER, waiting_hours="0")
    assert {"charter_approvals": 2} == new_values("charter", {}, charter_approvals="2")


@pytest.mark.parametrize(
    ("table", "typed", "blank"),
    [
        ("uplink.main", {"line_down": "much"}, "line_down"),
        ("uplink.main", {"line_down": "1.500"}, "line_down"),
        ("uplink.main", {"line_up_unit": "miles"}, "line_up_unit"),
        ("uplink.main", {"usable_percent": "49"}, "usable_percent"),
        ("uplink.main", {"usable_percent": "101"}, "usable_percent"),
        ("uplink.main", {"usable_up_percent": "49"}, "usable_up_percent"),
        ("uplink.main", {"rate": "guessed"}, "rate"),
        ("uplink.main", {"least_down": ""}, "least_down"),
        ("charter", {"lifeline_up": "x"}, "lifeline_up"),
        ("charter", {"guest_up": ""}, "guest_up"),
        ("charter", {"max_weight_ratio": "101"}, "max_weight_ratio"),
        ("charter", {"max_weight_ratio": "0"}, "max_weight_ratio"),
        ("charter", {"overbook_percent": "99"}, "overbook_percent"),
        ("charter", {"busy_after": "61"}, "busy_after"),
        ("charter", {"busy_after": "2.5"}, "busy_after"),
        ("charter", {"approvals": "11"}, "approvals"),
        ("charter", {"waiting_hours": "721"}, "waiting_hours"),
    ],
)
def test_a_mistake_is_found_at_its_own_blank(table, typed, blank):
    found, wrong = changes(table, TABLES[table], typed)
    assert {blank} == wrong.keys()
    assert wrong[blank].fix
    assert {} == found


@pytest.mark.parametrize("table", ["uplink.main", "charter"])
@pytest.mark.parametrize("hostile", ["a\nb", "a\rb", "a\x00b", "a\u202eb", "a\u200bb", "x" * (TEXT_MAX + 1)])
def test_misleading_and_endless_texts_are_refused_at_every_blank(table, hostile):
    for name in blanks_of(table, TABLES[table]):
        _, wrong = changes(table, TABLES[table], {name: hostile})
        assert {name} == wrong.keys()


@given(
    st.sampled_from(["uplink.main", "charter"]),
    st.dictionaries(
        st.sampled_from([*LINE, *CHARTER]),
        st.one_of(
            st.booleans(), st.integers(), st.text(max_size=9), st.lists(st.integers(), max_size=2), st.none()
        ),
    ),
)
@example("uplink.main", {"rate": "\r"})
def test_values_that_no_blank_can_show_are_left_as_they_are(table, values):
    blanks = blanks_of(table, values)
    assert all(isinstance(text, str) for text in blanks.values())
    assert ({}, {}) == changes(table, values, blanks)
