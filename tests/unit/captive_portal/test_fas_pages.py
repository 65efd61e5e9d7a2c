"""The pages for people behind openNDS routers, rendered in every state and in several languages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from captive_portal import forms
from captive_portal.fas_pages import FasAnswer, FasContext
from captive_portal.server import portal_renderer
from node.app.opennds_service import FasClient
from node.app.views import Outage
from node.web.language_choice import LanguageChooser
from tests.fakes.fas_fixture import SLOW_RULES, FasFixture, one_life
from tests.fakes.use_cases import UNKNOWN_CODE, AppFixture

RENDERER = portal_renderer()
LANGUAGES = LanguageChooser(each.language for each in RENDERER.translations.values())
TOKENS = forms.Tokens(b"s" * 32, "0000", 5)
BYTES_MAX = 14_000


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[FasFixture]:
    async with one_life(AppFixture(None, tmp_path, rules_text=SLOW_RULES)) as opened:
        yield opened


def context(at: FasFixture, client: FasClient, lang: str = "en") -> FasContext:
    community = at.run.portal.community()
    language = LANGUAGES.language_for(None, lang, own="en")
    words = RENDERER.translations_for(language.language.tag)
    path = f"/gw/{at.gateway.id}/fas/{client.level}/"
    return FasContext(at.service, client, community, language, words, TOKENS, path)


def form(shown_to: FasContext, **more: str) -> bytes:
    page = shown_to.show().page
    assert page is not None
    return urlencode({"terms": page.terms_version, "token": page.token, **more}).encode()


def html(answer: FasAnswer, lang: str = "en") -> str:
    assert answer.page is not None
    return RENDERER.render(answer.page, lang).decode()


@pytest.mark.parametrize("level", [1, 3])
async def test_while_the_line_is_down_each_page_says_who_knows_about_it(at, level) -> None:
    router = at.router()
    client = at.client(router, level)

    def shown() -> str:
        made = context(at, client)
        outage = Outage(None, "Rosa <b>", None)
        return html(replace(made, community=replace(made.community, outage=outage)).show())

    said = "<bdi>Rosa &lt;b&gt;</bdi> knows about it."
    joining = shown()
    assert said in joining
    assert len(joining.encode()) < BYTES_MAX
    assert said not in html(context(at, client).show())
    await at.join(router, level)
    assert said in shown()
    client = replace(client, says_online=True)
    online = shown()
    assert said in online
    assert "You are online" in online
    await at.run.loop.block(client.mac, "noise")
    assert said not in shown()


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize(
    ("lang", "word"),
    [("fr", "J’ai un code"), ("ar", 'dir="rtl"'), ("ca", "Tinc un codi"), ("en", "I have a code")],
)
async def test_a_stranger_sees_the_welcome_in_their_language(at, level, lang, word) -> None:
    answer = context(at, at.client(at.router(), level), lang).show()
    assert (200, "") == (answer.status, answer.refresh)
    page = html(answer, lang)
    assert word in page
    assert len(page.encode()) < BYTES_MAX
    assert "<script" not in page


@pytest.mark.parametrize("level", range(5))
async def test_a_form_leads_to_the_page_again_and_that_to_the_router(at, level) -> None:
    (code,) = await at.run.codes()
    here = context(at, at.client(at.router(), level), "fr")
    assert FasAnswer(None, 303) == await here.send(form(here, code=code))
    answer = here.show()
    assert answer.page is not None
    if level < 3:
        assert "go" == answer.page.state
        assert answer.refresh == f"0;url={answer.page.address}"
        assert answer.page.address.replace("&", "&amp;") in html(answer, "fr")
    else:
        assert "wait" == answer.page.state
        assert answer.refresh.startswith("6;url=/gw/")
        at.poll(at.router())
        online = here.show()
        assert "Vous êtes en ligne" in html(online, "fr")
        assert "" == online.refresh


async def test_the_browser_is_not_sent_back_and_forth_without_end(at) -> None:
    here = context(at, at.client(at.router(), 1))
    await here.send(form(here))
    assert "" == [here.show() for _ in range(4)][-1].refresh
    assert "The router did not let you in." in html(here.show())


async def test_a_wrong_code_is_explained_beside_its_field(at) -> None:
    here = context(at, at.client(at.router(), 3))
    answer = await here.send(form(here, code=UNKNOWN_CODE))
    assert 422 == answer.status
    page = html(answer)
    assert "We don’t know this code." in page
    assert UNKNOWN_CODE in page
    assert 'aria-invalid="true"' in page


@pytest.mark.parametrize("damage", ["token=0", "terms=other", "x=y", "code=" + "9" * 201, "nothing"])
async def test_another_form_changes_nothing(at, damage) -> None:
    here = context(at, at.client(at.router(), 3))
    name, _, value = damage.partition("=")
    body = b"\xff\x00" if damage == "nothing" else form(here, **{name: value})
    answer = await here.send(body)
    assert answer.status in (400, 403, 409)
    assert "join" == here.show().page.state


@pytest.mark.parametrize("level", [1, 3])
async def test_the_form_of_another_client_changes_nothing(at, level) -> None:
    mine = context(at, at.client(at.router(), level))
    other = at.client(replace(at.router(), client_mac="02:00:00:00:00:0f"), level, browser="f" * 32)
    answer = await context(at, other).send(form(mine))
    assert 403 == answer.status
    assert "join" == at.service.view(other).state


async def test_a_blocked_person_reads_why(at) -> None:
    client = await at.join(at.router(), 3)
    await at.run.loop.block(client.mac, "noise <b>")
    answer = context(at, client).show()
    assert 403 == answer.status
    assert "noise &lt;b&gt;" in html(answer)


async def test_at_the_device_limit_the_person_chooses(at) -> None:
    (code,) = await at.run.codes(devices_max=1)
    first = context(at, at.client(at.router(), 4))
    await first.send(form(first, code=code))
    second = context(at, at.client(at.router(token="cafe0001"), 4, browser="f" * 32))
    answer = await second.send(form(second, code=code))
    assert 409 == answer.status
    assert "Which device should we disconnect?" in html(answer)
    assert FasAnswer(None, 303) == await second.send(form(second, code=code, instead_of=first.client.mac))
    assert ("wait", "join") == (second.show().page.state, first.show().page.state)


async def test_nothing_of_a_query_becomes_markup(at) -> None:
    router = at.router()
    query = router.query(
        1, originurl="http%3a%2f%2fx%2f%22%3e%3cscript%3e", cpi_query='"><script>alert(1)</script>'
    )
    here = context(at, at.client(router, 1, query=query))
    await here.send(form(here))
    for answer in (here.show(), context(at, replace(here.client, says_online=True)).show()):
        assert "<script" not in html(answer)


@pytest.mark.parametrize(
    ("reports", "says", "says_not"),
    [(True, "Within that time it also ends", "within an hour"), (False, "within an hour", "each minute")],
)
async def test_a_person_reads_what_holds_at_this_router(at, reports, says, says_not) -> None:
    client = await at.join(at.router(), 1)
    if reports:
        at.people.registry.reported(at.gateway)
    page = html(context(at, replace(client, says_online=True)).show())
    assert says in page
    assert says_not not in page
