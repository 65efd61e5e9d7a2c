"""Portal requests without a socket, for the pure modules behind the server."""

from collections.abc import Mapping
from dataclasses import replace

from captive_portal.request_context import RequestContext
from node.app.views import CommunityView, GuestView
from node.sessions import state as session_state
from node.units import MacAddress
from node.web.language_choice import ENGLISH_ONLY, PageLanguage
from tests.fakes.portal_backend import FakePortalBackend
from tests.fakes.portal_server import ANA, TOKENS


def context(
    backend: FakePortalBackend | None = None,
    *,
    mac: MacAddress | None = ANA,
    path: str = "/",
    page_language: PageLanguage = ENGLISH_ONLY,
    query: Mapping[str, str] | None = None,
    community: CommunityView | None = None,
) -> RequestContext:
    backend = backend or FakePortalBackend()
    view = community or backend.community()
    return RequestContext(backend, mac, view, TOKENS, path, page_language, query=query or {})


class FakePortal(FakePortalBackend):
    """A backend that returns the prepared state for every device."""

    view_of_guest: GuestView

    def guest(self, mac: MacAddress) -> GuestView:
        return self.view_of_guest


def context_of(guest: GuestView, **changes: object) -> RequestContext:
    """The context of a request from a device with this state."""
    backend = FakePortal()
    backend.view_of_guest = replace(guest, **changes)
    return context(backend)


def inside(
    backend: FakePortalBackend, mac: MacAddress = ANA, account: str = "ana", way: str = "passphrase"
) -> FakePortalBackend:
    """`mac` has joined this account."""
    backend.accounts[mac] = (account, way)  # type: ignore[assignment]
    backend.happens(mac, session_state.SessionGranted(backend.view.terms_version, backend.session_ms))
    return backend
