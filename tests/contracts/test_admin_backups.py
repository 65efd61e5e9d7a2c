"""The page for backups: download, recovery key, and the reminder in the overview."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node.backup.age import read_recovery_key, recipient_of
from node.backup.ports import OVERDUE, BackupState
from node.errors import NodeError
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.backups import CONTENT

SECRET = bytes(range(32))


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        await opened.sign_in()
        yield opened


def ticket(page: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def key_in(page: str) -> bytes:
    found = re.search(r'class="code" dir="ltr">([^<]+)<', page)
    assert found is not None
    return read_recovery_key(found[1])


async def test_without_a_key_there_is_no_download(browser):
    _, page = await browser.get("/backups")
    assert "First make a recovery key." in page
    assert 'action="/backups">' not in page


async def test_a_key_is_shown_once_and_again_to_the_same_form_only(browser):
    _, page = await browser.get("/backups")
    form = {"ticket": ticket(page)}
    response, shown = await browser.send("/backups/key", **form)
    assert (200, "no-store") == (response.status, response.headers["Cache-Control"])
    assert "<svg" in shown
    assert [key_in(shown)] == browser.app.node.backups.secrets
    _, again = await browser.send("/backups/key", **form)
    assert [key_in(again)] == browser.app.node.backups.secrets
    _, page = await browser.get("/backups")
    assert recipient_of(key_in(shown)) in page
    assert "AGE-SECRET" not in page


async def test_a_key_is_replaced_only_when_the_box_is_ticked(browser):
    browser.app.node.backups.known = BackupState((recipient_of(SECRET),))
    _, page = await browser.get("/backups")
    response, refused = await browser.send("/backups/key", ticket=ticket(page))
    assert (422, []) == (response.status, browser.app.node.backups.secrets)
    assert "There is a recovery key already." in refused
    response, shown = await browser.send("/backups/key", ticket=ticket(page), replace="yes")
    assert [key_in(shown)] == browser.app.node.backups.secrets


@pytest.mark.parametrize("made_up", ["", "x", "A" * 56])
async def test_a_form_that_this_node_did_not_give_makes_no_key(browser, made_up):
    response, _ = await browser.send("/backups/key", ticket=made_up)
    assert (422, []) == (response.status, browser.app.node.backups.secrets)


async def test_a_backup_is_downloaded_as_a_file(browser):
    browser.app.node.backups.known = BackupState((recipient_of(SECRET),))
    response, body = await browser.send("/backups")
    assert (200, CONTENT.decode()) == (response.status, body)
    assert "application/octet-stream" == response.headers["Content-Type"]
    assert 'attachment; filename="square-2027-03-01.backup"' == response.headers["Content-Disposition"]
    assert str(len(CONTENT)) == response.headers["Content-Length"]
    assert "nosniff" == response.headers["X-Content-Type-Options"]
    _, page = await browser.get("/backups")
    assert "Last backup: " in page


async def test_a_backup_needs_the_token_of_the_session(browser):
    response, _ = await browser.post("/backups", {"csrf_token": "other"})
    assert 403 == response.status
    response, _ = await browser.get("/backups/key")
    assert 405 == response.status


async def test_a_failure_is_shown_with_what_to_do(browser):
    browser.app.node.backups.trouble = NodeError("the disk is full", "make room")
    response, page = await browser.send("/backups")
    assert 500 <= response.status < 600
    assert "disk is full" in page
    browser.app.node.backups.known = BackupState(trouble="line 2: a character is wrong")
    _, page = await browser.get("/backups")
    assert "line 2: a character is wrong" in page


async def test_the_overview_asks_for_a_backup_after_thirty_days(browser):
    now, backups = browser.app.node.clock.civil(), browser.app.node.backups
    for state, is_asked in (
        (BackupState(last=now - 2 * OVERDUE), False),
        (BackupState(("age1",), since=now), False),
        (BackupState(("age1",), since=now - OVERDUE - timedelta(1)), True),
        (BackupState(("age1",), since=now - 2 * OVERDUE, last=now), False),
        (BackupState(("age1",), since=now, last=now - OVERDUE - timedelta(1)), True),
        (BackupState(("age1",), since=now, last=now + OVERDUE), False),
    ):
        backups.known = replace(state)
        _, page = await browser.get("/")
        assert is_asked == ("No backup has been made for 30 days" in page)
