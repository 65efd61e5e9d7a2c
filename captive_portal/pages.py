"""Everything a template may show, as frozen values. Words stand in the templates, facts stand here.

Texts that people of the community wrote (names, terms, rules, contact) pass through as they are: the
templates escape them. Sizes are cut here, so that no setting can make a page that a mini-browser refuses.
"""

from dataclasses import dataclass
from typing import Literal

from captive_portal.place import SENTENCE_CHARACTERS_MAX, Place, paragraphs, place
from captive_portal.ports import CommunityView, GuestView
from node.governance.allowance import Allowance, Bound
from node.units import Rates, show_rate, show_volume

SPLASH_TERMS_CHARACTERS_MAX = 2_000
"""Longer terms stand on a page of their own, and the splash shows their beginning."""
TERMS_CHARACTERS_MAX = 40_000
SENTENCES_MAX = 200
SPLASH_BYTES_MAX = 10_000
"""HTML and CSS together: one round trip more than this is what a mini-browser gives up on."""

Notice = Literal["", "expired", "left", "terms-changed", "stale"]


@dataclass(frozen=True, slots=True)
class Duration:
    """Whole days, hours and minutes, so that each language may say them its own way."""

    days: int
    hours: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that limits me now, and where it comes from."""

    kind: Literal["ceiling", "share"]
    value: str
    sentence: str
    rule: str
    decision: str
    until: str
    """ISO date and time to the minute, or empty."""
    own_right: bool
    """It stands in the code of every node and needs no decision."""


@dataclass(frozen=True, slots=True)
class Quota:
    """One month's (or week's) volume: allowed, used, left."""

    rule: str
    allowed: str
    left: str
    used_percent: int
    resets: str
    """ISO date, or empty while the clock is unknown."""


@dataclass(frozen=True, slots=True)
class Splash:
    """The first page: who we are, what we ask, one button."""

    template = "splash.html"
    place: Place
    terms: tuple[str, ...]
    terms_cut: bool
    terms_version: str
    token: str
    notice: Notice = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """The whole terms."""

    template = "terms.html"
    place: Place
    terms: tuple[str, ...]
    terms_version: str


@dataclass(frozen=True, slots=True)
class MyPage:
    """What I used, what is left, until when, what limits me, and the way out."""

    template = "me.html"
    place: Place
    token: str
    account: str
    used: str
    used_down: str
    used_up: str
    left: str
    """The smallest remainder of all quotas, or empty without any."""
    time_left: Duration | None
    quotas: tuple[Quota, ...]
    limits: tuple[Limit, ...]
    floor: str
    devices: int
    pool: str = ""
    """Rule by which the account counts together with others."""
    not_binding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OurNetwork:
    """The rules in plain language, and who to talk to."""

    template = "network.html"
    place: Place
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Not now, and why."""

    template = "refused.html"
    place: Place
    reason: str
    rule: str = ""
    removed: bool = False
    """A person ended the session, rather than a rule."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The asker is not on our link, so there is no device that could be let in."""

    template = "elsewhere.html"
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
    retry_seconds: int = 5


@dataclass(frozen=True, slots=True)
class WrongWay:
    """A form that is not ours, is incomplete or too old; the way back to the first page."""

    template = "wrongway.html"
    place: Place


def splash(view: CommunityView, token: str, notice: Notice = "") -> Splash:
    text = paragraphs(view.terms, SPLASH_TERMS_CHARACTERS_MAX)
    return Splash(place(view), text.paragraphs, text.cut, view.terms_version, token, notice)


def terms(view: CommunityView) -> Terms:
    return Terms(place(view), paragraphs(view.terms, TERMS_CHARACTERS_MAX).paragraphs, view.terms_version)


def our_network(view: CommunityView) -> OurNetwork:
    sentences = tuple(sentence[:SENTENCE_CHARACTERS_MAX] for sentence in view.sentences[:SENTENCES_MAX])
    return OurNetwork(place(view), sentences)


def refused(view: CommunityView, reason: str, rule: str | None) -> Refused:
    return Refused(place(view), reason[:SENTENCE_CHARACTERS_MAX], rule or "")


def removed(view: CommunityView, guest: GuestView) -> Refused:
    return Refused(place(view), (guest.removed_because or "")[:SENTENCE_CHARACTERS_MAX], removed=True)


def my_page(view: CommunityView, guest: GuestView, token: str) -> MyPage:
    allowance = guest.allowance
    return MyPage(
        place(view),
        token,
        guest.account or "",
        show_volume(guest.used.total),
        show_volume(guest.used.down),
        show_volume(guest.used.up),
        "" if guest.bytes_left is None else show_volume(guest.bytes_left),
        None if guest.seconds_left is None else duration(guest.seconds_left),
        _quotas(allowance),
        _limits(allowance),
        _both(allowance.floor.value) if allowance else "",
        max(1, len(guest.devices)),
        (allowance.pool or "") if allowance else "",
        allowance.not_binding[:SENTENCES_MAX] if allowance else (),
    )


def duration(seconds: int) -> Duration:
    """Rounded up to the minute, so that nobody reads "0 minutes" while still admitted."""
    minutes = max(0, -(-seconds // 60))
    return Duration(minutes // 1440, minutes // 60 % 24, minutes % 60)


def _limits(allowance: Allowance | None) -> tuple[Limit, ...]:
    """The ceiling first: it is what a person feels. The share is what holds while the line is busy."""
    if allowance is None:
        return ()
    share = _limit("share", str(allowance.share.value), allowance.share)
    if allowance.ceiling is None:
        return (share,)
    return _limit("ceiling", _both(allowance.ceiling.value), allowance.ceiling), share


def _limit(kind: Literal["ceiling", "share"], value: str, bound: Bound[int] | Bound[Rates]) -> Limit:
    until = bound.until.isoformat(" ", "minutes")[:16] if bound.until else ""
    in_code = bound.rule in {"lifeline", "equal-share"}
    return Limit(kind, value, bound.sentence, bound.rule, bound.decision, until, in_code)


def _quotas(allowance: Allowance | None) -> tuple[Quota, ...]:
    if allowance is None:
        return ()
    return tuple(
        Quota(
            quota.rule,
            show_volume(quota.allowed),
            show_volume(quota.left),
            min(100, quota.used * 100 // max(1, quota.allowed)),
            quota.resets.date().isoformat() if quota.resets else "",
        )
        for quota in allowance.quotas
    )


def _both(rates: Rates) -> str:
    if rates.down == rates.up:
        return show_rate(rates.down)
    return f"{show_rate(rates.down)} ↓ {show_rate(rates.up)} ↑"
