"""Parsing of rule files: all errors at once, each with its line and what to write instead."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.parse import parse_ruleset
from node.governance.rules import BusyThresholds
from tests.fakes.rule_files import EXAMPLE, HEAD, example, file_with, rule


def codes(text: str) -> list[str]:
    return [finding.code for finding in parse_ruleset(text)[1]]


def only(text: str):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert 1 == len(findings), findings
    return findings[0]


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def test_the_example_of_a_community_is_parsed_completely():
    ruleset = example()
    assert "vall-baixa" == ruleset.community
    assert 14 == ruleset.version
    assert (34_000_000, 7_600_000) == (ruleset.shaped.down, ruleset.shaped.up)
    assert 8 == len(ruleset.rules)
    assert "tests" not in EXAMPLE
    assert 3 == len(ruleset.examples)


def test_all_errors_of_a_file_are_reported_at_once_with_their_lines():
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
    assert all(finding.fix and finding.message for finding in findings)


def test_usage_in_intervals_is_kept_only_by_a_decision():
    assert "" == parse_ruleset(file_with())[0].preview_by
    assert "D-2026-9" == parse_ruleset(file_with() + '[preview]\nby = "D-2026-9"\n')[0].preview_by
    assert "D-2026-9" == parse_ruleset(file_with() + '[usage_by_day]\nby = "D-2026-9"\n')[0].usage_by_day_by
    assert ["E07"] == codes(file_with() + "[usage_by_day]\n")
    assert ["E07"] == codes(file_with() + "[preview]\n")
    assert ["E07"] == codes(file_with() + '[preview]\nby = "they said so"\n')
    assert ["E01", "E07"] == sorted(codes(file_with() + "[preview]\ndays = 90\n"))


def test_a_misspelt_key_is_answered_with_the_right_one():
    assert "did you mean ceiling?" == only(file_with(rule("a", 'share = 1\ncieling = "x"'))).fix
    assert "did you mean charter?" == only(file_with() + "[chartre]\nx = 1\n").fix


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    [
        ("E01", 'version = 1', 'version = "one"'),
        ("E01", 'version = 1\n', ''),
        ("E01", 'down = "46 Mbit/s"', 'down = "46"'),
        ("E01", 'up = "9200 kbit/s"\n', ''),
        ("E01", 'up = "9200 kbit/s"', 'up = "8 kbit/s"'),
        ("E01", 'usable_percent = 80', 'usable_percent = 101'),
        ("E01", '[uplink.main]', '[uplink."second line"]'),
        ("E01", 'max_weight_ratio = 4', 'max_weight_ratio = 4\nretention = 3'),
        ("E03", 'lifeline = "256 kbit/s down, 96 kbit/s up"', 'lifeline = "32 kbit/s down, 96 kbit/s up"'),
        ("E03", 'guest_lifeline = "1 Mbit/s down, 256', 'guest_lifeline = "1 Mbit/s down, 6'),
        ("E01", '[charter]', '[[charter]]'),
    ],
)  # fmt: skip
def test_the_header_of_the_file_is_checked_too(expected, old, new):
    finding = only(HEAD.replace(old, new, 1))
    assert expected == finding.code
    assert finding.line > 0


def test_a_file_without_a_header_is_told_how_to_begin():
    assert "[ruleset]" in only("").fix


def test_without_an_uplink_no_shares_are_computed():
    text = HEAD[: HEAD.index("[uplink")] + HEAD[HEAD.index("[charter") :]
    ruleset, findings = parse_ruleset(text)
    assert () == findings
    assert ruleset.shaped is None


def with_line(*more: str) -> str:
    text = HEAD.replace("[charter]", "\n".join(more) + "\n[charter]")
    assert text != HEAD
    return text


def test_a_measured_uplink_has_a_least_and_a_most():
    ruleset, findings = parse_ruleset(
        with_line(
            'rate = "measured"',
            'least = "2 Mbit/s down, 500 kbit/s up"',
            'most = "800 Mbit/s down, 900 Mbit/s up"',
        )
    )
    assert () == findings
    assert (2_000_000, 500_000) == (ruleset.measured.least.down, ruleset.measured.least.up)
    assert (800_000_000, 900_000_000) == (ruleset.measured.most.down, ruleset.measured.most.up)


def test_without_them_they_are_an_eighth_of_the_stated_rate_and_that_rate():
    ruleset, _ = parse_ruleset(with_line('rate = "measured"'))
    assert ruleset.uplink == ruleset.measured.most
    assert ruleset.uplink.down // 8 == ruleset.measured.least.down
    assert parse_ruleset(with_line('rate = "stated"'))[0].measured is None
    assert parse_ruleset(HEAD)[0].measured is None


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['rate = "fast"'], "measured"),
        (['least = "2 Mbit/s down, 500 kbit/s up"'], "no effect without"),
        (['rate = "stated"', 'most = "90 Mbit/s down, 9 Mbit/s up"'], "no effect without"),
        (['rate = "measured"', 'least = "90 Mbit/s down, 500 kbit/s up"'], "more than the stated"),
        (['rate = "measured"', 'most = "2 Mbit/s down, 500 kbit/s up"'], "less than the stated"),
        (['rate = "measured"', 'least = "2 Mbit/s"'], "least"),
        (['rate = "measured"', 'least = "0 bit/s down, 500 kbit/s up"'], "too little to share"),
        (['rate = "measured"', 'leest = "2 Mbit/s down, 500 kbit/s up"'], "leest"),
    ],
)
def test_a_wrong_measured_uplink_is_an_error_that_says_what_to_write(lines, says):
    ruleset, findings = parse_ruleset(with_line(*lines))
    assert ruleset is None
    assert any(says in f"{finding.message} {finding.fix}" for finding in findings)


@given(st.text(alphabet=st.sampled_from("[]=\"'abc\n.#,{}123 -:"), max_size=200))
def test_any_text_gets_a_result_and_never_raises(text):
    ruleset, findings = parse_ruleset(text)
    assert ruleset is None
    assert findings


LINES = EXAMPLE.split("\n")


@given(
    st.integers(0, len(LINES) - 1),
    st.integers(0, len(LINES) - 1),
    st.sampled_from(["drop", "swap", "cut", "twice"]),
)
def test_a_file_damaged_in_one_line_gets_a_result_and_never_raises(at, other, damage):
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


def test_the_charter_says_when_the_line_is_busy():
    assert BusyThresholds(800, 600, 300_000) == example().charter.busy
    text = HEAD.replace("[charter]", '[charter]\nbusy_above = 70\nbusy_below = 40\nbusy_after = "10 minutes"')
    ruleset, findings = parse_ruleset(text)
    assert () == findings
    assert BusyThresholds(700, 400, 600_000) == ruleset.charter.busy
    low = parse_ruleset(HEAD.replace("[charter]", "[charter]\nbusy_above = 50"))[0]
    assert (500, 450) == (low.charter.busy.above, low.charter.busy.below)


@pytest.mark.parametrize(
    ("keys", "fix"),
    [
        ("busy_above = 60\nbusy_below = 56", "write busy_below = 40"),
        ("busy_below = 80", "write busy_below = 60"),
        ("busy_above = 9", "write a whole number from 10 to 100, without quotes"),
        ('busy_below = "60 %"', "write a whole number from 10 to 100, without quotes"),
        ('busy_after = "90 seconds"', 'such as "5 minutes"'),
        ('busy_after = "2 hours"', 'such as "5 minutes"'),
    ],
)
def test_thresholds_of_a_busy_line_that_make_no_sense_are_refused_with_what_to_write(keys, fix):
    finding = only(HEAD.replace("[charter]", f"[charter]\n{keys}"))
    assert "E01" == finding.code
    assert fix in finding.fix


CALENDAR = '[calendar]\nholidays = ["2026-12-25", "2026-12-26..2027-01-06"]\nmarket = "2026-12-06"\n'


def test_a_calendar_names_days():
    ruleset, _ = parse_ruleset(file_with() + CALENDAR)
    assert ["holidays", "market"] == [days.name for days in ruleset.calendar]
    assert (date(2026, 12, 26), date(2027, 1, 6)) == ruleset.calendar[0].ranges[1]
    assert ((date(2026, 12, 6), date(2026, 12, 6)),) == ruleset.calendar[1].ranges


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ('[calendar]\nHoliday = ["2026-12-25"]\n', "write a name of a-z"),
        ("[calendar]\nholidays = []\n", "write days such as"),
        ('[calendar]\nholidays = ["2026-12-32"]\n', "write a day as"),
        ("[calendar]\nholidays = 3\n", "write days such as"),
        ("calendar = 3\n", "write [calendar] on a line of its own"),
        ("[calendar]\n" + "".join(f'd{n} = "2026-12-25"\n' for n in range(21)), "join some of them"),
        (f"[calendar]\nd = {[f'{2030 + n}-12-25' for n in range(101)]}\n", "as a range"),
        ('[decisions]\n"D 1" = "2026-12-25"\n', "write the decision that"),
        ('[decisions]\nD-1 = "12/25/2026"\n', "write a day as"),
        ("[decisions]\n" + "".join(f'D-{n} = "2026-12-25"\n' for n in range(201)), "leave out those"),
    ],
)
def test_a_wrong_date_in_the_file_is_refused_with_what_to_write(text, instead):
    whole = text + file_with() if text.startswith("calendar") else file_with() + text
    assert instead in only(whole).fix
