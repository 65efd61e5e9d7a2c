"""Formats rates and volumes for each language."""

from node.governance.translations import ENGLISH, N_, Translator

_AMOUNTS = {
    "B": N_("{number} B"),
    "kB": N_("{number} kB"),
    "MB": N_("{number} MB"),
    "GB": N_("{number} GB"),
    "TB": N_("{number} TB"),
    "bit/s": N_("{number} bit/s"),
    "kbit/s": N_("{number} kbit/s"),
    "Mbit/s": N_("{number} Mbit/s"),
    "Gbit/s": N_("{number} Gbit/s"),
}


def amount_words(text: str, words: Translator = ENGLISH) -> str:
    """The output of `node.units`, such as ``36.8 Mbit/s`` or ``60 GB``, in another language: ``36,8 Mbit/s``, ``60
    Go``."""
    number, _, unit = text.partition(" ")
    return words.gettext(_AMOUNTS[unit]).format(number=number_words(number, words))


def number_words(number: str, words: Translator = ENGLISH) -> str:
    """A number in digits, with a decimal point."""
    whole, point, decimals = number.partition(".")
    if not point:
        return number
    # Translators: a number with decimals, as 1.5.
    return words.gettext("{whole}.{decimals}").format(whole=whole, decimals=decimals)
