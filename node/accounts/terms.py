"""Versioned terms of use: people can read the version they accepted as long as it applies to them."""

from collections.abc import Iterable
from dataclasses import dataclass

from node.errors import Finding
from node.translator import gettext_lazy

TERMS_CHARS_MAX = 20_000
"""For each language."""
LANGUAGES_MAX = 20
VERSIONS_MAX = 200
_LANGUAGE_CHARS_MAX = 35
SAME_TERMS = Finding(
    "terms", 0, gettext_lazy("These are the terms in force."), gettext_lazy("change something first")
)


@dataclass(frozen=True, slots=True)
class TermsText:
    """The terms in one language."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Terms:
    """One version in all its languages. The first language is the binding one."""

    version: str
    texts: tuple[TermsText, ...]
    adopted_day: str = ""
    by: str = ""


class TermsStore:
    """All versions ever in force on this node, newest last."""

    def __init__(self) -> None:
        self._versions: dict[str, Terms] = {}
        self.current: Terms | None = None
        """The version that people accept now; None if no terms were written."""

    def take(self, kept: Iterable[Terms]) -> None:
        """Load from storage, in order of adoption."""
        for terms in kept:
            self._versions[terms.version] = terms
        self.current = next(reversed(self._versions.values()), None)

    def get(self, version: str) -> Terms | None:
        return self._versions.get(version)

    def all(self) -> tuple[Terms, ...]:
        """Newest first."""
        return tuple(reversed(self._versions.values()))

    def adopt(
        self, texts: tuple[TermsText, ...], today: str, by: str, not_below: str = ""
    ) -> Terms | tuple[Finding, ...]:
        """Adopt the next version, which everyone must accept when they next join. Returns findings if it is
        not valid. `not_below` is a version that people may have accepted before any was stored here."""
        findings = terms_findings(texts)
        if not findings and len(self._versions) >= VERSIONS_MAX:
            message = gettext_lazy(
                "There are {number} versions of the terms already.", number=len(self._versions)
            )
            fix = gettext_lazy("nobody reads so many; change them less often")
            findings = (Finding("terms", 0, message, fix),)
        if findings:
            return findings
        if self.current is not None and self.current.texts == texts:
            return (SAME_TERMS,)
        taken = {*self._versions, not_below}
        terms = Terms(next_version(taken), texts, today, by)
        self._versions[terms.version] = self.current = terms
        return terms


def next_version(taken: Iterable[str]) -> str:
    """The largest whole number among these versions, plus one."""
    return str(max((int(version) for version in taken if _is_count(version)), default=0) + 1)


def terms_findings(texts: tuple[TermsText, ...]) -> tuple[Finding, ...]:
    """Everything that is wrong with the texts."""
    found = []
    if not texts:
        found.append(("There are no terms in any language.", "write them in your own language first"))
    if len(texts) > LANGUAGES_MAX:
        found.append((f"{len(texts)} languages are too many.", f"write at most {LANGUAGES_MAX}"))
    if len({text.language for text in texts}) < len(texts):
        found.append(("A language is there twice.", "keep one text for each language"))
    for text in texts[:LANGUAGES_MAX]:
        if not is_language(text.language):
            found.append((f"{text.language!r:.60} is not a language.", 'write its short name, such as "ca"'))
        if not text.text.strip():
            found.append(
                (f"The terms in {text.language:.40} are empty.", "write them, or remove this language")
            )
        if len(text.text) > TERMS_CHARS_MAX:
            message = f"The terms in {text.language:.40} have {len(text.text)} characters."
            found.append((message, f"write at most {TERMS_CHARS_MAX}"))
    return tuple(Finding("terms", 0, message, fix) for message, fix in found)


def is_language(text: str) -> bool:
    """Whether `text` has the form of a language tag of BCP 47: ``ca``, ``pt-BR``, ``zh-Hant``."""
    first, *rest = text.split("-")
    return (
        len(text) <= _LANGUAGE_CHARS_MAX
        and text.isascii()
        and 2 <= len(first) <= 8
        and first.isalpha()
        and all(part.isalnum() and len(part) <= 8 for part in rest)
    )


def _is_count(version: str) -> bool:
    return version.isascii() and version.isdecimal() and len(version) <= 9
