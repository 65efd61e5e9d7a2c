"""Enumeration of every situation that rules can meet."""

from datetime import date, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.governance import coverage
from node.governance.coverage import Population, Situation, kinds, minute_words, stretches
from node.governance.parse import parse_ruleset
from node.governance.rule_selection import applying, selects
from node.governance.rules import Rule
from node.governance.slices import TimeSlices
from node.governance.times import midnight_of, parse_day
from tests.examples import examples
from tests.fakes.rule_files import example, file_with, rule, rules_of, village


def test_every_tier_of_the_members_file_is_covered_and_guests_and_everybody_the_rules_name():
    ruleset = rules_of(rule("a", "share = 100", '["tier:service", "group:clinic"]'))
    found = {(kind.words(), kind.count) for kind in kinds(ruleset, village(10))}
    expected = {
        ("members", 6), ("members only in the group school", 1), ("members only in the group mast-host", 3),
        ("guests", 0), ("services", 0), ("members only in the group clinic", 0),
    }  # fmt: skip
    assert expected == found


def test_no_set_of_rules_that_can_apply_at_once_is_skipped():
    """Compared with going through the week minute by minute, for each kind of account."""
    ruleset = rules_of(
        rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "daily 22:00-06:00"', '"everyone"'),
        rule("b", 'ceiling = "8 Mbit/s down, 8 Mbit/s up"\nwhen = "mon-fri 05:30-08:00"'),
        rule("c", 'ceiling = "none"\nwhen = "sun 23:00-01:00"\nexception_to = "a"', who=""),
        rule("d", 'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhen = "tue 07:59-08:01"', '"group:school"'),
        rule(
            "e",
            'ceiling = "7 Mbit/s down, 7 Mbit/s up"\nwhile = "busy"\nwhen = "sat 00:00-01:00"',
            '"tier:guest"',
        ),
    )
    slices = TimeSlices(ruleset.rules)
    assert slices.all.bit_length() < 40
    for each in Population(ruleset, village()).classes:
        unit = each.kind.unit
        chosen = [r for r in ruleset.rules if selects(r.who, unit.tier, unit.groups)]
        expected = {
            frozenset(r.id for r in applying(chosen, minute, busy=busy))
            for minute, busy in product(range(7 * 1440), (False, True))
        }
        found = slices.of_class(each.selecting).applying
        met = {
            frozenset(ruleset.rules[index].id for index, where in found.items() if where >> number & 1)
            for number in range(slices.all.bit_length())
        }
        assert expected == met


def test_a_rule_of_a_busy_line_makes_a_situation_of_its_own():
    rules = rules_of(
        rule("a", "share = 200"), rule("b", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhile = "busy"')
    )
    member = next(kind for kind in kinds(rules, village()) if kind.words() == "members")
    slices = TimeSlices(rules.rules)
    met = [
        Situation(member, *slices.moment(number), (), (), slices.node(number))
        for number in range(slices.all.bit_length())
    ]
    assert ["members, Monday 00:00", "members, Monday 00:00, while the line is busy"] == [
        situation.words() for situation in met
    ]
    assert [0b11, 0b10] == list(slices.of_class(0b11).applying.values())
    steady = TimeSlices(example().rules)
    assert not any(steady.moment(number)[1] for number in range(steady.all.bit_length()))


def test_kinds_in_the_members_file_come_first():
    service = rules_of(rule("a", "share = 100", '["tier:service", "group:clinic"]'), rule("b", "devices = 4"))
    exists = [each.kind.exists for each in Population(service, village()).classes]
    assert {True, False} == set(exists)
    assert sorted(exists, reverse=True) == exists


def test_each_time_slice_is_represented_by_its_first_minute():
    ruleset = rules_of(rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "mon-fri 08:00-16:00"'))
    assert ((0, 0), (480, 1)) == stretches(ruleset.rules)
    assert "Monday 08:00" == minute_words(480)


CALENDAR = """[calendar]
holidays = ["2026-12-25", "2026-12-31..2027-01-02"]
market = ["2026-12-26", "2027-01-02"]
"""
WEEKLY = ["", "daily 22:00-06:00", "mon-fri 08:00-15:00", "sat,sun 00:00-24:00"]
LEFT_OUT = ["", " except holidays", " except market", " except holidays,market"]


def midnight(text: str) -> int:
    return midnight_of(parse_day(text))


def dated_rules(*bodies: str) -> tuple[Rule, ...]:
    rules = [rule(f"r{n}", f"devices = {n + 1}\n{body}") for n, body in enumerate(bodies)]
    ruleset, findings = parse_ruleset(file_with(*rules) + CALENDAR)
    assert ruleset is not None, findings
    return ruleset.rules


@st.composite
def bodies(draw: st.DrawFn) -> str:
    weekly = draw(st.sampled_from(WEEKLY))
    text = f'when = "{weekly}{draw(st.sampled_from(LEFT_OUT))}"\n' if weekly else ""
    days = sorted(draw(st.lists(st.integers(19, 30), min_size=2, max_size=2)))
    if draw(st.booleans()):
        text += f'from = "2026-12-{days[0]}"\n'
    if draw(st.booleans()):
        text += f'expires = "2026-12-{days[1]}"\n'
    return text


@given(st.lists(bodies(), min_size=1, max_size=4))
@settings(max_examples=examples(40), deadline=None)
def test_no_set_of_rules_that_dates_and_named_days_make_is_skipped(texts):
    """Compared with going through eight weeks, in steps that no boundary falls between."""
    rules = dated_rules(*texts)
    expected = {
        sum(1 << n for n, each in enumerate(rules) if each.when is None or each.when.holds(minute))
        for minute in range(midnight("2026-11-30"), midnight("2027-01-25"), 60)
    }
    found = stretches(rules)
    assert expected == {mask for _, mask in found}
    for minute, mask in found:
        assert mask == sum(
            1 << n for n, each in enumerate(rules) if each.when is None or each.when.holds(minute)
        )


def test_a_stretch_that_depends_on_the_date_is_named_with_it():
    found = {mask: minute for minute, mask in stretches(dated_rules('from = "2026-12-01"'))}
    assert "Tuesday 1 December 2026 00:00" == minute_words(found[1])
    assert found[0] < found[1]


def test_a_year_of_holidays_adds_few_stretches():
    days = ", ".join(f'"2026-{month:02}-{day:02}"' for month in range(1, 13) for day in (1, 9, 17, 25))
    text = file_with(rule("a", 'devices = 2\nwhen = "mon-fri 08:00-15:00 except holidays"'))
    ruleset, _ = parse_ruleset(f"{text}[calendar]\nholidays = [{days}]\n")
    assert 2 == len(stretches(ruleset.rules))


def test_more_times_than_a_week_has_minutes_are_refused(monkeypatch):
    rules = dated_rules(*[f'from = "2026-12-{day}"' for day in range(10, 16)])
    monkeypatch.setattr(coverage, "STRETCHES_MAX", 3)
    with pytest.raises(ValueError, match="more than 3 different times"):
        stretches(rules)


def test_a_file_with_more_times_than_a_week_has_minutes_is_refused_with_what_to_do():
    hours = [f"{n // 60:02}:{n % 60:02}-{(n + 700) // 60:02}:{(n + 700) % 60:02}" for n in range(0, 700, 4)]
    rules = [
        rule(f"r{n}", f'devices = 2\nwhen = "daily {text}"\nfrom = "{2010 + n}-01-01"')
        for n, text in enumerate(hours)
    ]
    ruleset, findings = parse_ruleset(file_with(*rules))
    assert ruleset is None
    assert ["These rules have more than 10,080 different times."] == [each.message for each in findings]


def test_a_file_with_few_sets_of_rules_but_much_to_compare_for_them_is_refused_at_once():
    """Ended rules with hundreds of hours, on hundreds of kinds of days: the checks took 80 seconds."""
    minutes = [f"{n // 60:02}:{n % 60:02}" for n in range(1001)]
    hours = [
        "; ".join(f"daily {a}-{b}" for a, b in pairwise(minutes[n : n + 11])) for n in range(0, 1000, 10)
    ]
    ended = [
        rule(f"e{n}", f'devices = 2\nwhen = "{each} except c{n % 20}"\nexpires = "2001-01-01"')
        for n, each in enumerate(hours)
    ]
    begins = [date(2030, 1, 1) + timedelta(days=15 * n) for n in range(100)]
    dated = [
        rule(f"d{n}", f'devices = 2\nfrom = "{day}"\nexpires = "{day + timedelta(days=7)}"')
        for n, day in enumerate(begins)
    ]
    named = "".join(f'c{n} = ["2027-01-{n + 1:02}"]\n' for n in range(20))
    ruleset, findings = parse_ruleset(f"{file_with(*ended, *dated)}[calendar]\n{named}")
    assert ruleset is None
    assert ["These rules have too many hours on too many different days."] == [f.message for f in findings]


def test_times_are_not_compared_while_a_calendar_is_too_long():
    begins = [date(2027, 1, 1) + timedelta(days=3 * n) for n in range(200)]
    named = "".join(f"c{n} = {[day.isoformat() for day in begins]}\n".replace("'", '"') for n in range(20))
    rules = [rule(f"r{n}", f'devices = 2\nwhen = "daily 08:00-09:00 except c{n % 20}"') for n in range(200)]
    _, findings = parse_ruleset(f"{file_with(*rules)}[calendar]\n{named}")
    assert ["[calendar] has 4000 days and ranges; at most 100 are read."] == [f.message for f in findings]


def test_everybody_but_guests_is_covered_with_dues_paid_and_late_where_a_rule_depends_on_it():
    ruleset = rules_of(rule("a", "devices = 2", '["dues:late", "group:clinic"]'))
    found = {(kind.words(), kind.count, kind.may_be, kind.exists) for kind in kinds(ruleset, village(10))}
    expected = {
        ("guests", 0, 0, True),
        ("members", 6, 0, True),
        ("members only in the group school", 1, 0, True),
        ("members only in the group mast-host", 3, 0, True),
        ("members only in the group clinic", 0, 0, False),
        ("members whose dues are late", 0, 6, True),
        ("members only in the group school whose dues are late", 0, 1, True),
        ("members only in the group mast-host whose dues are late", 0, 3, True),
        ("members only in the group clinic whose dues are late", 0, 0, False),
    }
    assert expected == found
    assert not any(kind.is_late for kind in kinds(rules_of(rule("a", "devices = 2")), village(10)))
