"""`/metrics` of the admin pages by HTTP, on the real use cases of a small community."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from node.admin.routes import ADMINS
from node.app.metrics import KEPT_MS, PATIENCE_S, MetricSources, MetricsService
from node.app.views import JoinFailure
from node.app.warning_codes import WarningCode
from node.export.exposition import CONTENT_TYPES
from node.system_readings import SystemReadings
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, STRANGER, found_community
from tests.fakes.exposition_text import ReadMetrics, read_exposition
from tests.fakes.use_cases import ANA, BEN, UNKNOWN_CODE, CodeTyped

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        yield opened


async def scraped(browser: AdminBrowser, token: str, **headers: str) -> ReadMetrics:
    browser.app.node.clock.pass_time(KEPT_MS)
    response, text = await browser.get("/metrics", Authorization=f"Bearer {token}", **headers)
    assert 200 == response.status, text
    return read_exposition(text)


async def test_metrics_are_off_until_an_admin_makes_a_token(browser: AdminBrowser) -> None:
    response, text = await browser.get("/metrics", Authorization="Bearer x")
    assert 404 == response.status
    assert "procomu metrics token" in text
    token = await browser.app.admin.metrics_token.make()
    response, text = await browser.get("/metrics", Authorization="Bearer x")
    assert (401, 'Bearer realm="metrics"') == (response.status, response.headers["WWW-Authenticate"])
    assert "procomu_" not in text
    assert 1 == (await scraped(browser, token)).value("procomu_build_info", version="0.1.0 (test)")


async def test_the_page_makes_a_token_shows_it_once_and_revokes_it(browser: AdminBrowser) -> None:
    await browser.sign_in()
    _, page = await browser.get("/access")
    assert "There is no token" in page
    made = await browser.submit("/access/metrics")
    token = made.split('<code dir="ltr">')[1].partition("<")[0]
    await scraped(browser, token)
    _, page = await browser.get("/access")
    assert token not in page
    assert "There has been a token since" in page
    await browser.submit("/access/metrics/revoke")
    response, _ = await browser.get("/metrics", Authorization=f"Bearer {token}")
    assert 404 == response.status


async def test_a_session_is_no_token_and_a_token_is_no_session(browser: AdminBrowser) -> None:
    token = await browser.app.admin.metrics_token.make()
    response, _ = await browser.get("/people", Authorization=f"Bearer {token}")
    assert 401 == response.status
    await browser.sign_in()
    response, _ = await browser.get("/metrics")
    assert 401 == response.status
    assert all(ADMINS == each.roles for each in browser.routes if each.path.startswith("/access/metrics"))


async def test_issuers_can_make_no_token(browser: AdminBrowser) -> None:
    await browser.sign_in(ISSUER_LINK)
    for path in ("/access/metrics", "/access/metrics/revoke"):
        response, _ = await browser.send(path)
        assert 403 == response.status
    assert not browser.app.admin.metrics_token.state.exists


async def test_guesses_wait(browser: AdminBrowser) -> None:
    token = await browser.app.admin.metrics_token.make()
    answers = [await browser.get("/metrics", Authorization=f"Bearer guess{n}") for n in range(6)]
    assert [401, 401, 401, 401, 429, 429] == [response.status for response, _ in answers]
    assert "60" == answers[-1][0].headers["Retry-After"]
    response, _ = await browser.get("/metrics", Authorization=f"Bearer {token}")
    assert 429 == response.status
    browser.app.node.pass_time(60_000)
    await scraped(browser, token)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic YTpi",
        "Bearer " + "x" * 5_000,
        "Bearer \u00e9",
        "Bearer a, Bearer b",
        "bearer\ttoken",
    ],
)
async def test_hostile_headers_are_refused(browser: AdminBrowser, authorization: str) -> None:
    await browser.app.admin.metrics_token.make()
    response, text = await browser.get("/metrics", Authorization=authorization, Accept="\u00e9;q=,;;," * 100)
    assert 401 == response.status
    assert "procomu_" not in text


async def test_accept_chooses_the_format(browser: AdminBrowser) -> None:
    token = await browser.app.admin.metrics_token.make()
    for accept, written in (("*/*", "text"), (OPEN_METRICS, "openmetrics")):
        response, text = await browser.get("/metrics", Authorization=f"Bearer {token}", Accept=accept)
        assert CONTENT_TYPES[written] == response.headers["Content-Type"]
        assert (written == "openmetrics") == read_exposition(text).is_ended


async def test_numbers_are_what_happened(browser: AdminBrowser) -> None:
    app, token = browser.app, await browser.app.admin.metrics_token.make()
    before = await scraped(browser, token)
    assert 1 == before.value("procomu_devices", state="blocked")
    await app.join(ANA)
    assert "code-unknown" == await app.refusal(BEN, CodeTyped(UNKNOWN_CODE))
    await app.use(ANA, down=3_000, up=500)
    await app.portal.leave(ANA)
    after = await scraped(browser, token)

    def grown(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert 1 == grown("procomu_sessions_admitted_total")
    assert 1 == grown("procomu_sessions_ended_total", reason="left")
    assert 1 == grown("procomu_admissions_refused_total", reason="code-unknown")
    assert (3_000, 500) == tuple(grown("procomu_people_bytes_total", direction=way) for way in ("down", "up"))
    assert 1 == after.value("procomu_warnings", code="clock")
    assert 4_250_000 == after.value("procomu_uplink_shared_bytes_per_second", direction="down")


async def test_labels_are_closed_lists(browser: AdminBrowser) -> None:
    token = await browser.app.admin.metrics_token.make()
    read = await scraped(browser, token)

    def labels(name: str, label: str) -> set[str]:
        return {dict(pairs)[label] for found, pairs in read.series if found == name}

    assert set(get_args(WarningCode)) == labels("procomu_warnings", "code")
    assert set(get_args(JoinFailure)) == labels("procomu_admissions_refused_total", "reason")
    text = "\n".join(f"{name} {pairs}" for name, pairs in read.series)
    for secret in (STRANGER, "Ana", "ana", "guest-"):
        assert secret not in text, secret


async def test_neighbours_have_their_own_series(browser: AdminBrowser) -> None:
    await found_community(browser.app)
    token = await browser.app.admin.metrics_token.make()
    read = await scraped(browser, token)
    assert 1 == read.value("procomu_mesh_links")
    assert 1 <= read.value("procomu_mesh_nodes", state="offline")


class CountingSystem:
    """Says how often it was read, and waits while a test wants it."""

    def __init__(self) -> None:
        self.reads, self.may_end = 0, threading.Event()
        self.may_end.set()

    def read(self) -> SystemReadings:
        self.reads += 1
        assert self.may_end.wait(20)
        return SystemReadings(cpu_ms=self.reads)


def service_of(browser: AdminBrowser, system: CountingSystem) -> MetricsService:
    app = browser.app
    sources = MetricSources("", app.portal, app.admin.graph, system.read)
    return MetricsService(app.admin.status_snapshot, app.node.clock, sources)


async def test_however_many_ask_the_node_is_read_once_a_second(browser: AdminBrowser) -> None:
    system = CountingSystem()
    service = service_of(browser, system)
    for asked in (1, 2):
        async with asyncio.TaskGroup() as tasks:
            texts = [tasks.create_task(service.text(each)) for each in CONTENT_TYPES for _ in range(50)]
        assert asked == system.reads
        assert 2 == len({text.result() for text in texts})
        browser.app.node.clock.pass_time(KEPT_MS)


async def test_a_disk_that_hangs_leaves_out_what_it_would_say_and_takes_one_thread(
    browser: AdminBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.app.metrics.PATIENCE_S", 0.05)
    assert PATIENCE_S < 10, "the time that Prometheus waits"
    system = CountingSystem()
    system.may_end.clear()
    service = service_of(browser, system)
    try:
        for _ in range(3):
            read = read_exposition(await service.text())
            assert "procomu_disk_free_bytes" not in read.kinds
            assert 1 == read.value("procomu_clock_known")
            browser.app.node.clock.pass_time(KEPT_MS)
        assert 1 == system.reads
    finally:
        system.may_end.set()
    await asyncio.sleep(0.1)
    await service.text()
    browser.app.node.clock.pass_time(KEPT_MS)
    assert 0.002 == read_exposition(await service.text()).value("procomu_process_cpu_seconds_total")


async def test_a_clock_that_is_not_known_is_no_start_time(browser: AdminBrowser) -> None:
    token = await browser.app.admin.metrics_token.make()
    assert "procomu_start_time_seconds" in (await scraped(browser, token)).kinds
    browser.app.node.clock.trust = "unknown"
    read = await scraped(browser, token)
    assert "procomu_start_time_seconds" not in read.kinds
    assert 0 == read.value("procomu_clock_known")
