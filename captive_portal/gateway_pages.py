"""Pages for people behind a gateway: the same welcome, with what the gateway needs. Nothing here trusts the browser's word
for its device."""

from dataclasses import dataclass

from captive_portal import forms, page_notices
from captive_portal.page_notices import PageNotice, paragraphs
from captive_portal.request_context import SENTENCE_CHARACTERS_MAX, PageContext, RequestContext, Word
from captive_portal.splash import SPLASH_TERMS_BYTES_MAX, outage_bytes
from node.accounts.appearance import WelcomeText
from node.app.gateway_service import GatewayVerdict
from node.app.views import Full, GuestView, Outage, Refused
from node.gateways.capability import ABILITIES
from node.gateways.gateway import Gateway
from node.governance.allowance import QuotaLeft
from node.governance.rules import Way
from node.units import MacAddress, Usage

MEMBER_WAYS: frozenset[Way] = frozenset({"voucher", "passphrase", "card"})
"""With one of these open a code can be typed: a voucher's, or one that another device of the account shows. A passphrase
or a card is not asked for: what is sent here is not encrypted, and both last longer than a day."""
QUOTAS_MAX = 8


@dataclass(frozen=True, slots=True)
class GatewayWelcome:
    """The welcome page at a gateway: accept the terms, or type a code."""

    template = "gateway.html"
    place: PageContext
    action: str
    back: str
    """The query of the gateway's redirect, to be read again with the form."""
    terms: tuple[str, ...]
    terms_cut: bool
    terms_language: str
    terms_version: str
    token: str
    welcome: WelcomeText | None
    notices: tuple[PageNotice, ...]
    has_terms: bool
    """A device may join with nothing but the terms."""
    has_code: bool
    word: Word = ""
    code: str = ""
    reason: str = ""
    """Why the last attempt failed: of `GatewayVerdict`, or of `Refused`; empty for none."""
    wait_minutes: int = 0
    because: str = ""
    quota: QuotaLeft | None = None
    devices_max: int = 0
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class GatewayOnline:
    """The person is online, or was turned away and came without a form."""

    template = "gatewayonline.html"
    place: PageContext
    is_online: bool
    used: Usage | None = None
    """This month; None when the page is not about one device."""
    quotas: tuple[QuotaLeft, ...] = ()
    seconds_left: int | None = None
    has_slowing: bool = True
    """The gateway slows people whose allowance is used up; otherwise it disconnects them."""
    reason: str = ""
    because: str = ""
    quota: QuotaLeft | None = None
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class GatewayUnknown:
    """The router is not accepted by an admin, or not the one that was."""

    template = "gatewayunknown.html"
    place: PageContext


def form_device(gateway: Gateway, address: str) -> MacAddress:
    """The party for which a form is signed: the address from which it was asked for, at this gateway."""
    return MacAddress(f"gateway {gateway.id} {address}")


def gateway_welcome(
    context: RequestContext,
    gateway: Gateway,
    address: str,
    back: str,
    *,
    word: Word = "",
    code: str = "",
    verdict: GatewayVerdict | None = None,
) -> GatewayWelcome:
    view, language = context.community, context.page_language.language.tag
    found = page_notices.terms_text(view, language, context.words)
    text = paragraphs(found.text, max(0, SPLASH_TERMS_BYTES_MAX - outage_bytes(view.outage)))
    refused = verdict.refused if verdict is not None else None
    return GatewayWelcome(
        context.place(),
        f"/gw/{gateway.id}/join",
        back,
        text.paragraphs,
        text.cut,
        found.language,
        view.terms_version,
        context.tokens.token(forms.JOIN, form_device(gateway, address)),
        page_notices.welcome_text(view, language),
        page_notices.short_page_notices(context.backend.notices(None), language),
        "terms" in view.ways,
        not MEMBER_WAYS.isdisjoint(view.ways),
        word,
        code[: forms.CHARACTERS_MAX["code"]],
        reason_of(verdict),
        refused.wait_minutes if isinstance(refused, Refused) else 0,
        because_of(verdict),
        verdict.quota if verdict is not None else None,
        refused.devices_max if isinstance(refused, Full) else 0,
        view.outage,
    )


def gateway_online(
    context: RequestContext, gateway: Gateway, guest: GuestView | None, verdict: GatewayVerdict | None
) -> GatewayOnline:
    """`guest` None: the gateway did not say which device it is."""
    can_slow, outage = ABILITIES[gateway.kind].can("ceiling"), context.community.outage
    if guest is None or verdict is None:
        is_online = verdict is None
        return GatewayOnline(context.place(), is_online, has_slowing=can_slow, outage=outage)
    quotas = guest.allowance.quotas[:QUOTAS_MAX] if guest.allowance is not None else ()
    return GatewayOnline(
        context.place(),
        verdict.may_pass,
        guest.used,
        quotas,
        guest.seconds_left,
        can_slow,
        reason_of(verdict),
        because_of(verdict),
        verdict.quota,
        outage,
    )


def reason_of(verdict: GatewayVerdict | None) -> str:
    """The word for which the template has a sentence."""
    if verdict is None:
        return ""
    match verdict.refused:
        case Refused(reason):
            return "blocked" if reason == "removed" else reason
        case Full():
            return "device-limit"
    return verdict.reason


def because_of(verdict: GatewayVerdict | None) -> str:
    """An admin's words for a block."""
    if verdict is None:
        return ""
    refused = verdict.refused
    is_block = isinstance(refused, Refused) and refused.reason == "removed"
    text = refused.detail if isinstance(refused, Refused) and is_block else verdict.because
    return text[:SENTENCE_CHARACTERS_MAX]
