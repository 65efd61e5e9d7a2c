"""Numbers and units in the format of each language."""

import pytest

from node.translator import amount_words, number_words
from node.units import Bytes, show_volume


class French:
    MESSAGES = {"{number} GB": "{number} Go", "{whole}.{decimals}": "{whole},{decimals}"}  # noqa: RUF012

    def gettext(self, message: str) -> str:
        return self.MESSAGES.get(message, message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        raise AssertionError("no amount depends on a number's grammar")


@pytest.mark.parametrize(
    ("text", "french"),
    [("60 GB", "60 Go"), ("1.4 GB", "1,4 Go"), ("36.8 Mbit/s", "36,8 Mbit/s"), ("0 B", "0 B")],
)
def test_an_amount_is_written_in_the_format_of_the_language(text: str, french: str) -> None:
    assert french == amount_words(text, French())
    assert text == amount_words(text)


@pytest.mark.parametrize("power", range(15))
def test_every_possible_unit_has_a_message(power: int) -> None:
    assert show_volume(Bytes(10**power)) == amount_words(show_volume(Bytes(10**power)))


def test_an_integer_has_no_decimal_separator() -> None:
    assert "1000" == number_words("1000", French())
