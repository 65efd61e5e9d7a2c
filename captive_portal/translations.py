"""Translations of one language: texts, and the format of numbers, amounts, dates and times.

All of it comes from one catalogue. A text without a translation is shown in English.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime

from captive_portal.export_labels import EXPORT_LABELS
from captive_portal.page_context import Direction
from node.governance.number_format import amount_words, number_words
from node.governance.translations import N_
from node.units import BitsPerSecond, Bytes, Rates, show_rate, show_volume

_MARKS = re.compile(r"%\(\w*\)[sd]|%%|%|\{\w*\}|[{}]")
_TAGS = re.compile(r"<[^>]*>?|&\w+;|[<>]")


_DAYS = (
    N_("%(day)s January %(year)s"),
    N_("%(day)s February %(year)s"),
    N_("%(day)s March %(year)s"),
    N_("%(day)s April %(year)s"),
    N_("%(day)s May %(year)s"),
    N_("%(day)s June %(year)s"),
    N_("%(day)s July %(year)s"),
    N_("%(day)s August %(year)s"),
    N_("%(day)s September %(year)s"),
    N_("%(day)s October %(year)s"),
    N_("%(day)s November %(year)s"),
    N_("%(day)s December %(year)s"),
)


Key = str | tuple[str, str]
"""A msgid, or its context and msgid; for plural texts the singular msgid."""


def english_plural(count: int) -> int:
    return int(count != 1)


class Translations:
    """One catalogue: `texts` by msgid with their plural forms; `plural` chooses the form."""

    def __init__(
        self,
        tag: str,
        texts: Mapping[Key, tuple[str, ...]] | None = None,
        plural: Callable[[int], int] = english_plural,
    ) -> None:
        self.tag = tag
        """RFC 5646, such as ``ca`` or ``pt-BR``."""
        self._texts = texts or {}
        self._plural = plural
        # Translators: this language's own name, in this language.
        self.name = self.pgettext("language", "English")
        # Translators: rtl for a language that is written from right to left, such as Arabic.
        right_to_left = self.pgettext("direction", "ltr") == "rtl"
        self.direction: Direction = "rtl" if right_to_left else "ltr"

    def gettext(self, text: str) -> str:
        said = self._texts.get(text)
        return text if said is None else said[0]

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self._numbered(one, one, many, count)

    def pgettext(self, context: str, text: str) -> str:
        said = self._texts.get((context, text))
        return text if said is None else said[0]

    def npgettext(self, context: str, one: str, many: str, count: int) -> str:
        return self._numbered((context, one), one, many, count)

    def _numbered(self, key: Key, one: str, many: str, count: int) -> str:
        said = self._texts.get(key)
        return (one, many)[english_plural(count)] if said is None else said[self._plural(count)]

    def label(self, name: str) -> str:
        """Readable name of an exported field such as ``seconds_left``; any other text is returned
        unchanged."""
        known = EXPORT_LABELS.get(name)
        return name if known is None else self.gettext(known)

    def number(self, number: str) -> str:
        """A number in digits with a decimal point, in this language's format."""
        return number_words(number, self)

    def volume(self, volume: Bytes) -> str:
        """At most one decimal: ``1.4 GB``, in French ``1,4 Go``."""
        return amount_words(show_volume(volume), self)

    def rate(self, rate: BitsPerSecond) -> str:
        """At most one decimal: ``9.6 Mbit/s``."""
        return amount_words(show_rate(rate), self)

    def rates(self, rates: Rates) -> str:
        """One rate when both are equal."""
        if rates.down == rates.up:
            return self.rate(rates.down)
        both = self.gettext("{down} download and {up} upload")
        return both.format(down=self.rate(rates.down), up=self.rate(rates.up))

    def day(self, day: date | str) -> str:
        """``1 April 2026``. A string is an ISO date; an empty one stays empty."""
        if isinstance(day, str):
            if not day:
                return ""
            day = date.fromisoformat(day[:10])
        return self.gettext(_DAYS[day.month - 1]) % {"day": day.day, "year": day.year}

    def moment(self, at: datetime | str) -> str:
        """``1 April 2026, 23:00``. A string is an ISO date and time; an empty one stays empty."""
        if isinstance(at, str):
            if not at:
                return ""
            at = datetime.fromisoformat(at)
        return self.gettext("%(day)s, %(time)s") % {"day": self.day(at), "time": f"{at:%H:%M}"}

    def duration(self, seconds: int) -> str:
        """Rounded up to the minute: ``2 days 4 h``, ``4 h 10 min``, ``35 min``."""
        minutes = max(0, -(-seconds // 60))
        days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
        parts = []
        if days:
            parts.append(self.ngettext("%(count)s day", "%(count)s days", days) % {"count": days})
        if hours:
            parts.append(self.gettext("%(count)s h") % {"count": hours})
        if (minutes and not days) or not parts:
            parts.append(self.gettext("%(count)s min") % {"count": minutes})
        return " ".join(parts)


def is_sound(sources: tuple[str, ...], translation: str) -> bool:
    """Whether a translation has the same placeholders and HTML tags as its source. `sources` are one text, or
    singular and plural, either of which a plural form may match."""
    tags = Counter(_TAGS.findall(translation))
    if all(tags != Counter(_TAGS.findall(source)) for source in sources):
        return False
    marks = set(_MARKS.findall(translation))
    return any(marks == set(_MARKS.findall(source)) for source in sources) or (
        # "one day" needs no number where the plural needs one.
        len(sources) > 1 and marks < set(_MARKS.findall(sources[-1])) and not marks & {"%", "{", "}"}
    )
