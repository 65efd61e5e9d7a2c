"""The terms of joining, versioned: everyone can read what they accepted, as long as anybody is held to it."""

from dataclasses import dataclass

TERMS_CHARS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class TermsText:
    """The terms in one language."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Terms:
    """One version, in every language that it was written in. The first is the one that binds."""

    version: str
    texts: tuple[TermsText, ...]
    adopted_day: str = ""
    by: str = ""
