"""What other rules would have changed, replayed from usage in intervals."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounting.intervals import INTERVAL_S, IntervalUsage
from node.governance.account_classes import GROUP_MIN
from node.governance.allowance import Unit
from node.governance.parse import parse_ruleset
from node.governance.replay import (
    Interval,
    Replay,
    TooFewAccounts,
    account_replays,
    replay,
    why_no_preview,
)
from node.governance.rules import LATE_DUES, Ruleset
from node.units import AccountId, Bytes, Usage
from tests.fakes.rule_files import rule
from tests.fakes.rule_texts import RULESETS

MEGABIT = 1_000_000
HEAD = """[ruleset]
community = "vall"
version = 1
decision = "D-1"
[uplink.main]
down = "20 Mbit/s"
up = "20 Mbit/s"
usable_percent = 100
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
"""
MEMBERS = '"tier:member"'
FRIDAY = datetime(2026, 11, 27, 21, tzinfo=UTC)
HOMES = [f"home-{number}" for number in range(8)]


def ruleset(*rules: str, head: str = HEAD) -> Ruleset:
    found, findings = parse_ruleset(head + "".join(rules))
    assert found is not None, findings
    return found


def unit_on(account: AccountId, _day: date, _grace: int) -> Unit:
    if account.startswith("guest"):
        return Unit(account, "guest")
    groups = frozenset({"school"}) if account.startswith("school") else frozenset[str]()
    return Unit(account, "member", groups)


def interval(at: datetime, mbits: Mapping[str, float], *, is_busy: bool = False) -> Interval:
    """Everybody uses so many Mbit/s download and a tenth of it upload, for five minutes."""
    return at, {
        AccountId(account): IntervalUsage(
            Usage(
                Bytes(int(rate * MEGABIT) * INTERVAL_S // 8),
                Bytes(int(rate * MEGABIT / 10) * INTERVAL_S // 8),
            ),
            is_busy,
        )
        for account, rate in mbits.items()
    }


def hour(mbits: Mapping[str, float], begun: datetime = FRIDAY, *, is_busy: bool = False) -> list[Interval]:
    return [interval(begun + timedelta(seconds=INTERVAL_S * n), mbits, is_busy=is_busy) for n in range(12)]


def replayed(intervals: list[Interval], after: Ruleset, before: Ruleset | None = None) -> Replay:
    return replay(intervals, before or ruleset(), after, unit_on)


def ceiling(mbits: int, who: str = MEMBERS, more: str = "") -> str:
    return rule("top", f'ceiling = "{mbits} Mbit/s down, {mbits} Mbit/s up"{more}', who)


def test_the_same_rules_change_nothing_on_a_full_line_too():
    rules = ruleset(ceiling(3))
    for rate in (1, 3, 9):
        found = replayed(hour(dict.fromkeys(HOMES, rate)), rules, rules)
        assert found.is_nothing
        assert found.busiest_before == found.busiest_after
        assert (found.margins[0], found.hours) == (found.margins[1], found.hours)
        assert all(each.before == each.after for each in (*found.hours, *found.day_hours))


def test_a_ceiling_takes_from_those_who_used_more():
    used = dict.fromkeys(HOMES[:5], 3.0) | dict.fromkeys(HOMES[5:], 1.0)
    found = replayed(hour(used), ruleset(ceiling(2)))
    assert (5, (303, 303, 303)) == (found.low.affected, found.low.losses), "of 3 Mbit/s down and 0.3 up"
    assert found.busiest_before is not None
    assert found.busiest_before.before is not None
    assert 18 * MEGABIT == found.busiest_before.before.down
    assert found.busiest_after is not None
    assert found.busiest_after.after is not None
    assert 13 * MEGABIT == found.busiest_after.after.down
    # All eight could have had 2.5 Mbit/s each.
    assert found.high is not None
    assert (8, (200, 200, 200), ()) == (found.high.affected, found.high.losses, found.high.gains)
    assert (FRIDAY.date(), 8) == (found.first, found.accounts)


def test_nobody_is_lifted_above_what_they_used_unless_everybody_is_greedy():
    found = replayed(hour(dict.fromkeys(HOMES, 1)), ruleset(), ruleset(ceiling(1)))
    assert (0, (), ()) == (found.low.affected, found.low.gains, found.low.losses)
    assert found.high is not None
    # 1 Mbit/s becomes 2.5.
    assert (8, (1500, 1500, 1500)) == (found.high.affected, found.high.gains)
    assert (3906, 9765) == found.margins


def test_a_rule_with_hours_changes_only_these():
    after = ruleset(ceiling(1, more='\nwhen = "daily 21:00-22:00"'))
    later = FRIDAY + timedelta(hours=1)
    found = replayed([*hour(dict.fromkeys(HOMES, 2)), *hour(dict.fromkeys(HOMES, 2), later)], after)
    changed = [
        (each.begun.hour, each.before and each.before.down, each.after and each.after.down)
        for each in found.hours
    ]
    assert [(21, 16 * MEGABIT, 8 * MEGABIT), (22, 16 * MEGABIT, 16 * MEGABIT)] == changed
    assert [(None, None), (2_500_000, 1_000_000), (2_500_000, 2_500_000), (None, None)] == [
        (each.before, each.after) for each in found.day_hours[20:]
    ]


def test_a_used_up_quota_counts_from_the_next_hour_on():
    quota = (
        'quota = "2 GB per day"\ncounts = "uplink"\nthen = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"'
    )
    after = ruleset(rule("volume", quota, MEMBERS))
    hours = [hour(dict.fromkeys(HOMES, 2), FRIDAY - timedelta(hours=3 - n)) for n in range(4)]
    found = replayed([each for intervals in hours for each in intervals], after)  # 0.99 GB an hour
    assert [16, 16, 16, 8] == [each.after.down // MEGABIT for each in found.hours if each.after]


def test_a_rule_for_one_node_is_replayed_there_only():
    after = ruleset(ceiling(1, more='\nat = "node:library"'))
    for node, affected in (("library", 8), ("school", 0), ("", 0)):
        assert affected == replay(hour(dict.fromkeys(HOMES, 2)), ruleset(), after, unit_on, node).low.affected


def test_guests_share_one_household():
    crowd = dict.fromkeys(["guest-1", "guest-2", "guest-3"], 9.0) | dict.fromkeys(HOMES[:4], 9.0)
    share = rule("guest-share", "share = 200\ntogether = true", '"tier:guest"')
    found = replayed(hour(crowd), ruleset(share))
    assert found.high is not None
    # Of 20 Mbit/s guests had a fifth, and have a third; each home had 4 and has 3.33.
    assert (7, ()) == (found.high.affected, found.high.losses), "only four homes lose: not shown"
    assert (3999, 6666) == found.margins, "that of all guests together is the lowest"


def test_of_few_accounts_nothing_is_shown():
    with pytest.raises(TooFewAccounts):
        replayed(hour(dict.fromkeys(HOMES[: GROUP_MIN - 1], 1)), ruleset(ceiling(1)))
    with pytest.raises(TooFewAccounts):
        replayed([], ruleset(ceiling(1)))
    one = dict.fromkeys(HOMES, 1.0) | {"school-1": 9.0}
    found = replayed(
        hour(one), ruleset(rule("s", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"', '"group:school"'))
    )
    assert (None, (), ()) == (found.low.affected, found.low.gains, found.low.losses)
    assert found.busiest_after is None, "the difference would be the school's usage"
    assert all(each.after is None for each in (*found.hours, *found.day_hours))
    night = hour(dict.fromkeys(HOMES[:2], 1), FRIDAY + timedelta(hours=5))
    found = replayed([*hour(dict.fromkeys(HOMES, 1)), *night], ruleset(ceiling(1)))
    assert [FRIDAY] == [each.begun for each in found.hours], (
        "also not that anybody was active in another hour"
    )


def test_it_is_not_said_whether_rules_for_few_would_have_changed_anything():
    """Otherwise a ceiling tried again and again would find out what the school used, and when."""
    used = dict.fromkeys(HOMES, 1.0) | {"school-1": 2.0}
    for mbits in (1, 3):
        for when in ("daily 21:00-22:00", "daily 04:00-05:00"):
            top = ceiling(mbits, '"group:school"', f'\nwhen = "{when}"')
            night = hour(dict.fromkeys(HOMES, 1.0), FRIDAY + timedelta(hours=7))
            found = replayed([*hour(used), *night], ruleset(top))
            assert [None, False] == [found.low.affected, found.is_nothing]
            assert all(each.after is None for each in (*found.hours, *found.day_hours))
    quota = rule("volume", 'quota = "1 TB per day"\nthen = "share 10 until reset"', '"group:school"')
    assert not replayed(hour(used), ruleset(quota)).is_nothing


def test_the_use_afterwards_is_not_shown_of_an_hour_in_which_it_differs_for_few():
    evening, night = dict.fromkeys(HOMES, 2.0), dict.fromkeys(HOMES[1:], 0.5) | {HOMES[0]: 2.0}
    found = replayed([*hour(evening), *hour(night, FRIDAY + timedelta(hours=1))], ruleset(ceiling(1)))
    assert 8 == found.low.affected
    assert [True, False] == [each.after is not None for each in found.hours]


def test_without_a_stated_speed_only_ceilings_are_replayed():
    head = HEAD.replace('[uplink.main]\ndown = "20 Mbit/s"\nup = "20 Mbit/s"\nusable_percent = 100\n', "")
    before, after = ruleset(head=head), ruleset(ceiling(2), head=head)
    found = replayed(hour(dict.fromkeys(HOMES, 4)), after, before)
    assert (8, (455, 455, 455), None, (None, None)) == (
        found.low.affected, found.low.losses, found.high, found.margins
    )  # fmt: skip


def test_it_says_what_to_do_without_anything_to_replay():
    assert "[preview]" in why_no_preview(ruleset())[1]
    assert "fewer than 5 accounts" in why_no_preview(ruleset(head=HEAD + '[preview]\nby = "D-1"\n'))[0]


PEOPLE = [*HOMES, "school-1", "school-2", "guest-1", "guest-2", "guest-3"]


def late_unit_on(account: AccountId, day: date, _grace: int) -> Unit:
    unit = unit_on(account, day, 0)
    is_late = unit.tier == "member" and account.endswith("3") and day > FRIDAY.date()
    return Unit(account, unit.tier, unit.groups | {LATE_DUES}) if is_late else unit


DAYS = st.lists(
    st.tuples(
        st.integers(0, 7 * 288),
        st.dictionaries(st.sampled_from(PEOPLE), st.floats(0.01, 30), min_size=5),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def intervals_of(days: list[tuple[int, dict[str, float], bool]]) -> list[Interval]:
    return [
        interval(FRIDAY + timedelta(seconds=INTERVAL_S * number), rates, is_busy=busy)
        for number, rates, busy in sorted(days, key=lambda each: each[0])
    ]


@given(RULESETS, DAYS)
def test_replaying_the_same_rules_changes_nothing(
    rules: Ruleset, days: list[tuple[int, dict[str, float], bool]]
):
    again = replace(rules, version=rules.version + 1)
    found = replay(intervals_of(days), rules, again, late_unit_on)
    assert found.is_nothing
    assert found.busiest_before is None or found.busiest_after is not None
    assert found.margins[0] == found.margins[1]


@given(RULESETS, RULESETS, DAYS)
def test_back_is_the_reverse_of_there(
    before: Ruleset, after: Ruleset, days: list[tuple[int, dict[str, float], bool]]
):
    there = replay(intervals_of(days), before, after, late_unit_on)
    back = replay(intervals_of(days), after, before, late_unit_on)
    assert there.margins == back.margins[::-1]
    assert there.accounts == back.accounts
    capacity = after.shaped
    for each in there.hours:
        assert each.after is None or capacity is None or each.after.down <= capacity.down


# --- each account's own ---


def test_each_account_has_its_own_mean_rates_and_what_it_could_have_had():
    used = dict.fromkeys(HOMES[:4], 1.0) | dict.fromkeys(HOMES[4:], 4.0)
    found = account_replays(hour(used), ruleset(), ruleset(ceiling(2)), unit_on)
    assert set(HOMES) == set(found)
    light, heavy = found[AccountId("home-0")], found[AccountId("home-7")]
    assert (3600, 1_100_000, 1_100_000) == (light.active_s, light.used, light.used_after)
    assert heavy.used_after == 2_400_000, "2 Mbit/s down, and 0.4 up as before"
    assert light.could_have == heavy.could_have == (5_000_000, 4_000_000), (
        "an eighth of the line, or the ceiling"
    )


def test_an_account_that_was_active_for_a_while_has_the_mean_of_that_while():
    quiet = [interval(each[0], dict.fromkeys(HOMES[1:], 1.0)) for each in hour({})]
    begun = dict.fromkeys(HOMES, 1.0)
    found = account_replays([interval(FRIDAY, begun), *quiet[1:]], ruleset(), ruleset(), unit_on)
    assert (INTERVAL_S, 1_100_000) == (found[AccountId("home-0")].active_s, found[AccountId("home-0")].used)
    assert 3600 == found[AccountId("home-1")].active_s


def test_without_a_stated_speed_nobody_is_told_what_they_could_have_had():
    head = HEAD.replace('[uplink.main]\ndown = "20 Mbit/s"\nup = "20 Mbit/s"\nusable_percent = 100\n', "")
    found = account_replays(hour(dict.fromkeys(HOMES, 1.0)), ruleset(head=head), ruleset(head=head), unit_on)
    assert {None} == {each.could_have for each in found.values()}


def test_of_fewer_than_five_active_accounts_nobody_is_told_anything():
    with pytest.raises(TooFewAccounts):
        account_replays(
            hour(dict.fromkeys(HOMES[: GROUP_MIN - 1], 1.0)), ruleset(), ruleset(ceiling(2)), unit_on
        )
