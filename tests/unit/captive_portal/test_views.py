"""What each address shows to a device in each session state."""

import json

import pytest

from captive_portal import views
from captive_portal.request_context import Download, PageResponse, Redirect, RequestContext, SplashResponse
from node.sessions import state as session_state
from tests.fakes.portal_backend import FakePortalBackend
from tests.fakes.portal_server import ANA
from tests.fakes.requests import context, inside


def backend_where(state: str) -> FakePortalBackend:
    backend = FakePortalBackend()
    if state == "admitted":
        inside(backend)
    if state == "expired":
        inside(backend)
        backend.now += 5 * 3_600_000
        backend.happens(ANA, session_state.TimedOut())
    if state == "removed":
        backend.happens(ANA, session_state.BlockedByAdmin("noise"))
    return backend


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("waiting", SplashResponse("")),
        ("expired", SplashResponse("expired")),
        ("admitted", "me.html"),
        ("removed", "refused.html"),
    ],
)
async def test_the_first_page_follows_the_session_state(state: str, shown: object) -> None:
    outcome = await views.home(context(backend_where(state)))
    assert shown == (outcome.page.template if isinstance(outcome, PageResponse) else outcome)


async def test_a_guest_with_an_open_request_waits_on_a_page_that_reloads() -> None:
    backend = FakePortalBackend()
    await backend.ask(ANA, "ana", "Ben", "2")
    outcome = await views.home(context(backend))
    assert isinstance(outcome, PageResponse)
    assert ("asking.html", 5) == (outcome.page.template, outcome.refresh_s)


async def test_a_waiting_page_can_stop_reloading() -> None:
    """A page that reloads is read aloud from its top each time."""
    backend = FakePortalBackend()
    await backend.ask(ANA, "ana", "Ben", "2")
    outcome = await views.home(context(backend, query={"still": "1"}))
    assert isinstance(outcome, PageResponse)
    assert ("asking.html", 0) == (outcome.page.template, outcome.refresh_s)


@pytest.mark.parametrize("state", ["waiting", "expired", "admitted"])
async def test_a_code_in_the_address_is_in_the_field(state: str) -> None:
    outcome = await views.home(context(backend_where(state), query={"code": "7K3M"}))
    assert isinstance(outcome, PageResponse)
    assert "splash.html" == outcome.page.template


async def test_nothing_in_an_address_readmits_a_blocked_device() -> None:
    outcome = await views.home(context(backend_where("removed"), query={"code": "7K3M"}))
    assert isinstance(outcome, PageResponse)
    assert ("refused.html", 403) == (outcome.page.template, outcome.status)
    assert Redirect("/") == await views.ways(context(backend_where("removed")))


@pytest.mark.parametrize("state", ["waiting", "expired", "removed"])
async def test_the_account_page_is_for_authorized_devices(state: str) -> None:
    assert Redirect("/") == await views.me(context(backend_where(state)))


async def test_personal_data_is_a_page_and_a_file() -> None:
    backend = backend_where("admitted")
    page, document = await views.my_data(context(backend)), await views.my_data_file(context(backend))
    assert isinstance(page, PageResponse)
    assert isinstance(document, Download)
    assert "my-data.json" == document.file_name
    assert "ana" == json.loads(document.body)["account"]


@pytest.mark.parametrize("path", [*views.FOR_ALL, *views.FOR_DEVICES])
@pytest.mark.parametrize("state", ["waiting", "expired", "admitted", "removed"])
async def test_a_view_changes_nothing(path: str, state: str) -> None:
    backend = backend_where(state)
    before = (dict(backend.states), dict(backend.accounts), list(backend.calls))
    reader = {**views.FOR_ALL, **views.FOR_DEVICES}[path]
    assert isinstance(
        await reader(context(backend, path=path)), PageResponse | Redirect | Download | SplashResponse
    )
    assert before == (backend.states, backend.accounts, backend.calls)


@pytest.mark.parametrize("path", views.FOR_ALL)
async def test_public_pages_need_no_device(path: str) -> None:
    stranger: RequestContext = context(mac=None, path=path)
    assert isinstance(await views.FOR_ALL[path](stranger), PageResponse)
