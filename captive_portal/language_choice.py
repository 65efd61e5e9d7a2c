"""Language of each device: the user's choice, else the browser's Accept-Language."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from captive_portal.language_negotiation import HEADER_CHARACTERS_MAX, lookup, negotiate
from captive_portal.page_context import Language, PageLanguage
from captive_portal.translations import Translations
from node.units import MacAddress

CHOICES_MAX = 4_096
"""Devices with a remembered choice; the oldest is evicted first."""
WISHES_REMEMBERED = 256
"""Distinct Accept-Language headers with a cached result."""


class LanguageChooser:
    """Remembers choices in memory, because mini-browsers keep no cookies. After a restart the browser's
    header applies again."""

    def __init__(self, words: Iterable[Translations]) -> None:
        self._all = tuple(Language(each.tag, each.name, each.direction) for each in words)
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
        self, mac: MacAddress | None, accept: str, *, own: str, shown: tuple[str, ...] = (), asked: str = ""
    ) -> PageLanguage:
        """Page language of one request, in this order: `asked` in the query, for this page only; the
        remembered choice; `accept`, the ``Accept-Language`` header; `own`, the community's language. Only
        `shown` languages and `own` are offered; an empty `shown` offers all."""
        remembered = self._chosen.get(mac, "") if mac else ""
        return self._negotiated(accept[: HEADER_CHARACTERS_MAX + 1], own, shown, asked, remembered)

    def _negotiate(
        self, accept: str, own: str, shown: tuple[str, ...], asked: str, remembered: str
    ) -> PageLanguage:
        offered = self._offered(own, shown)
        tags = [language.tag for language in offered]
        own = lookup(tags, own) or tags[0]
        tag = negotiate(tags, own, asked, remembered, accept=accept)
        return PageLanguage(next(language for language in offered if language.tag == tag), offered)

    def _offered(self, own: str, shown: Sequence[str]) -> tuple[Language, ...]:
        tags = [language.tag for language in self._all]
        wanted = {lookup(tags, tag) for tag in (own, *shown)}
        return tuple(language for language in self._all if not shown or language.tag in wanted) or self._all
