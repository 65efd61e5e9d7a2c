"""Rights and speeds of accounts in one interval."""

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
