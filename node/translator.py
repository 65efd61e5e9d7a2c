"""Translation of whole messages from a catalogue, English where there is none: at once by a `Translator`, or later, when
the language is known, as a `LazyText`. Numbers, rates and volumes have the format of each language."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from gettext import NullTranslations
from typing import Protocol, Self, overload


class Translator(Protocol):
    """One language. Messages are templates with named fields, ``{who} have no speed ceiling.``; a translation has the
    same fields, in any order. `gettext.GNUTranslations` implements it."""

    def gettext(self, message: str, /) -> str: ...

    def ngettext(self, one: str, many: str, number: int, /) -> str: ...


ENGLISH: Translator = NullTranslations()
"""The language of the messages, in which decisions are archived."""


def offset_words(at: datetime) -> str:
    """How far civil time is from UTC, as everywhere: ``UTC+1``, ``UTC-3:30``, ``UTC``; empty for a time without."""
    offset = at.utcoffset()
    if offset is None:
        return ""
    minutes = int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def N_(message: str) -> str:  # noqa: N802 - the usual mark
    """Marks a message that is translated elsewhere."""
    return message


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
# Translators: a number with decimals, as 1.5.
_DECIMALS = N_("{whole}.{decimals}")
# Translators: a number of four or more digits, as 65,536.
_THOUSANDS = N_("{thousands},{units}")


Phrase = Callable[[Translator], str]
"""Part of a sentence for any language: `functools.partial` of a function whose last argument is the translator."""


class LazyText(str):
    """A text in English with a template and fields, from which `translate` makes it in another language. Everything that
    only needs English, such as the log and the command line, uses it as the string that it is."""

    __slots__ = ("fields", "is_sentence", "many", "number", "template")
    template: str
    many: str
    """Template of the plural; empty for a text without one."""
    number: int
    fields: Mapping[str, object]
    is_sentence: bool
    """Whether the text gets a capital first letter and a full stop."""

    def __new__(
        cls,
        template: str,
        fields: Mapping[str, object],
        *,
        many: str = "",
        number: int = 1,
        is_sentence: bool = False,
    ) -> Self:
        """`fields` can be numbers, lazy texts, phrases, and strings, which are the same in all languages."""
        chosen = many if many and number != 1 else template
        shown = {name: value(ENGLISH) if callable(value) else value for name, value in fields.items()}
        text = chosen.format(**shown) if shown else chosen
        made = super().__new__(cls, _sentence(text) if is_sentence else text)
        made.template, made.many, made.number = template, many, number
        made.fields, made.is_sentence = fields, is_sentence
        return made

    @property
    def parameters(self) -> dict[str, object]:
        """The fields as English texts and numbers."""
        return {
            name: value(ENGLISH) if callable(value) else value if isinstance(value, int) else str(value)
            for name, value in self.fields.items()
        }

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str, Mapping[str, object]], dict[str, object]]:
        more = {"many": self.many, "number": self.number, "is_sentence": self.is_sentence}
        return (self.template, self.fields), more


def gettext_lazy(message: str, /, **fields: object) -> LazyText:
    """Marks a message, and binds its named fields."""
    return LazyText(message, fields)


def ngettext_lazy(one: str, many: str, number: int, /, **fields: object) -> LazyText:
    """Marks a message with a plural; both texts can use the field ``number``."""
    return LazyText(one, {"number": number, **fields}, many=many, number=number)


def isolated(name: str) -> str:
    """A name of any writing direction inside a sentence (first strong isolate, Unicode UAX 9)."""
    return f"\u2068{name}\u2069"


def literal(text: str) -> LazyText:
    """A text that is the same in every language, such as a part of a file."""
    return LazyText("{text}", {"text": text})


def translate(
    text: str,
    words: Translator,
    *,
    template: Callable[[str], str] = str,
    english: Callable[[str], str] = str,
) -> str:
    """A lazy text in another language; any other text unchanged. `template` is applied to the translated templates
    before their fields are filled in, `english` to a field of that name: a text that is in English only."""
    if not isinstance(text, LazyText):
        return text
    many = bool(text.many)
    said = words.ngettext(text.template, text.many, text.number) if many else words.gettext(text.template)
    said = template(said)

    def shown(name: str, value: object) -> object:
        if callable(value):
            return value(words)
        if not isinstance(value, str):
            return value
        return (
            english(value)
            if name == "english"
            else translate(value, words, template=template, english=english)
        )

    if text.fields:
        said = said.format(**{name: shown(name, value) for name, value in text.fields.items()})
    return _sentence(said) if text.is_sentence else said


@overload
def as_sentence(text: LazyText) -> LazyText: ...


@overload
def as_sentence(text: str) -> str: ...


def as_sentence(text: str) -> str:
    """`text` with a capital first letter and a full stop, in every language."""
    if not isinstance(text, LazyText):
        return _sentence(text)
    return LazyText(text.template, text.fields, many=text.many, number=text.number, is_sentence=True)


@overload
def in_a_row(*texts: LazyText, between: str = " ") -> LazyText: ...


@overload
def in_a_row(*texts: str, between: str = " ") -> str: ...


def in_a_row(*texts: str, between: str = " ") -> str:
    """Whole sentences, or names in a list, one after the other."""
    if not any(isinstance(text, LazyText) for text in texts):
        return between.join(texts)
    fields = {f"text{number}": text for number, text in enumerate(texts)}
    return LazyText(between.join(f"{{{name}}}" for name in fields), fields)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].removesuffix(".") + "."


def amount_words(text: str, words: Translator = ENGLISH) -> str:
    """The output of `node.units`, such as ``36.8 Mbit/s`` or ``60 GB``, in another language: ``36,8 Mbit/s``, ``60
    Go``."""
    return translate(amount_lazy(text), words)


def amount_lazy(text: str) -> LazyText:
    """The same for a language that is known later."""
    number, _, unit = text.partition(" ")
    whole, point, decimals = number.partition(".")
    shown = LazyText(_DECIMALS, {"whole": whole, "decimals": decimals}) if point else number
    return LazyText(_AMOUNTS[unit], {"number": shown})


def number_lazy(number: int) -> str:
    """``65,536``, for a language that is known later."""
    if number < 1000:
        return str(number)
    return LazyText(_THOUSANDS, {"thousands": number_lazy(number // 1000), "units": f"{number % 1000:03}"})


def number_words(number: str, words: Translator = ENGLISH) -> str:
    """A number in digits, with a decimal point."""
    whole, point, decimals = number.partition(".")
    if not point:
        return number
    return words.gettext(_DECIMALS).format(whole=whole, decimals=decimals)


def day_words(day: date, words: Translator = ENGLISH) -> str:
    """``1 April 2026``."""
    return words.gettext(_DAYS[day.month - 1]) % {"day": day.day, "year": day.year}
