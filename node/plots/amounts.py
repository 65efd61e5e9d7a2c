"""Values of a series as text, in the units and the format of the reader's language."""

from collections.abc import Sequence

from node.history.window import Unit
from node.translator import N_, Translator, number_lazy, number_words, translate
from node.units import GIGA, KILO, MEGA, TERA

MINUS = "\u200e−"
"""With the mark of a left-to-right number, so that it stays before the digits also in Arabic."""
type Scale = tuple[int, str]
"""How many of the unit of the series are one of the text's, and the text."""
_SCALES: dict[Unit, tuple[Scale, ...]] = {
    "bit_per_s": (
        (GIGA, N_("{number} Gbit/s")),
        (MEGA, N_("{number} Mbit/s")),
        (KILO, N_("{number} kbit/s")),
        (1, N_("{number} bit/s")),
    ),
    "bytes": (
        (TERA, N_("{number} TB")),
        (GIGA, N_("{number} GB")),
        (MEGA, N_("{number} MB")),
        (KILO, N_("{number} kB")),
        (1, N_("{number} B")),
    ),
    "s": (
        (86_400, N_("{number} d")),
        (3_600, N_("{number} h")),
        (60, N_("{number} min")),
        (1, N_("{number} s")),
    ),
    "ms": ((1, N_("{number} ms")),),
    "permille": ((10, N_("{number} %")),),
    "celsius_milli": ((1000, N_("{number} °C")),),
    "count": ((1, "{number}"),),
}
"""The largest first."""


def amount_text(value: int, unit: Unit, words: Translator) -> str:
    """With one decimal at most: ``9.6 Mbit/s``, ``2.5 %``, ``−3 °C``, ``1.5 h``."""
    one, template = _scale(value, unit)
    return words.gettext(template).format(number=_decimal(value, one, words))


def axis_texts(ticks: Sequence[int], unit: Unit, words: Translator) -> tuple[str, ...]:
    """Numbers in the unit of the largest of them; only the last one names it."""
    one, template = _scale(max(abs(each) for each in ticks), unit)
    numbers = [_decimal(each, one, words) for each in ticks]
    return (*numbers[:-1], words.gettext(template).format(number=numbers[-1]))


def _scale(value: int, unit: Unit) -> Scale:
    scales = _SCALES[unit]
    return next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])


def _decimal(value: int, one: int, words: Translator) -> str:
    tenths = (abs(value) * 10 + one // 2) // one
    sign = MINUS if value < 0 and tenths else ""
    whole, rest = divmod(tenths, 10)
    if whole >= 1000:
        return sign + translate(number_lazy(whole), words)
    return sign + number_words(f"{whole}.{rest}" if rest else str(whole), words)
