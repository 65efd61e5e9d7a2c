"""The worked example of the design of this language, word for word: 44 homes, one of them the school, three with a mast,
six over their volume. Its numbers, from the text to the kernel's classes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.plan import ShapedClass
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.checks import check, check_file
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
WRITTEN = "3af4845c1d7d4c06ae4fa76304591bbd3e354fd3257c5344019dc37dab79813e"
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
    assert WRITTEN == sha256(TEXT.encode()).hexdigest(), "other words than in the design"
    assert {"W01", "W11", "W16"} == {finding.code for finding in findings}


def test_an_exception_has_the_people_of_the_rule_that_it_replaces_and_every_rule_its_decision():
    rules = {rule.id: rule for rule in ruleset().rules}
    assert rules["guest-night"].who == rules["guest-top"].who
    assert {"D-2025-002", "D-2025-011", "D-2025-019", "D-2026-014"} == {rule.by for rule in rules.values()}


@given(st.permutations(range(7)))
def test_in_each_hour_of_the_week_everybody_has_the_same_whatever_the_order_of_the_rules(
    order: list[int],
) -> None:
    before = ruleset()
    after = replace(before, rules=tuple(before.rules[number] for number in order))
    evaluators = [Evaluator(each) for each in (before, after)]
    for hour in range(168):
        moment = Moment(datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=hour), "synced")
        for unit, used in ((SCHOOL, {}), (MAST_HOSTS[0], {}), (HEAVY[0], OVER), (HOMES[0], {}), (GUEST, {})):
            one, other = (evaluator.evaluate(unit, moment, used) for evaluator in evaluators)
            assert one == other


@pytest.mark.parametrize(("more", "codes"), [(0, []), (19, []), (20, ["E04"])])
def test_there_is_room_for_19_more_homes(more: int, codes: list[str]) -> None:
    """For 20 without what is reserved for control traffic."""
    homes = tuple(Unit(AccountId(f"new-{n}"), "member") for n in range(more))
    findings = check(ruleset(), (SCHOOL, *MAST_HOSTS, *HEAVY, *HOMES, *homes))
    assert codes == sorted({finding.code for finding in findings} & {"E03", "E04", "E05"})


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


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness: 1 where all are equal."""
    return round(sum(values) ** 2 / (len(values) * sum(each * each for each in values)), 2)


@pytest.mark.parametrize(
    ("units", "at", "plain"), [(EVERYBODY, FRIDAY, 0.93), ((SCHOOL, *EVERYBODY), TUESDAY, 0.71)]
)
def test_by_their_weights_all_are_equal_but_for_those_with_a_floor_of_their_own(
    units: tuple[Unit, ...], at: datetime, plain: float
) -> None:
    found = {account: down for account, (down, _) in rates(units, at).items()}
    assert plain == jain(list(found.values()))
    weights = dict.fromkeys(found, 100) | {unit.account: 50 for unit in HEAVY}
    weights |= {unit.account: 150 for unit in MAST_HOSTS} | {pool_account("guest-share"): 200}
    assert 1.0 == jain([found[each] / weights[each] for each in found if each != SCHOOL.account])


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
        ("guest-night", "Decided in D-2025-019."),
        ("busy-volume", "uses more than 60 GB a month while the line is busy gets at most half a share"),
        (
            "busy-volume",
            "until the month ends. Local services and quiet hours do not count. Nobody is cut off.",
        ),
        ("mast-hosts", "People in the group mast-host each count as half a household more (share +50)"),
    ],
)
def test_its_rules_are_read_as_sentences(name: str, expected: str):
    found = ruleset()
    rule = next(rule for rule in found.rules if rule.id == name)
    assert expected.lower() in sentence(rule, found).lower()
