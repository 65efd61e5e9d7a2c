"""The pages that are the same for everybody, as frozen values. Words stand in the templates, facts stand here.

Sizes are cut here, so that no setting can make a page that a mini-browser refuses.
"""

from dataclasses import dataclass

from captive_portal import board, ports
from captive_portal.board import Service, Told
from captive_portal.place import SENTENCE_CHARACTERS_MAX, Place, paragraphs
from captive_portal.ports import KeptView
from captive_portal.visit import Visit
from node.membership.terms import TERMS_CHARS_MAX

SENTENCES_MAX = 200
HELP_BYTES_MAX = 4_000
KEPT_MAX = 60
RETRY_S = 5
"""How long to wait when the node cannot do it just now."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The whole terms."""

    template = "terms.html"
    place: Place
    terms: tuple[str, ...]
    terms_language: str
    terms_version: str


@dataclass(frozen=True, slots=True)
class OurNetwork:
    """Who runs it, how to help, and the rules in plain language."""

    template = "network.html"
    place: Place
    sentences: tuple[str, ...]
    help: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notices:
    """What the community tells its people."""

    template = "notices.html"
    place: Place
    notices: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """What the neighbourhood offers, with and without admission."""

    template = "services.html"
    place: Place
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True)
class Privacy:
    """What the node keeps, why, and for how long."""

    template = "privacy.html"
    place: Place
    kept: tuple[KeptView, ...]


@dataclass(frozen=True, slots=True)
class Help:
    """For devices that have no browser, and for whatever goes wrong at the door."""

    template = "help.html"
    place: Place


@dataclass(frozen=True, slots=True)
class Refused:
    """Not now, and why."""

    template = "refused.html"
    place: Place
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
    place: Place


@dataclass(frozen=True, slots=True)
class Disputed:
    """Two devices claim the asker's address, so that nobody's page may be shown and nothing changed."""

    template = "disputed.html"
    place: Place


@dataclass(frozen=True, slots=True)
class NotFound:
    """No such page."""

    template = "notfound.html"
    place: Place


@dataclass(frozen=True, slots=True)
class Busy:
    """The node cannot do it this moment; trying again helps."""

    template = "busy.html"
    place: Place
    retry_seconds: int = RETRY_S


@dataclass(frozen=True, slots=True)
class WrongWay:
    """A form that is not ours, is incomplete or too old; the way back to the first page."""

    template = "wrongway.html"
    place: Place


FOR_ALL = (Terms, OurNetwork, Services, Privacy, Help, Elsewhere, Disputed, NotFound, Busy, WrongWay)
"""Pages that hold nothing about one person, and are the same for everybody who reads their language."""


def terms(visit: Visit) -> Terms:
    found = board.terms_text(visit.community, visit.tongue.language.tag, visit.words)
    text = paragraphs(found.text, 4 * TERMS_CHARS_MAX).paragraphs
    return Terms(visit.place(), text, found.language, visit.community.terms_version)


def our_network(visit: Visit) -> OurNetwork:
    view = visit.community
    sentences = tuple(sentence[:SENTENCE_CHARACTERS_MAX] for sentence in visit.rules()[:SENTENCES_MAX])
    return OurNetwork(visit.place(), sentences, paragraphs(view.help, HELP_BYTES_MAX).paragraphs)


def notices(visit: Visit) -> Notices:
    return Notices(visit.place(), board.told(visit.house.notices(visit.mac), visit.tongue.language.tag))


def services(visit: Visit) -> Services:
    return Services(visit.place(), board.services(visit.house.services()))


def privacy(visit: Visit) -> Privacy:
    return Privacy(visit.place(), visit.house.kept()[:KEPT_MAX])


def refused(visit: Visit, why: ports.Refused) -> Refused:
    reason = why.detail[:SENTENCE_CHARACTERS_MAX]
    return Refused(visit.place(), reason, why.rule or "", forgetful=why.reason == "memory")


def removed(visit: Visit, because: str) -> Refused:
    return Refused(visit.place(), because[:SENTENCE_CHARACTERS_MAX], removed=True)
