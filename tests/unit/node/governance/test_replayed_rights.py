"""Rights and speeds of accounts in one interval."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.governance.allowance import Moment
from node.governance.replayed_rights import InternedRights, ReplayedInterval, RightsUnder
from node.governance.replayed_usage import ReplayedUsage
from node.governance.rules import Ruleset
from node.units import AccountId
from tests.fakes.rule_files import rule
from tests.unit.node.governance.test_replay import FRIDAY, MEGABIT, MEMBERS, ceiling, ruleset, unit_on

ANA, SCHOOL = AccountId("home-ana"), AccountId("school-1")
FLOOR = rule("floor", 'floor = "4 Mbit/s down, 1 Mbit/s up"', '"group:school"')
USE = ReplayedInterval(
    Moment(FRIDAY, "synced", busy=False, node=""),
    FRIDAY,
    True,
    (ANA, SCHOOL),
    [9 * MEGABIT, 9 * MEGABIT],
    [MEGABIT, MEGABIT],
)


def sides(*rulesets: Ruleset) -> tuple[RightsUnder, RightsUnder]:
    known: InternedRights = {}
    one, other = (RightsUnder(each, unit_on, known) for each in rulesets)
    for side in (one, other):
        side.take(USE, ReplayedUsage())
    return one, other


def test_each_account_has_the_speed_of_its_groups() -> None:
    own = ceiling(5, '"group:school"').replace("top", "school")
    one, other = sides(ruleset(FLOOR), ruleset(FLOOR, ceiling(6, MEMBERS), own))
    assert [9 * MEGABIT, 9 * MEGABIT] == one.low(USE)[0]
    assert [6 * MEGABIT, 5 * MEGABIT] == other.low(USE)[0]
    assert [6 * MEGABIT, 5 * MEGABIT] == other.high()[0]


def test_equal_rights_under_two_rulesets_are_one_object_and_others_are_not() -> None:
    one, other = sides(ruleset(FLOOR), ruleset(FLOOR, ceiling(5, '"group:school"')))
    assert one.rights[0] is other.rights[0]
    day = FRIDAY.date()
    ana, school = ([side.kind(each, day, ReplayedUsage()) for side in (one, other)] for each in (ANA, SCHOOL))
    assert one.entitlement(ana[0]) == other.entitlement(ana[1])
    assert one.entitlement(school[0]) != other.entitlement(school[1])
    assert one.entitlement(school[0]) != one.entitlement(ana[0])


TIMED = (
    rule("night", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 22:00-06:00"', MEMBERS),
    rule("later", 'share = 150\nfrom = "2026-11-29"', '"group:school"'),
    rule(
        "full",
        'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"\nwhen = "sat,sun 00:00-24:00"',
        '"group:school"',
    ),
    rule("q", 'quota = "1 GB per day"\nthen = "share 50 until reset"\nwhen = "mon-fri 08:00-18:00"', MEMBERS),
)


@given(st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), min_size=2, max_size=12))
def test_what_is_remembered_of_a_moment_is_what_another_one_with_its_rules_gives(
    moments: list[tuple[int, bool, bool]],
) -> None:
    rules = ruleset(*TIMED)
    known: InternedRights = {}
    kept = RightsUnder(rules, unit_on, known)
    for hours, is_busy, has_clock in moments:
        at = FRIDAY + timedelta(hours=hours)
        moment = Moment(at, "synced" if has_clock else "unknown", busy=is_busy, node="")
        new = RightsUnder(rules, unit_on, known)
        for each in (kept, new):
            each.begin(moment)
        for account in (ANA, SCHOOL):
            kind = new.kind(account, at.date(), ReplayedUsage())
            assert new.entitlement(kind) == kept.entitlement(kind)
