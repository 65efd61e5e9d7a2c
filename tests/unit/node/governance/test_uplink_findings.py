"""Checks of a community with several lines: each line alone, and what is the same on all of them once."""

import pytest
from hypothesis import given

from node.errors import Finding
from node.governance.allowance import Unit
from node.governance.checks import check, check_file
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from node.governance.uplink_findings import unknown_uplink
from tests.fakes.rule_files import HEAD, file_with, rule, village
from tests.fakes.rule_texts import parsed, rolls, rule_texts

TEXTS = rule_texts().filter(lambda text: "[uplink.main]" in text and parsed(text) is not None)
FAST = '[uplink.mill]\ndown = "46 Mbit/s"\nup = "9200 kbit/s"\nusable_percent = 80\n'
SLOW = '[uplink.mill]\ndown = "9 Mbit/s"\nup = "4500 kbit/s"\n'


def read(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


def copied(text: str) -> str:
    """The text with a second line just like its first."""
    line, _, _ = text.partition("[uplink.main]\n")[2].partition("[")
    return f"{text}[uplink.mill]\n{line}"


def about(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return sorted((each.code, str(each.message), str(each.fix)) for each in findings)


def found(text: str, units: tuple[Unit, ...] = ()) -> list[tuple[str, str]]:
    return [(each.code, str(each.message)) for each in check_file(text, units)[1]]


@given(TEXTS, rolls())
def test_two_lines_that_are_alike_have_the_findings_of_one(text, units):
    assert about(check(read(text), units)) == about(check(read(copied(text)), units))


@given(TEXTS, rolls())
def test_what_one_line_has_wrong_no_other_line_hides(text, units):
    errors = {each.code for each in check(read(text), units) if each.is_error}
    both = {each.code for each in check(read(text + FAST), units) if each.is_error}
    assert errors <= both


def test_more_than_one_line_carries_is_an_error_that_names_it():
    text = file_with(rule("f", 'floor = "9 Mbit/s down, 2 Mbit/s up"', '"group:school"')) + SLOW
    (finding,) = [
        each for each in check_file(text, village(20))[1] if each.is_error and "Download" in each.message
    ]
    assert "E04" == finding.code
    assert finding.message.startswith("On the line mill: Download: lifelines and floors of 20 households")
    assert [] == found(text.replace("[[rule]]\n", '[[rule]]\nuplink = "main"\n'), village(20))[1:]


def test_two_shares_on_different_lines_do_not_meet():
    shares = [rule(name, f'share = {n}\nuplink = "{name}"') for name, n in (("main", 50), ("mill", 80))]
    assert [] == found(file_with(*shares) + FAST)
    assert ["E06", "W02"] == [
        code for code, _ in found(file_with(*(each.replace("uplink", "#") for each in shares)) + FAST)
    ]
    both = file_with(shares[0].replace('uplink = "main"', 'uplink = ["main", "mill"]'), shares[1]) + FAST
    ((code, message),) = found(both)
    assert ("E06", True) == (code, message.startswith("main (line")), (
        "mill is for that line only, so it is not named"
    )


def test_a_floor_above_a_ceiling_on_one_line_is_found_there():
    floor = rule("f", 'floor = "3 Mbit/s down, 1 Mbit/s up"')
    top = rule("t", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"')
    ((code, message),) = [each for each in found(file_with(top, floor) + FAST) if each[0].startswith("E")]
    assert ("E05", True) == (code, message.startswith("On the line mill: f promises"))


def test_a_rule_that_matters_on_one_line_is_not_reported():
    low = rule("low", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"')
    high = rule("high", 'ceiling = "4 Mbit/s down, 2 Mbit/s up"')
    assert [] == found(file_with(low, high) + FAST)
    assert ["W02"] == [code for code, _ in found(file_with(low.replace("uplink", "#"), high) + FAST)]
    (only_there,) = found(file_with(low, high.replace("who", 'uplink = "mill"\nwho')) + FAST)
    assert only_there[0] == "W02"


def test_what_is_about_the_file_is_said_once():
    names = [("main", "mill")[number % 2] for number in range(26)]
    rules = [rule(f"r{n}", f'devices = {n + 1}\nuplink = "{name}"') for n, name in enumerate(names)]
    assert ["W09"] == [code for code, _ in found(file_with(*rules) + FAST) if code == "W09"]


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("member, fri 21:00, alone", ["E12"]),
        ("member, fri 21:00, alone, uplink:mill", ["E12"]),
        ("member, fri 21:00, alone, uplink:main", []),
        ("member, fri 21:00, uplink:main, alone", []),
        ("everyone, always, alone, uplink:mill", ["E12"]),
        ("tier:member, always, uplink:main", []),
        ("member, fri 21:00, alone, at node:library, uplink:main", []),
        ("member, fri 21:00, alone, uplink:river", ["E12"]),
        ("member, fri 21:00, alone, uplink:", ["E12"]),
        ("uplink:main, member, fri 21:00", ["E12"]),
        ("member, fri 21:00, uplink:main, uplink:mill", ["E12"]),
    ],
)
def test_a_test_is_of_one_line_or_of_each(given, codes):
    top = rule("t", 'ceiling = "200 kbit/s down, 1 Mbit/s up"\nuplink = "mill"\nat = "node:library"')
    low = rule("u", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"', '"everyone"')
    test = f'[[test]]\ngiven = "{given}"\nexpect = "ceiling = none"\n'
    # A test can name a node only where a rule does.
    rules = (top, low) if "node:" in given else (low,)
    assert codes == [code for code, _ in found(file_with(*rules) + test + FAST) if code == "E12"]


def test_a_test_that_fails_names_the_line_and_one_that_cannot_be_read_does_not():
    low = rule("t", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"')
    test = '[[test]]\ngiven = "member, fri 21:00, {}"\nexpect = "ceiling = none"\n'
    ((_, message),) = found(file_with(low) + test.format("alone") + FAST)
    assert message.startswith("On the line mill: 'member, fri 21:00, alone' does not get")
    ((_, message),) = found(file_with(low) + test.format("uplink:river") + FAST)
    assert message.startswith("This test cannot be read: there is no line 'river'")


def test_a_test_may_name_what_only_another_line_has():
    quota = rule(
        "q", 'quota = "9 GB per month"\nthen = "share 50 until reset"\nuplink = "mill"', '"tier:shop"'
    )
    test = '[[test]]\ngiven = "tier:shop with q used up, fri 21:00"\nexpect = "share <= 100"\n'
    assert [] == [each for each in found(file_with(quota) + test + FAST) if each[0] == "E12"]


# --- the line of a node -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (HEAD, "", None),
        (HEAD, "main", None),
        (HEAD.replace("main", "north"), "", None),
        (HEAD.replace("main", "north"), "main", "the line main, and these rules have only north"),
        (HEAD + FAST, "", None),
        (HEAD + FAST, "mill", None),
        (HEAD + FAST, "mil", "the line mil, and these rules have only main, mill"),
        (HEAD.replace("main", "north") + FAST, "", "several lines (mill, north), and this node does not say"),
        (HEAD.partition("[uplink.main]")[0] + "[charter]\n", "mill", None),
    ],
)
def test_a_node_is_the_gateway_of_a_line_of_the_file(text, name, said):
    findings = list(unknown_uplink(read(text), name))
    assert (said is None) == (findings == [])
    for finding in findings:
        assert "E13" == finding.code
        assert str(said) in finding.message
        assert "uplink.name" in finding.fix
