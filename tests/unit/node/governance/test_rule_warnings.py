"""Warnings about rules: what people should check again before they vote."""

import pytest

from node.governance.allowance import Unit
from node.governance.checks import check, check_file
from node.units import AccountId
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


def test_a_rule_without_effect_beside_a_wider_one_is_proposed_as_its_exception():
    top = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
    evening = 'ceiling = "5 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"'
    (finding,) = check(rules_of(top, rule("evening", evening)), village())
    assert ("W02", 'write exception_to = "top" if it should replace that rule, or remove it') == (
        finding.code,
        finding.fix,
    )
    (same,) = check(rules_of(top, rule("again", 'ceiling = "5 Mbit/s down, 1 Mbit/s up"')), village())
    assert "remove it, or check that the number is right" == same.fix


def test_shares_of_an_uplink_of_unknown_speed_are_a_warning():
    head = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    assert ["W02"] == [f.code for f in found(head + rule("a", "share = 100"))]


def test_a_rule_of_a_busy_line_waits_until_the_speed_of_the_line_is_known():
    head = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    body = 'session = "1 hour"\nwhile = "busy"'
    assert ["W02"] == [f.code for f in found(head + rule("a", body))]
    assert () == found(HEAD + rule("a", body))


def test_a_share_over_the_charters_ratio_is_a_warning_with_what_applies():
    assert [("W04", "a")] == notes(rule("a", "share = 500"))
    assert [] == notes(rule("a", "share = 400"))


def test_credits_over_the_charters_ratio_are_a_warning_with_what_applies():
    masts, crew = (
        rule(name, f'credit = "share +{weight}"', f'"group:{name}"')
        for name, weight in (("a", 200), ("b", 150))
    )
    head = HEAD + rule("equal", "share = 100") + masts + crew
    units = tuple(
        Unit(AccountId(f"h{n}"), "member", frozenset(groups)) for n, groups in enumerate(["a", "b", "ab"])
    )
    (finding,) = [f for f in check_file(head, units)[1] if f.code == "W04"]
    assert (
        "With a and b a share comes to 450 (members only in the groups a and b, Monday 00:00); the charter allows 400."
        == finding.message
    )
    assert [] == [f for f in check_file(head, units[:2])[1] if f.code in ("W04", "E06")]


def test_a_quota_of_the_last_days_that_the_lifeline_uses_up_is_a_warning():
    body = 'counts = "uplink"\nthen = "share 50 until reset"\nquota = '
    assert [("W10", "a")] == notes(rule("a", f'{body}"26 GB per 7 days"'))
    assert [] == notes(rule("a", f'{body}"27 GB per 7 days"'))


def test_of_one_guest_only_what_no_rule_can_take_uses_a_quota_up():
    body = 'counts = "uplink"\nthen = "tell"\nquota = '
    assert [("W10", "a")] == notes(rule("a", f'{body}"7 GB per 7 days"', '"tier:guest"'))
    assert [] == notes(rule("a", f'{body}"8 GB per 7 days"', '"tier:guest"'))


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


@pytest.mark.parametrize(("percent", "codes"), [(97, []), (98, ["W11"]), (100, ["W11"])])
def test_an_upload_that_fills_the_modem_is_a_warning(percent, codes):
    text = HEAD.replace("usable_percent = 80", f"usable_percent = 80\nusable_up_percent = {percent}")
    assert codes == [finding.code for finding in found(text)]


@pytest.mark.parametrize(("households", "codes"), [(0, ["W12"]), (3, [])])
def test_a_join_method_that_needs_a_member_needs_members(households, codes):
    text = HEAD + '[joining]\nways = ["card", "introduction"]\nby = "D-2"\n'
    assert codes == [finding.code for finding in found(text, households)]


def test_an_end_that_cannot_be_computed_is_a_warning_with_what_to_write():
    ruleset = rules_of(rule("a", 'devices = 2\nexpires = "D-2026-014 + 12 months"'))
    (finding,) = check(ruleset, village())
    assert ("W16", "a does not end: the file does not say when D-2026-014 was decided.") == (
        finding.code,
        finding.message,
    )
    assert 'write [decisions] with "D-2026-014" = ' in finding.fix
    known = rules_of(
        rule("a", 'devices = 2\nexpires = "D-2026-014 + 12 months"'),
        tail='[decisions]\n"D-2026-014" = "2026-03-08"\n',
    )
    assert () == check(known, village())


@pytest.mark.parametrize("body", ['quota = "900 GB per month"\nthen = "tell"', 'credit = "share +50"'])
def test_a_quota_or_credit_whose_decision_has_no_day_is_a_warning_with_both_ways_out(body: str) -> None:
    text = f'[[rule]]\nid = "a"\nby = "D-7"\nwho = "tier:member"\n{body}\n'
    (finding,) = check(rules_of(text), village())
    ways = 'write [decisions] with "D-7" = "2026-12-31", its day, or expires = "never" in the rule if it shall not end'
    assert ("W16", ways) == (finding.code, finding.fix)
    assert () == check(rules_of(text, tail='[decisions]\n"D-7" = "2026-03-08"\n'), village())
    assert () == check(rules_of(text.replace("by =", 'expires = "never"\nby =')), village())


def test_rules_with_dates_that_never_meet_replace_each_other_without_a_finding():
    share = 'share = {}\n{} = "{}"'
    before, after = rule("a", share.format(100, "expires", "2026-12-31")), share.format(50, "from", "{}")
    assert [] == notes(before, rule("b", after.format("2027-01-01")))
    assert "E06" in [code for code, _ in notes(before, rule("b", after.format("2026-12-31")))]


def test_an_error_on_one_day_names_that_day():
    floor = 'floor = "20 Mbit/s down, 1 Mbit/s up"\n{} = "{}"'
    one, two = rule("a", floor.format("expires", "2026-12-24")), floor.format("from", "2026-12-24")
    found = check(rules_of(one, rule("b", two, '"group:school"')), village(1))
    assert not [each for each in found if each.is_error]
    top = rule("c", 'ceiling = "10 Mbit/s down, 1 Mbit/s up"\nfrom = "2026-12-24"\nexpires = "2026-12-24"')
    (error,) = [each for each in check(rules_of(one, top), village(1)) if each.is_error]
    assert ("E05", "Thursday 24 December 2026 00:00") == (error.code, error.message[-33:-2])


def test_a_rule_that_favours_mostly_those_who_proposed_it_is_a_warning():
    body = 'floor = "1 Mbit/s down, 1 Mbit/s up"\nproposed_by = "group:mast-host"'
    assert [("W06", "f")] == notes(rule("f", body, '"group:mast-host"'))
    assert [] == notes(rule("f", 'floor = "300 kbit/s down, 100 kbit/s up"\nproposed_by = "group:mast-host"'))
    assert [] == notes(rule("f", body.replace("mast-host", "school"), '"group:mast-host"'))
    (finding,) = check(rules_of(rule("f", body, '"group:mast-host"')), village())
    assert finding.message == "f favours 3 accounts, and 3 of them are of those who proposed it."
    ana = Unit(AccountId("ana"), "member", frozenset({"mast-host"}))
    of_one = check(rules_of(rule("f", body, '"group:mast-host"')), [ana])
    assert "f favours one account, which is of those who proposed it." in [f.message for f in of_one]


def test_a_limit_on_those_who_proposed_it_does_not_favour_them():
    body = 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nproposed_by = "group:mast-host"'
    assert [] == notes(rule("c", body, '"group:mast-host"'))
    lift = 'ceiling = "none"\nexception_to = "c"\nproposed_by = "group:mast-host"'
    top = rule("c", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
    assert [("W06", "lift")] == notes(top, rule("lift", lift, '"group:mast-host"'))


FLOOR = rule("f", 'floor = "600 kbit/s down, 100 kbit/s up"')


def overbooked(percent: int, households: int = 60) -> list[str]:
    return [f.code for f in found(f"{HEAD}overbook_percent = {percent}\n{FLOOR}", households)]


def test_floors_that_promise_more_than_the_line_as_the_charter_allows_are_a_warning():
    assert ["E04"] == [f.code for f in found(HEAD + FLOOR, 60)]
    assert ["W08"] == overbooked(110)
    assert ["E04"] == overbooked(101)
    assert [] == overbooked(200, 50)


def test_lifelines_fit_the_line_whatever_the_charter_allows_for_floors():
    head = f"{HEAD}overbook_percent = 200\n"
    findings = [f for f in found(head, 80) if f.is_error]
    assert ["E04"] == [f.code for f in findings]
    assert findings[0].fix.startswith("lower the lifeline in [charter] to")


def test_lifelines_over_the_line_are_shown_with_the_hour_that_needs_most():
    evening = rule("f", 'floor = "300 kbit/s down, 128 kbit/s up"\nwhen = "fri 20:00-22:00"')
    (finding,) = [f for f in found(f"{HEAD}overbook_percent = 200\n{evening}", 80) if f.is_error]
    assert "(Friday 20:00), and" in finding.message
    assert finding.fix.startswith("lower the lifeline in [charter] to")


def test_what_is_left_of_overbooked_floors_is_said():
    (finding,) = found(f"{HEAD}overbook_percent = 110\n{FLOOR}", 60)
    assert "come to 37 Mbit/s (Monday 00:00), and 36.064 Mbit/s can be guaranteed." in finding.message
    assert "The charter allows 110 % of it." in finding.message
    assert (
        "everyone keeps the lifeline, and floors give 95 % of what they promise beyond it" in finding.message
    )
    assert finding.fix.startswith("lower f to at most")
