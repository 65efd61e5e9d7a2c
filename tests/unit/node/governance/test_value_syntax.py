"""Short texts in a rule file: parsing to values and formatting them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.characters import is_name
from node.governance.rules import Ceiling, Share, Who
from node.governance.value_syntax import (
    format_quota,
    format_rates,
    format_then,
    parse_decision,
    parse_name,
    parse_quota,
    parse_rates,
    parse_then,
    parse_who,
    selectors_of,
)
from node.units import BitsPerSecond, Bytes, Rates

RATE = st.integers(0, 10**11).map(BitsPerSecond)
RATES = st.builds(Rates, RATE, RATE)
NAMES = st.frozensets(st.text("az09-", min_size=1, max_size=40).filter(is_name), max_size=4)


@given(RATES)
def test_a_pair_of_speeds_round_trips(rates):
    assert rates == parse_rates(format_rates(rates))


@given(st.integers(1, 10**15).map(Bytes), st.sampled_from(["day", "week", "month"]))
def test_a_quota_round_trips(volume, period):
    assert (volume, period) == parse_quota(format_quota(volume, period))


@given(st.one_of(st.builds(Share, st.integers(1, 10_000)), st.builds(Ceiling, RATES)))
def test_the_consequence_of_a_quota_round_trips(then):
    assert then == parse_then(format_then(then))


@given(NAMES, NAMES, NAMES, NAMES)
def test_a_selection_round_trips(tiers, groups, without_tiers, without_groups):
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
