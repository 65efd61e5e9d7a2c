"""Rights and speeds of accounts in one interval, and those of an account that a change treats as another one."""

from node.governance.allowance import Moment
from node.governance.line_division import LineRights, change_between, with_change
from node.governance.replayed_rights import AlikeRights, InternedRights, ReplayedInterval, RightsUnder
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


def sides(*rulesets: Ruleset) -> tuple[RightsUnder, RightsUnder, InternedRights]:
    known: InternedRights = {}
    one, other = (RightsUnder(each, unit_on, known) for each in rulesets)
    for side in (one, other):
        side.take(USE, ReplayedUsage())
    return one, other, known


def floor_and_ceiling(rights: LineRights) -> tuple[int, int | None]:
    return rights.own["down"].floor // 1000, rights.own["down"].ceiling


def test_an_account_with_a_stand_in_keeps_its_own_rights_and_gets_the_change_of_the_other_one() -> None:
    own = ceiling(5, '"group:school"').replace("top", "school")
    one, other, known = sides(ruleset(FLOOR), ruleset(FLOOR, ceiling(6, MEMBERS), own))
    assert [6 * MEGABIT, 5 * MEGABIT] == other.low(USE)[0]
    alike = AlikeRights((one, other), {SCHOOL: ANA}, known)
    alike.take(USE, ReplayedUsage())
    assert [6 * MEGABIT, 6 * MEGABIT] == alike.low(USE)[0]
    assert (4000, 6 * MEGABIT) == floor_and_ceiling(alike.rights[1])
    assert alike.rights[0] is other.rights[0]
    assert [each[1] for each in alike.high()] != [each[1] for each in one.high()]


def test_a_change_that_leaves_the_other_one_alone_leaves_the_account_alone() -> None:
    one, other, known = sides(ruleset(FLOOR), ruleset(FLOOR, ceiling(5, '"group:school"')))
    alike = AlikeRights((one, other), {SCHOOL: ANA}, known)
    alike.take(USE, ReplayedUsage())
    assert alike.rights == one.rights
    assert alike.low(USE) == one.low(USE)


def test_a_change_is_what_becomes_another_one() -> None:
    one, other, known = sides(ruleset(), ruleset(ceiling(6, MEMBERS), FLOOR))
    assert () == change_between(one.rights[0], one.rights[0])
    assert one.rights[0] is with_change(one.rights[0], (), known)
    for before, after in zip(one.rights, other.rights, strict=True):
        assert after is with_change(before, change_between(before, after), known)
        assert change_between(before, after)


def test_a_ceiling_is_never_below_the_floor() -> None:
    one, other, known = sides(ruleset(FLOOR), ruleset(FLOOR, ceiling(1, MEMBERS)))
    home = change_between(one.rights[0], other.rights[0])
    assert (4000, 4 * MEGABIT) == floor_and_ceiling(with_change(one.rights[1], home, known))
