"""How long a trial still lasts, as people read it."""

import pytest

from node.app.adoption_outcomes import AdoptionOutcome, TrialView


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), (600, 10)])
def test_the_minutes_of_a_trial_are_rounded_up(seconds: int, minutes: int) -> None:
    assert minutes == TrialView(2, "admin Ana", seconds).minutes_left


def test_only_refused_rules_are_refused() -> None:
    assert AdoptionOutcome("refused").is_refused
    assert not AdoptionOutcome("same", 2).is_refused
