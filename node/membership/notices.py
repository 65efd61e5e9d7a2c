"""Notices: what the community tells its people, where, to whom, in which languages and from when to when."""

from dataclasses import dataclass

NOTICES_MAX = 100
TITLE_CHARS_MAX = 80
TEXT_CHARS_MAX = 1_000
DAY_FOREVER = ""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice in one language."""

    language: str
    """As BCP 47 has it: ``ca``."""
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One content block."""

    number: int
    where: str
    """``network``, ``zone:NAME`` or ``node:NAME``."""
    audience: str
    """``everyone`` (also before admission), ``online``, ``members``, ``guests`` or ``group:NAME``."""
    first_day: str
    """ISO date; empty for at once."""
    last_day: str
    """ISO date, included; empty for no end."""
    is_urgent: bool
    texts: tuple[NoticeText, ...]
    by: str = ""
