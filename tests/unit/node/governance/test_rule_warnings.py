"""Warnings about rules: what people should check again before they vote."""

import pytest

from node.governance.checks import check, check_file
from tests.fakes.rule_files import HEAD, rule, rules_of, village


def found(text: str, households: int = 44):
    return check_file(text, village(households))[1]


def notes(*rules: str, households: int = 44, clock: str = "synced") -> list[tuple[str, str]]:
    ruleset = rules_of(*rules)
    by_line = {r.line: r.id for r in ruleset.rules}
    return [(f.code, by_line.get(f.line, "")) for f in check(ruleset, village(households), clock)]


def test_a_rule_for_an_empty_group_is_a_warning_with_the_nearest_group():
    ruleset = rules_of(rule("f", 'floor = "1 Mbit/s down, 1 Mbit/s up"', '"group:mast-hosts"'))
    (finding,) = check(ruleset, village())
    assert ("W01", "did you mean mast-host?") == (finding.code, finding.fix)
    assert () == check(ruleset)


def test_a_rule_that_its_exception_always_replaces_is_a_warning():
    base = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
    assert [("W01", "top")] == notes(base, rule("lift", 'ceiling = "none"\nexception_to = "top"', who=""))


def test_an_exception_that_never_overlaps_its_rule_is_a_warning():
    base = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"', '"tier:guest"')
    assert [("W01", "lift")] == notes(base, rule("lift", 'ceiling = "none"\nexception_to = "top"'))


@pytest.mark.parametrize(
    "body",
    [
        'floor = "100 kbit/s down, 96 kbit/s up"',
        'ceiling = "9 Mbit/s down, 9 Mbit/s up"',
        'quota = "900 GB per month"\nthen = "share 100 until reset"',
        'quota = "900 GB per month"\nthen = "ceiling 8 Mbit/s down, 8 Mbit/s up until reset"',
    ],
)
def test_a_rule_that_never_decides_anything_is_a_warning(body):
    assert [("W02", "x")] == notes(rule("top", 'ceiling = "8 Mbit/s down, 8 Mbit/s up"'), rule("x", body))


def test_shares_of_an_uplink_of_unknown_speed_are_a_warning():
    head = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    assert ["W02"] == [f.code for f in found(head + rule("a", "share = 100"))]


def test_a_share_over_the_charters_ratio_is_a_warning_with_what_applies():
    assert [("W04", "a")] == notes(rule("a", "share = 500"))
    assert [] == notes(rule("a", "share = 400"))


def test_hours_on_a_node_without_a_clock_are_a_warning():
    body = rule("a", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"')
    assert [("W07", "a")] == notes(body, clock="unknown")
    assert [] == notes(body)


def test_more_rules_than_people_read_are_a_warning():
    rules = [rule(f"r{n}", f'ceiling = "{n + 1} Mbit/s down, {40 - n} Mbit/s up"') for n in range(26)]
    assert "W09" in [code for code, _ in notes(*rules)]
    assert "W09" not in [code for code, _ in notes(*rules[:25])]


def test_a_quota_that_the_lifeline_alone_exhausts_is_a_warning():
    body = 'quota = "{} GB per month"\ncounts = "uplink"\nthen = "share 50 until reset"'
    assert [("W10", "q")] == notes(rule("q", body.format(114)))
    assert [] == notes(rule("q", body.format(115)))


@pytest.mark.parametrize(("percent", "codes"), [(90, []), (91, ["W11"]), (100, ["W11"])])
def test_more_shares_than_can_be_shared_fairly_are_a_warning(percent, codes):
    text = HEAD.replace("usable_percent = 80", f"usable_percent = {percent}")
    assert codes == [finding.code for finding in found(text)]


@pytest.mark.parametrize(("households", "codes"), [(0, ["W12"]), (3, [])])
def test_a_join_method_that_needs_a_member_needs_members(households, codes):
    text = HEAD + '[joining]\nways = ["card", "introduction"]\nby = "D-2"\n'
    assert codes == [finding.code for finding in found(text, households)]
