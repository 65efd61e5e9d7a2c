"""What stands at the head and the foot of every page, and texts that people wrote, cut to what a page may carry.

Texts of the community (names, terms, rules, contact) pass through as they are: the templates escape them.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, Protocol

from captive_portal.ports import CommunityView

NAME_BYTES_MAX = 120
CONTACT_BYTES_MAX = 200
SENTENCE_CHARACTERS_MAX = 400

_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_WEB = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]*")

CHOICE = "\ue000language\ue000"
"""Stands in a page for the reader's token for choosing a language: so pages that are the same for all are made once."""

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class Language:
    """One language that the portal speaks."""

    tag: str
    """As BCP 47 has it: ``ca``."""
    name: str
    """In the language itself: ``Català``."""
    direction: Direction = "ltr"


ENGLISH = Language("en", "English")


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """The language of one answer, and those that the person may choose instead."""

    language: Language = ENGLISH
    offered: tuple[Language, ...] = (ENGLISH,)


ENGLISH_ONLY = PageLanguage()


@dataclass(frozen=True, slots=True)
class PageContext:
    """Where the reader is."""

    community: str
    node: str
    host: str
    contact: str
    contact_link: str
    """A ``mailto:`` or ``https:`` link, or empty when the contact is only words."""
    lang: str = "en"
    direction: Direction = "ltr"
    languages: tuple[Language, ...] = ()
    """For the switch at the foot, with the present one; empty when there is no choice."""
    path: str = "/"
    """Where the switch leads: this page, if it can be asked for, with what its address brought along."""
    choice: str = ""
    """`CHOICE` for a device whose choice is remembered; empty for who is elsewhere, and gets links instead."""


class PortalPage(Protocol):
    """A frozen value that holds everything its template shows."""

    @property
    def template(self) -> str: ...

    @property
    def place(self) -> PageContext: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs of a text that somebody wrote, whole or cut."""

    paragraphs: tuple[str, ...] = field(default=())
    cut: bool = False


def page_context(
    view: CommunityView, page_language: PageLanguage = ENGLISH_ONLY, path: str = "/", *, choice: str = ""
) -> PageContext:
    contact = shortened(view.contact, CONTACT_BYTES_MAX)
    return PageContext(
        shortened(view.community, NAME_BYTES_MAX),
        shortened(view.node, NAME_BYTES_MAX),
        view.portal_host,
        contact,
        contact_link(contact),
        page_language.language.tag,
        page_language.language.direction,
        page_language.offered if len(page_language.offered) > 1 else (),
        path,
        choice,
    )


def contact_link(contact: str) -> str:
    """Only what is surely an address becomes a link; everything else, ``javascript:`` too, stays words."""
    if _WEB.fullmatch(contact):
        return contact
    return f"mailto:{contact}" if _MAIL.fullmatch(contact) else ""


def shortened(text: str, bytes_max: int) -> str:
    """The beginning of a text, up to the last gap between words if there is one, with a mark that it goes on."""
    if len(text.encode()) <= bytes_max:
        return text
    cut = text.encode()[:bytes_max].decode(errors="ignore")
    return f"{cut.rpartition(' ')[0] or cut} …"


def paragraphs(text: str, bytes_max: int) -> Text:
    """Blank lines part paragraphs; the cut falls between words where a language has gaps between them.

    `bytes_max` of UTF-8, because a page has to be small in every alphabet.
    """
    kept: list[str] = []
    room = bytes_max
    for block in text.split("\n\n"):
        words = " ".join(block.split())
        if not words:
            continue
        if len(words.encode()) > room:
            return Text((*kept, shortened(words, room)), cut=True)
        kept.append(words)
        room -= len(words.encode())
    return Text(tuple(kept))
