"""The pages that are the same for everybody, as frozen values. Words stand in the templates, facts stand here.

Sizes are cut here, so that no setting can make a page that a mini-browser refuses.
"""

from dataclasses import dataclass

from captive_portal import page_notices, ports
from captive_portal.page_context import SENTENCE_CHARACTERS_MAX, PageContext, paragraphs
from captive_portal.page_notices import PageNotice, Service
from captive_portal.ports import KeptView
from captive_portal.request_context import RequestContext
from node.accounts.terms import TERMS_CHARS_MAX

SENTENCES_MAX = 200
HELP_BYTES_MAX = 4_000
KEPT_MAX = 60
RETRY_S = 5
"""How long to wait when the node cannot do it just now."""


@dataclass(frozen=True, slots=True)
class TermsOfUse:
    """The whole terms."""

    template = "terms.html"
    place: PageContext
    terms: tuple[str, ...]
    terms_language: str
    terms_version: str


@dataclass(frozen=True, slots=True)
class OurNetwork:
    """Who runs it, how to help, and the rules in plain language."""

    template = "network.html"
    place: PageContext
    sentences: tuple[str, ...]
    help: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notices:
    """What the community tells its people."""

    template = "notices.html"
    place: PageContext
    notices: tuple[PageNotice, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """What the neighbourhood offers, with and without admission."""

    template = "services.html"
    place: PageContext
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the node keeps, why, and for how long."""

    template = "privacy.html"
    place: PageContext
    kept: tuple[KeptView, ...]


@dataclass(frozen=True, slots=True)
class Help:
    """For devices that have no browser, and for whatever goes wrong at the door."""

    template = "help.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """Not now, and why."""

    template = "refused.html"
    place: PageContext
    reason: str
    rule: str = ""
    removed: bool = False
    """A person ended the session, rather than a rule."""
    forgetful: bool = False
    """The node can read or write nothing just now."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The asker is not on our link, so there is no device that could be let in."""

    template = "elsewhere.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class Disputed:
    """Two devices claim the asker's address, so that nobody's page may be shown and nothing changed."""

    template = "disputed.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class NotFound:
    """No such page."""

    template = "notfound.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class Busy:
    """The node cannot do it this moment; trying again helps."""

    template = "busy.html"
    place: PageContext
    retry_seconds: int = RETRY_S


@dataclass(frozen=True, slots=True)
class WrongWay:
    """A form that is not ours, is incomplete or too old; the way back to the first page."""

    template = "wrongway.html"
    place: PageContext


FOR_ALL = (TermsOfUse, OurNetwork, Services, Privacy, Help, Elsewhere, Disputed, NotFound, Busy, WrongWay)
"""Pages that hold nothing about one person, and are the same for everybody who reads their language."""


def terms(context: RequestContext) -> TermsOfUse:
    found = page_notices.terms_text(context.community, context.page_language.language.tag, context.words)
    text = paragraphs(found.text, 4 * TERMS_CHARS_MAX).paragraphs
    return TermsOfUse(context.place(), text, found.language, context.community.terms_version)


def our_network(context: RequestContext) -> OurNetwork:
    view = context.community
    sentences = tuple(sentence[:SENTENCE_CHARACTERS_MAX] for sentence in context.rules()[:SENTENCES_MAX])
    return OurNetwork(context.place(), sentences, paragraphs(view.help, HELP_BYTES_MAX).paragraphs)


def notices(context: RequestContext) -> Notices:
    return Notices(
        context.place(),
        page_notices.page_notices(context.backend.notices(context.mac), context.page_language.language.tag),
    )


def services(context: RequestContext) -> Services:
    return Services(context.place(), page_notices.services(context.backend.services()))


def privacy(context: RequestContext) -> Privacy:
    return Privacy(context.place(), context.backend.kept()[:KEPT_MAX])


def refused(context: RequestContext, why: ports.Refused) -> RefusedPage:
    reason = why.detail[:SENTENCE_CHARACTERS_MAX]
    return RefusedPage(context.place(), reason, why.rule or "", forgetful=why.reason == "memory")


def removed(context: RequestContext, because: str) -> RefusedPage:
    return RefusedPage(context.place(), because[:SENTENCE_CHARACTERS_MAX], removed=True)
