"""The page with ladders and their cases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.admin.ladders import CASES_A_PAGE, LaddersPage, LadderViews
from node.admin.routes import AdminRequest, AdminResponse
from node.app.admin_sessions import ADMIN
from node.governance.ladder_case import LadderCase
from tests.fakes.admin_pages import RULES, admin_app
from tests.fakes.use_cases import UseCases

LADDERS = "".join(
    f'[[ladder]]\nid = "{name}"\nwho = "everyone"\nsteps = ["tell"]\nby = "D-1"\n'
    for name in ("noise", "loud")
)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path, rules=RULES + LADDERS) as opened:
        yield opened


async def shown(app: UseCases, method: str = "GET", path: str = "/ladders", **fields: str) -> LaddersPage:
    (route,) = (
        each for each in LadderViews(app.admin).routes() if (each.method, each.path) == (method, path)
    )
    query, form = (fields, {}) if method == "GET" else ({}, fields)
    answer = await route.answer(AdminRequest(path, query, form, "cookie", ADMIN))
    assert isinstance(answer, AdminResponse)
    assert isinstance(answer.page, LaddersPage)
    return answer.page


async def test_the_menu_has_the_ladders_of_the_rules(app: UseCases) -> None:
    page = await shown(app)
    assert (("noise", "noise"), ("loud", "loud")) == page.names
    assert (None, "") == (page.next, page.deed)


async def test_what_was_typed_stays_beside_its_error(app: UseCases) -> None:
    page = await shown(app, "POST", "/ladders/open", account="ana", ladder="loud", reason="", step="1")
    assert ("ana", "loud") == (page.form.value("account"), page.form.value("ladder"))
    assert page.form.error("reason")
    assert page.next is not None
    assert ("ana", 1) == (page.next.account, page.next.step)


async def test_only_known_deeds_are_told(app: UseCases) -> None:
    assert "lifted" == (await shown(app, lifted="")).deed
    assert "" == (await shown(app, burned="")).deed


async def test_cases_are_listed_in_pages_open_ones_first(app: UseCases) -> None:
    for _ in range(CASES_A_PAGE):
        opened = await app.admin.cases.open("admin", "school", "noise", "x")
        assert isinstance(opened, LadderCase)
        await app.admin.cases.lift("admin", opened.number)
    assert isinstance(await app.admin.cases.open("admin", "ana", "noise", "x"), LadderCase)
    page = await shown(app)
    assert (2, "ana") == (page.cases.last, page.cases.rows[0].account)
    assert 1 == len((await shown(app, page="2")).cases.rows)
