"""Rules that members stopped, and when they can come back."""

import pytest

from node.governance.adoption import Reason
from node.governance.canonical_form import effect_fingerprint
from node.governance.rule_history import STOPPED_DAYS, RuleVersion
from node.governance.stopped_rules import stopped_before
from tests.unit.node.governance.test_waiting_time import IN_FORCE, minutes, ruleset

STOPPED = ruleset(4)
ENDED = "2026-12-04T20:00:00+01:00"


def version(number: int = 5, reason: Reason = "objections", ended: str = ENDED) -> RuleVersion:
    meaning = effect_fingerprint(STOPPED)
    return RuleVersion(number, "", "admin Ana", "f", "withdrawn", reason, ended=ended, meaning=meaning)


def found(text: object = STOPPED, today: str = "2026-12-06", **more: str) -> int:
    versions = [version(**more)]  # type: ignore[arg-type]
    made = stopped_before(IN_FORCE, text, versions, today)  # type: ignore[arg-type]
    return 0 if made is None else made.number


def test_the_same_rules_are_stopped_also_with_another_decision() -> None:
    assert (5, 5, 0, 0) == (found(), found(ruleset(4, "D-9")), found(ruleset(5)), found(IN_FORCE))
    assert 0 == found(reason="admin"), "an admin withdrew it"


@pytest.mark.parametrize(
    ("today", "stopped"),
    [("2026-12-04", 5), ("2027-01-03", 5), ("2027-01-04", 0), ("unknown", 5), ("", 5), ("1970-01-01", 5)],
)
def test_for_thirty_days_and_while_the_day_is_not_known(today: str, stopped: int) -> None:
    assert 30 == STOPPED_DAYS
    assert stopped == found(today=today)


def test_minutes_of_that_day_or_later_decide_it() -> None:
    decided = ruleset(4, "D-2", more=minutes())
    assert 0 == found(decided)
    assert 5 == found(decided, ended="2026-12-06T09:00:00+01:00"), "the assembly was before the objections"
    assert 5 == found(ruleset(4, "D-2", more=minutes(yes=4)))


def test_the_newest_time_that_they_were_stopped_counts() -> None:
    versions = [version(3, ended="2026-10-01T09:00"), version(5), version(7, ended="2026-12-05T09:00")]
    made = stopped_before(IN_FORCE, STOPPED, versions, "2026-12-06")
    assert made is not None
    assert 7 == made.number
