"""The page with the history, its pictures by address and its CSV, on the real use cases."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.admin.server import OPEN_AT_ONCE
from node.history.series import SERIES
from node.plots.plot import ALONE_STYLE, STYLE
from node.web.rendering import _source
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK
from tests.fakes.svg_pictures import SVG, outside, read_svg

PICTURE, TABLE = "/history/plot.svg", "/history/points.csv"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path, is_populated=False) as opened:
        yield opened


async def page(browser: AdminBrowser, path: str) -> str:
    response, text = await browser.get(path)
    assert response.status == 200, text
    return text


async def test_the_use_of_the_line_comes_first(browser: AdminBrowser) -> None:
    await browser.sign_in()
    text = await page(browser, "/history")
    assert '<option value="line_down" selected>' in text
    assert '<option value="1d" selected>' in text
    assert text.count('role="img"') == 1
    assert all(f'<option value="{each.name}"' in text for each in SERIES)


async def test_a_month_is_drawn_in_three_ways_and_said(browser: AdminBrowser) -> None:
    await browser.sign_in()
    text = await page(browser, "/history?series=line_down&last=30d")
    assert text.count('role="img"') == 3
    assert "evenings. Most at " in text
    assert "No figures on " in text
    ids = [part.partition('"')[0] for part in text.split('id="')[1:]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("last", ["1h", "1d", "30d", "3y", "nonsense", "9999y", "0h", "-1d"])
async def test_every_series_has_a_page_in_every_period(browser: AdminBrowser, last: str) -> None:
    await browser.sign_in()
    for series in SERIES[::6]:
        assert 'class="plot"' in await page(browser, f"/history?series={series.name}&last={last}")


async def test_a_picture_is_whole_and_has_its_name(browser: AdminBrowser) -> None:
    await browser.sign_in()
    for plot in ("line", "days", "hours"):
        response, text = await browser.get(f"{PICTURE}?last=30d&plot={plot}&width=400")
        assert (200, "image/svg+xml") == (response.status, response.content_type)
        root = read_svg(text)
        assert (outside(root), root.get("width")) == ([], "400")
        assert "library" in "".join(each.text or "" for each in root.iter(f"{SVG}text"))
        assert len(text.encode()) <= 12_000


async def test_a_picture_is_sent_once_and_kept_for_a_while(browser: AdminBrowser) -> None:
    await browser.sign_in()
    first, _ = await browser.get(f"{PICTURE}?last=30d")
    assert first.headers["Cache-Control"] == "private, max-age=3600"
    again, text = await browser.get(f"{PICTURE}?last=30d", **{"If-None-Match": first.headers["ETag"]})
    assert (304, "") == (again.status, text)
    other, text = await browser.get(f"{PICTURE}?last=1h", **{"If-None-Match": first.headers["ETag"]})
    assert other.status == 200
    assert other.headers["Cache-Control"] == "private, max-age=10"


async def test_the_styles_of_pictures_are_allowed(browser: AdminBrowser) -> None:
    await browser.sign_in()
    response, _ = await browser.get(PICTURE)
    for style in (STYLE, ALONE_STYLE):
        assert _source(style) in response.headers["Content-Security-Policy"]


async def test_an_address_can_name_the_language(browser: AdminBrowser) -> None:
    await browser.sign_in()
    _, text = await browser.get(f"{PICTURE}?lang=ar")
    assert 'direction="rtl"' in text
    _, text = await browser.get(f"{PICTURE}?lang=%22onload", **{"Accept-Language": "ca"})
    assert "onload" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/history?series=people",
        f"{PICTURE}?series=people",
        f"{TABLE}?series=people",
        f"{TABLE}?last=4y",
        f"{PICTURE}?last=1000000000000000000000d",
        f"{PICTURE}?last=٣d",
        f"{PICTURE}?plot=pie",
        f"{PICTURE}?last=",
    ],
)
async def test_what_there_is_not_is_said_with_what_to_write(browser: AdminBrowser, path: str) -> None:
    await browser.sign_in()
    response, text = await browser.get(path)
    assert response.status == 404
    assert "Choose one on the page" in text or "last=30d" in text


@pytest.mark.parametrize("width", ["", "-1", "99999999999", "abc", "٣٣٣", "0"])
async def test_any_width_gives_a_picture_of_a_usual_one(browser: AdminBrowser, width: str) -> None:
    await browser.sign_in()
    response, text = await browser.get(f"{PICTURE}?width={width}")
    assert response.status == 200
    assert 320 <= int(read_svg(text).attrib["width"]) <= 1200


async def test_csv_has_every_point(browser: AdminBrowser) -> None:
    await browser.sign_in()
    response, text = await browser.get(f"{TABLE}?series=temperature&last=1d")
    assert (200, "text/csv") == (response.status, response.content_type)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (288, {"celsius_milli"}) == (len(rows), {each["unit"] for each in rows})


async def test_pictures_need_a_sign_in_unless_the_settings_open_them(browser: AdminBrowser) -> None:
    response, text = await browser.get(PICTURE)
    assert (401, False) == (response.status, 'class="plot' in text)
    await browser.sign_in(ISSUER_LINK)
    assert [403, 403, 403] == [(await browser.get(path))[0].status for path in (PICTURE, "/history", TABLE)]


async def test_open_pictures_are_for_everybody_and_nothing_else_is(browser: AdminBrowser) -> None:
    browser.app.admin.history.is_open = True
    response, text = await browser.get(f"{PICTURE}?last=30d&lang=fr")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert read_svg(text).get("{http://www.w3.org/XML/1998/namespace}lang") == "fr"
    assert "Set-Cookie" not in response.headers
    for path in ("/history", TABLE, "/", "/people"):
        assert (await browser.get(path))[0].status == 401
    assert (await browser.get(f"{PICTURE}?series=people"))[0].status == 404
    await browser.sign_in(ISSUER_LINK)
    assert (await browser.get(PICTURE))[0].status == 200
    assert (await browser.get("/history"))[0].status == 403


async def test_open_pictures_show_the_line_and_not_how_many_people_there_are(browser: AdminBrowser) -> None:
    browser.app.admin.history.is_open = True
    open_ones = ("line_up", "line_delay", "lifelines_held", "neighbours_loss")
    assert [200] * 4 == [(await browser.get(f"{PICTURE}?series={each}"))[0].status for each in open_ones]
    for name in ("devices", "accounts", "refusals_card", "rule_guest-top", "memory"):
        response, text = await browser.get(f"{PICTURE}?series={name}")
        assert (401, False) == (response.status, 'class="plot' in text)
    await browser.sign_in()
    response, _ = await browser.get(f"{PICTURE}?series=devices")
    assert (200, "private, max-age=300") == (response.status, response.headers["Cache-Control"])


async def test_an_issuer_sees_of_open_pictures_what_everybody_sees(browser: AdminBrowser) -> None:
    browser.app.admin.history.is_open = True
    await browser.sign_in(ISSUER_LINK)
    assert (await browser.get(f"{PICTURE}?series=line_up"))[0].status == 200
    for name in ("devices", "accounts", "rule_guest-top", "memory"):
        response, text = await browser.get(f"{PICTURE}?series={name}")
        assert (403, False) == (response.status, 'class="plot' in text)


async def test_a_device_without_a_sign_in_gets_so_many_pictures_and_then_waits(browser: AdminBrowser) -> None:
    browser.app.admin.history.is_open = True
    assert 200 == (await browser.get(PICTURE))[0].status
    # Drawing so many would take longer than the next one waits for.
    found = [(await browser.get(f"{PICTURE}?series=people"))[0] for _ in range(OPEN_AT_ONCE + 3)]
    assert 404 == found[OPEN_AT_ONCE - 2].status
    assert (429, "2") == (found[-1].status, found[-1].headers["Retry-After"])
    assert 429 == (await browser.get(PICTURE))[0].status
    await browser.sign_in()
    assert 200 == (await browser.get(PICTURE))[0].status


async def test_each_rule_in_force_leads_to_when_it_limited_somebody(browser: AdminBrowser) -> None:
    await browser.sign_in()
    _, text = await browser.get("/rules")
    assert 'href="/history?series=rule_guest-top&amp;last=30d"' in text
    response, text = await browser.get("/history?series=rule_guest-top&last=30d")
    assert 200 == response.status
    assert "Time in which the rule guest-top limited somebody" in text
