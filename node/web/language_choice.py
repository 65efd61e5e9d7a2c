"""Language of each response: the person's choice, else the browser's Accept-Language, else the community's language."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from node.units import MacAddress

HEADER_CHARACTERS_MAX = 1_024
"""Of ``Accept-Language``; the rest is ignored."""
RANGES_MAX = 32
TAG_CHARACTERS_MAX = 35
"""RFC 5646 section 4.4.1."""
CHOICES_MAX = 4_096
"""Devices with a remembered choice; the oldest is evicted first."""
WISHES_REMEMBERED = 256
"""Distinct Accept-Language headers with a cached result."""

_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*", re.IGNORECASE)
_QUALITY = re.compile(r"[qQ][ \t]*=[ \t]*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")
_ANY = "*"

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the pages."""

    tag: str
    """RFC 5646 tag: ``ca``."""
    name: str
    """In the language itself: ``Català``."""
    direction: Direction = "ltr"


ENGLISH = Language("en", "English")


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """The language of one response, and the languages to choose from."""

    language: Language = ENGLISH
    offered: tuple[Language, ...] = (ENGLISH,)


ENGLISH_ONLY = PageLanguage()


class LanguageChooser:
    """Remembers choices in memory, because mini-browsers keep no cookies. After a restart the browser's
    header applies again."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._all = tuple(languages)
        self._chosen: dict[MacAddress, str] = {}
        self._negotiated = lru_cache(maxsize=WISHES_REMEMBERED)(self._negotiate)

    def lacking(self, *tags: str) -> tuple[str, ...]:
        """Those of `tags` without a catalogue."""
        there = [language.tag for language in self._all]
        return tuple(tag for tag in tags if lookup(there, tag) is None)

    def choose(self, mac: MacAddress, tag: str) -> None:
        """Remembers the choice for a device, if the language is available."""
        found = lookup([language.tag for language in self._all], tag)
        if found is None:
            return
        self._chosen.pop(mac, None)
        self._chosen[mac] = found
        if len(self._chosen) > CHOICES_MAX:
            self._chosen.pop(next(iter(self._chosen)))

    def language_for(
        self, mac: MacAddress | None, accept: str, *, own: str, shown: tuple[str, ...] = (), chosen: str = ""
    ) -> PageLanguage:
        """Page language of one request, in this order: `chosen`, a tag that came with the request; the choice
        remembered for the device; `accept`, the ``Accept-Language`` header; `own`, the community's language.
        Only `shown` languages and `own` are offered; an empty `shown` offers all."""
        remembered = self._chosen.get(mac, "") if mac else ""
        return self._negotiated(accept[: HEADER_CHARACTERS_MAX + 1], own, shown, chosen, remembered)

    def _negotiate(
        self, accept: str, own: str, shown: tuple[str, ...], chosen: str, remembered: str
    ) -> PageLanguage:
        offered = self._offered(own, shown)
        tags = [language.tag for language in offered]
        own = lookup(tags, own) or tags[0]
        tag = negotiate(tags, own, chosen, remembered, accept=accept)
        return PageLanguage(next(language for language in offered if language.tag == tag), offered)

    def _offered(self, own: str, shown: Sequence[str]) -> tuple[Language, ...]:
        tags = [language.tag for language in self._all]
        wanted = {lookup(tags, tag) for tag in (own, *shown)}
        return tuple(language for language in self._all if not shown or language.tag in wanted) or self._all


def is_tag(text: str) -> bool:
    """Whether `text` has the form of a language tag, such as ``ca`` or ``pt-BR``."""
    return len(text) <= TAG_CHARACTERS_MAX and _TAG.fullmatch(text) is not None


def negotiate(offered: Sequence[str], own: str, *chosen: str, accept: str = "") -> str:
    """One of the `offered` tags (RFC 5646), or `own`, the community's language, when nothing else matches.

    The first of `chosen` that is offered takes precedence over `accept`, an ``Accept-Language`` header (RFC
    9110 section 12.5.4) matched by RFC 4647: first lookup, so that ``fr-CA`` finds ``fr``, then prefixes, so
    that ``pt`` finds ``pt-BR``. Invalid ranges are ignored.
    """
    for tag in chosen:
        if (found := lookup(offered, tag)) is not None:
            return found
    ranges = list(_ranges(accept))
    refused = {wish.tag for wish in ranges if wish.thousandths == 0}
    left = [tag for tag in offered if tag.lower() not in refused]
    for wish in sorted(ranges, key=lambda wish: -wish.thousandths):
        if wish.thousandths == 0:
            continue
        found = _any(left, own) if wish.tag == _ANY else lookup(left, wish.tag) or _prefixed(left, wish.tag)
        if found is not None:
            return found
    if own in left or not refused:
        return own
    return left[0] if left else own


def lookup(offered: Collection[str], wanted: str) -> str | None:
    """RFC 4647 section 3.4: the longest offered tag that is a prefix of `wanted`; case does not matter."""
    by_name = {tag.lower(): tag for tag in offered}
    parts = wanted.lower().split("-")[:RANGES_MAX]
    while parts:
        if (found := by_name.get("-".join(parts))) is not None:
            return found
        parts.pop()
        if parts and len(parts[-1]) == 1:
            parts.pop()
    return None


def _prefixed(offered: Sequence[str], wanted: str) -> str | None:
    return next((tag for tag in offered if tag.lower().startswith(f"{wanted}-")), None)


def _any(offered: Sequence[str], own: str) -> str | None:
    return own if own in offered else next(iter(offered), None)


@dataclass(frozen=True, slots=True)
class _Range:
    """One language range of ``Accept-Language`` with its weight."""

    tag: str
    thousandths: int


def _ranges(header: str) -> Iterator[_Range]:
    whole, comma, cut = header[:HEADER_CHARACTERS_MAX].rpartition(",")
    if len(header) <= HEADER_CHARACTERS_MAX:
        whole = f"{whole}{comma}{cut}"
    for item in whole.split(",", RANGES_MAX)[:RANGES_MAX]:
        tag, semicolon, weight = item.partition(";")
        tag = tag.strip(" \t").lower()
        quality = _QUALITY.fullmatch(weight.strip(" \t"))
        if (tag == _ANY or is_tag(tag)) and (quality or not semicolon):
            yield _Range(tag, round(float(quality[1]) * 1000) if quality else 1000)
