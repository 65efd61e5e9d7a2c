"""Several lines in one rule file: read, narrowed to one of them, and the lines that a rule is for."""

import re
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.canonical_form import canonical_form, meaning_fingerprint
from node.governance.parse import parse_ruleset
from node.governance.rules import Reserve, Ruleset
from node.governance.sentences import describe, sentence
from node.governance.uplink_table import UPLINKS_MAX
from node.units import BitsPerSecond, Rates
from tests.fakes.rule_files import HEAD, file_with, rule
from tests.fakes.rule_texts import UPLINK, parsed, rule_texts

MILL = '[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\nusable_percent = 90\n'
TEXTS = rule_texts().filter(lambda text: "[uplink.main]" in text and parsed(text) is not None)


def read(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


def wrong(text: str):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    (finding,) = findings
    return finding


def alone(ruleset: Ruleset) -> Ruleset:
    """The rules of one line as a file with that line only would give them."""
    return replace(ruleset, uplinks=())


@pytest.mark.parametrize(
    ("stated", "shaped"),
    [
        ("", (17_000_000, 4_750_000)),
        ("usable_percent = 80\n", (16_000_000, 4_000_000)),
        ("usable_up_percent = 90\n", (17_000_000, 4_500_000)),
        ("usable_percent = 80\nusable_up_percent = 60\n", (16_000_000, 3_000_000)),
    ],
)
def test_more_of_an_upload_is_shared_unless_one_number_is_for_both_directions(stated, shaped):
    line = f'[uplink.main]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n{stated}'
    alone = read(re.sub(r"(?ms)^\[uplink\.main\].*?(?=^\[)", line, HEAD))
    several = read(re.sub(r"(?ms)^\[uplink\.main\].*?(?=^\[)", f"{line}{MILL}", HEAD))
    assert Rates(*map(BitsPerSecond, shaped)) == alone.shaped == several.of_uplink("main").shaped
    assert Rates(BitsPerSecond(18_000_000), BitsPerSecond(4_500_000)) == several.of_uplink("mill").shaped


def test_one_number_for_both_directions_means_the_same_as_two_that_are_equal():
    twice = HEAD.replace("usable_percent = 80", "usable_percent = 80\nusable_up_percent = 80")
    assert meaning_fingerprint(read(HEAD)) == meaning_fingerprint(read(twice))
    other = HEAD.replace("usable_percent = 80", "usable_percent = 80\nusable_up_percent = 81")
    assert meaning_fingerprint(read(HEAD)) != meaning_fingerprint(read(other))


@given(TEXTS)
def test_a_second_line_changes_nothing_on_the_first(text):
    before, after = read(text), read(text + MILL)
    assert after.is_of_several
    assert ("main", "mill") == after.uplink_names
    assert before == alone(after.of_uplink("main"))
    assert after.of_uplink("main") is after.of_uplink("main"), "readers compare identities"
    assert after.of_uplink("main") is after.of_uplink(""), "of a node whose settings name none"


@given(TEXTS)
def test_another_name_of_the_only_line_changes_nothing_else(text):
    named = read(text.replace("[uplink.main]", "[uplink.north]"))
    assert ("north",) == named.uplink_names
    assert read(text) == replace(named, uplink_name="main")
    assert named is named.of_uplink("anything"), "a file with one line is of that line"


@given(TEXTS)
def test_rules_for_one_line_hold_there_as_rules_for_all_do_and_nowhere_else(text):
    tied = read(text.replace("[[rule]]\n", '[[rule]]\nuplink = "main"\n') + MILL)
    free = [replace(each, line=0) for each in read(text).rules]
    assert free == [replace(each, uplinks=(), line=0) for each in tied.of_uplink("main").rules]
    assert () == tied.of_uplink("mill").every_rule
    assert () == tied.of_uplink("river").every_rule, "no line of this file"
    assert tied.of_uplink("river").uplink is None


@given(TEXTS)
def test_the_order_of_the_lines_is_free(text):
    first, mill = text + MILL, text.replace("[uplink.main]", MILL + "[uplink.main]")
    assert canonical_form(read(first)) == canonical_form(read(mill))


@given(TEXTS)
def test_a_file_with_one_line_says_nothing_of_lines(text):
    said = canonical_form(read(text))
    assert '"uplink_name"' not in said
    assert '"uplinks"' not in said


def test_each_line_and_the_lines_of_each_rule_are_part_of_what_a_file_says():
    files = [
        file_with(rule("a", "share = 50")),
        file_with(rule("a", "share = 50")) + MILL,
        file_with(rule("a", "share = 50")) + MILL.replace("20", "21"),
        file_with(rule("a", "share = 50")) + MILL.replace("mill", "river"),
        file_with(rule("a", 'share = 50\nuplink = "mill"')) + MILL,
        file_with(rule("a", 'share = 50\nuplink = "main"')) + MILL,
        file_with(rule("a", 'share = 50\nuplink = ["mill", "main"]')) + MILL,
    ]
    assert len(files) == len({meaning_fingerprint(read(text)) for text in files})
    turned = files[-1].replace('["mill", "main"]', '["main", "mill", "main"]')
    assert meaning_fingerprint(read(files[-1])) == meaning_fingerprint(read(turned))


def test_a_reserve_is_a_part_of_each_line():
    ruleset = read(file_with(rule("r", 'reserve = "10 percent"\ntogether = true', '"tier:guest"')) + MILL)
    rates = {name: [each.effect for each in of_line.rules] for name, of_line in ruleset.by_uplink.items()}
    assert {
        "main": [Reserve(Rates(BitsPerSecond(3_680_000), BitsPerSecond(736_000)), 10)],
        "mill": [Reserve(Rates(BitsPerSecond(1_800_000), BitsPerSecond(450_000)), 10)],
    } == rates
    assert "10 percent of each line" in sentence(ruleset.rules[0], ruleset)


def test_a_reserve_on_one_line_says_its_rate():
    body = 'reserve = "10 percent"\ntogether = true\nuplink = "mill"'
    ruleset = read(file_with(rule("r", body, '"tier:guest"')) + MILL)
    said = sentence(ruleset.rules[0], ruleset)
    assert said.startswith(
        "On the line mill, all guests together have 10 percent of the line reserved, 1.8 Mbit/s"
    )
    assert ruleset.rules == ruleset.of_uplink("mill").rules


def test_each_line_has_its_sentence():
    said = describe(read(HEAD + MILL))
    assert (
        "On the line main: People share 36.8 Mbit/s download and 7.36 Mbit/s upload of the line." == said[0]
    )
    assert "On the line mill: People share 18 Mbit/s download and 4.5 Mbit/s upload of the line." == said[1]


def test_a_floor_is_promised_as_the_lines_on_which_it_holds_can():
    measured = MILL + 'rate = "measured"\nleast = "1 Mbit/s down, 500 kbit/s up"\n'
    floor = 'floor = "300 kbit/s down, 100 kbit/s up"\nuplink = "{}"'
    ruleset = read(file_with(*(rule(name, floor.format(name)) for name in ("main", "mill"))) + measured)
    assert ruleset.may_carry_less
    main, mill = (sentence(each, ruleset) for each in ruleset.rules)
    assert "whenever they need it" in main
    assert "when they need it and the line carries it" in mill


def test_an_exception_is_for_the_lines_of_the_rule_that_it_replaces():
    top = rule("top", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"')
    night = rule("night", 'ceiling = "none"\nexception_to = "top"', "")
    ruleset = read(file_with(top, night) + MILL)
    assert [("mill",), ("mill",)] == [each.uplinks for each in ruleset.rules]


@pytest.mark.parametrize(
    ("body", "said", "fix"),
    [
        ('uplink = "mil"', "no line 'mil'", "did you mean mill?"),
        ('uplink = "river"', "no line 'river'", "use one of main, mill"),
        ('uplink = ["main", "river"]', "no line 'river'", "use one of main, mill"),
        ("uplink = []", "never apply", "name a line"),
        ("uplink = 3", "not a text or a list", "the name of a line"),
    ],
)
def test_an_unknown_line_is_refused_with_those_that_there_are(body, said, fix):
    finding = wrong(file_with(rule("a", f"share = 50\n{body}")) + MILL)
    assert said in finding.message
    assert fix in finding.fix


def test_a_rule_for_a_line_needs_one():
    text = re.sub(
        r"\[uplink.main\](?s:.*)\[charter\]", "[charter]", file_with(rule("a", 'share = 50\nuplink = "main"'))
    )
    assert "[uplink.NAME]" in wrong(text).fix


def test_an_exception_on_other_lines_than_its_rule_is_refused():
    top = rule("top", 'ceiling = "1 Mbit/s down, 1 Mbit/s up"\nuplink = "mill"')
    night = rule("night", 'ceiling = "none"\nexception_to = "top"\nuplink = ["main", "mill"]', "")
    finding = wrong(file_with(top, night) + MILL)
    assert "E02" == finding.code
    assert 'uplink = "mill"' in finding.fix


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[uplink."Mill 2"]\ndown = "2 Mbit/s"\nup = "2 Mbit/s"\n', "is not a plain name"),
        ('[uplink.mill]\ndown = "2 Mbit/s"\n', "[uplink.mill] has no up"),
        (
            '[uplink.mill]\ndown = "2 Mbit/s"\nup = "2 Mbit/s"\nspeed = 3\n',
            "'speed' is not a key of [uplink.mill]",
        ),
        ('[uplink.mill.roof]\ndown = "2 Mbit/s"\n', "'roof' is not a key of [uplink.mill]"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(more, said):
    _, findings = parse_ruleset(HEAD + more)
    assert any(said in finding.message for finding in findings), findings


def test_what_belongs_to_a_line_needs_its_name():
    text = HEAD.replace("[uplink.main]", "[uplink]")
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert {"write it below [uplink.main]"} == {finding.fix for finding in findings}


def test_there_are_at_most_so_many_lines():
    def lines(count: int) -> str:
        return "".join(f'[uplink.l{n}]\ndown = "2 Mbit/s"\nup = "2 Mbit/s"\n' for n in range(count))

    assert UPLINKS_MAX == len(read(HEAD + lines(UPLINKS_MAX - 1)).uplinks)
    assert f"at most {UPLINKS_MAX} are read" in wrong(HEAD + lines(UPLINKS_MAX)).message


def test_rules_for_different_lines_are_as_many_as_are_checked_in_time():
    more = "".join(MILL.replace("mill", name) for name in ("mill", "l", "m"))
    everywhere = [rule(f"r{n}", f"share = {n + 1}") for n in range(199)]
    assert () == parse_ruleset(file_with(*everywhere) + more)[1], "the same rules on all lines count once"
    on_two = [each.replace("who", 'uplink = ["l", "m"]\nwho') for each in everywhere]
    assert () == parse_ruleset(file_with(*on_two) + more)[1], "the same on two lines, and none on the others"
    odd = rule("odd", 'devices = 2\nuplink = "l"')
    assert () == parse_ruleset(file_with(odd, *on_two) + more)[1], "200 on one line and 199 on another"
    on_three = [each.replace('["l", "m"]', '["l", "m", "mill"]') for each in on_two[1:]]
    even = rule("even", 'devices = 2\nuplink = "m"')
    assert "at most 400 are checked" in wrong(file_with(odd, even, *on_three) + more).message


def test_a_file_that_names_thousands_of_lines_is_refused_at_once():
    lines = "".join(f'[uplink.l{n}]\ndown = "2 Mbit/s"\nup = "2 Mbit/s"\n' for n in range(3_000))
    names = ", ".join(f'"l{n}"' for n in range(100))
    bodies = (f"uplink = [{names}]", 'uplink = ["x", "l1"]')
    rules = [
        rule(f"r{n}", f'ceiling = "none"\nexception_to = "r{n + 1}"\n{bodies[n % 2]}') for n in range(199)
    ]
    started = time.perf_counter()
    ruleset, findings = parse_ruleset(lines + file_with(*rules))
    assert ruleset is None
    assert any("There are 3001 lines" in finding.message for finding in findings)
    assert time.perf_counter() - started < 20, "0.6 s on an idle machine"


@given(st.text(max_size=12), st.text(max_size=12))
def test_hostile_names_are_refused_or_plain(line, own):
    quoted = [
        "".join(f"\\U{ord(each):08x}" for each in text if not 0xD800 <= ord(each) < 0xE000)
        for text in (line, own)
    ]
    text = file_with(rule("a", f'share = 50\nuplink = "{quoted[1]}"')) + UPLINK.format(9000, 900).replace(
        "main", f'"{quoted[0]}"'
    )
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None or findings
    assert all(re.fullmatch("[a-z0-9-]+", name) for name in (ruleset.uplink_names if ruleset else ()))
