"""Values as text, with the units and the numbers of each language."""

import pytest

from node.plots.amounts import amount_text, axis_texts
from node.translator import ENGLISH
from node.web.translations import read_catalogues

FRENCH = read_catalogues().translations["fr"]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "bit_per_s", "0 bit/s"),
        (9_640_000, "bit_per_s", "9.6 Mbit/s"),
        (1_400_000_000, "bytes", "1.4 GB"),
        (25, "permille", "2.5 %"),
        (-3000, "celsius_milli", "\u200e−3 °C"),
        (-30, "celsius_milli", "0 °C"),
        (5400, "s", "1.5 h"),
        (59, "s", "59 s"),
        (12_345, "count", "12,345"),
        (2**63, "bit_per_s", "9,223,372,036 Gbit/s"),
    ],
)
def test_an_amount_has_at_most_one_decimal(value, unit, said) -> None:
    assert said == amount_text(value, unit, ENGLISH)


def test_other_languages_have_their_own_units_and_decimals() -> None:
    assert ("1,4\u202fGo".replace("\u202f", "\u00a0"), "9,6\u00a0Mbit/s") == tuple(
        amount_text(value, unit, FRENCH).replace("\u202f", "\u00a0").replace(" ", "\u00a0")
        for value, unit in ((1_400_000_000, "bytes"), (9_600_000, "bit_per_s"))
    )


def test_numbers_of_an_axis_have_one_unit() -> None:
    assert ("0", "0.5", "1 Mbit/s") == axis_texts((0, 500_000, 1_000_000), "bit_per_s", ENGLISH)
    assert ("\u200e−10", "\u200e−5", "0", "5 °C") == axis_texts(
        (-10_000, -5000, 0, 5000), "celsius_milli", ENGLISH
    )
