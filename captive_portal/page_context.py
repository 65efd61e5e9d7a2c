"""Header and footer data of every page, and free texts cut to the size that a page may have.

Texts of the community (names, terms, rules, contact) are passed unchanged: the templates escape them.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

from node.app.views import CommunityView
from node.web.language_choice import ENGLISH_ONLY, Direction, Language, PageLanguage
from node.web.rendering import SitePage

NAME_BYTES_MAX = 120
CONTACT_BYTES_MAX = 200
SENTENCE_CHARACTERS_MAX = 400

_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_WEB = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9._~:/?#@!$&()*+,;=%\[\]-]*")

CHOICE = "\ue000language\ue000"
"""Placeholder for the device's language token: so pages that are the same for all clients are rendered
once."""


@dataclass(frozen=True, slots=True)
class PageContext:
    """Layout data that every page shares."""

    community: str
    node: str
    host: str
    contact: str
    contact_link: str
    """A ``mailto:`` or ``https:`` link; empty when the contact is plain text."""
    lang: str = "en"
    direction: Direction = "ltr"
    languages: tuple[Language, ...] = ()
    """For the language selector, with the present one; empty when there is no choice."""
    path: str = "/"
    """Target of the language selector: this page with its allowed query fields, if it can be fetched with
    GET."""
    choice: str = ""
    """`CHOICE` for a device on the LAN, whose choice is remembered; empty for other clients, which get
    links."""


class PortalPage(SitePage, Protocol):
    """A page of the portal."""

    @property
    def place(self) -> PageContext: ...


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs of a free text, complete or cut."""

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
    """A link only for a valid address; everything else, also ``javascript:``, stays text."""
    if _WEB.fullmatch(contact):
        return contact
    return f"mailto:{contact}" if _MAIL.fullmatch(contact) else ""


def shortened(text: str, bytes_max: int) -> str:
    """The beginning of a text with an ellipsis, cut between words where possible."""
    if len(text.encode()) <= bytes_max:
        return text
    cut = text.encode()[:bytes_max].decode(errors="ignore")
    return f"{cut.rpartition(' ')[0] or cut} …"


def paragraphs(text: str, bytes_max: int) -> Text:
    """Splits a text at blank lines; cuts between words where the language has spaces.

    The limit is in bytes of UTF-8, because a page must be small in every script.
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
