"""Bursts in a rule file: what is refused, with what to write, and what is said of the others."""

import pytest

from node.governance.canonical_form import meaning_fingerprint
from node.governance.change_impact import change_impact
from node.governance.change_sentences import change_sentences
from node.governance.checks import check
from node.governance.parse import parse_ruleset
from node.governance.rules import Ceiling
from node.governance.sentences import sentence
from node.units import BitsPerSecond, Rates
from tests.fakes.rule_files import HEAD, file_with, rule, rules_of

CEILING = 'ceiling = "5 Mbit/s down, 2 Mbit/s up"'
BURST = 'burst = "20 Mbit/s down, 5 Mbit/s up for 30 s"'


def refused(*rules: str):
    """The only error in a file with these rules."""
    ruleset, findings = parse_ruleset(file_with(*rules))
    if ruleset is not None:
        findings = tuple(each for each in check(ruleset) if each.is_error)
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (f'{CEILING}\nburst = "x"', "E01", "'x' is no burst"),
        (f"{CEILING}\nburst = 20", "E01", "text in quotes"),
        (f'{CEILING}\nburst = "5 Mbit/s down, 2 Mbit/s up for 30 s"', "E02", "not above the ceiling"),
        (f'{CEILING}\nburst = "20 Mbit/s down, 1 Mbit/s up for 30 s"', "E02", "not above the ceiling"),
        (f'{CEILING}\nburst = "25 Mbit/s down, 9 Mbit/s up for 90 s"', "E02", "save up"),
        (f'{CEILING}\nburst = "20 Mbit/s for 20 s"', "E04", "more than the line"),
        (f"share = 100\n{BURST}", "E02", "belongs to a ceiling"),
        (f'floor = "1 Mbit/s down, 1 Mbit/s up"\n{BURST}', "E02", "belongs to a ceiling"),
    ],
)
def test_a_burst_that_cannot_be_is_refused_with_what_to_write(body, code, said):
    finding = refused(rule("a", body))
    assert code == finding.code
    assert said in finding.message
    assert finding.fix


def test_what_the_fix_says_is_accepted():
    for body in (
        f'{CEILING}\nburst = "25 Mbit/s down, 9 Mbit/s up for 90 s"',
        f'{CEILING}\nburst = "20 Mbit/s for 20 s"',
    ):
        fix = str(refused(rule("a", body)).fix)
        written = fix.partition('burst = "')[2].partition('"')[0]
        ruleset = rules_of(rule("a", f'{CEILING}\nburst = "{written}"'))
        assert not [each for each in check(ruleset) if each.is_error]


def test_an_exception_that_lifts_a_ceiling_has_no_burst():
    lifted = rule("b", f'ceiling = "none"\nexception_to = "a"\nwhen = "daily 00:00-06:00"\n{BURST}', "")
    assert "lifts a ceiling" in refused(rule("a", CEILING), lifted).message


def test_of_a_measured_line_the_most_that_it_may_be_counts_and_without_a_speed_nothing_does():
    burst = f'{CEILING}\nburst = "50 Mbit/s down, 9 Mbit/s up for 20 s"'
    stated = "usable_percent = 80\n"
    measured = stated + 'rate = "measured"\nmost = "60 Mbit/s down, 20 Mbit/s up"\n'
    assert "E04" == refused(rule("a", burst)).code
    for head in (HEAD.replace(stated, measured), HEAD.partition("[uplink.main]")[0]):
        ruleset, findings = parse_ruleset(head + rule("a", burst))
        assert ruleset is not None, findings
        assert not [each for each in check(ruleset) if each.is_error]


def test_the_burst_is_in_the_sentence_and_in_the_fingerprint_of_files_that_have_one():
    with_one, without = rules_of(rule("a", f"{CEILING}\n{BURST}")), rules_of(rule("a", CEILING))
    assert sentence(with_one.rules[0], with_one).startswith(
        "Members have at most 5 Mbit/s download and 2 Mbit/s upload; up to 20 Mbit/s download and 5 Mbit/s upload for the "
        "first 30 seconds."
    )
    assert meaning_fingerprint(with_one) != meaning_fingerprint(without)
    same = rules_of(rule("a", f'{CEILING}\nburst = "20000 kbit/s down, 5 Mbit/s up for 30 seconds"'))
    assert meaning_fingerprint(with_one) == meaning_fingerprint(same)
    assert Ceiling(Rates(BitsPerSecond(5_000_000), BitsPerSecond(2_000_000))) == without.rules[0].effect


def test_a_comparison_says_what_the_burst_was_and_is():
    before, after = rules_of(rule("a", CEILING)), rules_of(rule("a", f"{CEILING}\n{BURST}"))
    (said,) = change_sentences(change_impact(before, after, ()))
    assert "up to 20 Mbit/s download and 5 Mbit/s upload for the first 30 seconds" in said.text
    assert "nothing above the limit" in said.text


@pytest.mark.parametrize(
    ("expect", "is_met"),
    [
        ("burst down = 20 Mbit/s and burst up <= 5 Mbit/s", True),
        ("burst down >= 21 Mbit/s", False),
        ("ceiling down = 5 Mbit/s", True),
    ],
)
@pytest.mark.parametrize("given_", ["member, fri 21:00, alone", "everyone, always, everyone busy"])
def test_a_test_in_the_file_can_be_about_a_burst(expect, is_met, given_):
    ruleset = rules_of(
        rule("a", f"{CEILING}\n{BURST}", '"everyone"'),
        tail=f'[[test]]\ngiven = "{given_}"\nexpect = "{expect}"\n',
    )
    assert is_met == (not [each for each in check(ruleset) if each.code == "E12"])
