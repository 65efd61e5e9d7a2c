"""The community edits its rules on a running node; an invalid file changes nothing."""

import time

import pytest

from tests.lab import eventually
from tests.lab.figures import bits_per_second

pytestmark = pytest.mark.kernel


def test_an_edited_rule_is_in_force_within_two_seconds(place, online):
    square = place.square
    square.start()
    phone = online("phone")
    going = phone.wish("download", seconds=6)
    time.sleep(1)
    text = square.rules.read_text()
    changed_s = 1.0
    square.rules.write_text(text.replace("10 Mbit/s down, 10 Mbit/s up", "3 Mbit/s down, 3 Mbit/s up"))
    samples = going.result()["samples"]
    assert bits_per_second(samples, 0.3, changed_s) > 6e6
    assert bits_per_second(samples, changed_s + 2.0) < 3.2e6
    row = square.device(phone.mac)
    assert row is not None
    assert "guest-top" == row["rule"]


@pytest.mark.thorough
def test_an_invalid_rule_file_leaves_the_old_rules_in_force_and_says_why(place, online):
    square = place.square
    square.start()
    phone = online("phone")
    text = square.rules.read_text()
    square.rules.write_text(text.replace('ceiling = "10 Mbit/s down, 10 Mbit/s up"', 'ceiling = "10 down"'))
    assert eventually(lambda: square.ask("status")["rules_rejected"], 3)
    rejected = square.ask("status")["rules_rejected"][0]
    assert rejected["line"] == 1 + text[: text.index('ceiling = "10')].count("\n")
    assert rejected["fix"]
    assert any("rule" in warning for warning in square.overview()["warnings"])
    rate = bits_per_second(phone.do("download", seconds=3)["samples"], 1.0)
    assert rate == pytest.approx(10e6, rel=0.05), "the old ceiling holds"
    square.rules.write_text(text)
    assert eventually(lambda: not square.ask("status")["rules_rejected"], 3), "fixed, the complaint goes"
    assert "line" in square.daemon.output(), "the log says it too"
