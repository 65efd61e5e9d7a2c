"""Checks before adoption: every error that makes rules impossible to adopt, with what to write instead."""

import re
from time import perf_counter

from node.governance.allowance import Unit
from node.governance.checks import check, check_file
from node.governance.parse import parse_ruleset
from node.governance.times import DAYS
from node.translator import translate
from node.units import AccountId
from node.web.translations import read_catalogues
from tests.fakes.rule_files import EXAMPLE, evaluate, example, file_with, on, rule, rules_of, village


def found(text: str, households: int = 44):
    return check_file(text, village(households))[1]


def errors(*rules: str, households: int = 44) -> list[str]:
    return [finding.code for finding in found(file_with(*rules), households) if finding.is_error]


def fix_of(*rules: str, households: int = 44) -> str:
    return next(finding.fix for finding in found(file_with(*rules), households) if finding.is_error)


def test_the_example_of_44_households_can_be_adopted_with_one_warning_about_the_school():
    ruleset, findings = check_file(EXAMPLE, village())
    assert ruleset is not None
    assert [("W05", next(r.line for r in ruleset.rules if r.id == "school-hours"))] == [
        (finding.code, finding.line) for finding in findings
    ]


def test_the_example_is_checked_within_its_time_limit():
    begun = perf_counter()
    check_file(EXAMPLE, village())
    assert perf_counter() - begun < 0.3


def test_twenty_five_rules_with_as_many_different_hours_are_checked_within_two_seconds():
    rules = [rule("all", "share = 100", '"everyone"')]
    for n in range(12):
        hours = f'when = "mon-fri {n:02}:{n:02}-{n + 6:02}:30"'
        rules.append(rule(f"c{n}", f'ceiling = "{n + 2} Mbit/s down, 1 Mbit/s up"\n{hours}', f'"group:g{n}"'))
        body = f'quota = "{n + 1} GB per day"\nthen = "share {n + 10} until reset"\n{hours}'
        rules.append(rule(f"q{n}", body))
    begun = perf_counter()
    assert not [f for f in found(file_with(*rules)) if f.is_error]
    assert perf_counter() - begun < 2


def test_a_ceiling_below_the_lifeline_is_refused_with_the_lowest_that_may_be_written():
    low = rule("slow", 'ceiling = "200 kbit/s down, 1 Mbit/s up"')
    assert ["E03"] == errors(low)
    assert 'write at least "256 kbit/s down, 1 Mbit/s up"' == fix_of(low)


def test_the_consequence_of_a_quota_must_leave_the_lifeline_too():
    body = 'quota = "60 GB per month"\nthen = "ceiling 64 kbit/s down, 32 kbit/s up until reset"'
    assert ["E03"] == errors(rule("q", body))


def test_one_guests_ceiling_may_be_low_but_not_that_of_all_guests_together():
    assert [] == errors(rule("g", 'ceiling = "128 kbit/s down, 64 kbit/s up"', '"tier:guest"'))
    together = rule("g", 'ceiling = "512 kbit/s down, 512 kbit/s up"\ntogether = true', '"tier:guest"')
    assert ["E03"] == errors(together)
    assert ["E03"] == errors(rule("g", 'ceiling = "32 kbit/s down, 64 kbit/s up"', '"tier:guest"'))


def test_a_floor_above_a_ceiling_is_refused_where_they_overlap():
    floor = rule("f", 'floor = "4 Mbit/s down, 1 Mbit/s up"\nwhen = "mon 08:00-12:00"', '"group:school"')
    top = 'ceiling = "3 Mbit/s down, 3 Mbit/s up"\nwhen = "{}"'
    assert ["E05"] == errors(floor, rule("c", top.format("daily 11:00-13:00")))
    assert [] == errors(floor, rule("c", top.format("daily 12:00-13:00")))
    assert 'lower the floor to "3 Mbit/s down, 1 Mbit/s up", or write an exception' == fix_of(
        floor, rule("c", top.format("daily 11:00-13:00"))
    )


def test_two_shares_for_the_same_people_are_refused_with_both_lines():
    text = file_with(rule("a", "share = 100"), rule("b", "share = 200", '"group:school"'))
    (finding,) = [f for f in found(text) if f.is_error]
    first, second = (n for n, line in enumerate(text.split("\n"), 1) if line == "[[rule]]")
    assert ("E06", second) == (finding.code, finding.line)
    assert f"a (line {first}) and b" in finding.message
    assert "members only in the group school" in finding.message
    exception = rule("b", 'share = 200\nexception_to = "a"', '"group:school"')
    assert [] == errors(rule("a", "share = 100"), exception)


def test_two_exceptions_that_can_overlap_are_refused_and_two_that_cannot_are_not():
    base, lift = (
        rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"'),
        'exception_to = "top"\nwhen = "daily {}"',
    )
    one = rule("one", 'ceiling = "none"\n' + lift.format("00:00-06:00"), who="")
    meets = rule("two", 'ceiling = "9 Mbit/s down, 3 Mbit/s up"\n' + lift.format("05:00-07:00"), who="")
    apart = rule("two", 'ceiling = "9 Mbit/s down, 3 Mbit/s up"\n' + lift.format("06:00-07:00"), who="")
    assert ["E06"] == errors(base, one, meets)
    assert [] == errors(base, one, apart)


def test_a_speed_for_a_pool_needs_people_who_count_as_one():
    assert ["E02"] == errors(rule("c", 'ceiling = "5 Mbit/s down, 5 Mbit/s up"\ntogether = true'))
    assert [] == errors(rule("c", 'ceiling = "5 Mbit/s down, 5 Mbit/s up"\ntogether = true', '"tier:guest"'))


def test_households_keep_their_lifelines_when_they_count_as_one():
    pool = rule("hosts", "share = 100\ntogether = true", '"group:mast-host"')
    (finding,) = [f for f in found(file_with(pool)) if f.is_error]
    assert ("E03", 'add a floor together of "768 kbit/s down, 288 kbit/s up" for them') == (
        finding.code,
        finding.fix.partition(", or")[0],
    )
    floor = rule("room", 'floor = "768 kbit/s down, 288 kbit/s up"\ntogether = true', '"group:mast-host"')
    assert [] == errors(pool, floor)


def test_inside_a_pool_no_household_has_its_own_floor():
    pool = rule("kids", "share = 100\ntogether = true", '"tier:kid"')
    floor = rule("all", 'floor = "512 kbit/s down, 96 kbit/s up"', '"everyone"')
    assert ["E02"] == errors(pool, floor)


def test_a_failing_test_in_the_file_is_an_error():
    test = '[[test]]\ngiven = "member, fri 21:00, everyone busy"\nexpect = "down >= 2 Mbit/s"\n'
    (finding,) = [f for f in found(file_with(test)) if f.is_error]
    assert "E12" == finding.code
    assert "down is 813.637 kbit/s" in finding.message


def test_warnings_do_not_prevent_adoption():
    assert check_file(EXAMPLE, village())[0] == example()


CHOIR = rule("hosts", "share = 100\ntogether = true", '"group:mast-host"')
CHOIR_FLOOR = rule("room", 'floor = "768 kbit/s down, 288 kbit/s up"\ntogether = true', '"group:mast-host"')


def test_a_ceiling_leaves_each_household_of_a_pool_its_lifeline():
    low = rule("slow", 'ceiling = "64 kbit/s down, 32 kbit/s up"', '"group:mast-host"')
    assert ["E03"] == errors(CHOIR, CHOIR_FLOOR, low)
    assert 'write at least "256 kbit/s down, 96 kbit/s up"' == fix_of(CHOIR, CHOIR_FLOOR, low)
    body = 'quota = "60 GB per month"\nthen = "ceiling 128 kbit/s down, 64 kbit/s up until reset"'
    assert ["E03"] == errors(CHOIR, CHOIR_FLOOR, rule("q", body, '"group:mast-host"'))


def test_a_ceiling_together_leaves_room_for_the_lifeline_of_each_household():
    def top(speeds: str) -> str:
        return rule("top", f'ceiling = "{speeds}"\ntogether = true', '"group:mast-host"')

    assert ["E03", "E05"] == sorted(errors(CHOIR, CHOIR_FLOOR, top("700 kbit/s down, 288 kbit/s up")))
    assert [] == errors(CHOIR, CHOIR_FLOOR, top("768 kbit/s down, 288 kbit/s up"))


def test_a_voucher_of_a_group_puts_no_guest_into_a_pool_of_households():
    """Guests are one pool: its guarantee does not depend on the vouchers of its guests."""
    ruleset, findings = check_file(file_with(CHOIR, CHOIR_FLOOR), village())
    assert ruleset is not None, findings
    plain = evaluate(Unit(AccountId("guest-1"), "guest"), on("mon 10:00"), {}, ruleset)
    voucher = Unit(AccountId("voucher-1"), "guest", frozenset({"mast-host"}))
    assert plain == evaluate(voucher, on("mon 10:00"), {}, ruleset)
    assert "guests" == plain.pool


def test_a_limit_for_late_dues_must_leave_what_a_floor_promises():
    floor = rule("school", 'floor = "4 Mbit/s down, 1 Mbit/s up"', '"group:school"')
    late = 'ceiling = "2 Mbit/s down, 2 Mbit/s up"'
    (finding,) = [
        each for each in found(file_with(floor, rule("late", late, '"dues:late"'))) if each.is_error
    ]
    assert ("E05", "(members only in the group school whose dues are late, Monday 00:00).") == (
        finding.code,
        finding.message[finding.message.index("(member") :],
    )
    assert [] == errors(floor, rule("late", f'{late}\nexcept = "group:school"', '"dues:late"'))
    assert ["E03"] == errors(rule("late", 'ceiling = "64 kbit/s down, 32 kbit/s up"', '"dues:late"'))


def test_capacity_is_for_each_household_with_dues_paid_or_late_whichever_promises_more():
    """36.8 Mbit/s down for three households with 10 Mbit/s each, and 736 kbit/s of control traffic."""
    each = rule("all", 'floor = "10 Mbit/s down, 96 kbit/s up"')
    less = 'floor = "1 Mbit/s down, 96 kbit/s up"\nexception_to = "all"'
    more = 'floor = "12 Mbit/s down, 96 kbit/s up"'
    assert [] == errors(each, households=3)
    assert ["E04"] == errors(each, households=4)
    assert ["E04"] == errors(each, rule("late", less, '"dues:late"'), households=4)
    assert [] == errors(each, rule("late", less, '"dues:late"'), households=3)
    assert ["E04"] == errors(each, rule("late", more, '"dues:late"'), households=3)
    assert [] == errors(rule("late", more, '"dues:late"'), households=2)


def codes_of(*rules: str, units=()) -> list[str]:
    return [finding.code for finding in check(rules_of(*rules), units)]


def test_rules_for_different_nodes_do_not_contradict_each_other():
    floor = 'floor = "3 Mbit/s down, 1 Mbit/s up"\n'
    ceiling = 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\n'
    at, other = 'at = "node:library"', 'at = "node:mill"'
    assert [] == codes_of(rule("f", floor + at), rule("c", ceiling + other))
    assert ["E05"] == codes_of(rule("f", floor + at), rule("c", ceiling + at))
    assert ["E05"] == codes_of(rule("f", floor), rule("c", ceiling + at))
    assert "E06" in codes_of(rule("a", "share = 50\n" + at), rule("b", "share = 60"))


def test_a_finding_at_one_node_names_it():
    finding = check(
        rules_of(rule("f", 'floor = "39 Mbit/s down, 1 Mbit/s up"\nat = "node:library"')), village(3)
    )[0]
    assert ("E04", True) == (finding.code, ", at the node library)" in finding.message)
    assert "lower f to" in finding.fix
    shares = rules_of(rule("a", 'share = 50\nat = "node:library"'), rule("b", "share = 60"))
    assert "(members, Monday 00:00, at the node library)" in check(shares)[0].message


def test_a_rule_that_is_replaced_at_every_node_but_one_is_not_without_effect():
    base = rule("base", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"')
    lift = rule("lift", 'ceiling = "none"\nexception_to = "base"\nat = "node:library"', "")
    assert [] == codes_of(base, lift)


def test_rules_that_name_too_many_nodes_or_have_too_many_times_at_them_are_refused():
    many = [rule(f"r{n}", f'devices = 2\nat = "node:n{n}"') for n in range(21)]
    ruleset, findings = parse_ruleset(file_with(*many))
    assert ruleset is None
    assert "name 21 nodes; at most 20" in findings[0].message

    def when(n: int) -> str:
        starts = [(a, a + 90) for a in ((n * 97 + k * 239) % 1_300 for k in range(6))]
        return "; ".join(
            f"{DAYS[n % 7]} {a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in starts
        )

    hours = [
        rule(f"r{n}", f'devices = {n % 9 + 1}\nat = "node:n{n % 20}"\nwhen = "{when(n)}"') for n in range(200)
    ]
    ruleset, findings = parse_ruleset(file_with(*hours))
    assert ruleset is None
    assert "different times at 20 nodes" in findings[0].message
    catalan = translate(findings[0].message, read_catalogues().translations["ca"])
    assert re.search(r"tenen \d\.\d{3} horaris diferents en 20 nodes", catalan), catalan
