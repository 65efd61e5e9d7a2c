"""What single rules would have changed: counts of observed rules, and W03, replayed from usage."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import Finding
from node.governance.account_classes import GROUP_MIN
from node.governance.observed_rules import bundles
from node.governance.observed_sentences import observed_sentence
from node.governance.replay import Interval, TooFewAccounts, replay
from node.governance.rule_effects import (
    SINGLE_CHANGES_MAX,
    ObservedCount,
    count_observed,
    preview_draft,
    single_changes,
    touch_findings,
)
from node.governance.rules import Ruleset
from node.translator import LazyText
from node.web.translations import read_catalogues
from tests.examples import examples
from tests.fakes.rule_files import rule
from tests.fakes.rule_texts import RULESETS
from tests.unit.node.governance.test_replay import (
    DAYS,
    FRIDAY,
    HEAD,
    HOMES,
    MEGABIT,
    MEMBERS,
    ceiling,
    hour,
    interval,
    intervals_of,
    late_unit_on,
    ruleset,
    unit_on,
)

OBSERVE = '\nobserve = true\nexpires = "2027-03-31"'
UNSTATED = HEAD.replace('[uplink.main]\ndown = "20 Mbit/s"\nup = "20 Mbit/s"\nusable_percent = 100\n', "")
USED = dict.fromkeys(HOMES[:5], 3.0) | dict.fromkeys(HOMES[5:], 1.0)


def counted(intervals: list[Interval], *rules: str, node: str = "") -> list[ObservedCount]:
    return list(count_observed(intervals, ruleset(*rules), unit_on, node))


def previewed(intervals: list[Interval], after: Ruleset, before: Ruleset | None = None) -> list[Finding]:
    return list(preview_draft(intervals, before or ruleset(), after, unit_on)[1])


def test_it_counts_the_accounts_that_a_rule_would_have_limited_and_for_how_long():
    calm = hour(dict.fromkeys(HOMES, 1.0), FRIDAY + timedelta(hours=1))
    (found,) = counted([*hour(USED), *calm], ceiling(2, more=OBSERVE))
    assert (("top",), FRIDAY.date(), 8) == (found.rules, found.first, found.accounts)
    assert (5, 5 * 3600) == (found.low, found.low_s)
    # Each could have had 2.5 Mbit/s.
    assert (8, 8 * 2 * 3600, True) == (found.high, found.high_s, found.has_high)


def test_a_rule_that_gives_some_more_limits_the_others():
    share = rule("school", "share = 300" + OBSERVE, '"group:school"')
    schools = dict.fromkeys(("school-1", "school-2", "school-3", "school-4", "school-5"), 1.0)
    (found,) = counted(hour(dict.fromkeys(HOMES, 1.0) | schools), share)
    assert (0, 8) == (found.low, found.high), "the line was not full, and all want more"


def test_where_few_others_gain_it_is_not_said_that_few_are_limited():
    share = rule("school", "share = 300" + OBSERVE, '"group:school"')
    used = dict.fromkeys(HOMES, 1.0) | dict.fromkeys(("school-1", "school-2"), 1.0)
    (found,) = counted(hour(used), share)
    assert (None, 0, True) == (found.high, found.high_s, found.are_high_many)
    assert "at least 5 if all wanted" in observed_sentence(found)


def test_rules_in_force_are_not_counted_and_none_is_nothing():
    assert [] == counted([], ceiling(1))
    with pytest.raises(TooFewAccounts):
        counted(hour(dict.fromkeys(HOMES[:4], 3.0)), ceiling(1, more=OBSERVE))


def test_alternatives_are_counted_apart_and_exceptions_with_their_rule():
    two = ceiling(2, more=OBSERVE)
    nine = two.replace('"top"', '"other"').replace("2 Mbit", "9 Mbit")
    lifted = rule("lifted", 'ceiling = "none"\nexception_to = "top"\nwhen = "fri 21:00-24:00"' + OBSERVE, "")
    later = hour(USED, FRIDAY + timedelta(hours=3))
    assert [(("top",), 5), (("other",), 0)] == [
        (each.rules, each.low) for each in counted(hour(USED), two, nine)
    ]
    found = counted([*hour(USED), *later], two, nine, lifted)
    assert [("top", "lifted"), ("other",)] == [each.rules for each in found]
    assert [(5, 5 * 3600), (0, 0)] == [(each.low, each.low_s) for each in found], "Saturday only"


def test_an_observed_exception_is_compared_with_the_rule_in_force():
    night = rule("night", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nexception_to = "top"' + OBSERVE, who="")
    (found,) = counted(hour(dict.fromkeys(HOMES, 2.0)), ceiling(2), night)
    assert 8 == found.low


def test_it_says_where_nothing_could_be_counted():
    (there,) = counted(hour(USED), ceiling(2, more=OBSERVE + '\nat = "node:library"'), node="mill")
    (here,) = counted(hour(USED), ceiling(2, more=OBSERVE + '\nat = "node:library"'), node="library")
    (later,) = counted(hour(USED), ceiling(2, more='\nobserve = true\nfrom = "2026-11-28"'))
    (over,) = counted(hour(USED), ceiling(2, more='\nobserve = true\nexpires = "2026-11-26"'))
    assert [False, True, False, False] == [each.is_here for each in (there, here, later, over)]
    assert [0, 5, 0, 0] == [each.low for each in (there, here, later, over)]


def test_nothing_is_said_of_few():
    for who in ('"group:school"', MEMBERS):
        (found,) = counted(hour(dict.fromkeys(HOMES, 1.0) | {"school-1": 3.0}), ceiling(2, who, OBSERVE))
        assert (None, 0) == (found.low, found.low_s)
    # Of nine with another speed, four have more: eight less four would tell how many gain.
    some = dict.fromkeys(HOMES, 1.0) | {f"school-{number}": 1.0 for number in range(4)}
    (found,) = counted(hour(some), rule("school", "share = 300" + OBSERVE, '"group:school"'))
    assert (None, None) == (found.low, found.high)


RATES = st.dictionaries(st.sampled_from(HOMES), st.sampled_from((0.5, 1.9, 2.01, 2.1, 4.0)), min_size=1)


@given(st.lists(RATES, min_size=1, max_size=6))
def test_without_a_stated_line_a_ceiling_limits_exactly_those_who_used_more(rates):
    days = [interval(FRIDAY + timedelta(minutes=5 * number), each) for number, each in enumerate(rates)]
    observed = ruleset(ceiling(2, more=OBSERVE), head=UNSTATED)
    active = {name for each in rates for name in each}
    if len(active) < GROUP_MIN:
        with pytest.raises(TooFewAccounts):
            count_observed(days, observed, unit_on)
        return
    (found,) = count_observed(days, observed, unit_on)
    over = [name for each in rates for name, rate in each.items() if rate > 2 * 1.01]
    number = len(set(over))
    assert (number if number == 0 or number >= GROUP_MIN else None) == found.low
    assert (len(over) * 300 if found.low else 0) == found.low_s
    assert (None, False) == (found.high, found.has_high)


def partly_observed(rules: Ruleset, chosen: frozenset[int]) -> Ruleset:
    ids: set[str] = set()
    for number, each in enumerate(rules.rules):
        if number in chosen or each.exception_to in ids:
            ids.add(each.id)
    observed = tuple(each for each in rules.rules if each.id in ids)
    return replace(rules, rules=tuple(each for each in rules.rules if each.id not in ids), observed=observed)


@settings(deadline=None)
@given(RULESETS, st.frozensets(st.integers(0, 6), max_size=3), DAYS)
def test_each_count_is_that_of_a_replay_and_never_of_few(rules, chosen, days):
    observing, intervals = partly_observed(rules, chosen), intervals_of(days)
    if not observing.observed:
        assert () == count_observed(intervals, observing, late_unit_on)
        return
    found = count_observed(intervals, observing, late_unit_on)
    assert sorted(each.id for each in observing.observed) == sorted(
        name for each in found for name in each.rules
    )
    for bundle, each in zip(bundles(observing.observed), found, strict=True):
        alone = replay(intervals, observing, observing.as_if_in_force(bundle), late_unit_on)
        assert (alone.low.limited, alone.low.limited_s) == (each.low, each.low_s)
        for number in (each.low, each.high):
            assert number is None or number == 0 or GROUP_MIN <= number <= each.accounts
        assert bool(each.low) == bool(each.low_s)


# --- W03 ---


def test_a_rule_that_would_have_touched_many_is_a_warning_with_the_numbers():
    (found,) = previewed(hour(USED), ruleset(ceiling(2)))
    assert ("W03", 12) == (found.code, found.line)
    assert (
        "top would have changed the speed of 5 of the 8 accounts that were active from 27 November 2026 to "
        "27 November 2026." == found.message
    )
    lighter = dict.fromkeys((*HOMES, *(f"home-{n}" for n in range(10, 20))), 0.3) | dict.fromkeys(
        HOMES[:5], 3.0
    )
    assert [] == previewed(hour(lighter), ruleset(ceiling(2))), "5 of 18"


def test_a_rule_that_would_have_touched_nobody_is_a_warning():
    (found,) = previewed(hour(dict.fromkeys(HOMES, 1.0)), ruleset(ceiling(15)))
    assert "the speed of none of the 8 accounts" in found.message
    assert [] == previewed(hour({**dict.fromkeys(HOMES[:5], 1.0)}), ruleset(ceiling(3))), (
        "all could want more"
    )


def test_only_rules_that_are_new_or_changed_are_tried():
    before = ruleset(ceiling(2), rule("s", "share = 50", MEMBERS))
    assert [] == previewed(hour(USED), before, before)
    again = ruleset(ceiling(2, more='\nwhy = "because"'), rule("s", "share = 50", MEMBERS))
    assert [] == previewed(hour(USED), again, before)
    (changed,) = single_changes(before, ruleset(rule("s", "share = 50", MEMBERS), ceiling(1)))
    assert "top" == changed.rule.id
    assert [2, 1] == [
        each.effect.rates.down // MEGABIT
        for side in changed.change
        for each in side.rules
        if each.id == "top"
    ]


def test_what_usage_cannot_tell_is_not_tried():
    uncounted = [
        rule("a", 'session = "4 hours"', MEMBERS),
        rule("b", "devices = 2", MEMBERS),
        rule("c", 'quota = "1 GB per day"\nthen = "tell"', MEMBERS),
    ]
    assert () == single_changes(ruleset(), ruleset(*uncounted))


def test_a_rule_without_chance_to_touch_anybody_is_no_warning():
    calm = [*hour(dict.fromkeys(HOMES, 1.0)), *hour(dict.fromkeys(HOMES, 1.0), FRIDAY + timedelta(days=2))]
    for more in ('\nfrom = "2026-11-28"', '\nexpires = "2026-11-28"', '\nat = "node:mill"'):
        assert [] == previewed(calm, ruleset(ceiling(15, more=more)))
    for period, codes in (("day", ["W03"]), ("week", []), ("month", [])):
        quota = f'quota = "900 GB per {period}"\nthen = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"'
        assert codes == [each.code for each in previewed(calm, ruleset(rule("q", quota, MEMBERS)))]


def test_observed_rules_of_a_draft_are_tried_too_once():
    observed = ruleset(ceiling(2, more=OBSERVE))
    (found,) = previewed(hour(USED), observed)
    assert "top would have changed the speed of 5 of the 8" in found.message
    assert [] == previewed(hour(USED), observed, observed)
    (binding,) = previewed(hour(USED), ruleset(ceiling(2)), observed)
    assert found.message == binding.message


def test_at_most_so_many_rules_are_tried():
    many = [ceiling(n + 1).replace('"top"', f'"top-{n}"') for n in range(12)]
    assert [f"top-{n}" for n in range(SINGLE_CHANGES_MAX)] == [
        each.rule.id for each in single_changes(ruleset(), ruleset(*many))
    ]


def test_nothing_is_warned_of_few():
    one = dict.fromkeys(HOMES[:4], 1.0) | {"school-1": 9.0}
    assert [] == previewed(hour(one), ruleset(ceiling(1, '"group:school"')))
    assert [] == previewed(hour(one), ruleset(ceiling(15, '"group:school"'))), (
        "also not that nobody was touched"
    )


@settings(deadline=None, max_examples=examples(50))
@given(RULESETS, RULESETS, DAYS)
def test_trying_rules_alone_changes_nothing_of_the_preview(before, after, days):
    intervals = intervals_of(days)
    whole, findings = preview_draft(intervals, before, after, late_unit_on)
    assert replay(intervals, before, after, late_unit_on) == whole
    assert {each.code for each in findings} <= {"W03"}
    assert len(findings) <= SINGLE_CHANGES_MAX
    assert {each.line for each in findings} <= {each.line for each in after.rules}


def test_its_texts_are_translated():
    (many,) = previewed(hour(USED), ruleset(ceiling(2)))
    (none,) = previewed(hour(dict.fromkeys(HOMES, 1.0)), ruleset(ceiling(15)))
    for finding in (many, none):
        for text in (finding.message, finding.fix):
            assert isinstance(text, LazyText)
            for tag, words in read_catalogues().translations.items():
                assert (tag == "en") == (words.gettext(text.template) == text.template)


def test_a_replay_of_both_ends_decides():
    found = replay(hour(USED), ruleset(), ruleset(ceiling(2)), unit_on)
    top = ruleset(ceiling(2)).rules[0]
    few = replace(found, accounts=100)
    assert [] == list(touch_findings(top, few))
    nobody = replace(found, low=replace(found.low, affected=0), high=None)
    assert ["W03"] == [each.code for each in touch_findings(top, nobody)]
