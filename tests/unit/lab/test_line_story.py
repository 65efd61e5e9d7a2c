"""What the story of a line of nodes counts as not met."""

import pytest

from tests.lab.line_story import LineFigures

MET = {"found_s": 1.0, "record_s": 1.0, "effect_s": 1.0, "out_s": 1.0, "back_s": 1.0, "told_removed": True}


def test_everything_in_time_is_met() -> None:
    figures = LineFigures(3, **MET)
    figures.judge()
    assert figures.document()["ok"]


@pytest.mark.parametrize(
    "late",
    [
        *({"found_s": 31.0}, {"record_s": 31.0}, {"effect_s": 5.1}, {"out_s": 5.1}, {"back_s": 41.0}),
        *({"told_removed": False}, {"learned_after": 1}),
        *({"voucher_s": 5.1}, {"voucher_apart_s": 121}, {"revoked_s": 5.1}),
    ],
)
def test_each_figure_can_be_missed(late: dict[str, float]) -> None:
    figures = LineFigures(3, **{**MET, **late})
    figures.judge()
    assert (1, False) == (len(figures.unmet), figures.document()["ok"])
