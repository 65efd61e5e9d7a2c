"""What each form does, and that no typed text is lost."""

from dataclasses import replace
from typing import get_args
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import account_page, forms, info_pages, splash
from captive_portal.actions import ACTIONS, run_action
from captive_portal.request_context import Outcome, PageResponse, Redirect
from node.app.views import RefusalReason, Refused
from node.governance.rules import WAYS
from node.sessions import state as session_state
from tests.fakes.portal_backend import (
    ANAS_PASSPHRASE,
    COMMUNITY,
    ENDED_CODE,
    GOOD_CODE,
    HOUSE_CARD,
    MISTYPED_CODE,
    REVOKED_CODE,
    FakePortalBackend,
)
from tests.fakes.portal_server import ANA, BEN, rendered
from tests.fakes.requests import context, inside

TABLET = "02:00:00:00:00:0c"


async def send(backend: FakePortalBackend, path: str, mac: str = ANA, **fields: str) -> Outcome:
    """A complete form with its token, as the portal's own page would send it."""
    who = context(backend, mac=mac)
    wanted = ACTIONS[path]
    whole = {"token": who.token(wanted.purpose)}
    if "terms" in wanted.fields:
        whole["terms"] = backend.view.terms_version
    return await run_action(who, path, urlencode(whole | fields).encode())


def splash_of(outcome: Outcome) -> splash.Splash:
    assert isinstance(outcome, PageResponse)
    assert isinstance(outcome.page, splash.Splash)
    return outcome.page


# --- joining ---


@pytest.mark.parametrize(
    ("path", "fields", "account"),
    [
        ("/join/terms", {}, "guest-02000000000a"),
        ("/join/code", {"code": "7k3m 9q2w-4x1z"}, "voucher-7k3m9q2w4x1z"),
        ("/join/passphrase", {"account": "ana", "passphrase": ANAS_PASSPHRASE}, "ana"),
        ("/join/card", {"card": HOUSE_CARD}, "ana"),
    ],
)
async def test_every_join_method_admits(path: str, fields: dict[str, str], account: str) -> None:
    backend = FakePortalBackend()
    assert Redirect("/me") == await send(backend, path, **fields)
    assert (account, [(ANA, "2")]) == (backend.guest(ANA).account, backend.accepted)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (MISTYPED_CODE, "code-mistyped"),
        ("nonsense", "code-unknown"),
        (ENDED_CODE, "code-ended"),
        (REVOKED_CODE, "code-revoked"),
    ],
)
async def test_a_code_that_is_refused_stays_in_its_field(code: str, reason: str) -> None:
    outcome = await send(FakePortalBackend(), "/join/code", code=code)
    page = splash_of(outcome)
    assert page.failure is not None
    assert (422, "voucher", reason, code) == (
        outcome.status,  # type: ignore[union-attr]
        page.failure.way,
        page.failure.reason,
        page.typed.code,
    )


async def test_a_wrong_passphrase_is_not_shown_again_and_the_account_is() -> None:
    page = splash_of(
        await send(FakePortalBackend(), "/join/passphrase", account="ana", passphrase="almost right")
    )
    assert "ana" == page.typed.account
    assert "almost right" not in repr(page)


async def test_a_device_that_guesses_too_often_is_told_how_long_to_wait() -> None:
    backend = FakePortalBackend()
    for _ in range(5):
        await send(backend, "/join/code", code="nonsense")
    outcome = await send(backend, "/join/code", code=GOOD_CODE)
    page = splash_of(outcome)
    assert page.failure is not None
    assert (429, 600, 10) == (outcome.status, outcome.retry_s, page.failure.wait_minutes)  # type: ignore[union-attr]


async def test_a_join_method_closed_by_the_community_does_not_admit() -> None:
    backend = FakePortalBackend(view=replace(COMMUNITY, ways=("voucher",)))
    outcome = await send(backend, "/join/terms")
    assert isinstance(outcome, PageResponse)
    assert (403, []) == (outcome.status, backend.accepted)


async def test_terms_that_changed_meanwhile_are_shown_with_what_was_typed() -> None:
    outcome = await send(FakePortalBackend(), "/join/code", terms="1", code=GOOD_CODE)
    page = splash_of(outcome)
    assert (409, "terms-changed", GOOD_CODE) == (outcome.status, page.word, page.typed.code)  # type: ignore[union-attr]


async def test_an_expired_page_asks_to_submit_again() -> None:
    outcome = await send(FakePortalBackend(), "/join/code", token="0" * 32, code=GOOD_CODE)
    page = splash_of(outcome)
    assert (403, "stale", GOOD_CODE) == (outcome.status, page.word, page.typed.code)  # type: ignore[union-attr]


async def test_a_blocked_device_reads_why_whatever_it_submits() -> None:
    backend = FakePortalBackend()
    backend.happens(ANA, session_state.BlockedByAdmin("noise"))
    for path, fields in (
        ("/join/terms", {}),
        ("/join/code", {"code": GOOD_CODE}),
        ("/join/terms", {"terms": "1"}),
    ):
        outcome = await send(backend, path, **fields)
        assert isinstance(outcome, PageResponse)
        assert (403, "refused.html") == (outcome.status, outcome.page.template)


async def test_a_full_account_asks_which_device_is_evicted_and_then_admits() -> None:
    backend = FakePortalBackend(devices_max=1)
    inside(backend, BEN, "voucher-7k3m9q2w4x1z", "voucher")
    outcome = await send(backend, "/join/code", code=GOOD_CODE)
    assert isinstance(outcome, PageResponse)
    assert isinstance(outcome.page, splash.MakeRoom)
    assert (409, [BEN]) == (outcome.status, [device.mac for device in outcome.page.devices])
    hidden = dict(outcome.page.hidden)
    assert Redirect("/me") == await send(backend, outcome.page.action, instead_of=BEN, **hidden)
    assert {ANA} == set(backend.passing)


async def test_a_member_approves_and_the_guest_is_admitted() -> None:
    backend = inside(FakePortalBackend(), BEN)
    assert Redirect("/") == await send(backend, "/ask", host="ana", name="Carla")
    (request,) = backend.guest(BEN).requests
    done = await send(backend, "/answer", BEN, number=str(request.number), yes="yes")
    assert Redirect("/me?done=answered") == done
    assert "introduction" == backend.guest(ANA).way


async def test_a_refusal_admits_nobody_and_a_second_request_has_to_wait() -> None:
    backend = inside(FakePortalBackend(), BEN)
    await send(backend, "/ask", host="ana", name="Carla")
    assert 429 == (await send(backend, "/ask", host="ana", name="Carla")).status  # type: ignore[union-attr]
    await send(backend, "/answer", BEN, number="1", yes="no")
    assert "waiting" == backend.guest(ANA).state


# --- the account page ---


async def test_a_code_shown_on_one_device_admits_the_next() -> None:
    backend = inside(FakePortalBackend())
    assert Redirect("/me#add") == await send(backend, "/devices/code")
    code = backend.guest(ANA).device_code
    assert code is not None
    assert Redirect("/me") == await send(backend, "/join/code", BEN, code=code.code)
    assert "ana" == backend.guest(BEN).account


async def test_a_device_is_named_and_removed_by_its_own_account_only() -> None:
    backend = inside(inside(inside(FakePortalBackend()), TABLET), BEN, "other")
    assert Redirect("/me?done=named") == await send(backend, "/devices/name", device=TABLET, name="tablet")
    assert Redirect("/me?done=removed") == await send(backend, "/devices/remove", device=TABLET)
    assert {ANA, BEN} == set(backend.passing)
    outcome = await send(backend, "/devices/remove", device=BEN)
    assert isinstance(outcome, PageResponse)
    assert isinstance(outcome.page, account_page.AccountPage)
    assert (403, "not-yours") == (outcome.status, outcome.page.trouble and outcome.page.trouble.reason)
    assert BEN in backend.passing


async def test_an_objection_that_cannot_be_sent_is_not_lost() -> None:
    backend = inside(FakePortalBackend())
    for _ in range(3):
        assert Redirect("/me?done=contested") == await send(
            backend, "/contest", rule="evening", text="Too slow."
        )
    outcome = await send(backend, "/contest", rule="evening", text="Still too slow.")
    assert isinstance(outcome, PageResponse)
    assert isinstance(outcome.page, account_page.AccountPage)
    assert outcome.page.trouble is not None
    assert (429, "contest", "Still too slow.") == (
        outcome.status,
        outcome.page.trouble.corner,
        outcome.page.trouble.text,
    )


async def test_a_sponsor_request_needs_both_names() -> None:
    backend = FakePortalBackend()
    for fields in ({"host": " ", "name": "Carla"}, {"host": "ana", "name": ""}):
        outcome = await send(backend, "/ask", **fields)
        assert 422 == outcome.status  # type: ignore[union-attr]
        assert fields["host"] == splash_of(outcome).typed.host
    assert [] == backend.calls


async def test_an_empty_objection_is_not_sent_and_not_acknowledged() -> None:
    backend = inside(FakePortalBackend())
    assert 422 == (await send(backend, "/contest", rule="evening", text=" \n ")).status  # type: ignore[union-attr]
    assert [] == backend.calls


async def test_a_member_sets_a_passphrase_and_a_guest_cannot() -> None:
    backend = inside(FakePortalBackend())
    assert Redirect("/me?done=passphrase") == await send(
        backend, "/passphrase", passphrase="new words for me", current=ANAS_PASSPHRASE
    )
    assert 422 == (await send(backend, "/passphrase", passphrase="short")).status  # type: ignore[union-attr]
    guest = inside(FakePortalBackend(), account="guest-1", way="terms")
    assert 403 == (await send(guest, "/passphrase", passphrase="new words for me")).status  # type: ignore[union-attr]


async def test_erasing_and_leaving_lead_back_to_the_first_page() -> None:
    backend = inside(FakePortalBackend())
    assert Redirect("/") == await send(backend, "/erase")
    assert ([ANA], set()) == (backend.erased, set(backend.passing))
    assert Redirect("/") == await send(inside(backend), "/leave")


@pytest.mark.parametrize(
    ("path", "missing"),
    [(path, name) for path, wanted in ACTIONS.items() for name in ("token", *wanted.fields)],
)
async def test_a_form_without_one_of_its_fields_does_nothing(path: str, missing: str) -> None:
    backend = inside(FakePortalBackend())
    whole = {"token": context(backend).token(ACTIONS[path].purpose)} | _filled(path)
    del whole[missing]
    outcome = await run_action(context(backend), path, urlencode(whole).encode())
    assert isinstance(outcome, PageResponse)
    assert (400, []) == (outcome.status, backend.calls)


def _filled(path: str) -> dict[str, str]:
    shaped = {"device": TABLET, "number": "1", "yes": "no"}
    return {name: shaped.get(name, "x") for name in ACTIONS[path].fields}


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("purpose", forms.PURPOSES)
async def test_a_token_is_good_for_its_own_purpose_only(path: str, purpose: str) -> None:
    if purpose == ACTIONS[path].purpose:
        return
    backend = inside(FakePortalBackend())
    outcome = await send(backend, path, token=context(backend).token(purpose), **_filled(path))
    assert isinstance(outcome, PageResponse)
    assert (403, []) == (outcome.status, backend.calls)


async def test_an_error_is_shown_with_its_reason() -> None:
    backend = FakePortalBackend(refusal=Refused("trouble", "The disk is full.", "quiet-hours"))
    outcome = await send(backend, "/join/terms")
    assert isinstance(outcome, PageResponse)
    assert (503, 5, "refused.html") == (outcome.status, outcome.retry_s, outcome.page.template)


async def test_a_failed_write_asks_to_try_again() -> None:
    outcome = await send(FakePortalBackend(refusal=Refused("memory")), "/join/terms")
    assert isinstance(outcome, PageResponse)
    assert (503, 5, "refused.html") == (outcome.status, outcome.retry_s, outcome.page.template)


def test_a_failed_write_is_explained_in_plain_words_and_without_paths() -> None:
    path = "/var/lib/procomu/procomu.db"
    page = rendered(info_pages.refused(context(), Refused("memory", f"{path} is full"))).decode()
    assert "cannot save anything" in page
    assert path not in page


@given(st.sampled_from(sorted(ACTIONS)), st.binary(max_size=300))
async def test_no_random_bytes_make_a_valid_form(path: str, body: bytes) -> None:
    backend = inside(FakePortalBackend())
    for sent in (body, b"token=" + context(backend).token(ACTIONS[path].purpose).encode() + b"&" + body):
        outcome = await run_action(context(backend), path, sent)
        assert isinstance(outcome, PageResponse)
        assert outcome.status in {400, 403}
    assert [] == backend.calls


SHOWN_AS_PAGES = {"removed", "trouble", "memory"}


@pytest.mark.parametrize("reason", sorted({*get_args(RefusalReason)} - SHOWN_AS_PAGES))
def test_every_reason_has_its_own_message(reason: RefusalReason) -> None:
    for way in WAYS:
        failure = splash.failure(way, Refused(reason, "", wait_s=61))
        page = rendered(splash.splash(context(), failure=failure)).decode()
        said = page.partition(f'id="{way}-error">')[2].partition("</p>")[0]
        assert len(said.split()) > 3
        assert "That did not work" not in said
