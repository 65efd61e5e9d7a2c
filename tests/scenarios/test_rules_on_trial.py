"""Rules on trial on a real node: in force in the kernel, and back in time, also after kill -9."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.lab.figures import bits_per_second
from tests.lab.village import Router, Village

pytestmark = pytest.mark.kernel

TRIAL_S = 8.0
CEILING = "10 Mbit/s down, 10 Mbit/s up"


@pytest.fixture
def square(place: Village) -> Router:
    square = place.square
    text = square.config.read_text()
    square.config.write_text(
        re.sub(r"(?m)^\[rules\]$", f'[rules]\nconfirm_timeout = "{TRIAL_S:.0f} seconds"', text)
    )
    square.start()
    return square


@pytest.fixture
def draft(square: Router, tmp_path: Path) -> Path:
    """The rules with another ceiling for guests."""
    path = tmp_path / "draft.toml"
    path.write_text(square.rules.read_text().replace(CEILING, "3 Mbit/s down, 3 Mbit/s up"))
    return path


def became(square: Router) -> list[str]:
    return [version["state"] for version in square.told("rules", "log")["versions"]]


@pytest.mark.thorough
def test_unconfirmed_rules_are_in_the_kernel_for_as_long_as_the_trial_lasts(square, draft, online):
    phone = online("phone")
    going = phone.wish("download", seconds=16)
    began = time.monotonic()
    time.sleep(1.0)
    said = square.told("rules", "adopt", str(draft))
    adopted_s = time.monotonic() - began
    assert ("trial", CEILING in square.rules.read_text()) == (said["outcome"], True)
    assert eventually(lambda: square.ask("status")["rules_trial"] is None, TRIAL_S + 4)
    lasted_s = time.monotonic() - began - adopted_s
    print(f"revert_after_s {lasted_s:.1f} of {TRIAL_S:g}")
    assert lasted_s == pytest.approx(TRIAL_S, abs=2)
    samples = going.result()["samples"]
    assert bits_per_second(samples, adopted_s + 2, adopted_s + TRIAL_S - 2) < 3.2e6
    assert bits_per_second(samples, adopted_s + TRIAL_S + 2) > 6e6
    assert ["reverted", "active"] == became(square)
    assert any("nobody confirmed it in time" in warning for warning in square.overview()["warnings"])


def test_after_kill_minus_9_the_rules_from_before_the_trial_are_in_force(square, draft, online):
    phone = online("phone")
    square.told("rules", "adopt", str(draft))
    assert square.daemon is not None
    square.daemon.kill9()
    square.start()
    assert eventually(lambda: became(square)[:1] == ["reverted"], 5)
    assert square.ask("status")["rules_trial"] is None
    rate = bits_per_second(phone.do("download", seconds=3)["samples"], 1.0)
    assert rate > 6e6
    refused = square.cli("rules", "confirm", "--json")
    assert (1, False) == (refused.returncode, json.loads(refused.stdout)["ok"])


@pytest.mark.thorough
def test_confirmed_rules_survive_kill_minus_9_and_a_rollback_takes_them_back(square, draft, online):
    phone = online("phone")
    square.told("rules", "adopt", str(draft))
    assert "confirmed" == square.told("rules", "confirm")["outcome"]
    assert "same" == square.told("rules", "confirm")["outcome"]
    assert square.daemon is not None
    square.daemon.kill9()
    square.start()
    rate = bits_per_second(phone.do("download", seconds=3)["samples"], 1.0)
    assert rate < 3.2e6
    assert "trial" == square.told("rules", "rollback")["outcome"]
    assert "confirmed" == square.told("rules", "confirm")["outcome"]
    assert CEILING in square.rules.read_text()
    rate = bits_per_second(phone.do("download", seconds=3)["samples"], 1.0)
    assert rate > 6e6
