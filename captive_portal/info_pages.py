"""Pages that are the same for every client, as frozen values. Texts are in the templates, data is here.

Sizes are limited here, so that no setting makes a page which a mini-browser refuses.
"""

from dataclasses import dataclass

from captive_portal import page_notices
from captive_portal.page_notices import PageNotice, Service, paragraphs
from captive_portal.request_context import SENTENCE_CHARACTERS_MAX, PageContext, RequestContext
from node.accounts.personal_data import InventoryEntry
from node.accounts.terms import TERMS_CHARS_MAX
from node.app import views

HELP_BYTES_MAX = 4_000
KEPT_MAX = 60
RETRY_S = 5
"""Value of Retry-After when the node cannot do it now, in seconds."""


@dataclass(frozen=True, slots=True)
class TermsOfUse:
    """The complete terms."""

    template = "terms.html"
    place: PageContext
    terms: tuple[str, ...]
    terms_language: str
    terms_version: str


@dataclass(frozen=True, slots=True)
class OurNetwork:
    """The people who run the network, how to help, and the rules in plain language."""

    template = "network.html"
    place: PageContext
    sentences: tuple[str, ...]
    help: tuple[str, ...]
    next_rules: views.NextRules


@dataclass(frozen=True, slots=True)
class Notices:
    """The community's notices."""

    template = "notices.html"
    place: PageContext
    notices: tuple[PageNotice, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """Local services, with and without authorization."""

    template = "services.html"
    place: PageContext
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the node keeps, why, and for how long."""

    template = "privacy.html"
    place: PageContext
    kept: tuple[InventoryEntry, ...]


@dataclass(frozen=True, slots=True)
class Help:
    """Help for devices without a browser, and for problems with joining."""

    template = "help.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class RefusedPage:
    """The request was refused, and why."""

    template = "refused.html"
    place: PageContext
    reason: str
    removed: bool = False
    """An administrator blocked the device; otherwise a rule refused."""
    forgetful: bool = False
    """The node's storage fails now."""
    for_s: int | None = None
    """Seconds until the block ends; None if only an admin ends it."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The client is not on the LAN, so there is no device to authorize."""

    template = "elsewhere.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class Disputed:
    """Two devices claim the client's address: no personal page is shown and nothing is changed."""

    template = "disputed.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class NotFound:
    """No such page."""

    template = "notfound.html"
    place: PageContext


@dataclass(frozen=True, slots=True)
class Busy:
    """The node cannot do it at this moment; trying again helps."""

    template = "busy.html"
    place: PageContext
    retry_seconds: int = RETRY_S


@dataclass(frozen=True, slots=True)
class WrongWay:
    """The form is foreign, incomplete or too old; links to the first page."""

    template = "wrongway.html"
    place: PageContext


FOR_ALL = (TermsOfUse, OurNetwork, Services, Privacy, Help, Elsewhere, Disputed, NotFound, Busy, WrongWay)
"""Pages without personal data: identical for every client that reads the same language."""


def terms(context: RequestContext) -> TermsOfUse:
    found = page_notices.terms_text(context.community, context.page_language.language.tag, context.words)
    text = paragraphs(found.text, 4 * TERMS_CHARS_MAX).paragraphs
    return TermsOfUse(context.place(), text, found.language, context.community.terms_version)


def our_network(context: RequestContext) -> OurNetwork:
    view = context.community
    sentences = tuple(sentence[:SENTENCE_CHARACTERS_MAX] for sentence in context.rules())
    help_text = paragraphs(view.help, HELP_BYTES_MAX).paragraphs
    return OurNetwork(context.place(), sentences, help_text, context.backend.next_rules_note())


def notices(context: RequestContext) -> Notices:
    return Notices(
        context.place(),
        page_notices.page_notices(context.backend.notices(context.mac), context.page_language.language.tag),
    )


def services(context: RequestContext) -> Services:
    return Services(context.place(), page_notices.services(context.backend.services()))


def privacy(context: RequestContext) -> Privacy:
    return Privacy(context.place(), context.backend.kept()[:KEPT_MAX])


def refused(context: RequestContext, why: views.Refused) -> RefusedPage:
    reason = why.detail[:SENTENCE_CHARACTERS_MAX]
    return RefusedPage(context.place(), reason, forgetful=why.reason == "memory")


def removed(context: RequestContext, because: str, for_s: int | None = None) -> RefusedPage:
    return RefusedPage(context.place(), because[:SENTENCE_CHARACTERS_MAX], removed=True, for_s=for_s)
