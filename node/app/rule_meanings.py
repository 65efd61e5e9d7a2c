"""What earlier versions of the rules said, as fingerprints that comments, layout and order do not change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from node.errors import StorageTrouble
from node.governance.canonical_form import canonical_form, effect_fingerprint, meaning_fingerprint
from node.governance.parse import parse_ruleset
from node.governance.rule_history import RuleVersion
from node.governance.rules import Ruleset

VERSIONS_MAX = 50
"""The newest versions, which are read for it: each text is parsed once while it is among them."""


class RuleMeanings:
    """Fingerprints of what versions say, computed when they are first asked for."""

    def __init__(self, version_text: Callable[[int], Awaitable[str | None]]) -> None:
        self._version_text = version_text
        self._known: dict[str, str] = {}
        """By the fingerprint of the text."""

    async def of(self, versions: Sequence[RuleVersion]) -> Mapping[int, str]:
        """By number, of the newest versions, as far as the log can be read; none for a text that this node cannot parse."""
        newest = sorted(versions, key=lambda each: -each.number)[:VERSIONS_MAX]
        known, self._known = self._known, {}
        with suppress(StorageTrouble):  # reported by the control loop; the next call reads on
            for version in newest:
                mark = version.fingerprint
                if mark not in self._known:
                    self._known[mark] = known[mark] if mark in known else await self._read(version.number)
        return {each.number: said for each in newest if (said := self._known.get(each.fingerprint))}

    async def _read(self, number: int) -> str:
        text = await self._version_text(number)
        ruleset = None if text is None else (await asyncio.to_thread(parse_ruleset, text))[0]
        return "" if ruleset is None else meaning_fingerprint(ruleset)


async def effect_of(text: str) -> str:
    """Fingerprint of what a text would do, without who decided it; empty for one that this node cannot parse."""
    ruleset, _ = await asyncio.to_thread(parse_ruleset, text)
    return "" if ruleset is None else await asyncio.to_thread(effect_fingerprint, ruleset)


def says_the_same(ruleset: Ruleset, text: str) -> bool:
    """Whether a text can be read and says exactly what these rules say."""
    other, _ = parse_ruleset(text)
    return other is not None and canonical_form(other) == canonical_form(ruleset)
