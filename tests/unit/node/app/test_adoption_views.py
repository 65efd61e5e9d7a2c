"""What pages show of a trial and of a request."""

import pytest

from node.app.adoption_views import AdoptionOutcome, TrialView


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), (600, 10)])
def test_minutes_are_rounded_up(seconds: int, minutes: int) -> None:
    assert minutes == TrialView(2, "admin Ana", seconds).minutes_left


def test_a_proposal_is_no_refusal() -> None:
    assert AdoptionOutcome("refused").is_refused
    assert not AdoptionOutcome("proposed", 2).is_refused
