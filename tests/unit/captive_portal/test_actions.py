"""What each form does, and that no typed text is lost."""

from typing import get_args
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import account_page, forms, info_pages, splash
from captive_portal.actions import ACTIONS, run_action
from captive_portal.request_context import Outcome, PageResponse, Redirect
from node.accounts.objections import OBJECTIONS_OPEN_MAX
from node.accounts.sponsorship import OPEN_PER_NAME_MAX
from node.app.views import RefusalReason, Refused
from node.governance.rules import WAYS
from tests.fakes.portal_server import ASK_WHEN_FULL, context, devices_rule, joining, portal_node, rendered
from tests.fakes.use_cases import ANA, BEN, CAI, CARD, PASSPHRASE, UNKNOWN_CODE, UseCases

MISTYPED = "7K3M-9Q2W-4X1A"


async def send(app: UseCases, path: str, mac: str = ANA, **fields: str) -> Outcome:
    """A complete form with its token, as the portal's own page would send it."""
    who = context(app, mac=mac)
    wanted = ACTIONS[path]
    whole = {"token": who.token(wanted.purpose)}
    if "terms" in wanted.fields:
        whole["terms"] = app.portal.community().terms_version
    return await run_action(who, path, urlencode(whole | fields).encode())


def page_of(outcome: Outcome) -> PageResponse:
    assert isinstance(outcome, PageResponse)
    return outcome


def splash_of(outcome: Outcome) -> splash.Splash:
    page = page_of(outcome).page
    assert isinstance(page, splash.Splash)
    return page


# --- joining ---


@pytest.mark.parametrize(
    ("path", "fields", "account"),
    [
        ("/join/terms", {}, "guest-0a"),
        ("/join/code", {"code": ""}, "voucher-"),
        ("/join/passphrase", {"account": "ana", "passphrase": PASSPHRASE}, "ana"),
        ("/join/card", {"card": CARD}, "ana"),
    ],
)
async def test_every_join_method_admits(
    app: UseCases, path: str, fields: dict[str, str], account: str
) -> None:
    (code,) = await app.codes()
    await app.give_passphrase()
    if "code" in fields:
        fields = {"code": code.lower().replace("-", " ", 1)}
    assert Redirect("/me") == await send(app, path, **fields)
    assert str(app.guest(ANA).account).startswith(account)
    assert ({ANA: "2"}, {ANA}) == (app.accepted(), app.passing())


async def test_a_code_that_is_refused_stays_in_its_field(app: UseCases) -> None:
    codes = {
        "code-mistyped": MISTYPED,
        "code-unknown": UNKNOWN_CODE,
        "code-ended": await app.ended_code(),
        "code-revoked": await app.revoked_code(),
    }
    for reason, code in codes.items():
        outcome = page_of(await send(app, "/join/code", code=code))
        page = splash_of(outcome)
        assert page.failure is not None
        assert (422, "voucher", reason, code) == (
            outcome.status,
            page.failure.way,
            page.failure.reason,
            page.typed.code,
        )


async def test_a_code_that_is_too_short_is_mistyped(app: UseCases) -> None:
    page = splash_of(await send(app, "/join/code", code="nonsense"))
    assert page.failure is not None
    assert "code-mistyped" == page.failure.reason


async def test_a_wrong_passphrase_is_not_shown_again_and_the_account_is(app: UseCases) -> None:
    await app.give_passphrase()
    page = splash_of(await send(app, "/join/passphrase", account="ana", passphrase="almost right"))
    assert "ana" == page.typed.account
    assert "almost right" not in repr(page)


async def test_a_device_that_guesses_too_often_is_told_how_long_to_wait(app: UseCases) -> None:
    (good,) = await app.codes()
    for _ in range(5):
        await send(app, "/join/code", code=UNKNOWN_CODE)
    outcome = page_of(await send(app, "/join/code", code=good))
    page = splash_of(outcome)
    assert page.failure is not None
    assert (429, 60, 1) == (outcome.status, outcome.retry_s, page.failure.wait_minutes)
    await app.pass_time(60_000)
    assert Redirect("/me") == await send(app, "/join/code", code=good)


async def test_a_join_method_closed_by_the_community_does_not_admit(app: UseCases) -> None:
    await app.adopt(joining("voucher"))
    outcome = await send(app, "/join/terms")
    assert (403, set()) == (page_of(outcome).status, app.passing())


async def test_terms_that_changed_meanwhile_are_shown_with_what_was_typed(app: UseCases) -> None:
    (code,) = await app.codes()
    outcome = await send(app, "/join/code", terms="1", code=code)
    page = splash_of(outcome)
    assert (409, "terms-changed", code) == (page_of(outcome).status, page.word, page.typed.code)
    assert set() == app.passing()


async def test_an_expired_page_asks_to_submit_again(app: UseCases) -> None:
    outcome = await send(app, "/join/code", token="0" * 32, code=UNKNOWN_CODE)
    page = splash_of(outcome)
    assert (403, "stale", UNKNOWN_CODE) == (page_of(outcome).status, page.word, page.typed.code)


async def test_a_blocked_device_reads_why_whatever_it_submits(app: UseCases) -> None:
    (code,) = await app.codes()
    await app.block(ANA, "noise")
    for path, fields in (
        ("/join/terms", {}),
        ("/join/code", {"code": code}),
        ("/join/terms", {"terms": "1"}),
    ):
        outcome = page_of(await send(app, path, **fields))
        assert (403, "refused.html") == (outcome.status, outcome.page.template)
        assert "noise" == outcome.page.reason  # type: ignore[union-attr]


async def test_a_full_account_asks_which_device_is_evicted_and_then_admits() -> None:
    async with portal_node(ASK_WHEN_FULL, devices_rule(1)).life() as app:
        (code,) = await app.codes()
        await send(app, "/join/code", BEN, code=code)
        outcome = page_of(await send(app, "/join/code", code=code))
        assert isinstance(outcome.page, splash.MakeRoom)
        assert (409, [BEN]) == (outcome.status, [device.mac for device in outcome.page.devices])
        hidden = dict(outcome.page.hidden)
        assert Redirect("/me") == await send(app, outcome.page.action, instead_of=BEN, **hidden)
        assert {ANA} == app.passing()


async def test_a_member_approves_and_the_guest_is_admitted(app: UseCases) -> None:
    await app.join_by_card(BEN)
    assert Redirect("/") == await send(app, "/ask", host="ana", name="Carla")
    (request,) = app.guest(BEN).requests
    done = await send(app, "/answer", BEN, number=str(request.number), yes="yes")
    assert Redirect("/me?done=answered") == done
    assert ("introduction", {ANA, BEN}) == (app.guest(ANA).way, app.passing())


async def test_a_refusal_admits_nobody_and_the_guest_reads_that_nobody_said_yes(app: UseCases) -> None:
    await app.join_by_card(BEN)
    await send(app, "/ask", host="ana", name="Carla")
    (request,) = app.guest(BEN).requests
    await send(app, "/answer", BEN, number=str(request.number), yes="no")
    assert ("waiting", {BEN}) == (app.guest(ANA).state, app.passing())
    assert app.guest(ANA).asked_for is not None, "a refusal is not told: the request runs out"
    await app.pass_time(10 * 60_000)
    assert (None, True) == (app.guest(ANA).asked_for, app.guest(ANA).went_unanswered)


async def test_a_second_request_replaces_the_first_and_a_fourth_guest_has_to_wait(app: UseCases) -> None:
    await app.join_by_card(BEN)
    for number in range(OPEN_PER_NAME_MAX):
        device = f"02:00:00:00:01:{number:02x}"
        for _ in range(2):
            assert Redirect("/") == await send(app, "/ask", device, host="ana", name="Carla")
    assert OPEN_PER_NAME_MAX == len(app.guest(BEN).requests)
    assert 429 == page_of(await send(app, "/ask", host="ana", name="Carla")).status
    assert app.guest(ANA).asked_for is None


# --- the account page ---


async def test_a_code_shown_on_one_device_admits_the_next(app: UseCases) -> None:
    await app.join_by_card(ANA)
    assert Redirect("/me#add") == await send(app, "/devices/code")
    code = app.guest(ANA).device_code
    assert code is not None
    assert Redirect("/me") == await send(app, "/join/code", BEN, code=code.code)
    assert "ana" == app.guest(BEN).account


async def test_a_device_is_named_and_removed_by_its_own_account_only(app: UseCases) -> None:
    for mac, account in ((ANA, "ana"), (CAI, "ana"), (BEN, "carme")):
        await app.join_by_card(mac, account)
    assert Redirect("/me?done=named") == await send(app, "/devices/name", device=CAI, name="tablet")
    assert {ANA: "", CAI: "tablet"} == {
        each.mac: each.name for each in app.guest(ANA).devices if each.is_online
    }
    assert Redirect("/me?done=removed") == await send(app, "/devices/remove", device=CAI)
    assert {ANA, BEN} == app.passing()
    for path in ("/devices/remove", "/devices/name"):
        outcome = page_of(await send(app, path, device=BEN, **({"name": "x"} if "name" in path else {})))
        assert isinstance(outcome.page, account_page.AccountPage)
        assert (403, "not-yours") == (outcome.status, outcome.page.trouble and outcome.page.trouble.reason)
    assert (BEN in app.passing(), "") == (True, app.guest(BEN).devices[0].name)


async def test_an_objection_that_cannot_be_sent_is_not_lost(app: UseCases) -> None:
    await app.join(ANA)
    for _ in range(OBJECTIONS_OPEN_MAX):
        assert Redirect("/me?done=contested") == await send(app, "/contest", rule="evening", text="Too slow.")
    outcome = page_of(await send(app, "/contest", rule="evening", text="Still too slow."))
    assert isinstance(outcome.page, account_page.AccountPage)
    assert outcome.page.trouble is not None
    assert (429, "contest", "Still too slow.") == (
        outcome.status,
        outcome.page.trouble.corner,
        outcome.page.trouble.text,
    )
    stored = app.node.repository.registry.kept.objections
    assert ["Too slow."] * OBJECTIONS_OPEN_MAX == [each.text for each in stored]


async def test_a_sponsor_request_needs_both_names(app: UseCases) -> None:
    for fields in ({"host": " ", "name": "Carla"}, {"host": "ana", "name": ""}):
        outcome = await send(app, "/ask", **fields)
        assert 422 == page_of(outcome).status
        assert fields["host"] == splash_of(outcome).typed.host
    assert app.guest(ANA).asked_for is None


async def test_an_empty_objection_is_not_sent_and_not_acknowledged(app: UseCases) -> None:
    await app.join(ANA)
    assert 422 == page_of(await send(app, "/contest", rule="evening", text=" \n ")).status
    assert () == app.guest(ANA).objections


async def test_a_member_sets_a_passphrase_and_a_guest_cannot(app: UseCases) -> None:
    await app.join_by_passphrase(ANA)
    assert Redirect("/me?done=passphrase") == await send(
        app, "/passphrase", passphrase="new words for me", current=PASSPHRASE
    )
    assert 422 == page_of(await send(app, "/passphrase", passphrase="short")).status
    await send(app, "/leave")
    new = {"account": "ana", "passphrase": "new words for me"}
    assert Redirect("/me") == await send(app, "/join/passphrase", **new)
    await app.join(BEN)
    assert 403 == page_of(await send(app, "/passphrase", BEN, passphrase="new words for me")).status


async def test_erasing_and_leaving_lead_back_to_the_first_page(app: UseCases) -> None:
    await app.join_by_card(ANA)
    assert [ANA] == [each.mac for each in app.node.repository.registry.kept.bindings]
    assert Redirect("/") == await send(app, "/erase")
    assert ((), {}, set()) == (
        app.node.repository.registry.kept.bindings,
        app.node.repository.sessions,
        app.passing(),
    )
    await app.join(ANA)
    assert Redirect("/") == await send(app, "/leave")
    assert (set(), "waiting") == (app.passing(), app.guest(ANA).state)


@pytest.mark.parametrize(
    ("path", "missing"),
    [(path, name) for path, wanted in ACTIONS.items() for name in ("token", *wanted.fields)],
)
async def test_a_form_without_one_of_its_fields_does_nothing(app: UseCases, path: str, missing: str) -> None:
    await app.join_by_card(ANA)
    before = app.snapshot()
    whole = {"token": context(app).token(ACTIONS[path].purpose)} | _filled(path)
    del whole[missing]
    outcome = await run_action(context(app), path, urlencode(whole).encode())
    assert (400, before) == (page_of(outcome).status, app.snapshot())


def _filled(path: str) -> dict[str, str]:
    shaped = {"device": CAI, "number": "1", "yes": "no", "shown": "0" * 16}
    return {name: shaped.get(name, "x") for name in ACTIONS[path].fields}


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("purpose", forms.PURPOSES)
async def test_a_token_is_good_for_its_own_purpose_only(app: UseCases, path: str, purpose: str) -> None:
    if purpose == ACTIONS[path].purpose:
        return
    await app.join_by_card(ANA)
    before = app.snapshot()
    outcome = await send(app, path, token=context(app).token(purpose), **_filled(path))
    assert (403, before) == (page_of(outcome).status, app.snapshot())


async def test_a_kernel_that_refuses_is_reported_with_its_reason(app: UseCases) -> None:
    app.node.kernel.refusing = "nftables refused: no memory"
    outcome = page_of(await send(app, "/join/terms"))
    assert (503, 5, "refused.html") == (outcome.status, outcome.retry_s, outcome.page.template)
    assert "nftables refused: no memory" in outcome.page.reason  # type: ignore[union-attr]
    assert set() == app.passing()


async def test_a_database_that_cannot_be_read_asks_to_try_again() -> None:
    node = portal_node()
    node.repository.full = True
    async with node.life() as app:
        outcome = page_of(await send(app, "/join/code", code=UNKNOWN_CODE))
        assert (503, 5, "refused.html") == (outcome.status, outcome.retry_s, outcome.page.template)
        assert Redirect("/me") == await send(app, "/join/terms"), "a guest needs nothing that is stored"


async def test_a_failed_write_is_explained_in_plain_words_and_without_paths(app: UseCases) -> None:
    await app.join(ANA)
    app.node.repository.full = True
    outcome = page_of(await send(app, "/contest", rule="", text="Too slow."))
    assert 503 == outcome.status
    page = rendered(outcome.page).decode()
    assert "cannot save anything" in page
    assert "the data folder is full" not in page


def test_a_reason_of_the_storage_is_for_the_log_only() -> None:
    path = "/var/lib/procomu/procomu.db"
    page = rendered(info_pages.refused(context(), Refused("memory", f"{path} is full"))).decode()
    assert "cannot save anything" in page
    assert path not in page


@given(st.sampled_from(sorted(ACTIONS)), st.binary(max_size=300))
async def test_no_random_bytes_make_a_valid_form(path: str, body: bytes) -> None:
    who = context()
    for sent in (body, b"token=" + who.token(ACTIONS[path].purpose).encode() + b"&" + body):
        outcome = await run_action(who, path, sent)
        assert page_of(outcome).status in {400, 403}


SHOWN_AS_PAGES = {"removed", "trouble", "memory"}


@pytest.mark.parametrize("reason", sorted({*get_args(RefusalReason)} - SHOWN_AS_PAGES))
def test_every_reason_has_its_own_message(reason: RefusalReason) -> None:
    who = context()
    for way in WAYS:
        failure = splash.failure(way, Refused(reason, "", wait_s=61))
        page = rendered(splash.splash(who, failure=failure)).decode()
        said = page.partition(f'id="{way}-error">')[2].partition("</p>")[0]
        assert len(said.split()) > 3
