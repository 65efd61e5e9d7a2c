"""How long rules wait that admins adopt, and what need not wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.parse import parse_ruleset
from node.governance.rules import NO_WAITING, Ruleset
from node.governance.waiting_time import is_decided_by_minutes, waiting_needed
from node.units import Milliseconds

HOURS = Milliseconds(72 * 3_600_000)
HEAD = """[ruleset]
community = "Vall"
version = 1
decision = "{decision}"
[uplink.main]
down = "50 Mbit/s"
up = "10 Mbit/s"
"""
RULE = '[[rule]]\nid = "{id}"\nceiling = "{rate} Mbit/s down, 1 Mbit/s up"\nwho = "tier:guest"\nby = "{by}"\n'
MINUTES = '[decisions."{id}"]\nday = "2026-12-05"\npresent = 30\nyes = {yes}\nno = 5\nsigners = ["Ana Pons", "Ben Riu"]\n'


def ruleset(
    rate: int = 3, by: str = "D-1", *, more: str = "", waiting: str = "72 hours", decision: str = "D-1"
) -> Ruleset:
    text = (
        HEAD.format(decision=decision)
        + f'[charter]\nwaiting = "{waiting}"\n'
        + RULE.format(id="visitors", rate=rate, by=by)
    )
    found, findings = parse_ruleset(text + more)
    assert found is not None, findings
    return found


IN_FORCE = ruleset()


def minutes(name: str = "D-2", yes: int = 20) -> str:
    return MINUTES.format(id=name, yes=yes)


def test_what_an_admin_adopts_waits_as_the_charter_in_force_says() -> None:
    assert HOURS == waiting_needed(IN_FORCE, ruleset(4))
    assert HOURS == waiting_needed(IN_FORCE, ruleset(waiting="1 hour")), "lowering it waits itself"
    assert NO_WAITING == waiting_needed(ruleset(waiting="0 hours"), ruleset(4))
    assert NO_WAITING == waiting_needed(IN_FORCE, ruleset(by="D-7")), "it changes nothing for anybody"


def test_the_rules_from_before_come_back_at_once_unless_the_charter_changed() -> None:
    assert NO_WAITING == waiting_needed(IN_FORCE, ruleset(4), is_return=True)
    assert HOURS == waiting_needed(IN_FORCE, ruleset(4, waiting="1 hour"), is_return=True)


def test_an_emergency_order_alone_does_not_wait() -> None:
    order = (
        '[[rule]]\nid = "storm"\nceiling = "1 Mbit/s down, 500 kbit/s up"\nwho = "everyone"\nby = "O-1"\nemergency = true\n'
        'from = "2026-12-06"\nexpires = "2026-12-08"\n'
    )
    assert NO_WAITING == waiting_needed(IN_FORCE, ruleset(more=order))
    assert HOURS == waiting_needed(IN_FORCE, ruleset(4, more=order)), "with another change"


@pytest.mark.parametrize(
    ("proposed", "decided"),
    [
        (ruleset(4, "D-2", more=minutes()), True),
        (ruleset(4, "D-2", more=minutes(yes=5)), False),
        (ruleset(4, "D-2"), False),
        (ruleset(4, "D-1", more=minutes()), False),
        (ruleset(4, "D-1", decision="D-2", more=minutes()), True),
        (ruleset(4, "D-2", waiting="1 hour", more=minutes()), False),
        (ruleset(4, "D-2", waiting="1 hour", decision="D-2", more=minutes()), True),
        (ruleset(4, "D-2", more=minutes() + RULE.format(id="more", rate=5, by="D-1")), False),
        (ruleset(4, "D-2", more=minutes() + RULE.format(id="more", rate=5, by="D-2")), True),
    ],
)
def test_minutes_decide_what_names_them_and_nothing_else(proposed: Ruleset, decided: bool) -> None:
    assert decided == is_decided_by_minutes(IN_FORCE, proposed)
    assert (NO_WAITING if decided else HOURS) == waiting_needed(IN_FORCE, proposed)


def test_minutes_that_the_rules_in_force_have_decide_nothing_new() -> None:
    before = ruleset(3, "D-2", more=minutes())
    assert not is_decided_by_minutes(before, ruleset(4, "D-2", more=minutes()))
    assert not is_decided_by_minutes(before, ruleset(4, "D-2", decision="D-2", more=minutes()))
    assert is_decided_by_minutes(before, ruleset(4, "D-3", more=minutes() + minutes("D-3")))


def test_minutes_are_not_taken_out_at_once_to_come_back_as_new_ones() -> None:
    before = ruleset(3, "D-2", more=minutes())
    assert HOURS == waiting_needed(before, ruleset(3, "D-2"))
    assert NO_WAITING == waiting_needed(before, ruleset(3, "D-2", more=minutes() + minutes("D-3")))


def test_a_rule_is_not_removed_by_the_minutes_of_others() -> None:
    before = ruleset(3, more=RULE.format(id="more", rate=5, by="D-1"))
    assert not is_decided_by_minutes(before, ruleset(4, "D-2", more=minutes()))
    assert is_decided_by_minutes(before, ruleset(4, "D-2", decision="D-2", more=minutes()))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 720), st.integers(0, 720))
def test_no_change_shortens_its_own_waiting(rate: int, other: int, hours: int, later: int) -> None:
    before, after = ruleset(rate, waiting=f"{hours} hours"), ruleset(other, waiting=f"{later} hours")
    changes = rate != other or hours != later
    assert (hours * 3_600_000 if changes else 0) == waiting_needed(before, after)


@pytest.mark.parametrize("text", ["31 days", "90 minutes", "soon", "-1 hours", "721 hours"])
def test_other_lengths_are_refused(text: str) -> None:
    found, findings = parse_ruleset(
        HEAD.format(decision="D-1")
        + f'[charter]\nwaiting = "{text}"\n'
        + RULE.format(id="visitors", rate=3, by="D-1")
    )
    assert found is None
    assert ["waiting" in str(each) or "hours" in str(each) for each in findings] == [True]
