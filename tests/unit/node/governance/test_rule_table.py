"""One rule table: exactly one effect, its selection of people, its times, and the rule that it replaces."""

import pytest

from node.governance.parse import parse_ruleset
from node.governance.rules import Ceiling, Quota, SessionLimit, Share, Who
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


@pytest.mark.parametrize("key", ["burst", "credit", "reserve", "expires", "from"])
def test_keys_of_later_versions_are_refused_and_never_ignored(key):
    finding = only(file_with(rule("a", f'{key} = "x"')))
    assert f"{key} is not known to this version." == finding.message
    assert finding.fix


def test_a_quota_on_local_traffic_is_refused_with_its_own_error():
    body = 'quota = "60 GB per month"\ncounts = "all"\nthen = "share 50 until reset"'
    assert "not known to this version" in only(file_with(rule("a", body))).message


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
