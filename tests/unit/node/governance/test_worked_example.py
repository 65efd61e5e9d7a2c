"""The worked example of the design of this language, word for word: 44 homes, one of them the school, three with a mast,
six over their volume. Its numbers, from the text to the kernel's classes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.enforcement.plan import ShapedClass
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.checks import check_file
from node.governance.fair_shares import Demand, fair_rates
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import Evaluator
from node.governance.rules import Ruleset
from node.governance.sentences import sentence
from node.sessions.traffic_classes import pool_account, shaped_classes
from node.units import AccountId, Bytes

TEXT = Path(__file__).with_name("worked_example.toml").read_text(encoding="utf-8")
SCHOOL = Unit(AccountId("school"), "member", frozenset({"school"}))
MAST_HOSTS = tuple(Unit(AccountId(f"mast-{n}"), "member", frozenset({"mast-host"})) for n in range(3))
HEAVY = tuple(Unit(AccountId(f"heavy-{n}"), "member") for n in range(6))
HOMES = tuple(Unit(AccountId(f"home-{n}"), "member") for n in range(34))
GUEST = Unit(AccountId("guest-7k3m9q2w4x1z"), "guest")
EVERYBODY = (*MAST_HOSTS, *HEAVY, *HOMES, GUEST)
"""On a Friday evening: all but the school, which is closed."""
OVER = {"busy-volume": Bytes(61 * 10**9)}
FRIDAY, TUESDAY, NIGHT = (
    datetime(2026, 6, 5, 21, tzinfo=UTC),
    datetime(2026, 6, 2, 10, tzinfo=UTC),
    datetime(2026, 6, 3, 3, tzinfo=UTC),
)


def ruleset() -> Ruleset:
    found, findings = parse_ruleset(TEXT)
    assert found is not None, findings
    return found


def allowances(units: tuple[Unit, ...], at: datetime, *, busy: bool = True) -> dict[AccountId, Allowance]:
    evaluator = Evaluator(ruleset())
    return {
        unit.account: evaluator.evaluate(unit, Moment(at, "synced", busy), OVER if unit in HEAVY else {})
        for unit in units
    }


def rates(units: tuple[Unit, ...], at: datetime) -> dict[AccountId, tuple[int, int]]:
    """In kbit/s, down and up, while each class of the kernel is full; of guests for all of them together."""
    found = allowances(units, at)
    pool = pool_account("guest-share")
    minors = {account: number for number, account in enumerate((*found, pool), 1)}
    classes = shaped_classes(found.items(), minors, shared=True)
    account_of = {minor: account for account, minor in minors.items()}
    top = [each for each in classes.values() if each.parent_minor is None]
    shaped = ruleset().shaped
    assert shaped is not None
    down = fair_rates([demand(each, upwards=False) for each in top], shaped.down)
    up = fair_rates([demand(each, upwards=True) for each in top], shaped.up)
    assert (sum(down), sum(up)) == (shaped.down, shaped.up)
    return {
        account_of[each.minor]: (round(a / 1000), round(b / 1000))
        for each, a, b in zip(top, down, up, strict=True)
    }


def demand(each: ShapedClass, *, upwards: bool) -> Demand:
    if upwards:
        return Demand(each.weight, each.floor.up, each.ceiling.up)
    return Demand(each.weight, each.floor.down, each.ceiling.down)


def test_the_example_is_read_word_for_word_and_its_test_passes():
    """The test of its file means the homes that are up on a Friday evening: the school is closed."""
    found, findings = check_file(TEXT, (*MAST_HOSTS, *HEAVY, *HOMES))
    assert found is not None, findings
    assert (57, 7) == (len(TEXT.splitlines()), len(found.rules))
    assert {"W01", "W11", "W16"} == {finding.code for finding in findings}


def test_with_the_school_as_busy_as_everyone_its_test_would_not_pass():
    found, findings = check_file(TEXT, (SCHOOL, *MAST_HOSTS, *HEAVY, *HOMES))
    assert found is None
    assert ["E12", "W05", "W11", "W16", "W16"] == sorted(finding.code for finding in findings)
    assert "down is 391.49 kbit/s" in next(each.message for each in findings if each.code == "E12")
    assert "school-hours is for one household only." in [each.message for each in findings]


def test_on_friday_evening_each_has_what_was_computed_by_hand():
    found = rates(EVERYBODY, FRIDAY)
    assert {(846, 168)} == {found[unit.account] for unit in HOMES}
    assert {(423, 96)} == {found[unit.account] for unit in HEAVY}
    assert {(1269, 251)} == {found[unit.account] for unit in MAST_HOSTS}
    assert (1692, 335) == found[pool_account("guest-share")]


def test_the_kernels_classes_have_the_weights_of_the_rules():
    found = allowances(EVERYBODY, FRIDAY)
    minors = {account: number for number, account in enumerate((*found, pool_account("guest-share")), 1)}
    classes = shaped_classes(found.items(), minors, shared=True)
    weights = {account: classes[minor].weight for account, minor in minors.items()}
    assert {100} == {weights[unit.account] for unit in HOMES}
    assert {50} == {weights[unit.account] for unit in HEAVY}
    assert {150} == {weights[unit.account] for unit in MAST_HOSTS}
    assert 200 == weights[pool_account("guest-share")]


def test_in_school_hours_the_floor_of_the_school_binds():
    found = rates((SCHOOL, *HOMES[:10], GUEST), TUESDAY)
    assert {2733} == {found[unit.account][0] for unit in HOMES[:10]}
    assert 4000 == found[SCHOOL.account][0]
    assert 5467 == found[pool_account("guest-share")][0]


def test_at_night_two_homes_and_the_guests_have_the_whole_line():
    found = rates((*HOMES[:2], GUEST), NIGHT)
    assert [9200, 9200, 18400] == [
        found[each][0] for each in (HOMES[0].account, HOMES[1].account, pool_account("guest-share"))
    ]


def test_all_promises_of_a_school_day_fit_the_line():
    units = (SCHOOL, *MAST_HOSTS, *HEAVY, *HOMES, GUEST)
    floors = [found.floor.value for found in allowances(units, TUESDAY).values()]
    assert (16_008_000, 5_384_000) == (sum(each.down for each in floors), sum(each.up for each in floors))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "guest-night",
            "Every day from 00:00 to 06:00 guests have no speed limit. In those hours it replaces",
        ),
        ("busy-volume", "uses more than 60 GB a month while the line is busy gets at most half a share"),
        ("mast-hosts", "People in the group mast-host each count as half a household more (share +50)"),
    ],
)
def test_its_rules_are_read_as_sentences(name: str, expected: str):
    found = ruleset()
    rule = next(rule for rule in found.rules if rule.id == name)
    assert expected.lower() in sentence(rule, found).lower()
