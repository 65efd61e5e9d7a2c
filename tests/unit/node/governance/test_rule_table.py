"""One rule table: exactly one effect, its selection of people, its times, and the rule that it replaces."""

from datetime import date

import pytest

from node.governance.parse import parse_ruleset
from node.governance.rules import LATE_DUES, Ceiling, Quota, Reserve, SessionLimit, Share, UsageAlert, Who
from node.governance.times import ALWAYS, DecisionTerm, Times
from tests.fakes.rule_files import example, file_with, rule, rules_of


def codes(text: str) -> list[str]:
    return [finding.code for finding in parse_ruleset(text)[1]]


def only(text: str):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert 1 == len(findings), findings
    return findings[0]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def test_an_exception_selects_the_same_people_as_the_rule_it_replaces():
    night = next(rule for rule in example().rules if rule.id == "guest-night")
    assert Who(tiers=frozenset({"guest"})) == night.who
    assert Ceiling(None) == night.effect


def test_an_exception_to_an_exception_selects_the_people_of_the_nearer_one():
    ruleset = rules_of(
        rule("a", "share = 100"),
        rule("b", 'share = 150\nexception_to = "a"', who='"group:school"'),
        rule("c", 'share = 120\nexception_to = "b"', who=""),
    )
    assert Who(groups=frozenset({"school"})) == ruleset.rules[2].who


def test_an_exception_may_precede_the_rule_it_replaces():
    ruleset = rules_of(rule("b", 'share = 150\nexception_to = "a"', who=""), rule("a", "share = 100"))
    assert "a" == ruleset.rules[0].exception_to


@pytest.mark.parametrize("text", ["+50", "share 50", "share +0", "share +10001", "share +5 %", "2 GB", "x"])
def test_a_credit_that_cannot_be_read_says_what_to_write(text):
    finding = only(file_with(rule("a", f'credit = "{text}"')))
    assert "E01" == finding.code
    assert 'write what is added to the share, such as "share +50"' == finding.fix


@pytest.mark.parametrize(("keys", "key"), [("together = true", "together"), ('while = "busy"', "while")])
def test_a_credit_is_for_each_account_and_does_not_depend_on_the_line(keys, key):
    finding = only(file_with(rule("a", f'credit = "share +50"\n{keys}')))
    assert "E02" == finding.code
    assert f"remove {key}" in finding.fix


def test_a_quota_on_local_traffic_is_refused_with_its_own_error():
    body = 'quota = "60 GB per month"\ncounts = "all"\nthen = "share 50 until reset"'
    assert "not known to this version" in only(file_with(rule("a", body))).message


def test_a_quota_may_limit_nothing():
    (found,) = rules_of(rule("a", 'quota = "60 GB per week"\nthen = "tell"')).rules
    assert UsageAlert() == found.effect.then
    assert (
        '"tell" to limit nothing' in only(file_with(rule("a", 'quota = "6 GB per day"\nthen = "told"'))).fix
    )


def test_a_quota_counts_only_the_busy_uplink_by_default():
    (found,) = rules_of(rule("a", 'quota = "60 GB per week"\nthen = "share 50 until reset"')).rules
    assert Quota(60 * 10**9, "week", "uplink while busy", Share(50)) == found.effect


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("E02", rule("a", "")),
        ("E02", rule("a", 'share = 100\nceiling = "1 Mbit/s down, 1 Mbit/s up"')),
        ("E02", rule("a", 'ceiling = "none"')),
        ("E02", rule("a", 'share = 100\nexception_to = "a"')),
        ("E02", rule("a", 'share = 100\nexception_to = "b"')),
        ("E02", rule("b", "share = 1") + rule("a", 'ceiling = "none"\nexception_to = "b"')),
        ("E02", rule("a", 'share = 100\ncounts = "uplink"')),
        ("E02", rule("a", 'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"')),
        ("E02", rule("a", 'devices = 3\nwhile = "busy"')),
        ("E02", rule("a", 'quota = "1 GB per day"\nthen = "share 50 until reset"\nwhile = "busy"')),
        ("E02", rule("a", 'share = 100\ntogether = true\nwhile = "busy"')),
        ("E01", rule("a", 'share = 100\nwhile = "quiet"')),
        ("E01", rule("a", "share = 100\nwhile = true")),
        ("E02", rule("a", 'share = 100\ntogether = true\nwhen = "daily 08:00-09:00"')),
        ("E02", rule("a", 'quota = "1 GB per day"\nthen = "share 50 until reset"\ntogether = true')),
        ("E02", rule("a", "share = 1\ntogether = true") + rule("b", 'share = 2\nexception_to = "a"')),
        ("E02", rule("a", "share = 1\ntogether = true", '"everyone"')),
        ("E02", rule("a", "share = 1") + rule("b", 'share = 2\nexception_to = "a"\ntogether = true', who="")),
        ("E01", rule("a", "share = 0")),
        ("E01", rule("a", "share = true")),
        ("E01", rule("a", "share = 1.5")),
        ("E01", rule("a", 'share = "100"')),
        ("E01", rule("a", "share = 100", who="")),
        ("E01", rule("a", "share = 100", who='"port:443"')),
        ("E01", rule("a", "share = 100", who="[]")),
        ("E01", rule("a", "share = 100", who="[1]")),
        ("E01", rule("lifeline", "share = 100")),
        ("E01", rule("Night", "share = 100")),
        ("E01", rule("a", "share = 100\ntogether = 1")),
        ("E01", rule("a", "share = 100\nwhy = 3")),
        ("E01", rule("a", f'share = 100\nwhy = "{"x" * 501}"')),
        ("E01", rule("a", 'quota = "60 GB per month"')),
        ("E01", rule("a", 'quota = "60 GB"\nthen = "share 50 until reset"')),
        ("E01", rule("a", 'quota = "6 GB per day"\nthen = "share 50 until reset"\ncounts = "video"')),
        ("E01", rule("a", "share = 1") + rule("a", 'floor = "1 Mbit/s down, 1 Mbit/s up"')),
        ("E01", '[[test]]\ngiven = "member, fri 21:00"\n'),
        ("E01", "[rules]\n"),
        ("E07", '[[rule]]\nid = "a"\nshare = 1\nwho = "everyone"\nby = "the assembly"\n'),
    ],
)  # fmt: skip
def test_each_wrong_rule_has_its_code(expected, text):
    assert expected == only(file_with(text)).code


def test_cyclic_exceptions_are_refused():
    text = file_with(
        rule("a", 'share = 1\nexception_to = "b"', who=""), rule("b", 'share = 1\nexception_to = "a"', who="")
    )
    assert ["E02", "E02"] == codes(text)


def test_too_many_rules_are_refused():
    assert "E01" in codes(file_with(*(rule(f"r{n}", "share = 1") for n in range(201))))


def test_a_session_of_less_than_half_an_hour_is_refused_with_the_minimum():
    finding = only(file_with(rule("a", 'session = "29 minutes"')))
    assert ("E03", 'write session = "30 minutes"') == (finding.code, finding.fix)
    (found,) = rules_of(rule("a", 'session = "30 minutes"')).rules
    assert SessionLimit(30 * 60_000) == found.effect


@pytest.mark.parametrize(
    "body", ["devices = 0", "devices = 51", 'devices = "5"', 'session = "90 seconds"', "session = 4"]
)
def test_an_invalid_number_of_devices_or_time_limit_is_refused(body):
    assert "E01" == only(file_with(rule("a", body))).code


@pytest.mark.parametrize("body", ["devices = 5", 'session = "4 hours"'])
def test_session_and_device_limits_never_apply_to_a_pool(body):
    assert "E02" == only(file_with(rule("a", f"{body}\ntogether = true", '"tier:guest"'))).code


def dated(body: str, tail: str = ""):
    ruleset, findings = parse_ruleset(file_with(rule("a", f"devices = 2\n{body}")) + tail)
    assert ruleset is not None, findings
    return ruleset.rules[0].when


def test_a_rule_begins_and_ends_on_days_that_it_says():
    when = dated('from = "2026-12-01"\nexpires = "2027-01-31"')
    assert (ALWAYS.spans, date(2026, 12, 1), date(2027, 1, 31)) == (when.spans, when.first, when.last)
    assert when.open_end is None
    assert date(2026, 12, 1) == dated('from = "2026-12-01"\nwhen = "mon 08:00-09:00"').first


def test_a_rule_ends_months_after_a_decision_whose_day_the_file_says():
    body = 'expires = "D-2026-014 + 12 months"'
    assert date(2027, 3, 8) == dated(body, '[decisions]\n"D-2026-014" = "2026-03-08"\n').last
    unknown = dated(body)
    assert (None, DecisionTerm("D-2026-014", 12)) == (unknown.last, unknown.open_end)


TERMS = ('quota = "60 GB per month"\nthen = "tell"', 'credit = "share +50"')


def ending(body: str, tail: str = "") -> Times | None:
    text = f'{file_with()}[[rule]]\nid = "a"\nby = "D-1"\nwho = "tier:member"\n{body}\n{tail}'
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset.rules[0].when


@pytest.mark.parametrize("body", TERMS)
@pytest.mark.parametrize("hours", ["", 'when = "daily 18:00-23:00"\n', 'from = "2026-04-01"\n'])
@pytest.mark.parametrize("decided", ["", '[decisions]\n"D-1" = "2026-03-08"\n'])
def test_a_quota_or_credit_that_does_not_say_when_it_ends_ends_12_months_after_its_decision(
    body: str, hours: str, decided: str
) -> None:
    """In all that reads times it is the same as the end that somebody wrote."""
    implied = ending(f"{body}\n{hours}", decided)
    assert implied == ending(f'{body}\nexpires = "D-1 + 12 months"\n{hours}', decided)
    assert implied is not None
    known, unknown = (date(2027, 3, 8), None), (None, DecisionTerm("D-1", 12))
    assert (implied.last, implied.open_end) == (known if decided else unknown)


@pytest.mark.parametrize("body", TERMS)
def test_a_quota_or_credit_never_ends_where_the_rule_says_so(body: str) -> None:
    never = f'{body}\nexpires = "never"'
    assert ending(never) is None
    assert ending(never, '[decisions]\n"D-1" = "2026-03-08"\n') is None


@pytest.mark.parametrize("body", ["share = 50", "devices = 2", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"'])
def test_other_rules_have_no_end_that_they_do_not_say(body: str) -> None:
    assert ending(body, '[decisions]\n"D-1" = "2026-03-08"\n') is None
    assert ending(f'{body}\nexpires = "never"') is None


def test_a_quota_that_would_end_before_it_begins_has_to_say_when_it_ends() -> None:
    body = f'{TERMS[0]}\nfrom = "2027-04-01"'
    text = file_with() + f'[[rule]]\nid = "a"\nby = "D-1"\nwho = "everyone"\n{body}\n'
    finding = only(text + '[decisions]\n"D-1" = "2026-03-08"\n')
    assert "This rule ends on 8 March 2027, before it begins." == finding.message
    assert 'write expires = "2027-04-01" or a later day' == finding.fix


@pytest.mark.parametrize(
    ("body", "instead"),
    [
        ('from = "2027-02-01"\nexpires = "2027-01-31"', 'write expires = "2027-02-01" or a later day'),
        ('from = "D-1 + 2 months"', "write a day as year-month-day"),
        ('expires = "next year"', "months after a decision"),
        ("expires = 2027-01-31", "write the last day"),
        ('when = "daily 08:00-09:00 except holidays"', 'write [calendar] with "holidays" = […]'),
    ],
)
def test_dates_that_are_none_are_refused_with_what_to_write(body, instead):
    assert instead in only(file_with(rule("a", f"devices = 2\n{body}"))).fix


@pytest.mark.parametrize("key", ["from", "expires"])
def test_people_are_one_household_without_a_date(key):
    finding = only(file_with(rule("a", f'share = 50\ntogether = true\n{key} = "2027-01-31"')))
    assert ("E02", f"remove {key}, or remove together") == (finding.code, finding.fix)


def test_a_rule_can_be_for_people_whose_dues_are_late():
    ruleset = rules_of(rule("a", "devices = 2", '"dues:late"'))
    assert Who(groups=frozenset({LATE_DUES})) == ruleset.rules[0].who
    assert (True, 14) == (ruleset.knows_dues, ruleset.grace_days)
    assert rules_of(rule("a", 'devices = 2\nexcept = "dues:late"')).knows_dues
    assert not rules_of(rule("a", "devices = 2")).knows_dues
    assert 0 == rules_of(tail="[dues]\ngrace_days = 0\n").grace_days


@pytest.mark.parametrize("who", ['"dues:late"', '"tier:member"\nexcept = "dues:late"'])
def test_people_are_not_one_household_because_of_late_dues(who):
    finding = only(file_with(rule("a", "share = 50\ntogether = true", who)))
    assert ("E02", "leave out dues:late, or remove together") == (finding.code, finding.fix)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("[dues]\ngrace_days = 367\n", "write a whole number from 0 to 366"),
        ('[dues]\ngrace_days = "14"\n', "write a whole number from 0 to 366"),
        ("[dues]\ngrace = 14\n", "grace_days"),
        (rule("a", "devices = 2", '"dues:paid"'), '"dues:late"'),
        (rule("a", "devices = 2", '"group:dues:late"'), "a-z"),
    ],
)
def test_dues_that_are_none_are_refused_with_what_to_write(text, instead):
    finding = only(file_with() + text)
    assert instead in f"{finding.message} {finding.fix}"


@pytest.mark.parametrize(
    "text", ["library", "node:", "node: ", "group:library", "node:a,b", "node:" + "a" * 65]
)
def test_a_node_is_named_as_in_its_settings(text):
    _, findings = parse_ruleset(file_with(rule("a", f'devices = 2\nat = "{text}"')))
    assert ["E01"] == [finding.code for finding in findings]
    assert 'write "node:library"' in findings[0].fix


def test_a_name_with_spaces_is_a_node():
    ruleset, _ = parse_ruleset(file_with(rule("a", 'devices = 2\nat = "node:Vall Alta"')))
    assert ("Vall Alta",) == ruleset.nodes


def test_an_exception_at_another_node_than_the_rule_it_replaces_is_refused():
    base = rule("a", 'devices = 2\nat = "node:library"')
    _, findings = parse_ruleset(
        file_with(base, rule("b", 'devices = 3\nexception_to = "a"\nat = "node:mill"', ""))
    )
    assert [("E02", 'write at = "node:library", or remove at')] == [(f.code, f.fix) for f in findings]


def test_people_cannot_be_one_household_at_one_node_only():
    body = 'share = 200\ntogether = true\nat = "node:library"'
    _, findings = parse_ruleset(file_with(rule("a", body, '"tier:guest"')))
    assert ["E02"] == [finding.code for finding in findings]


EMERGENCY = 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nemergency = true\n'


@pytest.mark.parametrize(
    "dates",
    ["", 'expires = "2026-12-03"', 'from = "2026-12-01"', 'from = "2026-12-01"\nexpires = "2026-12-04"',
     'from = "2026-12-01"\nexpires = "D-1 + 1 months"'],
)  # fmt: skip
def test_an_emergency_rule_ends_within_three_days(dates):
    assert ["E09"] == codes(file_with(rule("a", EMERGENCY + dates)))


def test_an_emergency_rule_of_three_days_is_read():
    ruleset = rules_of(rule("a", EMERGENCY + 'from = "2026-12-01"\nexpires = "2026-12-03"'))
    assert ruleset.rules[0].is_emergency


def test_an_emergency_rule_is_a_ceiling_or_a_share():
    dates = 'emergency = true\nfrom = "2026-12-01"\nexpires = "2026-12-03"'
    assert ["E09"] == codes(file_with(rule("a", f"devices = 2\n{dates}")))
    assert [] == codes(file_with(rule("a", f"share = 50\n{dates}")))


@pytest.mark.parametrize(
    "table", ['[[account]]\nid = "ana"', "[roll]", '[keys]\nnode = "x"', '[node]\nname = "x"']
)
def test_a_rule_file_that_would_change_the_roll_or_keys_is_refused(table):
    assert ["E10"] == codes(file_with(rule("a", "devices = 2")) + table + "\n")


def test_the_people_who_proposed_a_rule_are_selected_as_in_who():
    ruleset = rules_of(rule("a", 'devices = 2\nproposed_by = ["group:crew", "tier:service"]'))
    assert Who(tiers=frozenset({"service"}), groups=frozenset({"crew"})) == ruleset.rules[0].proposed_by
    assert ["E01"] == codes(file_with(rule("a", 'devices = 2\nproposed_by = "ana"')))


CLINIC = rule("clinic", "share = 100\ntogether = true", '"group:clinic"')


def test_a_reserve_is_a_part_of_the_line_for_people_together():
    ruleset = rules_of(CLINIC, rule("r", 'reserve = "20 percent"\ntogether = true', '"group:clinic"'))
    effect = ruleset.rules[1].effect
    assert isinstance(effect, Reserve)
    assert (20, 7_360_000, 1_472_000) == (effect.percent, effect.rates.down, effect.rates.up)


@pytest.mark.parametrize("text", ["20", "20%", "0 percent", "101 percent", "2 Mbit/s"])
def test_a_part_of_the_line_is_in_percent(text):
    found = only(file_with(rule("r", f'reserve = "{text}"\ntogether = true')))
    assert ("E01", True) == (found.code, 'such as "20 percent"' in found.fix)


def test_a_reserve_is_for_people_together_and_for_guests_always():
    assert ["E02"] == codes(file_with(rule("r", 'reserve = "20 percent"', '"group:clinic"')))
    assert [] == codes(file_with(rule("r", 'reserve = "20 percent"', '"tier:guest"')))


def test_an_exception_to_the_guests_reserve_is_for_guests_too():
    reserve = rule("r", 'reserve = "20 percent"', '"tier:guest"')
    night = rule("night", 'reserve = "40 percent"\nexception_to = "r"\nwhen = "daily 00:00-06:00"', "")
    ruleset = rules_of(reserve, night)
    assert [Who(tiers=frozenset({"guest"}))] * 2 == [each.who for each in ruleset.rules]


def test_a_reserve_needs_the_speed_of_the_line():
    text = file_with(rule("r", 'reserve = "20 percent"', '"tier:guest"'))
    without = text[: text.index("[uplink")] + text[text.index("[charter") :]
    assert "its speed is not stated" in only(without).message
