"""Several previews together tell no more of one account than of four others: neither pairs of drafts nor groups that change
between them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.governance.account_classes import GROUP_MIN, AccountClasses, combined
from node.governance.allowance import Unit
from node.governance.replay import AlikeReplay, Interval, Replay, TooFewAccounts, replay, replay_alike
from node.governance.rules import Ruleset
from node.units import AccountId
from tests.examples import examples
from tests.fakes.rule_files import rule
from tests.unit.node.governance.test_replay import FRIDAY, MEGABIT, MEMBERS, ceiling, hour
from tests.unit.node.governance.test_replay import HEAD as SMALL_LINE
from tests.unit.node.governance.test_replay import ruleset as ruleset_of

HOMES = [AccountId(f"home-{number:02}") for number in range(18)]
ANA = HOMES[7]
HEAD = SMALL_LINE.replace("20 Mbit/s", "80 Mbit/s")


def ruleset(*rules: str, head: str = HEAD) -> Ruleset:
    return ruleset_of(*rules, head=head)


IN_FORCE = ruleset(rule("equal", "share = 100", MEMBERS))
type Groups = Mapping[AccountId, frozenset[str]]


@dataclass(frozen=True)
class Members:
    """Groups of members, as an admin writes them."""

    groups: Groups

    def unit_on(self, account: AccountId, _day: date, _grace: int) -> Unit:
        return Unit(account, "member", self.groups.get(account, frozenset()))


def group(*homes: AccountId) -> Members:
    return Members(dict.fromkeys(homes, frozenset({"mill"})))


def limit(mbits: int, *others: str) -> Ruleset:
    """For the group."""
    return ruleset(rule("equal", "share = 100", MEMBERS), ceiling(mbits, '"group:mill"'), *others)


def told_by(
    previews: Sequence[tuple[Ruleset, Members]], intervals: Sequence[Interval], before: Ruleset = IN_FORCE
) -> tuple[list[AlikeReplay], AccountClasses]:
    """Previews one after another, and the accounts that all of them treated alike."""
    told: AccountClasses = {}
    found = []
    for draft, members in previews:
        alike = replay_alike(lambda: iter(intervals), [(before, draft)], members.unit_on, "", told)
        told = combined(told, alike.classes)
        found.append(alike)
    return found, told


def used_after(found: Replay) -> int:
    """Of all together, in the hour."""
    (only,) = found.hours
    assert only.after is not None
    return only.after.down


USED = {home: 2.0 + 0.125 * place for place, home in enumerate(HOMES)}
"""In Mbit/s; the line carries it."""
EVENING = hour(USED)
SMALL = HOMES[:6]
PAIRS = {
    "the second adds a household": (group(*SMALL), group(*SMALL, ANA)),
    "the second leaves one out": (group(*SMALL, ANA), group(*SMALL)),
    "all, and all but one": (group(*HOMES), group(*(home for home in HOMES if home != ANA))),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_the_difference_of_two_previews_would_be_what_a_household_used(pair: tuple[Members, Members]) -> None:
    draft = limit(1)
    alone = [replay(EVENING, IN_FORCE, draft, members.unit_on) for members in pair]
    stolen = abs(used_after(alone[0]) - used_after(alone[1]))
    assert int(USED[ANA] * MEGABIT) - MEGABIT == stolen, "what it used above the ceiling"
    first, second = (each.replays[0] for each in told_by([(draft, members) for members in pair], EVENING)[0])
    assert first == second
    assert used_after(first) == used_after(alone[0]), "the first one is told as it is"


def test_three_previews_tell_no_more_than_two() -> None:
    parts = group(*HOMES[:5]), group(*HOMES[8:13]), group(*HOMES[:5], *HOMES[8:13], ANA)
    alone = [used_after(replay(EVENING, IN_FORCE, limit(1), each.unit_on)) for each in parts]
    unlimited = sum(int(rate * MEGABIT) for rate in USED.values())
    assert int(USED[ANA] * MEGABIT) - MEGABIT == alone[0] + alone[1] - alone[2] - unlimited
    found, _ = told_by([(limit(1), each) for each in parts], EVENING)
    told = [used_after(each.replays[0]) for each in found]
    assert told[:2] == alone[:2]
    assert told[0] + told[1] - told[2] == unlimited
    assert [False, False, True] == [each.has_stand_ins for each in found]


def test_ceilings_tried_for_one_household_after_another_tell_nothing() -> None:
    everybody = group(*HOMES)
    own = Members(dict(everybody.groups) | {ANA: frozenset({"school"})})
    for mbits in range(2, 5):
        drafts = [
            ruleset(
                rule("equal", "share = 100", MEMBERS),
                ceiling(1, '"group:mill"'),
                ceiling(each, '"group:school"').replace('"top"', '"school"'),
            )
            for each in (mbits, mbits + 1)
        ]
        one, other = (told_by([(draft, own)], EVENING)[0][0] for draft in drafts)
        assert one.replays == other.replays
        assert one.has_stand_ins
        whole, _ = told_by([(limit(1), everybody)], EVENING)
        assert whole[0].replays == one.replays


def test_a_whole_group_that_is_large_enough_is_told_as_it_is() -> None:
    halves = group(*HOMES[:7]), group(*HOMES[7:])
    found, told = told_by([(limit(1), each) for each in halves], EVENING)
    for each, members in zip(found, halves, strict=True):
        assert (False, (replay(EVENING, IN_FORCE, limit(1), members.unit_on),)) == (
            each.has_stand_ins,
            each.replays,
        )
    assert [7, 11] == sorted(Counter(told.values()).values())


def test_several_rules_of_one_draft_are_told_together() -> None:
    changes = [(IN_FORCE, limit(1)), (IN_FORCE, limit(2))]
    alike = replay_alike(lambda: iter(EVENING), changes, group(*SMALL, ANA).unit_on, "", {})
    assert (2, False) == (len(alike.replays), alike.has_stand_ins)
    assert 2 == len(set(alike.classes.values()))


def test_what_a_quota_takes_from_a_few_is_told_of_nobody() -> None:
    quota = rule(
        "q", 'quota = "1 GB per day"\nthen = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"', MEMBERS
    )
    of_few = quota.replace(MEMBERS, '"group:mill"')
    usage = [*EVENING, *hour(USED, FRIDAY + timedelta(hours=1))]
    (alike,), _ = told_by([(ruleset(rule("equal", "share = 100", MEMBERS), of_few), group(ANA))], usage)
    assert alike.has_stand_ins
    assert alike.replays[0].low.affected in {0, None}
    assert alike.replays[0].hours == told_by([(IN_FORCE, group())], usage)[0][0].replays[0].hours


def test_of_few_accounts_nothing_is_told() -> None:
    with pytest.raises(TooFewAccounts):
        told_by([(limit(1), group(*HOMES))], hour(dict.fromkeys(HOMES[: GROUP_MIN - 1], 1.0)))


DRAFTS = st.sampled_from(
    [
        limit(1),
        limit(2),
        limit(1, rule("night", 'ceiling = "none"\nexception_to = "top"\nwhen = "daily 21:30-22:00"', who="")),
        ruleset(rule("equal", "share = 100", MEMBERS), rule("more", 'credit = "share +50"', '"group:mill"')),
        ruleset(
            rule("equal", "share = 100", MEMBERS),
            rule("q", 'quota = "1 GB per day"\nthen = "share 50 until reset"', '"group:mill"'),
        ),
        ruleset(rule("equal", "share = 100", MEMBERS), head=HEAD.replace("80 Mbit/s", "9 Mbit/s")),
    ]
)
GROUPS = st.frozensets(st.sampled_from(HOMES)).map(lambda homes: group(*sorted(homes)))
RATES = st.lists(st.sampled_from([0.0, 0.5, 2.0, 5.0, 9.0]), min_size=len(HOMES), max_size=len(HOMES))


@settings(deadline=None, max_examples=examples(60))
@given(st.lists(st.tuples(DRAFTS, GROUPS), min_size=2, max_size=4), RATES, RATES, st.data())
def test_whichever_of_five_used_it_all_previews_tell_the_same(
    previews: list[tuple[Ruleset, Members]], first: list[float], second: list[float], data: st.DataObject
) -> None:
    """What two accounts that were treated alike used is exchanged: nothing that was told differs."""
    hours = [
        {home: 0.01 + rate for home, rate in zip(HOMES, rates, strict=True)} for rates in (first, second)
    ]

    def intervals(*, exchanged: tuple[AccountId, AccountId] | None = None) -> list[Interval]:
        one, other = exchanged or (ANA, ANA)
        swap = {one: other, other: one}
        found: list[Interval] = []
        for number, rates in enumerate(hours):
            owned = {home: rates[swap.get(home, home)] for home in HOMES}
            found += hour(owned, FRIDAY + timedelta(hours=number))
        return found

    found, told = told_by(previews, intervals())
    assert min(Counter(told.values()).values()) >= GROUP_MIN
    ana = data.draw(st.sampled_from(HOMES))
    other = data.draw(st.sampled_from([home for home in HOMES if told[home] == told[ana]]))
    exchanged, told_then = told_by(previews, intervals(exchanged=(ana, other)))
    assert [each.replays for each in found] == [each.replays for each in exchanged]
    assert told == told_then
