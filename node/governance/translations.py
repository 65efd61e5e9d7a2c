"""The language in which rules are said: whole messages out of a catalogue, English where there is none."""

from gettext import NullTranslations
from typing import Protocol


class Translator(Protocol):
    """One language. Messages are templates with named places, ``{who} have no speed ceiling.``; a translation has
    the same places, in any order. `gettext.GNUTranslations` fits."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, one: str, many: str, number: int, /) -> str: ...


ENGLISH: Translator = NullTranslations()
"""The language in which the messages are written, and in which decisions are kept."""


def N_(message: str) -> str:  # noqa: N802 - the usual mark
    """Marks a message that is looked up elsewhere."""
    return message
