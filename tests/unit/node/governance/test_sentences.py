"""Rules and reasons as sentences for people."""

import pytest

from node.governance.parse import parse_ruleset
from node.governance.rules import JoinMethods
from node.governance.sentences import describe, joining_sentence, sentence, times_words
from node.translator import ENGLISH
from tests.fakes.rule_files import (
    example,
    file_with,
    rule,
    rules_of,
)

EXPECTED = (
    "People share 34 Mbit/s download and 7.6 Mbit/s upload of the line.",
    "Every household always has at least 256 kbit/s download and 96 kbit/s upload. No rule can take this away.",
    "All guests together always have at least 1 Mbit/s download and 256 kbit/s upload. No rule can take this away.",
    "Nobody’s share is more than 4 times someone else’s.",
    "People can join by accepting the terms, with a voucher, with a member’s passphrase, with a membership card or "
    "when a member vouches for them. When an account has too many devices online, the one that has been idle for "
    "longest is disconnected. Decided in D-2026-014.",
    "The line counts as busy when at least 80 percent of it have been in use for 5 minutes, until less than 60 percent are.",
    "Members each count as one household (share 100) when the line is shared. Decided in D-2025-002.",
    "All guests together count as two households (share 200) when the line is shared. Decided in D-2025-002.",
    "Guests never have more than 3 Mbit/s download and 1 Mbit/s upload. Decided in D-2025-002.",
    "Every day from 00:00 to 06:00 guests have no speed limit. In those hours it replaces this rule: "
    "“Guests never have more than 3 Mbit/s download and 1 Mbit/s upload.” Decided in D-2025-019.",
    "Monday to Friday from 08:00 to 16:00 people in the group school have at least 4 Mbit/s download and 1 Mbit/s upload "
    "whenever they need it. Decided in D-2025-011.",
    "Among members, a household that uses more than 60 GB a month while the line is busy gets at most half a share "
    "until the month ends. Local services and quiet hours do not count. Nobody is cut off. "
    "Decided in D-2026-014.",
    "Guests can stay online for at most 4 hours at a time, and can then connect again. Decided in D-2026-014.",
    "All people can each have at most 5 devices online at once. Decided in D-2026-014.",
)


def test_the_example_is_written_as_members_vote_on_it():
    assert EXPECTED == describe(example())


@pytest.mark.parametrize(
    ("body", "who", "expected"),
    [
        (
            "share = 50",
            '"group:school"',
            "People in the group school each count as half a household (share 50)",
        ),
        ("share = 150", '"tier:member"', "Members each count as 150 percent of a household (share 150)"),
        ("share = 100", '"everyone"', "when the line is shared. Guests count like this all together."),
        (
            'ceiling = "5 Mbit/s down, 5 Mbit/s up"\nwhen = "sat,sun 22:00-02:00"\nexcept = ["group:school"]',
            '["tier:member", "group:clinic"]',
            "Saturday and Sunday from 22:00 to 02:00 members and people in the group clinic, "
            "but not people in the group school, never have more than 5 Mbit/s download and 5 Mbit/s upload.",
        ),
        (
            'quota = "2 GB per day"\ncounts = "uplink"\nthen = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"',
            '"tier:guest"',
            "Among guests, anyone who uses more than 2 GB a day gets at most 1 Mbit/s download and "
            "1 Mbit/s upload until the day ends. "
            "Local services do not count.",
        ),
        (
            'quota = "2 GB per day"\nthen = "share 50 until reset"\nexcept = ["group:school"]',
            '"tier:member"',
            "Among members, but not people in the group school, a household that uses more than 2 GB a day",
        ),
        (
            'quota = "10 GB per 7 days"\nthen = "share 50 until reset"',
            '"tier:member"',
            "Among members, a household that uses more than 10 GB in 7 days while the line is busy gets at most half a "
            "share until the last 7 days come to less than that.",
        ),
        (
            'quota = "60 GB per month"\nthen = "tell"',
            '"tier:member"',
            "Among members, a household that uses more than 60 GB a month while the line is busy is asked to use less. "
            "Local services and quiet hours do not count. Nothing is limited. Decided in D-1.",
        ),
        (
            'quota = "2 GB per day"\ncounts = "uplink"\nthen = "tell"',
            '"tier:guest"',
            "Among guests, anyone who uses more than 2 GB a day is asked to use less. Local services do not count. Nothing",
        ),
        ("devices = 1", '"tier:guest"', "Guests can each have at most 1 device online at once."),
        ('session = "90 minutes"', '"tier:guest"', "Guests can stay online for at most 90 minutes at a time"),
        (
            'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"',
            '"tier:guest"',
            "While the line is busy, guests never have more than 3 Mbit/s download and 1 Mbit/s upload. Decided",
        ),
        (
            'share = 50\nwhile = "busy"\nwhen = "daily 18:00-23:00"',
            '"tier:member"',
            "Every day from 18:00 to 23:00 while the line is busy, members each count as half a household (share 50)",
        ),
        ('share = 100\nwhy = "all are equal."', '"tier:member"', "Why: all are equal. Decided in D-1."),
    ],
)
def test_each_form_of_a_rule_has_its_sentence(body, who, expected):
    ruleset = rules_of(rule("a", body, who))
    assert expected in sentence(ruleset.rules[0], ruleset)


def test_an_exception_of_a_busy_line_says_when_it_replaces_its_rule():
    ruleset = rules_of(
        rule("top", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"'),
        rule("lift", 'ceiling = "none"\nexception_to = "top"\nwhile = "busy"', ""),
    )
    assert (
        "While the line is busy, members have no speed limit. While it is busy this replaces another rule: "
        "“Members never have more than 9 Mbit/s download and 9 Mbit/s upload.” Decided in D-1."
    ) == sentence(ruleset.rules[1], ruleset)


def test_a_file_without_join_methods_has_no_decision_about_them():
    text = joining_sentence(JoinMethods(("voucher",), "ask"))
    assert (
        "People can join with a voucher. "
        "When an account has too many devices online, the person chooses which one to disconnect."
    ) == text


def measured(least: str) -> str:
    body = 'floor = "4 Mbit/s down, 1 Mbit/s up"'
    text = file_with(rule("school", body, '"group:school"')).replace(
        "[charter]", f'rate = "measured"\nleast = "{least}"\n[charter]'
    )
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return "\n".join(describe(ruleset))


def test_where_the_line_may_carry_less_nothing_is_promised_for_always():
    """36.8 and 7.36 Mbit/s are the usable part of the stated speed, into which all promises fit."""
    text = measured("36799 kbit/s down, 7360 kbit/s up")
    assert (
        "Every household has at least 256 kbit/s download and 96 kbit/s upload while the line carries it."
        in text
    )
    assert (
        "All guests together have at least 1 Mbit/s download and 256 kbit/s upload while the line carries"
        in text
    )
    assert (
        "have at least 4 Mbit/s download and 1 Mbit/s upload when they need it and the line carries it."
        in text
    )
    assert "always ha" not in text
    text = measured("36800 kbit/s down, 7360 kbit/s up")
    assert "while the line carries" not in text
    assert "All guests together always have at least" in text


CALENDAR = '[calendar]\nholidays = ["2026-12-25", "2026-12-26..2027-01-06"]\nmarket = ["2026-12-06"]\n'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('from = "2026-12-01"', "From 1 December 2026 on, guests can each"),
        ('expires = "2027-01-31"', "Until the end of 31 January 2027, guests can each"),
        (
            'from = "2026-12-01"\nexpires = "2027-01-31"\nwhen = "mon-fri 08:00-15:00"',
            "From 1 December 2026 to the end of 31 January 2027, Monday to Friday from 08:00 to 15:00 guests can each",
        ),
        (
            'when = "sat 10:00-12:00; mon-fri 08:00-15:00 except holidays,market"',
            "Saturday from 10:00 to 12:00 and Monday to Friday from 08:00 to 15:00, except on days called holidays or "
            "market, guests can each",
        ),
        ('expires = "D-7 + 12 months"', "Until 12 months after the decision D-7, guests can each"),
        (
            'from = "2026-12-01"\nexpires = "D-7 + 1 month"',
            "From 1 December 2026 until 1 month after the decision D-7, guests can each",
        ),
    ],
)
def test_a_rule_with_dates_says_them_first(body, expected):
    ruleset = rules_of(rule("a", f"devices = 2\n{body}", '"tier:guest"'), tail=CALENDAR)
    found = sentence(ruleset.rules[0], ruleset)
    assert found.startswith(expected)
    assert ruleset.rules[0].when is not None
    assert found.lower().startswith(times_words(ruleset.rules[0].when, ENGLISH).lower())


def test_the_days_of_the_calendar_are_part_of_what_people_vote_on():
    assert (
        "Days called holidays: 25 December 2026; 26 December 2026 to the end of 6 January 2027."
        in describe(rules_of(tail=CALENDAR))
    )


def test_when_dues_are_late_is_part_of_what_people_vote_on():
    grace = "Dues are late when the last day that is paid is more than 14 days ago."
    assert grace in describe(rules_of(rule("late", "devices = 2", '"dues:late"')))
    assert grace not in describe(rules_of(rule("all", "devices = 2", '"everyone"')))


def test_an_exception_for_some_days_says_so():
    top = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
    ruleset = rules_of(
        top, rule("party", 'ceiling = "none"\nexception_to = "top"\nexpires = "2026-12-24"', "")
    )
    assert "In that time it replaces this rule: “Members never have" in sentence(ruleset.rules[1], ruleset)


def test_a_rule_for_people_whose_dues_are_late_says_so():
    ruleset = rules_of(rule("a", "devices = 2", '["dues:late", "group:school"]'))
    text = "People whose dues are late and people in the group school can each have at most 2 devices"
    assert sentence(ruleset.rules[0], ruleset).startswith(text)


def test_a_sentence_says_at_which_node_a_rule_holds():
    base = rule("all", "devices = 5", '"tier:guest"')
    there = rule("library", 'devices = 2\nat = "node:library"\nexception_to = "all"', "")
    timed = rule(
        "evening", 'session = "2 hours"\nat = "node:library"\nwhen = "daily 18:00-23:00"', '"tier:guest"'
    )
    said = describe(rules_of(base, there, timed))[-2:]
    assert said[0] == (
        "At the node library, guests can each have at most 2 devices online at once. There it replaces this rule: "
        "“Guests can each have at most 5 devices online at once.” Decided in D-1."
    )
    assert said[1].startswith("Every day from 18:00 to 23:00 at the node library, guests can stay online")


def test_a_sentence_says_who_proposed_a_rule_and_that_it_is_an_emergency_order():
    body = 'devices = 2\nproposed_by = "group:crew"'
    assert describe(rules_of(rule("a", body)))[-1].endswith(
        "Proposed by people in the group crew. Decided in D-1."
    )
    dates = 'emergency = true\nfrom = "2026-12-01"\nexpires = "2026-12-03"'
    said = describe(rules_of(rule("a", f"share = 50\n{dates}")))[-1]
    assert said.startswith("From 1 December 2026 to the end of 3 December 2026, members each count as")
    assert said.endswith("By emergency order D-1.")


def test_sentences_of_overbooked_floors_do_not_promise_them_for_always():
    floor = rule("f", 'floor = "1 Mbit/s down, 1 Mbit/s up"')
    ruleset, _ = parse_ruleset(file_with().rstrip() + "\noverbook_percent = 150\n" + floor)
    said = describe(ruleset)
    assert any("Floors may promise up to 150 percent" in each for each in said)
    assert "when they need it and the line carries it" in said[-1]
    assert any("always has at least 256 kbit/s" in each for each in said)


def test_a_sentence_of_a_reserve_says_that_others_use_what_is_left():
    share = rule("clinic", "share = 100\ntogether = true", '"group:clinic"')
    reserve = rule("r", 'reserve = "20 percent"\ntogether = true', '"group:clinic"')
    assert describe(rules_of(share, reserve))[-1] == (
        "All people in the group clinic together have 20 percent of the line reserved, 7.36 Mbit/s download and "
        "1.472 Mbit/s upload. What they do not use, others use. Decided in D-1."
    )
