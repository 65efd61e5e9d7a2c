"""The answer to "why is my speed what it is?"."""

from node.governance.explanation import explain
from tests.fakes.rule_files import GUEST, MEMBER, SCHOOL, evaluate, example, on, rule, rules_of, used


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


def test_why_says_how_long_and_with_how_many_devices():
    lines = explain(evaluate(GUEST, on("fri 21:00"), {}, example()))
    assert " session 4 hours: by guest-visit (decision D-2026-014)" in lines
    assert " devices 5: by devices-of-one (decision D-2026-014)" in lines


def test_a_built_in_guarantee_says_so():
    lines = explain(evaluate(MEMBER, on("fri 21:00"), {}, rules_of()))
    assert " share 100: by equal-share (built into the node)" in lines


def test_why_says_that_a_used_up_alert_limits_nothing():
    ruleset = rules_of(rule("word", 'quota = "60 GB per month"\nthen = "tell"'))
    for gigabytes, said in ((59, "1 GB left"), (61, "0 B left")):
        lines = explain(evaluate(MEMBER, on("fri 21:00"), used(gigabytes, "word"), ruleset))
        (line,) = [line for line in lines if line.startswith(" word: ")]
        assert f"{said}, starts again on 1 July 2026. Nothing is limited" in line
        assert (gigabytes > 60) == line.endswith("and you are asked to use less")
