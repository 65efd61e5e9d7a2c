"""Rules that are only observed: nobody has more or less by them, and they could be in force."""

import re
from dataclasses import replace
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.governance.change_impact import change_impact
from node.governance.change_sentences import change_sentences, verdict_sentence
from node.governance.checks import check, check_file
from node.governance.observed_rules import bundles
from node.governance.parse import parse_ruleset
from node.governance.rules import Rule, Ruleset
from node.governance.sentences import describe
from node.web.translations import read_catalogues
from tests.fakes.rule_files import file_with, rule, rules_of, village
from tests.fakes.rule_texts import parsed, rolls, rule_texts

OBSERVE = '\nobserve = true\nexpires = "2027-03-31"'
TOP = 'ceiling = "3 Mbit/s down, 1 Mbit/s up"'
NIGHT = 'ceiling = "none"\nwhen = "daily 00:00-06:00"\nexception_to = "top"'


def refusals(*rules: str) -> list[tuple[str, int, str]]:
    return [(each.code, each.line, each.message) for each in parse_ruleset(file_with(*rules))[1]]


def found(*rules: str) -> list[tuple[str, str]]:
    ruleset = rules_of(*rules)
    by_line = {each.line: each.id for each in ruleset.every_rule}
    return [(each.code, by_line.get(each.line, "")) for each in check(ruleset, village())]


def names(ruleset: Ruleset) -> tuple[list[str], list[str]]:
    return [each.id for each in ruleset.rules], [each.id for each in ruleset.observed]


def test_a_rule_is_in_force_or_only_observed():
    ruleset = rules_of(rule("a", "share = 50"), rule("top", TOP + OBSERVE), rule("b", "devices = 2"))
    assert (["a", "b"], ["top"]) == names(ruleset)
    assert ["a", "top", "b"] == [each.id for each in ruleset.every_rule]
    assert (["a"], []) == names(rules_of(rule("a", "share = 50\nobserve = false")))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("devices = 2", "What a rule with devices would do cannot be counted"),
        ('session = "4 hours"', "What a rule with session would do cannot be counted"),
        ('quota = "1 GB per day"\nthen = "tell"', "This quota limits nobody as it is"),
        (f'{TOP}\nemergency = true\nfrom = "2027-03-30"', "An emergency rule limits at once"),
    ],
)
def test_what_cannot_be_counted_cannot_be_only_observed(body, message):
    ((code, line, said),) = refusals(rule("a", body + OBSERVE))
    text = file_with(rule("a", body + OBSERVE)).splitlines()
    assert ("E02", True, "observe = true") == (code, said.startswith(message), text[line - 1])


def test_an_exception_to_an_observed_rule_has_to_be_observed_too():
    ((code, _, message),) = refusals(rule("top", TOP + OBSERVE), rule("night", NIGHT, who=""))
    assert ("E02", "top is only observed, so there is nothing that this rule could replace.") == (
        code,
        message,
    )
    both = rules_of(rule("top", TOP + OBSERVE), rule("night", NIGHT + "\nobserve = true", who=""))
    assert ([], ["top", "night"]) == names(both)
    one = rules_of(rule("top", TOP), rule("night", NIGHT + OBSERVE, who=""))
    assert (["top"], ["night"]) == names(one)


def test_at_most_ten_rules_are_observed():
    rules = [rule(f"top-{n}", f'ceiling = "{n + 1} Mbit/s down, 1 Mbit/s up"{OBSERVE}') for n in range(11)]
    ((code, line, message),) = refusals(*rules)
    assert ("E02", "11 rules are only observed; at most 10 can be at once.") == (code, message)
    assert line == file_with(*rules[:10]).count("\n") + 1
    assert [] == refusals(*rules[:10])


def test_only_times_that_can_be_compared_are_observed():
    rules = [
        rule(f"r{n}", f'{TOP}\nwhen = "daily 00:{n:02}-{n % 24:02}:59"\nat = "node:n{n}"{OBSERVE}')
        for n in range(10)
    ]
    nodes = [rule(f"s{n}", f'{TOP}\nat = "node:m{n}"') for n in range(11)]
    ((code, _, message),) = refusals(*rules, *nodes)
    assert ("E01", True) == (code, "name 21 nodes" in message)


def test_rules_that_need_each_other_are_one_bundle():
    ruleset = rules_of(
        rule("top", TOP + OBSERVE),
        rule("s", "share = 100\ntogether = true\nobserve = true", '"group:school"'),
        rule("other", TOP + OBSERVE),
        rule("f", 'floor = "1 Mbit/s down, 1 Mbit/s up"\ntogether = true' + OBSERVE, '"group:school"'),
        rule("night", NIGHT + OBSERVE, who=""),
        rule(
            "late", 'ceiling = "none"\nwhen = "daily 03:00-04:00"\nexception_to = "night"' + OBSERVE, who=""
        ),
    )
    assert [["top", "night", "late"], ["s", "f"], ["other"]] == [
        [each.id for each in bundle] for bundle in bundles(ruleset.observed)
    ]


RULE = st.builds(
    Rule,
    st.sampled_from("abcdefgh"),
    st.just(rules_of(rule("a", TOP)).rules[0].who),
    st.just(rules_of(rule("a", TOP)).rules[0].effect),
    st.just("D-1"),
    exception_to=st.sampled_from([None, None, *"abcdefgh"]),
    line=st.integers(1, 9),
)


@given(st.lists(RULE, max_size=8, unique_by=lambda each: each.id))
def test_each_rule_is_in_one_bundle_with_all_that_it_needs(rules):
    found = bundles(rules)
    assert sorted(each.id for each in rules) == sorted(each.id for bundle in found for each in bundle)
    for bundle in found:
        inside = {each.id for each in bundle}
        for each in rules:
            if each.exception_to in {other.id for other in rules}:
                assert (each.id in inside) == (each.exception_to in inside)


def test_an_observed_rule_could_be_in_force():
    low = 'ceiling = "100 kbit/s down, 100 kbit/s up"'
    assert [("E03", "low")] == found(rule("a", "share = 100"), rule("low", low + OBSERVE))
    (finding,) = check(rules_of(rule("low", low + OBSERVE)), village())
    assert finding.message.startswith(
        "low is only observed, and could not be in force: low leaves 100 kbit/s"
    )
    much = 'floor = "30 Mbit/s down, 1 Mbit/s up"'
    assert [("E04", "f")] == found(rule("a", "devices = 2"), rule("f", much + OBSERVE, '"group:mast-host"'))
    assert ("E06", "b") in found(rule("b", "share = 50" + OBSERVE), rule("a", "share = 100"))
    assert [("W05", "s")] == found(rule("s", TOP + OBSERVE, '"group:school"'))


def test_two_alternatives_can_be_observed():
    shares = [rule(f"s{n}", f"share = {n}{OBSERVE}") for n in (50, 150)]
    assert [] == found(*shares)


def test_an_observed_pool_is_checked_with_its_floor():
    who = '"group:mast-host"'
    share = rule("s", "share = 100\ntogether = true\nobserve = true", who)
    floor = rule("f", 'floor = "768 kbit/s down, 288 kbit/s up"\ntogether = true\nobserve = true', who)
    assert [("E03", "s")] == found(share)
    assert [] == found(share, floor)


def test_tests_in_the_file_are_about_what_is_in_force():
    proof = '[[test]]\ngiven = "everyone, always"\nexpect = "ceiling = none"\n'
    assert () == check_file(file_with(rule("top", TOP + OBSERVE)) + proof, village())[1]
    assert ["E12"] == [each.code for each in check_file(file_with(rule("top", TOP)) + proof, village())[1]]


def test_observing_without_an_end_is_a_warning():
    assert [("W17", "top")] == found(rule("top", TOP + "\nobserve = true"))
    night = rule("night", NIGHT + "\nobserve = true", who="")
    assert [] == found(rule("top", TOP + OBSERVE), night), "it ends with the rule that it replaces"
    assert [("W17", "night")] == found(rule("top", TOP), night)


def test_observed_rules_count_among_those_that_people_read():
    many = [rule(f"r{n}", f'ceiling = "{n + 1} Mbit/s down, 1 Mbit/s up"{OBSERVE}') for n in range(10)]
    assert "W09" not in dict(found(*many))
    assert "W09" in dict(found(*many, *(rule(f"s{n}", "devices = 2") for n in range(16))))


@pytest.mark.parametrize("tag", sorted(read_catalogues().translations))
def test_its_sentence_says_in_every_language_that_it_is_only_observed(tag):
    words = read_catalogues().translations[tag]
    observed = rules_of(rule("top", TOP + OBSERVE), rule("night", NIGHT + "\nobserve = true", who=""))
    in_force = observed.as_if_in_force(observed.observed)
    prefix = words.gettext("Observed only; nobody has more or less by it: {sentence}")
    for said, limit in zip(describe(observed, words)[-2:], describe(in_force, words)[-2:], strict=True):
        assert prefix.format(sentence=limit) == said
    assert (tag == "en") == prefix.startswith("Observed only")


def test_sentences_explain_the_words_of_observed_rules_too():
    busy = rules_of(rule("b", TOP + '\nwhile = "busy"' + OBSERVE), rule("l", TOP + OBSERVE, '"dues:late"'))
    for text in ("The line counts as busy", "Dues are late"):
        assert any(each.startswith(text) for each in describe(busy)), describe(busy)


def test_a_comparison_says_that_nothing_changes_and_what_is_only_observed():
    before, after = (
        rules_of(rule("a", "share = 50")),
        rules_of(rule("a", "share = 50"), rule("top", TOP + OBSERVE)),
    )
    impact = change_impact(before, after, village())
    assert (True, ()) == (impact.is_nothing, change_sentences(impact))
    assert (
        "Nothing changes for anybody. From now on only observed, so that nobody has more or less by it: top."
        == verdict_sentence(impact)
    )
    back = change_impact(after, before, village())
    assert "Nothing changes for anybody. No longer observed: top." == verdict_sentence(back)
    binding = change_impact(after, after.as_if_in_force(after.observed), village())
    assert "1 thing changes. No longer observed: top." == verdict_sentence(binding)


def marked(text: str, chosen: frozenset[int]) -> tuple[str, str] | None:
    """The file with the chosen rules, and the exceptions to these, only observed, and without them."""
    head, *rules = text.split("[[rule]]\n")
    countable = [
        number for number, each in enumerate(rules) if not re.search("devices =|session =|tell", each)
    ]
    numbers = {countable[number % len(countable)] for number in chosen} if countable else set()
    ids: set[str] = set()
    with_them, without = head, head
    for number, each in enumerate(rules):
        name, target = (re.search(rf'^{key} = "(.*)"$', each, re.MULTILINE) for key in ("id", "exception_to"))
        assert name is not None
        if number in numbers or (target is not None and target[1] in ids):
            ids.add(name[1])
            with_them += f"[[rule]]\nobserve = true\n{each}"
        else:
            with_them += f"[[rule]]\n{each}"
            without += f"[[rule]]\n{each}"
    return (with_them, without) if ids else None


@given(
    rule_texts().filter(lambda text: parsed(text) is not None),
    st.frozensets(st.integers(0, 6), min_size=1, max_size=2),
    rolls(),
)
def test_with_observed_rules_everything_is_as_without_them(text, chosen, units):
    both = marked(text, chosen)
    assume(both is not None)
    observing, without = (parsed(each) for each in both)
    assume(observing is not None and without is not None)
    assert observing.observed

    def unplaced(ruleset):
        return replace(ruleset, rules=tuple(replace(each, line=0) for each in ruleset.rules), observed=())

    assert unplaced(observing) == unplaced(without)
    impact = change_impact(without, observing, units)
    assert impact.is_nothing
    assert verdict_sentence(impact).startswith("Nothing changes for anybody. From now on only observed")
    known = sorted((each.code, each.message) for each in check(replace(observing, observed=()), units))
    seen = [(each.code, each.message) for each in check(observing, units)]
    assert len(seen) >= 50 or all(each in seen for each in known if each[0] != "W09")


def test_ten_observed_rules_beside_190_others_and_minutes_are_checked_in_a_second():
    minutes = 'day = "2026-03-08"\npresent = 31\nyes = 27\nno = 2\nsigners = ["Ana Pons", "Ben Riu"]\n'
    decided = "".join(f'[decisions."D-{number}"]\n{minutes}' for number in range(1, 201))
    rules = [
        rule(
            f"r{number}",
            f'ceiling = "{5 + number % 40} Mbit/s down, {1 + number % 7} Mbit/s up"\n'
            f'when = "daily {number % 23:02}:00-{number % 23 + 1:02}:30"\n'
            f'from = "2026-{1 + number % 12:02}-{1 + number % 28:02}"{OBSERVE if number >= 190 else ""}',
            f'"group:g{number % 40}"',
        )
        for number in range(200)
    ]
    units = [
        replace(each, groups=frozenset({f"g{n % 40}", f"g{n * 7 % 40}"}))
        for n, each in enumerate(village(60))
    ]
    begun = process_time()
    ruleset, _ = check_file(file_with(*rules) + decided, units)
    assert (200, 10) == (len(ruleset.every_rule), len(ruleset.observed))
    assert process_time() - begun < 1
