"""Rules that members stopped, and when they can come back."""

from dataclasses import replace

import pytest

from node.governance.adoption import Reason
from node.governance.canonical_form import effect_fingerprint
from node.governance.parse import parse_ruleset
from node.governance.rule_history import STOPPED_DAYS, RuleVersion
from node.governance.rules import Ruleset
from node.governance.stopped_rules import stopped_before
from tests.unit.node.governance.test_waiting_time import HEAD, IN_FORCE, RULE, minutes, ruleset

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


EVENING = """[[rule]]
id = "{id}"
ceiling = "{rate} Mbit/s down, 1 Mbit/s up"
who = "tier:guest"
when = "daily 18:00-23:00"
exception_to = "{of}"
by = "D-1"
"""


def renamed(more: str, *, ids: tuple[str, str] = ("others", "late")) -> Ruleset:
    """The stopped rules with other ids and one exception."""
    text = HEAD.format(decision="D-1") + RULE.format(id=ids[0], rate=4, by="D-1")
    made, findings = parse_ruleset(text + more.format(id=ids[1], of=ids[0], rate=2))
    assert made is not None, findings
    return made


def test_rules_of_other_names_that_do_the_same_are_the_same() -> None:
    other = renamed(EVENING, ids=("late", "others"))
    assert effect_fingerprint(renamed(EVENING)) == effect_fingerprint(other)
    different = renamed(""), renamed(EVENING.replace("{rate}", "3")), renamed(EVENING.replace("18", "19"))
    for each in different:
        assert effect_fingerprint(renamed(EVENING)) != effect_fingerprint(each)
    called_otherwise = replace(STOPPED, rules=tuple(replace(rule, id="other") for rule in STOPPED.rules))
    assert 5 == found(called_otherwise)


def test_an_exception_to_another_rule_is_another_one() -> None:
    two = RULE.format(id="slow", rate=3, by="D-1").replace("guest", "member")
    exception = EVENING.replace('who = "tier:guest"', 'who = "everyone"')
    texts = [two + exception.replace("{of}", of) for of in ("others", "slow")]
    assert effect_fingerprint(renamed(texts[0])) != effect_fingerprint(renamed(texts[1]))
