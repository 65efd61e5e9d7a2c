"""What each address shows to a device in each session state."""

import json

import pytest

from captive_portal import views
from captive_portal.request_context import Download, PageResponse, Redirect, RequestContext, SplashResponse
from tests.fakes.portal_server import context, rendered
from tests.fakes.use_cases import ANA, UseCases


async def bring(app: UseCases, state: str) -> None:
    """Ana's device into this state."""
    if state in {"admitted", "expired"}:
        await app.join(ANA)
    if state == "expired":
        await app.expire(ANA)
    if state == "removed":
        await app.block(ANA, "noise")
    assert state == app.guest(ANA).state


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("waiting", SplashResponse("")),
        ("expired", SplashResponse("expired")),
        ("admitted", "me.html"),
        ("removed", "refused.html"),
    ],
)
async def test_the_first_page_follows_the_session_state(app: UseCases, state: str, shown: object) -> None:
    await bring(app, state)
    outcome = await views.home(context(app))
    assert shown == (outcome.page.template if isinstance(outcome, PageResponse) else outcome)


async def test_a_guest_with_an_open_request_waits_on_a_page_that_reloads(app: UseCases) -> None:
    await app.ask(ANA)
    outcome = await views.home(context(app))
    assert isinstance(outcome, PageResponse)
    assert ("asking.html", 5) == (outcome.page.template, outcome.refresh_s)


async def test_a_waiting_page_can_stop_reloading(app: UseCases) -> None:
    """A page that reloads is read aloud from its top each time."""
    await app.ask(ANA)
    outcome = await views.home(context(app, query={"still": "1"}))
    assert isinstance(outcome, PageResponse)
    assert ("asking.html", 0) == (outcome.page.template, outcome.refresh_s)


@pytest.mark.parametrize("state", ["waiting", "expired", "admitted"])
async def test_a_code_in_the_address_is_in_the_field(app: UseCases, state: str) -> None:
    await bring(app, state)
    outcome = await views.home(context(app, query={"code": "7K3M"}))
    assert isinstance(outcome, PageResponse)
    assert "splash.html" == outcome.page.template


async def test_nothing_in_an_address_readmits_a_blocked_device(app: UseCases) -> None:
    await bring(app, "removed")
    outcome = await views.home(context(app, query={"code": "7K3M"}))
    assert isinstance(outcome, PageResponse)
    assert ("refused.html", 403) == (outcome.page.template, outcome.status)
    assert Redirect("/") == await views.ways(context(app))


@pytest.mark.parametrize("state", ["waiting", "expired", "removed"])
async def test_the_account_page_is_for_authorized_devices(app: UseCases, state: str) -> None:
    await bring(app, state)
    assert Redirect("/") == await views.me(context(app))


async def test_personal_data_is_a_page_and_a_file(app: UseCases) -> None:
    await app.join_by_card(ANA)
    page, document = await views.my_data(context(app)), await views.my_data_file(context(app))
    assert isinstance(page, PageResponse)
    assert isinstance(document, Download)
    assert "my-data.json" == document.file_name
    assert "ana" == json.loads(document.body)["account"]


async def test_own_data_and_its_erasure_name_the_nodes_that_may_still_hold_copies(app: UseCases) -> None:
    await app.join_by_card(ANA)
    for path in ("/my-data", "/my-data/erase"):
        for removed, shown in (((), None), (("Molí", "<b>"), "received: Molí, &lt;b&gt;.")):
            app.node.removed_nodes = removed
            outcome = await views.FOR_DEVICES[path](context(app, path=path))
            assert isinstance(outcome, PageResponse)
            page = " ".join(rendered(outcome.page).decode().split())
            assert ("left the community" in page) == bool(removed)
            assert shown is None or shown in page


@pytest.mark.parametrize("path", [*views.FOR_ALL, *views.FOR_DEVICES])
@pytest.mark.parametrize("state", ["waiting", "expired", "admitted", "removed"])
async def test_a_view_changes_nothing(app: UseCases, path: str, state: str) -> None:
    await bring(app, state)
    before = app.snapshot()
    reader = {**views.FOR_ALL, **views.FOR_DEVICES}[path]
    assert isinstance(
        await reader(context(app, path=path)), PageResponse | Redirect | Download | SplashResponse
    )
    assert before == app.snapshot()


@pytest.mark.parametrize("path", views.FOR_ALL)
async def test_public_pages_need_no_device(path: str) -> None:
    stranger: RequestContext = context(mac=None, path=path)
    assert isinstance(await views.FOR_ALL[path](stranger), PageResponse)
