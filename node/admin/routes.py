"""What goes in and out of the admins' pages: a request as read, an answer to send, and who may ask for what."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from node.admin.fields import sentence
from node.admin.ports import SiteInfo
from node.admin.signin import ROLES, Role, Signed, form_proof
from node.errors import Finding

Method = Literal["GET", "POST"]
ADMINS: frozenset[Role] = frozenset({"admin"})
EVERYONE_SIGNED_IN: frozenset[Role] = frozenset(ROLES)


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """One request of somebody who is signed in."""

    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    """Of the form that was sent; empty for GET."""
    cookie: str
    signed: Signed
    origin: str = ""
    """As the browser reached these pages: ``http://192.0.2.7:2081``."""

    @property
    def proof(self) -> str:
        return form_proof(self.cookie)


@dataclass(frozen=True, slots=True)
class PageLayout:
    """What stands around every page behind the sign-in."""

    place: SiteInfo
    signed: Signed
    proof: str
    """What every form carries."""
    here: str
    """Path of the page in the navigation that this one belongs to."""


class AdminPage(Protocol):
    """A page as a value. The template that says it in words is found by its name."""

    @property
    def template(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """Show this."""

    page: AdminPage
    status: int = 200
    lang: str = "en"
    """Of what is printed for people; the admins' own pages are in English."""
    is_heavy: bool = False
    """Takes long to make: nobody else should wait for it."""
    refresh_s: int = 0
    """The browser asks again by itself after this long; 0 for never. Only where somebody wanted it: a page that
    loads anew throws whoever has it read aloud back to its top."""


@dataclass(frozen=True, slots=True)
class AdminRedirect:
    """Done: show what is there."""

    where: str
    """A path of these pages, with its query."""


Answerer = Callable[[AdminRequest], Awaitable[AdminResponse | AdminRedirect]]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked for."""

    method: Method
    path: str
    answer: Answerer
    roles: frozenset[Role] = ADMINS
    """Nobody else gets an answer."""


@dataclass(frozen=True, slots=True)
class TroublePage:
    """Something did not work: what, and what to do."""

    template = "trouble.html"
    title: str
    message: str
    mend: str


def page_layout(asked: AdminRequest, place: SiteInfo, here: str) -> PageLayout:
    """The frame for the answer to `asked`."""
    return PageLayout(place, asked.signed, asked.proof, here)


def not_there(message: str, mend: str) -> AdminResponse:
    """What was asked for by its number or name is gone, or never was."""
    return AdminResponse(TroublePage("Not found", message, mend), 404)


def refused(finding: Finding) -> AdminResponse:
    """The same, as the house says it."""
    return not_there(finding.message, sentence(finding.mend))


def number_in(query: Mapping[str, str], name: str) -> int:
    """A whole number of at most nine digits; 0 without one."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
