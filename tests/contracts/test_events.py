"""Events in the browser: an admin looks for what was done; and what the database keeps of it over kill -9 and erasure."""

import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.events import EventGone, EventLog, EventQuery, EventsErased
from node.app.admin_sessions import Signed
from node.app.admin_tables import TABLES
from node.app.views import Admitted, TermsAccepted
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository
from node.units import AccountId, Monotonic, Now
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import ISSUER_LINK, LINK, PHONE
from tests.fakes.use_cases import ANA, AppFixture

PERE = Signed("admin", "Pere")
PASSPHRASE = "four words for an admin"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        await opened.sign_in(LINK)
        yield opened


def rows_in(page: str) -> list[str]:
    body = page.partition("<tbody")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in body.split("</tr>") if "<td" in row]


async def test_an_admin_reads_who_blocked_somebody_and_why(browser: AdminBrowser) -> None:
    await browser.submit("/people/block", account="ana", device=PHONE, because="Noise at night")
    _, page = await browser.get("/events")
    newest = rows_in(page)[0]
    for text in ("admin", "Blocked", "Ana", "Noise at night"):
        assert text in newest
    _, page = await browser.get("/events?account=ana")
    assert 1 == len(rows_in(page))
    assert 'href="/people/account?id=ana"' in page


async def test_a_search_narrows_the_list_and_keeps_what_was_typed(browser: AdminBrowser) -> None:
    await browser.submit("/people/block", account="ana", device=PHONE, because="Noise at night")
    for query, count in (
        ("q=noise", 1),
        ("q=nothing+like+it", 0),
        ("kind=blocked&q=ana", 1),
        ("kind=paused&q=ana", 0),
        ("since=2099-01-01", 0),
    ):
        response, page = await browser.get(f"/events?{query}")
        assert 200 == response.status
        assert count == len(rows_in(page)), query
    _, page = await browser.get("/events?q=%22%3E%3Cscript%3E")
    assert "<script>" not in page


@pytest.mark.parametrize("query", ["kind=exploded", "since=yesterday", f"q={'x' * 300}"])
async def test_a_search_that_cannot_be_read_says_why(browser: AdminBrowser, query: str) -> None:
    response, page = await browser.get(f"/events?{query}")
    assert 422 == response.status
    assert "needs fixing" in page


async def test_a_reason_is_text_and_no_markup(browser: AdminBrowser) -> None:
    await browser.submit("/people/block", account="ana", device=PHONE, because=SCRIPT)
    _, page = await browser.get("/events")
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page


async def test_pages_of_fifty(browser: AdminBrowser) -> None:
    for number in range(30):
        await browser.app.admin.people.block("ana", PHONE, f"reason {number}", by=PERE)
        await browser.app.admin.people.unblock(PHONE, by=PERE)
    _, page = await browser.get("/events?by=admin+Pere")
    assert 50 == len(rows_in(page))
    older = re.search(r'href="(/events\?[^"]*before=\d+)"', page)
    assert older is not None
    _, page = await browser.get(older[1].replace("&amp;", "&"))
    assert 10 == len(rows_in(page))
    assert "reason 0" in page


async def test_an_issuer_may_not_read_events(tmp_path: Path) -> None:
    async with admin_browser(tmp_path) as issuer:
        await issuer.sign_in(ISSUER_LINK)
        response, _ = await issuer.get("/events")
        assert 403 == response.status


async def test_the_reason_of_an_erased_person_is_on_no_page_of_the_database(tmp_path: Path) -> None:
    folder, words = tmp_path / "data", "words that only one person should read"
    store = Store(folder / "procomu.db")
    try:
        async with AppFixture(lambda: StoredRepository(store), tmp_path).life() as app:
            assert isinstance(await app.portal.admit(ANA, TermsAccepted(), "1"), Admitted)
            account = app.loop.account_of(ANA)
            assert await app.admin.people.block(account, ANA, words, by=PERE) is None
            assert await app.admin.people.unblock(ANA, by=PERE) is None
            assert isinstance(await app.portal.admit(ANA, TermsAccepted(), "1"), Admitted)
            archive = StoredArchive(store)
            assert {account} == {each.event.account for each in await archive.events(EventQuery())}
            await app.portal.erase(ANA)
            found = await archive.events(EventQuery())
            assert [("unblocked", ""), ("blocked", "")] == [(e.event.kind, e.event.account) for e in found]
            assert [] == [
                each.name for each in folder.glob("procomu.db*") if words.encode() in each.read_bytes()
            ]
    finally:
        store.close()


async def test_the_journal_brings_events_back_without_reasons_and_never_those_of_an_erased_person(
    tmp_path: Path,
) -> None:
    folder, log = tmp_path / "data", EventLog(secrets.token_bytes)
    now = Now(Monotonic(0), "boot-1", 1_795_000_000, "2026-11-24")
    made = [
        log.record("admin Ana", "blocked", now, account=name, text="Noise") for name in ("ana", "ben", "ana")
    ]
    store = Store(folder / "procomu.db")
    repository = StoredRepository(store)
    await repository.save_sessions([], [], "2026-11-24", made[:2])
    await repository.save_sessions([], [], "2026-11-24", [EventsErased(AccountId("ana"))])
    await repository.save_sessions([], [], "2026-11-24", [made[2], EventGone(made[2].key)])
    await repository.save_sessions([], [], "2026-11-24", [made[2]])
    await repository.save_sessions([], [], "2026-11-24", [EventsErased(AccountId("ana"))])
    store.close()
    assert b"Noise" not in (folder / "procomu.journal").read_bytes()
    for path in folder.glob("procomu.db*"):
        path.unlink()
    store = Store(folder / "procomu.db")
    await StoredRepository(store).recall()
    found = await StoredArchive(store).events(EventQuery(account=AccountId("ana")))
    left = await StoredArchive(store).events(EventQuery())
    store.close()
    assert () == found
    assert [(made[1].key, "ben", "")] == [
        (each.event.key, each.event.account, each.event.text) for each in left
    ]


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from node.app.admin_sessions import Signed
from node.app.admin_tables import TABLES
from node.app.views import TermsAccepted
from node.storage.database import Store
from node.storage.repository import StoredRepository
from tests.fakes.use_cases import ANA, BEN, AppFixture

async def main():
    folder = Path(sys.argv[1])
    store = Store(folder / "data" / "procomu.db")
    async with AppFixture(lambda: StoredRepository(store), folder).life() as app:
        await asyncio.to_thread(lambda: app.files)
        for mac in (ANA, BEN):
            await app.portal.admit(mac, TermsAccepted(), "1")
        for turn in range(10_000):
            for mac in (ANA, BEN):
                await app.admin.people.block(app.loop.account_of(mac), mac, f"reason {turn}", by=Signed("admin"))
                print("blocked", turn, flush=True)
                await app.admin.people.unblock(mac, by=Signed("admin"))

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [3, 8])
def test_after_a_kill_each_block_is_there_with_its_event_or_not_at_all(tmp_path: Path, after: int) -> None:
    (tmp_path / "data").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as node:
        assert node.stdout is not None
        for _ in range(after):
            assert node.stdout.readline().startswith("blocked")
        node.kill()
    store = Store(tmp_path / "data" / "procomu.db")
    try:
        rows = store.run_blocking(
            lambda db: db.execute("SELECT kind, text FROM events ORDER BY rowid").fetchall()
        )
        removed = store.run_blocking(
            lambda db: db.execute("SELECT because FROM sessions WHERE state = 'removed'").fetchall()
        )
    finally:
        store.close()
    kinds = [kind for kind, _ in rows]
    assert len(kinds) >= 2 * after - 2
    assert len(removed) == kinds.count("blocked") - kinds.count("unblocked")
    assert [because for (because,) in removed] == [text for _, text in rows[-1:]] * len(removed)


async def test_signing_in_and_failing_to_are_events_and_many_failures_are_one(tmp_path: Path) -> None:
    async with admin_browser(tmp_path) as browser:
        await browser.sign_in(LINK)
        await browser.submit("/passphrase", name="Ana", passphrase=PASSPHRASE, stays="yes")
        for name, typed in (("Ana", "wrong words again"), ("ana", "wrong"), ("my secret words", "x")):
            await browser.post("/sign-in", {"name": name, "passphrase": typed})
        await browser.app.loop.persistence.save()
        found = (await browser.app.admin.events.find(EventQuery())).rows
        events = [(row.found.event.kind, row.found.event.about) for row in found]
        assert ("passphrase-chosen", "") in events
        assert ("signed-in", "") in events
        assert 1 == events.count(("sign-in-failed", "Ana"))
        assert "my secret words" not in repr(browser.app.node.repository.registry.events)
        _, page = await browser.get("/events?kind=sign-in-failed")
        assert "somebody" in page


async def test_each_kind_of_act_says_which_admin_did_it(tmp_path: Path) -> None:
    async with admin_browser(tmp_path) as browser:
        await browser.sign_in(LINK)
        await browser.submit("/passphrase", name="Ana", passphrase=PASSPHRASE, stays="yes")
        await browser.submit("/access", role="issuer", name="library")
        await browser.submit("/access/metrics")
        await browser.submit("/access/metrics/revoke")
        await browser.submit("/members/passphrase", account="ana")
        await browser.submit("/members/card", account="ana")
        await browser.submit("/members/void", account="ana")
        await browser.submit("/backups")
        found = (await browser.app.admin.events.find(EventQuery(by="admin Ana"))).rows
        kinds = {row.found.event.kind for row in found}
        assert {
            "link-made",
            "token-made",
            "token-revoked",
            "passphrase-given",
            "card-made",
            "cards-voided",
            "backup-made",
        } <= kinds


async def test_each_table_is_a_file_for_admins_only(browser: AdminBrowser, tmp_path: Path) -> None:
    _, page = await browser.get("/tables")
    files = re.findall(r'href="(/tables/table\.csv\?name=(\w+))"', page)
    assert len(files) > 9
    for path, name in files:
        response, text = await browser.get(path)
        assert 200 == response.status
        assert "text/csv" == response.content_type
        assert f'filename="{name}.csv"' in response.headers["Content-Disposition"]
        assert text.removeprefix("\ufeff").startswith(",".join(TABLES[name].columns))
    response, _ = await browser.get("/tables/table.csv?name=facts")
    assert 404 == response.status
    await browser.post("/sign-out", {"csrf_token": await browser.csrf_token()})
    await browser.sign_in(ISSUER_LINK)
    for path in ("/tables", "/tables/table.csv?name=people"):
        assert 403 == (await browser.get(path))[0].status


async def test_a_file_of_events_is_refused_as_a_page_while_the_disk_fails(browser: AdminBrowser) -> None:
    browser.app.node.repository.full = True
    response, _ = await browser.get("/tables/table.csv?name=events")
    assert 503 == response.status


async def test_an_admin_writes_to_a_person_sees_whether_it_was_read_and_withdraws_it(
    browser: AdminBrowser,
) -> None:
    page = await browser.submit("/people/message", account="ana", message=f"Call me. {SCRIPT}")
    assert "not read yet" in page
    assert SCRIPT not in page
    message = browser.app.portal.message(PHONE)
    assert message is not None
    await browser.app.portal.read_message(PHONE, message.fingerprint)
    _, page = await browser.get("/people/account?id=ana")
    assert "read on" in page
    page = await browser.submit("/people/message", account="ana", do="withdraw", shown=message.fingerprint)
    assert "withdrawn" in page
    for fields in ({"message": " "}, {"message": "x" * 501}):
        response, _ = await browser.send("/people/message", account="ana", **fields)
        assert 422 == response.status
    response, _ = await browser.send("/people/message", account="nobody-here", message="Hello")
    assert 404 == response.status
