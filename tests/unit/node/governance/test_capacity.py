"""Capacity checks: whether the uplink is enough for all guarantees."""

from hypothesis import given
from hypothesis import strategies as st

from node.errors import Finding
from node.governance.allowance import Unit
from node.governance.checks import check, check_file
from node.governance.guarantees import measured_findings
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import DIRECTIONS
from node.governance.rules import control_reserve, shared_for
from node.units import AccountId, BitsPerSecond
from tests.fakes.rule_files import HEAD, file_with, rule, rules_of, village


def found(text: str, households: int = 44):
    return check_file(text, village(households))[1]


def errors(*rules: str, households: int = 44) -> list[str]:
    return [finding.code for finding in found(file_with(*rules), households) if finding.is_error]


def test_lifelines_over_the_uplink_are_refused_for_the_direction_that_is_too_slow():
    finding = next(f for f in found(file_with(), 80) if f.is_error)
    assert "E04" == finding.code
    assert finding.message.startswith(
        "Upload: lifelines and floors of 80 households and the guests come to 7.936 Mbit/s"
    )
    assert 'lower the lifeline in [charter] to "86 kbit/s up", or take out floors' == finding.fix


def test_the_proposed_fix_for_too_many_lifelines_passes():
    fixed = HEAD.replace(
        'lifeline = "256 kbit/s down, 96 kbit/s up"', 'lifeline = "256 kbit/s down, 86 kbit/s up"', 1
    )
    assert [] == [f.code for f in found(fixed, 80) if f.is_error]


def test_a_floor_that_does_not_fit_in_its_hours_is_refused_with_the_floor_that_does():
    def school(down: str) -> str:
        body = f'floor = "{down} down, 1 Mbit/s up"\nwhen = "mon-fri 08:00-16:00"'
        return rule("school-hours", body, '"group:school"')

    (finding,) = [f for f in found(file_with(school("30 Mbit/s"))) if f.is_error]
    assert "E04" == finding.code
    assert "(Monday 08:00)" in finding.message
    assert 'lower school-hours to at most "24.056 Mbit/s down"' == finding.fix
    assert [] == errors(school("24056 kbit/s"))
    assert ["E04"] == errors(school("24057 kbit/s"))


KIDS = tuple(Unit(AccountId(f"kid-{n}"), "kid", frozenset({"choir"} if n % 2 else ())) for n in range(10))


POOL = rule("kids", "share = 100\ntogether = true", '"tier:kid"')


def kids_floor(down: str) -> str:
    return rule("kids-floor", f'floor = "{down} down, 1 Mbit/s up"\ntogether = true', '"tier:kid"')


def test_a_pools_floor_counts_once_however_many_share_it():
    assert [] == [
        f for f in check(rules_of(POOL, kids_floor("20 Mbit/s")), (*village(), *KIDS)) if f.is_error
    ]


def test_the_fix_for_a_pools_floor_that_does_not_fit_lowers_it_by_the_whole_excess():
    (finding,) = [
        f for f in check(rules_of(POOL, kids_floor("30 Mbit/s")), (*village(), *KIDS)) if f.is_error
    ]
    assert ("E04", 'lower kids-floor to at most "23.8 Mbit/s down"') == (finding.code, finding.fix)
    fits = rules_of(POOL, kids_floor("23800 kbit/s"))
    assert [] == [f for f in check(fits, (*village(), *KIDS)) if f.is_error]


def test_without_a_stated_uplink_no_capacity_is_checked():
    text = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    assert [] == [f.code for f in found(text, 5000) if f.is_error]


def test_the_lifelines_of_a_pools_households_count_also_beyond_its_floor():
    """A pool of 30 children's households: 30 lifelines up are 2.88 Mbit/s, whatever the pool's floor says."""
    kids = tuple(Unit(AccountId(f"kid-{n}"), "kid") for n in range(30))
    ruleset = rules_of(POOL, kids_floor("7680 kbit/s"))
    found = {f.code: f for f in check(ruleset, (*village(48), *kids)) if f.is_error}
    assert found["E04"].message.startswith(
        "Upload: lifelines and floors of 78 households and the guests come to 7.744 Mbit/s"
    )


def hours(name: str, when: str, down: str = "14 Mbit/s") -> str:
    return rule(name, f'floor = "{down} down, 96 kbit/s up"\nwhen = "{when}"', '"group:school"')


def test_floors_that_only_coincide_while_the_hour_is_unknown_are_a_warning_that_says_what_is_left():
    clinic = rule(
        "clinic", 'floor = "20 Mbit/s down, 96 kbit/s up"\nwhen = "daily 17:00-20:00"', '"group:mast-host"'
    )
    morning = hours("school", "mon-fri 08:00-16:00")
    one_host = tuple(u for u in village() if u.account not in {"household-2", "household-3"})
    (finding,) = [f for f in check_file(file_with(clinic, morning), one_host)[1] if f.code == "W13"]
    # 34 Mbit/s of floors, 40 lifelines of 256 kbit/s and the guests' 1 Mbit/s are 45.24; without the two, 11.752.
    assert "come to 45.24 Mbit/s; 36.064 Mbit/s can be guaranteed" in finding.message
    assert "each floor gives 72 % of what it promises" in finding.message
    assert [] == [f.code for f in check_file(file_with(morning), one_host)[1] if f.code in {"E04", "W13"}]


MEASURED = 'rate = "measured"\nleast = "{}"\n[charter]'


def at_its_slowest(least: str, *rules: str) -> list[Finding]:
    text = file_with(*rules).replace("[charter]", MEASURED.format(least))
    return [finding for finding in found(text) if finding.code == "W15"]


def test_a_line_that_may_carry_less_than_is_promised_is_a_warning_with_what_would_fit():
    """44 lifelines of 256 and 96 kbit/s and the guests' 1,000 and 256 are 12.264 and 4.48 Mbit/s; 2 % is for the node."""
    down, up = at_its_slowest("5 Mbit/s down, 2 Mbit/s up")
    assert (
        "Download: lifelines and floors of 44 households and the guests come to 12.264 Mbit/s" in down.message
    )
    assert (
        "its least, 5 Mbit/s, only 4.9 Mbit/s can be guaranteed: every household gets 39 % of its lifeline"
        in down.message
    )
    assert (
        "its least, 2 Mbit/s, only 1.96 Mbit/s can be guaranteed: every household gets 43 % of its lifeline"
        in up.message
    )
    enough = 'write least = "12515 kbit/s down, 4572 kbit/s up" if the line always carries that; else '
    assert down.fix.startswith(
        f'{enough}lower the lifeline in [charter] to "88 kbit/s down", or take out floors'
    )
    assert not down.is_error
    assert [] == at_its_slowest("12515 kbit/s down, 4572 kbit/s up")
    assert ["W15"] == [each.code for each in at_its_slowest("12515 kbit/s down, 4571 kbit/s up")]


def test_where_only_floors_do_not_fit_the_warning_says_what_is_left_of_them():
    school = rule(
        "school", 'floor = "8256 kbit/s down, 96 kbit/s up"\nwhen = "mon-fri 08:00-16:00"', '"group:school"'
    )
    (finding,) = at_its_slowest("14556 kbit/s down, 4572 kbit/s up", school)
    assert "come to 20.264 Mbit/s (Monday 08:00)" in finding.message
    assert (
        "everyone keeps the lifeline, and floors give 25 % of what they promise beyond it" in finding.message
    )
    assert 'lower school to at most "2.256 Mbit/s down"' in finding.fix
    fits = school.replace("8256 kbit/s", "2256 kbit/s")
    assert [] == at_its_slowest("14556 kbit/s down, 4572 kbit/s up", fits)


def test_a_line_with_a_stated_rate_has_no_slowest():
    assert [] == [finding.code for finding in found(HEAD) if finding.code == "W15"]


@given(st.integers(1, 10**10).map(BitsPerSecond))
def test_the_rate_that_is_enough_is_the_lowest_in_whole_kbit(promised):
    rate = shared_for(promised)
    assert rate % 1000 == 0
    assert rate - control_reserve(rate) >= promised
    lower = BitsPerSecond(rate - 1000)
    assert lower - control_reserve(lower) < promised


def reserved(percent: int, who: str) -> str:
    return rule(f"{who}-reserve", f'reserve = "{percent} percent"\ntogether = true', f'"group:{who}"')


def shared(who: str) -> str:
    return rule(who, "share = 100\ntogether = true", f'"group:{who}"')


def test_all_reserves_together_are_at_most_what_the_charter_allows():
    clinic, school = shared("clinic") + reserved(30, "clinic"), shared("kitchen") + reserved(21, "kitchen")
    assert ["W01"] * 4 == [f.code for f in found(HEAD + clinic + school.replace("21", "20"), 5)]
    (finding,) = [f for f in found(HEAD + clinic + school, 5) if f.is_error]
    assert (
        finding.message
        == "All reserves come to 51 % of the line (Monday 00:00), and the charter allows 50 %."
    )
    assert "lower clinic-reserve" in finding.fix
    assert not [f for f in found(f"{HEAD}reserve_max_percent = 51\n{clinic}{school}", 5) if f.is_error]


def test_reserves_at_different_hours_are_not_added():
    clinic = shared("clinic") + reserved(30, "clinic").replace(
        "together", 'when = "daily 08:00-12:00"\ntogether'
    )
    kitchen = shared("kitchen") + reserved(30, "kitchen").replace(
        "together", 'when = "daily 12:00-16:00"\ntogether'
    )
    assert not [f for f in found(HEAD + clinic + kitchen, 5) if f.is_error]


def test_a_reserve_counts_among_all_that_is_guaranteed():
    units = (*village(), Unit(AccountId("clinic"), "member", frozenset({"clinic"})))
    fits = rules_of(shared("clinic"), reserved(30, "clinic"))
    assert [] == [f.code for f in check(fits, units) if f.is_error]
    floor = rule("school-hours", 'floor = "14 Mbit/s down, 96 kbit/s up"', '"group:school"')
    assert ["E04"] == [
        f.code for f in check(rules_of(shared("clinic"), reserved(30, "clinic"), floor), units) if f.is_error
    ]


def over_measured(text: str, households: int = 44, **slowest: int) -> list[Finding]:
    ruleset, _ = parse_ruleset(text)
    assert ruleset is not None
    known = {way: BitsPerSecond(slowest[way]) for way in DIRECTIONS if way in slowest}
    return list(measured_findings(ruleset, village(households), known))


def measured(least: str, *rules: str) -> str:
    return file_with(*rules).replace("[charter]", MEASURED.format(least))


def test_a_line_that_carried_less_than_is_promised_is_a_warning_with_what_is_left():
    """44 lifelines and the guests' are 12.264 and 4.48 Mbit/s; of 6 Mbit/s 2 % is for the node."""
    (down,) = over_measured(measured("15 Mbit/s down, 5 Mbit/s up"), down=6_000_000, up=4_600_000)
    assert "W21" == down.code
    assert not down.is_error
    assert down.message.startswith(
        "Download: lifelines and floors of 44 households and the guests come to 12.264 Mbit/s (Monday 00:00). "
        "In the slowest tenth of the last 14 days the line carried at most about 6 Mbit/s, of which 5.88 Mbit/s can "
        "be guaranteed: every household gets 47 % of its lifeline"
    )
    assert down.fix.startswith(
        'write least = "6 Mbit/s down, 4600 kbit/s up", or less; and lower the lifeline in [charter] to "110 kbit/s down"'
    )


def test_the_least_of_the_rules_is_never_raised_to_what_the_line_carried_in_its_slowest_tenth():
    """In a tenth of the time it carries less than that, and a rate that is not lowered to it leaves packets waiting."""
    (down,) = over_measured(measured("5 Mbit/s down, 2 Mbit/s up"), down=6_000_000)
    assert "write least" not in down.fix
    assert down.fix.startswith('lower the lifeline in [charter] to "110 kbit/s down"')


def test_what_the_warning_says_to_write_can_be_written():
    text = measured("15 Mbit/s down, 5 Mbit/s up")
    for slow in (16_000, 1_015_808, 4_200_000):
        (up,) = over_measured(text, up=slow)
        least = up.fix.split('"')[1]
        ruleset, findings = parse_ruleset(text.replace("15 Mbit/s down, 5 Mbit/s up", least))
        assert ruleset is not None, findings
        assert ruleset.measured is not None
        assert ruleset.measured.least.down == 15_000_000
        assert ruleset.measured.least.up <= slow
    (up,) = over_measured(text, up=0)
    assert "write least" not in up.fix, "nobody can share that"
    assert "at most about 0 bit/s, of which 0 bit/s can be guaranteed" in up.message


def test_only_floors_that_do_not_fit_what_was_measured_are_to_be_lowered():
    school = rule(
        "school", 'floor = "8256 kbit/s down, 96 kbit/s up"\nwhen = "mon-fri 08:00-16:00"', '"group:school"'
    )
    (finding,) = over_measured(file_with(school), down=14_556_000)
    assert "everyone keeps the lifeline, and floors give 25 % of what they promise" in finding.message
    assert 'lower school to at most "2.256 Mbit/s down", or adopt the rules with this in mind' == finding.fix
    assert [] == over_measured(file_with(school.replace("8256 kbit/s", "2256 kbit/s")), down=14_556_000)


def test_nothing_is_said_of_what_was_not_measured_or_is_an_error_already():
    text = measured("5 Mbit/s down, 2 Mbit/s up")
    assert [] == over_measured(text)
    assert ["E04"] == [f.code for f in found(text, 80) if f.is_error]
    said = [f.message.split(":")[0] for f in over_measured(text, households=80, down=1_000_000, up=1_000_000)]
    assert ["Download"] == said, "the upload is an error"
    unstated = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    assert [] == over_measured(unstated, down=1, up=1)


@given(st.integers(0, 60_000_000))
def test_the_warning_is_there_exactly_when_the_promises_do_not_fit_what_was_measured(slow: int):
    promised = 12_264_000
    left = BitsPerSecond(slow) - control_reserve(BitsPerSecond(slow))
    assert bool(over_measured(measured("5 Mbit/s down, 2 Mbit/s up"), down=slow)) == (left < promised)
