"""Cache of the splash page: rendered once, with placeholders for each device's tokens."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from captive_portal import forms, splash
from captive_portal.page_context import CHOICE, PortalPage
from captive_portal.request_context import RequestContext, Word
from node.accounts.notices import Notice
from node.app.views import CommunityView
from node.lan.mdns_services import ServiceView
from node.units import MacAddress

SPLASHES_MAX = 64
"""Languages times messages, over http and https."""
DEVICES_MAX = 1_024
_MARK, _CHOICE = "\ue000token\ue000", CHOICE.encode()


@dataclass(frozen=True, slots=True)
class _Made:
    """One rendered page, split at its tokens, and its inputs."""

    community: CommunityView
    notices: tuple[Notice, ...]
    services: tuple[ServiceView, ...]
    pieces: tuple[bytes, ...]
    """Parts between the join tokens, up to the last one."""
    before: bytes
    """Up to the language token, if there is one."""
    after: bytes | None


class SplashCache:
    """Returns the same bytes as rendering `splash.splash`."""

    def __init__(self, render: Callable[[PortalPage, str], bytes]) -> None:
        self._render = render
        self._made: dict[tuple[str, Word, bool], _Made] = {}
        self._minute: forms.Tokens | None = None
        self._signed: dict[MacAddress, tuple[bytes, bytes]] = {}

    def body(self, context: RequestContext, word: Word) -> bytes:
        """The page for a device without authorization and without query fields."""
        notices, services = context.backend.notices(context.mac), context.backend.services()
        key = (context.page_language.language.tag, word, context.is_secure)
        made = self._made.get(key)
        if (
            made is None
            or made.community is not context.community
            or made.notices != notices
            or made.services != services
        ):
            page = replace(splash.splash(context, word), token=_MARK)
            made = _cut(context.community, notices, services, self._render(page, page.place.lang))
            if len(self._made) >= SPLASHES_MAX:
                self._made.clear()
            self._made[key] = made
        join, choice = self._tokens(context)
        last = made.before if made.after is None else b"%b%b%b" % (made.before, choice, made.after)
        return join.join((*made.pieces, last))

    def _tokens(self, context: RequestContext) -> tuple[bytes, bytes]:
        """A device loads the page several times: its tokens are computed once a minute."""
        if context.tokens is not self._minute or len(self._signed) >= DEVICES_MAX:
            self._minute, self._signed = context.tokens, {}
        signed = self._signed.get(context.device)
        if signed is None:
            signed = context.token(forms.JOIN).encode(), context.token(forms.LANGUAGE).encode()
            self._signed[context.device] = signed
        return signed


def _cut(
    community: CommunityView, notices: tuple[Notice, ...], services: tuple[ServiceView, ...], page: bytes
) -> _Made:
    """Splits at the tokens. The language selector is in the footer, after all join forms."""
    above, choice, after = page.partition(_CHOICE)
    *pieces, before = above.split(_MARK.encode())
    return _Made(community, notices, services, tuple(pieces), before, after if choice else None)
