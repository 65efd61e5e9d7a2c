"""Short texts in a rule file: parsing to values and formatting them."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.periods import SlidingDays
from node.characters import is_name
from node.governance.rules import LATE_DUES, Ceiling, Consequence, Credit, Share, UsageAlert, Who
from node.governance.value_syntax import (
    format_quota,
    format_rates,
    parse_credit,
    parse_decision,
    parse_name,
    parse_quota,
    parse_rates,
    parse_then,
    parse_who,
)
from node.units import BitsPerSecond, Bytes, Rates

RATE = st.integers(0, 10**11).map(BitsPerSecond)
RATES = st.builds(Rates, RATE, RATE)
NAMES = st.frozensets(st.text("az09-", min_size=1, max_size=40).filter(is_name), max_size=4)
DUES = st.sampled_from([frozenset(), frozenset({LATE_DUES})])


def format_credit(credit: Credit) -> str:
    """Text from which `parse_credit` makes the same credit."""
    return f"share +{credit.weight}"


def format_then(then: Consequence) -> str:
    if isinstance(then, UsageAlert):
        return "tell"
    if isinstance(then, Share):
        return f"share {then.weight} until reset"
    assert then.rates is not None, "a consequence lifts nothing"
    return f"ceiling {format_rates(then.rates)} until reset"


def selectors_of(who: Who) -> tuple[list[str], list[str]]:
    """The selectors and exceptions from which `parse_who` makes the same `who`."""
    chosen = ["everyone"] if who.everyone else named(who.tiers, who.groups)
    return chosen, named(who.excluded_tiers, who.excluded_groups)


def named(tiers: Iterable[str], groups: Iterable[str]) -> list[str]:
    of_groups = [name if name == LATE_DUES else f"group:{name}" for name in sorted(groups)]
    return [f"tier:{name}" for name in sorted(tiers)] + of_groups


@given(RATES)
def test_a_pair_of_speeds_round_trips(rates):
    assert rates == parse_rates(format_rates(rates))


@given(
    st.integers(1, 10**15).map(Bytes),
    st.sampled_from(["day", "week", "month"]) | st.integers(2, 31).map(SlidingDays),
)
def test_a_quota_round_trips(volume, period):
    assert (volume, period) == parse_quota(format_quota(volume, period))


@given(st.integers(1, 10_000))
def test_a_credit_round_trips(weight):
    assert Credit(weight) == parse_credit(format_credit(Credit(weight)))


@given(st.one_of(st.builds(Share, st.integers(1, 10_000)), st.builds(Ceiling, RATES), st.just(UsageAlert())))
def test_the_consequence_of_a_quota_round_trips(then):
    assert then == parse_then(format_then(then))


@given(NAMES, NAMES, NAMES, NAMES, DUES, DUES)
def test_a_selection_round_trips(tiers, groups, without_tiers, without_groups, late, without_late):
    groups, without_groups = groups | late, without_groups | without_late
    who = Who(not (tiers or groups), tiers, groups, without_tiers, without_groups)
    assert who == parse_who(*selectors_of(who))


def test_speeds_may_be_in_either_order():
    assert parse_rates("3 Mbit/s down, 1 Mbit/s up") == parse_rates("1 Mbit/s up and 3 Mbit/s down")


@pytest.mark.parametrize(
    "text", ["3 Mbit/s", "3 Mbit/s down, 1 Mbit/s down", "3M down, 1M up", "down, up", ""]
)
def test_a_speed_without_its_direction_is_refused(text):
    with pytest.raises(ValueError, match=r"such as|speed"):
        parse_rates(text)


@pytest.mark.parametrize("text", ["60 GB", "60 GB per year", "0 B per day", "per month", "60 per month"])
def test_a_quota_without_volume_or_period_is_refused(text):
    with pytest.raises(ValueError, match=r"such as"):
        parse_quota(text)


@pytest.mark.parametrize(
    "text", ["share 50", "cut off", "share 0 until reset", "ceiling none until reset", "share ٥ until reset"]
)
def test_the_consequence_of_a_quota_is_one_of_two_forms(text):
    with pytest.raises(ValueError, match=r"such as|write|until reset"):
        parse_then(text)


@pytest.mark.parametrize(
    "text", ["port:443", "domain:example.org", "app:video", "unit:ana", "tier:", "members", "group:Școala"]
)
def test_a_rule_cannot_select_an_activity_or_one_person(text):
    with pytest.raises(ValueError, match=r"write|letters"):
        parse_who([text])


@pytest.mark.parametrize(
    ("chosen", "excluded"), [([], []), (["everyone", "tier:x"], []), (["everyone"], ["everyone"])]
)
def test_everyone_cannot_be_combined_and_an_empty_selection_is_refused(chosen, excluded):
    with pytest.raises(ValueError, match=r"."):
        parse_who(chosen, excluded)


@pytest.mark.parametrize("text", ["Night", "nіght", "a b", "", "-x", "x" * 41, "night\n"])
def test_names_are_plain_letters_without_look_alikes(text):
    """The second one has a Cyrillic i."""
    with pytest.raises(ValueError, match="write"):
        parse_name(text)


def test_decisions_have_plain_ids():
    assert "D-2026-014" == parse_decision("D-2026-014")
    with pytest.raises(ValueError, match="write"):
        parse_decision("the assembly")


@pytest.mark.parametrize(
    "period", ["1 days", "32 days", "999999999 days", "7 day", "-7 days", "٧ days", "7days"]
)
def test_a_period_of_other_than_two_to_31_days_is_refused_with_what_to_write(period):
    with pytest.raises(ValueError, match=r"such as .60 GB per month.*or .10 GB per 7 days"):
        parse_quota(f"10 GB per {period}")
