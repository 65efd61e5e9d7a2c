"""The first page, made once for everybody who should see the same, with a place for each device's token."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from captive_portal import forms, welcome
from captive_portal.place import CHOICE, Page
from captive_portal.ports import CommunityView, ServiceView
from captive_portal.visit import Visit, Word
from node.membership.notices import Notice

SPLASHES_MAX = 64
"""Languages times words that may open the page, by http and by https."""
_MARK, _CHOICE = "\ue000token\ue000", CHOICE.encode()


@dataclass(frozen=True, slots=True)
class _Made:
    """One page between its tokens, and what it was made from."""

    community: CommunityView
    notices: tuple[Notice, ...]
    services: tuple[ServiceView, ...]
    pieces: tuple[bytes, ...]


class Splashes:
    """Gives the same bytes as rendering `welcome.splash` would."""

    def __init__(self, render: Callable[[Page], bytes]) -> None:
        self._render = render
        self._made: dict[tuple[str, Word, bool], _Made] = {}

    def body(self, visit: Visit, word: Word) -> bytes:
        """The page for a device that is not admitted and brought nothing along."""
        notices, services = visit.house.notices(visit.mac), visit.house.services()
        key = (visit.tongue.language.tag, word, visit.is_secure)
        made = self._made.get(key)
        if (
            made is None
            or made.community is not visit.community
            or made.notices != notices
            or made.services != services
        ):
            page = replace(welcome.splash(visit, word), token=_MARK)
            pieces = tuple(self._render(page).split(_MARK.encode()))
            made = _Made(visit.community, notices, services, pieces)
            if len(self._made) >= SPLASHES_MAX:
                self._made.clear()
            self._made[key] = made
        body = visit.token(forms.JOIN).encode().join(made.pieces)
        return body.replace(_CHOICE, visit.token(forms.LANGUAGE).encode())
