"""Rule files that people write: all errors at once, each with its line and what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.parse import FILE_BYTES_MAX, parse_ruleset
from node.governance.rules import Ceiling, Quota, Share, Who
from tests.fakes.rulefile import EXAMPLE, HEAD, example, file_with, rule, rules_of


def codes(text: str) -> list[str]:
    return [finding.code for finding in parse_ruleset(text)[1]]


def only(text: str):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert 1 == len(findings), findings
    return findings[0]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def test_the_example_of_a_community_is_read_whole():
    ruleset = example()
    assert "vall-baixa" == ruleset.community
    assert 14 == ruleset.version
    assert (36_800_000, 7_360_000) == (ruleset.shaped.down, ruleset.shaped.up)
    assert 6 == len(ruleset.rules)
    assert "tests" not in EXAMPLE
    assert 3 == len(ruleset.examples)


def test_an_exception_is_for_the_same_people_as_the_rule_it_replaces():
    night = next(rule for rule in example().rules if rule.id == "guest-night")
    assert Who(tiers=frozenset({"guest"})) == night.who
    assert Ceiling(None) == night.effect


def test_an_exception_to_an_exception_is_for_the_people_of_the_nearer_one():
    ruleset = rules_of(
        rule("a", "share = 100"),
        rule("b", 'share = 150\nexception_to = "a"', who='"group:school"'),
        rule("c", 'share = 120\nexception_to = "b"', who=""),
    )
    assert Who(groups=frozenset({"school"})) == ruleset.rules[2].who


def test_an_exception_may_stand_before_the_rule_it_replaces():
    ruleset = rules_of(rule("b", 'share = 150\nexception_to = "a"', who=""), rule("a", "share = 100"))
    assert "a" == ruleset.rules[0].exception_to


def test_every_error_of_a_file_is_told_at_once_with_its_line():
    text = file_with(
        rule("one", 'ceiling = "3M down, 1M up"'),
        rule("two", "share = 100\nwen = 3"),
        rule("three", 'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhen = "18:00-23:00"'),
        '[[rule]]\nid = "four"\nshare = 50\nwho = "everyone"\n',
    )
    findings = parse_ruleset(text)[1]
    expected = [
        ("E01", line_of(text, "3M down")),
        ("E01", line_of(text, "wen =")),
        ("E01", line_of(text, 'when = "18')),
        ("E07", line_of(text, 'id = "four"') - 1),
    ]
    assert expected == [(finding.code, finding.line) for finding in findings]
    assert all(finding.mend and finding.message for finding in findings)


def test_a_misspelt_key_is_answered_with_the_right_one():
    assert "did you mean ceiling?" == only(file_with(rule("a", 'share = 1\ncieling = "x"'))).mend
    assert "did you mean charter?" == only(file_with() + "[chartre]\nx = 1\n").mend


@pytest.mark.parametrize("key", ["burst", "credit", "session", "devices", "reserve", "expires", "from"])
def test_words_of_later_versions_are_refused_and_never_passed_over(key):
    finding = only(file_with(rule("a", f'{key} = "x"')))
    assert f"{key} is not known to this version." == finding.message
    assert finding.mend


def test_counting_local_traffic_is_refused_by_name():
    body = 'quota = "60 GB per month"\ncounts = "all"\nthen = "share 50 until reset"'
    assert "not known to this version" in only(file_with(rule("a", body))).message


def test_a_quota_counts_only_the_busy_line_when_nothing_is_said():
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


def test_exceptions_that_lead_round_in_a_circle_are_refused():
    text = file_with(
        rule("a", 'share = 1\nexception_to = "b"', who=""), rule("b", 'share = 1\nexception_to = "a"', who="")
    )
    assert ["E02", "E02"] == codes(text)


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("E01", 'version = 1', 'version = "one"'),
        ("E01", 'version = 1\n', ''),
        ("E01", 'down = "40 Mbit/s"', 'down = "40"'),
        ("E01", 'up = "8 Mbit/s"\n', ''),
        ("E01", 'up = "8 Mbit/s"', 'up = "8 kbit/s"'),
        ("E01", 'usable_percent = 92', 'usable_percent = 101'),
        ("E01", '[uplink.main]', '[uplink.second]'),
        ("E01", 'max_weight_ratio = 4', 'max_weight_ratio = 4\nretention = 3'),
        ("E03", 'lifeline = "256 kbit/s down, 96 kbit/s up"', 'lifeline = "32 kbit/s down, 96 kbit/s up"'),
        ("E03", 'guest_lifeline = "1 Mbit/s down, 256', 'guest_lifeline = "1 Mbit/s down, 6'),
        ("E01", '[charter]', '[[charter]]'),
    ],
)  # fmt: skip
def test_the_head_of_the_file_is_checked_too(expected, old, new):
    finding = only(HEAD.replace(old, new, 1))
    assert expected == finding.code
    assert finding.line > 0


def test_a_file_without_head_says_how_to_begin():
    assert "[ruleset]" in only("").mend


def test_without_an_uplink_nothing_is_shared_out():
    text = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    ruleset, findings = parse_ruleset(text)
    assert () == findings
    assert ruleset.shaped is None


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("a = 1\nwhen = 22:30\n", "double quotes"),
        ("a = 1\na = 2\n", "twice"),
        ("a = 1\nhello\n", "key = value"),
        ('a = 1\nb = "x\n', "close on the same line"),
        ("a = 1\nb = 1 c = 2\n", "line of its own"),
    ],
)
def test_what_is_not_toml_is_shown_with_its_line(text, mend):
    finding = only(text)
    assert ("E01", 2) == (finding.code, finding.line)
    assert mend in finding.mend


def test_an_open_bracket_at_the_end_is_told_at_the_end():
    assert 2 <= only("a = 1\nb = [1,\n").line


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "\ud800", "x = 1\n" * FILE_BYTES_MAX]
)
def test_a_hostile_file_is_refused_and_not_suffered(text):
    assert "E01" == only(text).code


def test_invisible_characters_that_turn_text_round_are_refused():
    finding = only(file_with(rule("a", 'share = 1\nwhy = "for \u202eall"')))
    assert "U+202E" in finding.message


def test_too_many_rules_are_refused():
    assert "E01" in codes(file_with(*(rule(f"r{n}", "share = 1") for n in range(201))))


def test_a_byte_order_mark_and_windows_lines_are_no_error():
    assert () == parse_ruleset("\ufeff" + EXAMPLE.replace("\n", "\r\n"))[1]


def test_lines_count_right_below_a_text_of_several_lines():
    text = file_with(rule("a", 'share = 1\nwhy = """\n[[rule]]\nid = 3\n"""'), rule("b", "share = true"))
    assert line_of(text, "share = true") == only(text).line


@given(st.text(alphabet=st.sampled_from("[]=\"'abc\n.#,{}123 -:"), max_size=200))
def test_any_text_is_answered_and_never_raises(text):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert findings


LINES = EXAMPLE.split("\n")


@given(
    st.integers(0, len(LINES) - 1),
    st.integers(0, len(LINES) - 1),
    st.sampled_from(["drop", "swap", "cut", "twice"]),
)
def test_a_file_damaged_in_one_line_is_answered_and_never_raises(at, other, damage):
    lines = list(LINES)
    if damage == "drop":
        del lines[at]
    elif damage == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif damage == "cut":
        lines[at] = lines[at][: len(lines[at]) // 2]
    else:
        lines.insert(other, lines[at])
    ruleset, findings = parse_ruleset("\n".join(lines))
    assert (ruleset is None) == any(finding.is_error for finding in findings)
    assert all(0 <= finding.line <= len(lines) for finding in findings)
