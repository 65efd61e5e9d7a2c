"""What a change of the rules changes, as people read it."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.governance.allowance import Unit
from node.governance.change_impact import ChangeImpact, change_impact
from node.governance.change_sentences import change_sentences, own_sentences, verdict_sentence
from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.units import AccountId
from node.web.translations import read_catalogues
from tests.fakes.rule_files import EXAMPLE, HEAD, example, rule, rules_of, village

EVENING = 'ceiling = "5 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"\nexception_to = "guest-top"'


def impact_of(text: str) -> ChangeImpact:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return change_impact(example(), ruleset, village())


def test_a_change_says_for_which_people_when_and_from_what_to_what():
    impact = impact_of(EXAMPLE + rule("guest-evening", EVENING, who=""))
    (said,) = change_sentences(impact)
    assert (
        "Guests, every day from 18:00 to 23:00: at most 5 Mbit/s download instead of 3 Mbit/s download."
        == said.text
    )
    assert ("", "For example Friday 21:00.") == (said.counted, said.example)
    assert "Rule: guest-evening; until now: guest-top." == said.rules
    assert "1 thing changes." == verdict_sentence(impact)


def test_a_change_at_all_times_is_not_until_an_end_of_another_rule_that_cannot_be_computed():
    top = 'ceiling = "{} Mbit/s down, 1 Mbit/s up"'
    credit = rule("mast", 'credit = "share +50"\nexpires = "D-99 + 12 months"', who='"group:mast-host"')
    before, after = (rules_of(rule("top", top.format(number)), credit) for number in (3, 4))
    assert any(each.when is not None and each.when.open_end for each in after.rules)
    (said,) = change_sentences(change_impact(before, after, village()))
    assert "Members: at most 4 Mbit/s download instead of 3 Mbit/s download." == said.text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "share = 100",
            "share = 200",
            "Members: the share of two households (share 200) instead of the share of one household (share 100).",
        ),
        (
            "share = 200",
            "share = 300",
            "Guests: the share of three households (share 300) for guests together instead of "
            "the share of two households (share 200) for guests together.",
        ),
        (
            '"60 GB per month"',
            '"80 GB per week"',
            "Members: 80 GB a week while the line is busy, then at most half a share. "
            "Until now: 60 GB a month while the line is busy, then at most half a share.",
        ),
        (
            'then = "share 50 until reset"',
            'then = "tell"',
            "Members: 60 GB a month while the line is busy, then a request to use less. "
            "Until now: 60 GB a month while the line is busy, then at most half a share.",
        ),
        ('"4 hours"', '"90 minutes"', "Guests: visits of at most 90 minutes instead of visits of at most 4 hours."),
        (
            "devices = 5",
            "devices = 1",
            "All people: at most 1 device online at once instead of at most 5 devices online at once.",
        ),
        (
            'floor = "4 Mbit/s down, 1 Mbit/s up"',
            'floor = "4 Mbit/s down, 2 Mbit/s up"',
            "People in the group school, Monday to Friday from 08:00 to 16:00 and while the node does not know the time: "
            "at least 2 Mbit/s upload instead of 1 Mbit/s upload.",
        ),
        (
            'down = "40 Mbit/s"',
            'down = "30 Mbit/s"',
            "People share 25.5 Mbit/s download and 7.6 Mbit/s upload of the line. "
            "Until now: “People share 34 Mbit/s download and 7.6 Mbit/s upload of the line.”",
        ),
        (
            "max_weight_ratio = 4",
            "max_weight_ratio = 5",
            "Nobody’s share is more than 5 times someone else’s. "
            "Until now: “Nobody’s share is more than 4 times someone else’s.”",
        ),
    ],
)  # fmt: skip
def test_every_part_has_its_sentence(old, new, said):
    assert old in EXAMPLE
    assert said in [each.text for each in change_sentences(impact_of(EXAMPLE.replace(old, new, 1)))]


def test_a_credit_inside_a_pool_is_said_as_a_share_among_those_of_the_pool():
    pool = rule("pool", "share = 100\ntogether = true", '"tier:member"')
    floor = rule("floor", 'floor = "12 Mbit/s down, 5 Mbit/s up"\ntogether = true', '"tier:member"')
    before, after = (
        rules_of(pool, floor, *more)
        for more in ((), (rule("c", 'credit = "share +50"', '"group:mast-host"'),))
    )
    found = change_sentences(change_impact(before, after, village()))
    assert [
        "People in the group mast-host: a share of 150 among those who share together instead of "
        "a share of 100 among those who share together."
    ] == [each.text for each in found]


def test_what_ends_and_what_begins_is_said_too():
    before = rules_of(
        rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"'), rule("b", "devices = 3", '"group:x"')
    )
    after = rules_of(rule("c", 'session = "2 hours"'), rule("d", 'floor = "1 Mbit/s down, 1 Mbit/s up"'))
    there = {each.text for each in change_sentences(change_impact(before, after))}
    back = {each.text for each in change_sentences(change_impact(after, before))}
    assert {
        "Members: no speed limit instead of at most 9 Mbit/s download and 9 Mbit/s upload.",
        "Members: visits of at most 2 hours instead of visits as long as the node’s settings say.",
        "Members: at least 1 Mbit/s download and 1 Mbit/s upload instead of only the lifeline guaranteed.",
        "People in the group x: any number of devices online at once instead of at most 3 devices online at once.",
    } == there
    assert {
        "Members: at most 9 Mbit/s download and 9 Mbit/s upload instead of no speed limit.",
        "Members: visits as long as the node’s settings say instead of visits of at most 2 hours.",
        "Members: only the lifeline guaranteed instead of at least 1 Mbit/s download and 1 Mbit/s upload.",
        "People in the group x: at most 3 devices online at once instead of any number of devices online at once.",
    } == back


def test_days_of_grace_are_said_too():
    late_rule = rule("late", "devices = 2", '"dues:late"')
    before, after = (parse_ruleset(f"{HEAD}[dues]\ngrace_days = {days}\n{late_rule}")[0] for days in (14, 30))
    assert before is not None
    assert after is not None
    assert [
        "Dues are late when the last day that is paid is more than 30 days ago. "
        "Until now: “Dues are late when the last day that is paid is more than 14 days ago.”"
    ] == [each.text for each in change_sentences(change_impact(before, after))]


def test_it_is_said_when_usage_in_intervals_is_kept_from_now_on():
    (said,) = change_sentences(impact_of(EXAMPLE + '[preview]\nby = "D-9"\n'))
    assert (
        "What each account uses in each five minutes is kept for 14 days. It shows what other rules would change. Pages "
        "show it to that account only. Until now: “What people use in each five minutes is not kept.”"
    ) == said.text


def test_it_is_said_when_admins_may_see_usage_by_day_from_now_on():
    (said,) = change_sentences(impact_of(EXAMPLE + '[usage_by_day]\nby = "D-9"\n'))
    assert (
        "Admins may see what an account used on each of the last 7 days, to help its people. "
        "Until now: “Admins do not see what an account used on which day.”"
    ) == said.text


def test_nothing_is_said_in_one_sentence():
    assert "Nothing changes for anybody." == verdict_sentence(impact_of(EXAMPLE + "# a comment\n"))
    floor = rule("clinic", 'floor = "2 Mbit/s down, 1 Mbit/s up"', '"group:clinic"')
    impact = impact_of(EXAMPLE + floor)
    assert "Nothing changes for anybody who is in the roll now." == verdict_sentence(impact)
    assert ["Accounts concerned: 0 of 44."] == [each.counted for each in change_sentences(impact)]


def test_an_incomplete_list_says_that_it_is():
    after, _ = parse_ruleset(EXAMPLE.replace("60 GB", "70 GB"))
    assert after is not None
    impact = change_impact(example(), after, village(), evaluations_max=-1)
    assert "not complete" in verdict_sentence(impact)


def test_a_change_is_said_in_every_language():
    catalogues = read_catalogues()
    impact = impact_of(
        EXAMPLE.replace("devices = 5", "devices = 3").replace('"3 Mbit/s down', '"5 Mbit/s down')
    )
    english = {each.text for each in change_sentences(impact)}
    for language in ("ca", "es", "fr", "ar"):
        translations = catalogues.translations[language]
        said = change_sentences(impact, translations)
        assert english.isdisjoint(each.text for each in said)
        assert all(each.text and each.example and each.rules for each in said)


COMMUNITIES = sorted((Path(__file__).parents[4] / "deploy" / "communities").glob("*.rules.toml"))


@pytest.mark.parametrize("path", COMMUNITIES, ids=lambda path: path.name.partition(".")[0])
def test_all_rules_of_a_community_are_said_as_changes_in_every_language(path: Path):
    ruleset, _ = parse_ruleset(path.read_text())
    members, _ = parse_members(path.with_name(path.name.replace(".rules.", ".members.")).read_text())
    assert ruleset is not None
    assert members is not None
    nothing, other_order = replace(ruleset, rules=()), replace(ruleset, rules=ruleset.rules[::-1])
    assert change_impact(ruleset, other_order, members.units).is_nothing
    impact = change_impact(nothing, ruleset, members.units)
    assert impact.is_complete
    for translations in read_catalogues().translations.values():
        for each in change_sentences(impact, translations):
            assert "{" not in each.text + each.counted + each.example + each.rules
            assert "_" not in each.text


def test_people_without_a_selector_are_named_by_their_groups():
    rules = (
        rule("a", "devices = 5", '"group:x"'),
        rule("b", "devices = 4", '"group:y"'),
        rule("c", "devices = 9"),
    )
    before, after = rules_of(*rules), rules_of(rule("a", "devices = 3", '"group:x"'), *rules[1:])
    units = tuple(
        Unit(AccountId(name), "member", frozenset(groups))
        for name, groups in (("p", "x"), ("q", "y"), ("r", "xy"))
    )
    said = {each.text: each.counted for each in change_sentences(change_impact(before, after, units))}
    assert (
        "Accounts concerned: 1 of 3."
        == said[
            "Members only in the groups x and y: at most 3 devices online at once instead of "
            "at most 4 devices online at once."
        ]
    )


def test_a_change_at_one_node_says_at_which():
    text = EXAMPLE + rule("two", 'devices = 2\nat = "node:library"', '"tier:guest"')
    (said,) = change_sentences(impact_of(text))
    assert said.text == (
        "Guests, at the node library: at most 2 devices online at once instead of at most 5 devices online at once."
    )
    ruleset, _ = parse_ruleset(text.replace("devices = 2", "devices = 3"))
    everywhere, _ = parse_ruleset(text.replace('\nat = "node:library"', ""))
    said = [each.text for each in change_sentences(change_impact(ruleset, everywhere, village()))]
    assert any(", at the other nodes: " in each for each in said)


def test_a_charter_that_lets_floors_promise_more_is_a_change_for_everybody():
    impact = impact_of(
        EXAMPLE.replace("max_weight_ratio = 4", "max_weight_ratio = 4\noverbook_percent = 150")
    )
    (said,) = change_sentences(impact)
    assert said.text.startswith("Floors may promise up to 150 percent")
    assert "Until now: “Floors may promise at most what the line can carry for all at once.”" in said.text


def test_a_reserve_is_a_guarantee_for_people_together():
    impact = impact_of(EXAMPLE + rule("r", 'reserve = "20 percent"', '"tier:guest"'))
    assert any(each.text.startswith("Guests: at least 6.8 Mbit/s") for each in change_sentences(impact))


# --- for one account ---


def own(text: str, unit: Unit, units: tuple[Unit, ...]) -> tuple[str, ...]:
    before, _ = parse_ruleset(EXAMPLE)
    after, findings = parse_ruleset(text)
    assert before is not None
    assert after is not None, findings
    return own_sentences(change_impact(before, after, units), unit)


HOME, SCHOOL = Unit(AccountId("home"), "member"), Unit(AccountId("school"), "member", frozenset({"school"}))
GUEST = Unit(AccountId("guest-1"), "guest")


def test_an_account_reads_what_changes_for_it_only():
    text = EXAMPLE + rule("school-top", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"', who='"group:school"')
    (said,) = own(text, SCHOOL, (HOME, SCHOOL))
    assert "You: at most 9 Mbit/s download and 9 Mbit/s upload instead of no speed limit." == said
    assert () == own(text, HOME, (HOME, SCHOOL))
    assert () == own(text, GUEST, (GUEST,))


def test_people_who_share_are_not_named_to_each_other():
    text = EXAMPLE.replace("share = 200", "share = 300")
    (said,) = own(text, GUEST, (GUEST,))
    assert (
        "You: the share of three households (share 300) together with others instead of "
        "the share of two households (share 200) together with others."
    ) == said


def test_what_depends_on_dues_says_so():
    text = EXAMPLE + rule("late", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"', who='"dues:late"')
    assert any(
        each.startswith("You, while your dues are late: at most 2") for each in own(text, HOME, (HOME,))
    )
