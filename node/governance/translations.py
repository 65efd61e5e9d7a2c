"""Translation of rule sentences: whole messages from a catalogue, English where there is none."""

from gettext import NullTranslations
from typing import Protocol


class Translator(Protocol):
    """One language. Messages are templates with named fields, ``{who} have no speed ceiling.``; a translation has the
    same fields, in any order. `gettext.GNUTranslations` implements it."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, one: str, many: str, number: int, /) -> str: ...


ENGLISH: Translator = NullTranslations()
"""The language of the messages, in which decisions are archived."""


def N_(message: str) -> str:  # noqa: N802 - the usual mark
    """Marks a message that is translated elsewhere."""
    return message
