"""Translations: one catalogue for each language, a ``.po`` file in the folder beside this file that is named by its tag
(RFC 5646). It has the texts, and the format of numbers, amounts, dates and times. A text without a translation is shown
in English.

What Babel read from a file without problems is kept (`compiled_files`): without Babel a start takes 0.12 s and 2 MB less.
"""

import gc
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from gettext import c2py
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from node.translator import amount_words, day_words, isolated, number_words, offset_words
from node.units import BitsPerSecond, Bytes, Rates, show_rate, show_volume
from node.web.compiled_files import load_compiled, save_compiled
from node.web.language_choice import Language, is_tag
from node.web.packed_texts import Key, PackedTexts

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

FOLDER = Path(__file__).parent / "languages"
SOURCE = "en"
"""Language of the texts in the code; its file is the template for a new language."""
LANGUAGES_MAX = 40
CATALOGUE_BYTES_MAX = 800_000
COUNTS_TRIED = 1_000
"""Plural formulas depend on the last three digits at most."""

_MARKS = re.compile(r"%\(\w*\)[sd]|%%|%|\{\w*\}|[{}]")
_TAGS = re.compile(r"<[^>]*>?|&\w+;|[<>]")


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
        self._texts = texts or {}
        self._plural = plural
        # Translators: this language's own name, in this language.
        name = self.pgettext("language", "English")
        # Translators: rtl for a language that is written from right to left, such as Arabic.
        right_to_left = self.pgettext("direction", "ltr") == "rtl"
        self.language = Language(tag, name, "rtl" if right_to_left else "ltr")

    def gettext(self, text: str) -> str:
        translation = self._texts.get(text)
        return text if translation is None else translation[0]

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self._numbered(one, one, many, count)

    def pgettext(self, context: str, text: str) -> str:
        translation = self._texts.get((context, text))
        return text if translation is None else translation[0]

    def npgettext(self, context: str, one: str, many: str, count: int) -> str:
        return self._numbered((context, one), one, many, count)

    def _numbered(self, key: Key, one: str, many: str, count: int) -> str:
        translation = self._texts.get(key)
        return (one, many)[english_plural(count)] if translation is None else translation[self._plural(count)]

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
        return day_words(day, self)

    def moment(self, at: datetime | str) -> str:
        """``1 April 2026, 23:00``. A string is an ISO date and time; an empty one stays empty."""
        if isinstance(at, str):
            if not at:
                return ""
            at = datetime.fromisoformat(at)
        return self.gettext("%(day)s, %(time)s") % {"day": self.day(at), "time": f"{at:%H:%M}"}

    def moment_in_zone(self, at: datetime | str) -> str:
        """As `moment`, with the distance from UTC, for readers who may be elsewhere: ``1 April 2026, 23:00 (UTC+2)``."""
        if isinstance(at, str):
            if not at:
                return ""
            at = datetime.fromisoformat(at)
        offset = offset_words(at)
        return f"{self.moment(at)} ({isolated(offset)})" if offset else self.moment(at)

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


@dataclass(frozen=True, slots=True)
class Catalogues:
    """All usable languages, and problems with the files of others."""

    translations: Mapping[str, Translations]
    """By tag, the source language first."""
    problems: tuple[str, ...]
    """One sentence each, with the file name and the fix."""


def read_catalogues(folder: Path = FOLDER) -> Catalogues:
    """Reads all catalogues. An unusable file is left out and an unusable translation is replaced by English;
    both are reported in `problems` and never prevent a page."""
    is_babel_in_use = bool(_babel())
    translations = {SOURCE: Translations(SOURCE)}
    problems: list[str] = []
    numbers: dict[Key, int] = {}
    paths = sorted(folder.glob("*.po"))
    if len(paths) > LANGUAGES_MAX:
        problems.append(f"{folder} has {len(paths)} languages; only the first {LANGUAGES_MAX} are read")
    for path in paths[:LANGUAGES_MAX]:
        try:
            translations[path.stem], found = _read(path, numbers)
        except (OSError, ValueError) as error:
            problems.append(f"{path.name} is not used: {error}")
        else:
            problems += found
    if not is_babel_in_use:
        _forget_babel()
    return Catalogues(translations, tuple(problems))


def _read(path: Path, numbers: dict[Key, int]) -> tuple[Translations, list[str]]:
    if not is_tag(path.stem):
        raise ValueError("its name is not a language; write one such as ca.po or pt-BR.po")
    text = path.read_bytes()
    if len(text) > CATALOGUE_BYTES_MAX:
        raise ValueError(f"it has {len(text)} bytes; {CATALOGUE_BYTES_MAX} are allowed")
    problems: list[str] = []
    # Changes with the file, and with this module, which decides what is usable.
    key = hashlib.sha256(Path(__file__).read_bytes() + text).hexdigest()
    kept = load_compiled(path, key)
    if kept is not None:
        compiled = CompiledCatalogue(**json.loads(kept))
    else:
        compiled, problems = _compile(path, text)
        if not problems:
            save_compiled(path, key, json.dumps(compiled._asdict()).encode())
    # Interned, because the texts in the code are the keys of every language.
    texts = (
        ((context, sys.intern(one)) if context else sys.intern(one), forms)
        for context, one, forms in compiled.texts
    )
    return Translations(path.stem, PackedTexts(texts, numbers), _plural(compiled)), problems


class CompiledCatalogue(NamedTuple):
    """Usable translations of one file, as they are kept."""

    num_plurals: int
    plural_expr: str
    texts: list[tuple[str, str, list[str]]]
    """Context or "", the singular msgid, and the translation's plural forms."""


def _compile(path: Path, text: bytes) -> tuple[CompiledCatalogue, list[str]]:
    # Babel takes memory while it reads, and is not needed afterwards.
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415

    try:
        catalogue = read_po(BytesIO(text), ignore_obsolete=True, abort_invalid=True)
    except PoFileError as error:
        raise ValueError(f"it cannot be read: {error}, where 0 is its first line") from error
    problems = [
        f"{path.name}: {message.id!r} is said in English, because its translation has other marks or tags"
        for message in unsound(catalogue)
    ]
    texts = [
        (message.context or "", _texts(message.id)[0], list(_texts(message.string)))
        for message in catalogue
        if message.id and _is_usable(message)
    ]
    return CompiledCatalogue(catalogue.num_plurals, catalogue.plural_expr, texts), problems


def _plural(catalogue: CompiledCatalogue) -> Callable[[int], int]:
    """Raises ValueError unless the plural formula always selects a form that the file has."""
    plural: Callable[[int], int] = c2py(catalogue.plural_expr)
    if not all(0 <= plural(count) < catalogue.num_plurals for count in range(COUNTS_TRIED)):
        raise ValueError(
            f"its plural formula chooses among more than {catalogue.num_plurals} forms; "
            "see Plural-Forms in another language's file"
        )
    return plural


def _is_usable(message: "Message") -> bool:
    return not message.fuzzy and all(_texts(message.string)) and _may_be_shown(message)


def unsound(catalogue: "Catalog") -> "list[Message]":
    """Messages whose translation must not be shown."""
    return [message for message in catalogue if message.id and not _may_be_shown(message)]


def _may_be_shown(message: "Message") -> bool:
    return all(is_sound(_texts(message.id), text) for text in _texts(message.string) if text)


def _texts(text: object) -> tuple[str, ...]:
    """The plural forms of a message or its translation; one if there is no plural."""
    return (text,) if isinstance(text, str) else tuple(text) if isinstance(text, list | tuple) else ()


def _babel() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "babel"]


def _forget_babel() -> None:
    """Unloads Babel: it is needed once, and the node runs for months."""
    for name in _babel():
        del sys.modules[name]
    gc.collect()
