"""Rules and reasons as sentences for people."""

import pytest

from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import evaluate
from node.governance.rules import JoinMethods
from node.governance.sentences import describe, explain, joining_sentence, sentence
from tests.fakes.rule_files import GUEST, MEMBER, SCHOOL, example, file_with, on, rule, rules_of, used

EXPECTED = (
    "People share 34 Mbit/s download and 6.8 Mbit/s upload of the line.",
    "Every household always has at least 256 kbit/s download and 96 kbit/s upload. No rule can take this away.",
    "All guests together always have at least 1 Mbit/s download and 256 kbit/s upload. No rule can take this away.",
    "Nobody’s share is more than 4 times someone else’s.",
    "People can join by accepting the terms, with a voucher, with a member’s passphrase, with a membership card or "
    "when a member vouches for them. When an account has too many devices online, the one that has been idle for "
    "longest is disconnected. Decided in D-2026-014.",
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
        ("devices = 1", '"tier:guest"', "Guests can each have at most 1 device online at once."),
        ('session = "90 minutes"', '"tier:guest"', "Guests can stay online for at most 90 minutes at a time"),
        ('share = 100\nwhy = "all are equal."', '"tier:member"', "Why: all are equal. Decided in D-1."),
    ],
)
def test_each_form_of_a_rule_has_its_sentence(body, who, expected):
    ruleset = rules_of(rule("a", body, who))
    assert expected in sentence(ruleset.rules[0], ruleset)


def test_why_names_rule_decision_end_and_how_to_object():
    lines = explain(evaluate(MEMBER, on("fri 21:00"), used(61), example()))
    assert (
        "You have a share of 50 of the line, at least 256 kbit/s download and 96 kbit/s upload, no ceiling."
        == lines[0]
    )
    assert " share 50: by busy-volume (decision D-2026-014, until 1 July 2026)" == lines[1]
    assert " busy-volume: 61 GB used of 60 GB, 0 B left, starts again on 1 July 2026" in lines
    assert any(line.startswith(" not limiting now: Members each count") for line in lines)
    assert lines[-1].startswith("To object to a limit")


def test_why_says_what_guests_share_and_what_is_their_own():
    lines = explain(evaluate(GUEST, on("fri 21:00"), {}, example()))
    assert lines[0].startswith("You and others together have a share of 200")
    assert lines[0].endswith("for yourself at most 3 Mbit/s download and 1 Mbit/s upload.")


def test_why_says_what_a_household_in_a_pool_keeps():
    pooled = rules_of(rule("kids", "share = 100\ntogether = true", '"group:school"'))
    lines = explain(evaluate(SCHOOL, on("fri 21:00"), {}, pooled))
    assert lines[0].endswith("for yourself at least 256 kbit/s download and 96 kbit/s upload, no ceiling.")
    assert any(line.startswith(" your own floor 256 kbit/s") for line in lines)


def test_a_file_without_join_methods_has_no_decision_about_them():
    text = joining_sentence(JoinMethods(("voucher",), "ask"))
    assert (
        "People can join with a voucher. "
        "When an account has too many devices online, the person chooses which one to disconnect."
    ) == text


def test_why_says_how_long_and_with_how_many_devices():
    lines = explain(evaluate(GUEST, on("fri 21:00"), {}, example()))
    assert " session 4 hours: by guest-visit (decision D-2026-014)" in lines
    assert " devices 5: by devices-of-one (decision D-2026-014)" in lines


def test_a_built_in_guarantee_says_so():
    lines = explain(evaluate(MEMBER, on("fri 21:00"), {}, rules_of()))
    assert " share 100: by equal-share (built into the node)" in lines


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
