"""The admin server on a real loopback socket: signing in, pages, changes."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from node.accounting.intervals import IntervalUsage
from node.admin.server import COOKIE, AdminServer
from node.alerts.readings import AlertReadings
from node.control.active_ruleset import fingerprint
from node.errors import NodeError
from node.governance.canonical_form import meaning_fingerprint
from node.units import AccountId, Bytes, NodeId, Usage
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in, proof_in
from tests.fakes.admin_pages import HILLS, ISSUER_LINK, LINK, MEMBERS, OUTSIDER, PHONE, RULES, TABLET


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        yield opened


def rule_file(browser: AdminBrowser) -> str:
    return browser.app.files.rules.read_text()


async def test_a_sign_in_link_shows_a_button_and_only_the_button_uses_it_up(browser):
    """A program that previews links must neither sign in nor use up the link."""
    for _ in range(3):
        response, page = await browser.get(f"/sign-in?token={LINK}")
        assert 200 == response.status
        assert f'<input type="hidden" name="token" value="{LINK}">' in page
        assert COOKIE not in response.cookies
    await browser.sign_in()
    response, page = await browser.get("/")
    assert (200, True) == (response.status, "Who is online now" in page)


async def test_the_cookie_is_not_readable_by_scripts_and_not_sent_by_other_sites(browser):
    response, _ = await browser.post("/sign-in", {"token": LINK})
    cookie = response.cookies[COOKIE]
    assert (True, "Strict", "/", 12 * 3600) == (
        cookie["httponly"],
        cookie["samesite"],
        cookie["path"],
        int(cookie["max-age"]),
    )


async def test_a_link_that_was_used_says_how_to_get_another(browser):
    await browser.sign_in()
    browser.session.cookie_jar.clear()
    response, page = await browser.post("/sign-in", {"token": LINK})
    assert 403 == response.status
    assert "procomu admin link" in page


@pytest.mark.parametrize("path", ["/", "/rules", "/rules?version=1", "/nowhere"])
async def test_no_page_is_shown_before_signing_in(browser, path):
    response, page = await browser.get(path)
    assert 401 == response.status
    assert "Vall Alta" not in page


async def test_the_overview_shows_people_the_rule_that_limits_each_peers_strangers_and_warnings(browser):
    browser.app.node.peers = HILLS, OUTSIDER
    await browser.app.transfer({PHONE: (41_200_000_000, 0)})
    await browser.app.transfer({PHONE: (1_775_000, 100_000), TABLET: (300_000, 30_000)})
    await browser.sign_in()
    _, page = await browser.get("/")
    for shown in ("guest-02", "14.2 Mbit/s", "guest-top", "41.2 GB", "hills", "stranger", "NTP"):
        assert shown in page


async def test_the_overview_does_not_reload_by_itself(browser):
    await browser.sign_in()
    still, _ = await browser.get("/")
    live, _ = await browser.get("/?live")
    assert (None, "5") == (still.headers.get("Refresh"), live.headers.get("Refresh"))


async def test_checking_a_draft_shows_its_errors_with_lines_and_changes_nothing(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    fields = {"csrf_token": csrf_token, "do": "check", "text": RULES + "nonsense\r\n", "replacing": "x"}
    response, page = await browser.post("/rules", fields)
    assert 200 == response.status
    assert f"Line {RULES.count(chr(10)) + 1}" in page
    assert "Fix: " in page
    assert '<span class="added">+nonsense</span>' in page
    assert RULES == rule_file(browser)


async def test_checking_a_draft_shows_what_would_change_for_which_people(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    evening = (
        '[[rule]]\nid = "guest-evening"\nceiling = "5 Mbit/s down, 1 Mbit/s up"\nwho = "tier:guest"\n'
        'when = "daily 18:00-23:00"\nby = "D-2026-020"\n'
    )
    fields = {"csrf_token": csrf_token, "do": "check", "text": RULES + evening, "replacing": "x"}
    _, page = await browser.post("/rules", fields)
    assert "<strong>Nothing changes for anybody.</strong>" in page
    assert "exception_to = &#34;guest-top&#34;" in page
    fields["text"] = RULES + evening.replace('who = "tier:guest"', 'exception_to = "guest-top"')
    _, page = await browser.post("/rules", fields)
    assert "<strong>1 thing changes.</strong>" in page
    assert "at most 5 Mbit/s download instead of 3 Mbit/s download." in page
    assert "For example Friday 21:00." in page
    assert '<code dir="ltr">guest-top &lt;- guest-evening</code>' in page
    assert "What changes in the file" in page


async def test_a_draft_that_says_the_same_is_said_to_and_saved_without_a_trial(browser):
    await browser.sign_in()
    fields = {"csrf_token": await browser.csrf_token(), "do": "check", "text": f"# a comment\n{RULES}"}
    fields["replacing"] = fingerprint(RULES)
    same = "The draft says the same as the rules in force"
    _, page = await browser.post("/rules", fields)
    assert same in page
    _, page = await browser.post("/rules", fields | {"text": RULES.replace("3 Mbit/s", "2 Mbit/s")})
    assert same not in page
    response, _ = await browser.post("/rules", fields | {"do": "save"})
    assert "/rules?same" == response.headers["Location"]
    _, page = await browser.get("/rules?same")
    assert "they need no trial" in page
    assert browser.app.adoption.trial() is None
    assert f"# a comment\n{RULES}" == rule_file(browser)
    meaning = meaning_fingerprint(browser.app.loop.active_ruleset.ruleset)
    assert 3 == page.count(meaning), "of the rules in force, and of both versions"
    assert 1 == page.count("says the same as the rules in force")


async def test_a_draft_is_previewed_with_what_accounts_used(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    draft = RULES.replace("3 Mbit/s", "1 Mbit/s")
    assert draft != RULES
    fields = {"csrf_token": csrf_token, "do": "preview", "text": draft, "replacing": "x"}
    response, page = await browser.post("/rules", fields)
    assert 200 == response.status
    assert "What would change" in page
    assert "Nothing is kept to preview rules with." in page
    begun = int(browser.app.node.clock.wall.timestamp()) - 3600
    used = IntervalUsage(Usage(Bytes(100_000_000), Bytes(1_000_000)), is_busy=False)
    usage = {AccountId(f"guest-{number}"): used for number in range(9)}
    browser.app.node.repository.intervals = {begun: usage}
    _, page = await browser.post("/rules", fields)
    assert ": 9.</li>" in page
    assert 2 == page.count("<figure")
    assert page.count('class="now" points=') >= 2
    assert page.count('class="then" points=') >= 2
    assert "guest-8" not in page
    assert RULES == rule_file(browser)
    _, page = await browser.post("/rules", {**fields, "text": "nonsense"})
    assert "In the last 14 days" not in page


async def test_a_preview_warns_of_a_rule_that_would_have_touched_many(browser):
    await browser.sign_in()
    draft = RULES.replace("3 Mbit/s", "1 Mbit/s")
    begun = int(browser.app.node.clock.wall.timestamp()) - 3600
    used = IntervalUsage(Usage(Bytes(100_000_000), Bytes(1_000_000)), is_busy=False)
    browser.app.node.repository.intervals = {
        begun: {AccountId(f"guest-{number}"): used for number in range(9)}
    }
    fields = {"csrf_token": await browser.csrf_token(), "text": draft, "replacing": "x"}
    _, page = await browser.post("/rules", {**fields, "do": "preview"})
    assert "<code>W03</code> guest-top would have changed the speed of 9 of the 9 accounts" in page
    _, page = await browser.post("/rules", {**fields, "do": "check"})
    assert "W03" not in page


async def test_a_preview_is_of_the_line_of_this_node_also_before_the_rules_have_it(browser):
    await browser.sign_in()
    app, line = browser.app, '[uplink.{}]\ndown = "40 Mbit/s"\nup = "8 Mbit/s"\n'
    begun = int(app.node.clock.wall.timestamp()) - 3600
    used = IntervalUsage(Usage(Bytes(100_000_000), Bytes(1_000_000)), is_busy=False)
    app.node.repository.intervals = {begun: {AccountId(f"guest-{number}"): used for number in range(9)}}
    lower = RULES.replace("3 Mbit/s", "1 Mbit/s").replace(
        'who = "tier:guest"', 'who = "tier:guest"\nuplink = "mill"'
    )
    for name, affected in (("mill", 9), ("river", 0)):
        active = replace(app.loop.active_ruleset, uplink_name=name)
        await app.loop.adopt(active, app.loop.member_directory)
        assert not active.ruleset.uplinks
        check = await app.admin.preview_rules(lower + line.format("mill") + line.format("river"))
        assert check.preview is not None
        assert check.preview.replay is not None, check.findings
        assert affected == check.preview.replay.low.affected


async def test_what_an_observed_rule_would_have_limited_is_beside_its_sentence(browser):
    observed = (
        '[[rule]]\nid = "evening"\nceiling = "2 Mbit/s down, 1 Mbit/s up"\nwho = "tier:guest"\nby = "D-2026-020"\n'
        'observe = true\nexpires = "2099-12-31"\n'
    )
    await browser.sign_in()
    await browser.app.write_rules(RULES + observed)
    _, page = await browser.get("/rules")
    assert "Observed only; nobody has more or less by it: " in page
    assert "Not counted. Nothing is kept to preview rules with." in page
    begun = int(browser.app.node.clock.wall.timestamp()) - 3600
    used = IntervalUsage(Usage(Bytes(100_000_000), Bytes(1_000_000)), is_busy=False)
    browser.app.node.repository.intervals = {
        begun: {AccountId(f"guest-{number}"): used for number in range(9)}
    }
    await browser.app.write_rules(f'{RULES}{observed}[preview]\nby = "D-2026-020"\n')
    _, page = await browser.get("/rules")
    assert re.search(r"Decided in D-2026-020\.<br><strong>Would have limited 9 of 9 active accounts", page)
    assert "guest-8" not in page


async def test_a_checked_draft_is_saved_and_shown_as_in_force(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    _, page = await browser.get("/rules")
    replacing = re.search(r'name="replacing" value="([^"]+)"', page)[1]
    draft = RULES.replace("3 Mbit/s", "4 Mbit/s").replace("\n", "\r\n")
    for _ in range(2):  # also for the second of two clicks
        response, _ = await browser.post(
            "/rules", {"csrf_token": csrf_token, "do": "save", "text": draft, "replacing": replacing}
        )
        assert (303, "/rules?saved") == (response.status, response.headers["Location"])
    saved = RULES.replace("3 Mbit/s", "4 Mbit/s")
    assert (saved, RULES) == (browser.app.admin.rule_file().text, rule_file(browser)), "on trial"
    _, page = await browser.get("/rules?saved")
    assert "Saved." in page
    await browser.submit("/rules/confirm", trial="2")
    assert saved == rule_file(browser)


async def test_rules_with_errors_are_not_saved(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    replacing = browser.app.admin.rule_file().fingerprint
    fields = {"csrf_token": csrf_token, "do": "save", "text": "nonsense", "replacing": replacing}
    response, page = await browser.post("/rules", fields)
    assert (422, True) == (response.status, "One error: nothing was changed" in page)
    assert RULES == rule_file(browser)


async def test_two_editors_do_not_overwrite_each_other_unseen(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    mine = browser.app.admin.rule_file().fingerprint
    theirs = RULES + "# theirs\n"
    await browser.app.write_rules(theirs)
    fields = {"csrf_token": csrf_token, "do": "save", "text": RULES + "# mine\n", "replacing": mine}
    response, page = await browser.post("/rules", fields)
    assert 409 == response.status
    assert "Someone else has saved other rules" in page
    assert "# mine" in page
    assert '<span class="removed">-# theirs</span>' in page
    assert theirs == rule_file(browser)


async def test_an_earlier_version_comes_back_through_the_editor(browser):
    changed = RULES.replace("3 Mbit/s", "2 Mbit/s")
    await browser.app.write_rules(changed)
    await browser.sign_in()
    _, page = await browser.get("/rules")
    assert '<a href="/rules?version=1">Restore</a>' in page
    response, page = await browser.get("/rules?version=1")
    assert 200 == response.status
    assert '<span class="added">+ceiling = &#34;3 Mbit/s down, 1 Mbit/s up&#34;</span>' in page
    assert changed == rule_file(browser)


async def save(browser: AdminBrowser, text: str) -> None:
    """Other rules, from the page: they are on trial."""
    replacing = browser.app.admin.rule_file().fingerprint
    await browser.submit("/rules", do="save", text=text, replacing=replacing)


async def test_rules_on_trial_are_announced_on_every_page_with_the_minutes_that_are_left(browser):
    await browser.sign_in()
    await save(browser, RULES.replace("3 Mbit/s", "4 Mbit/s"))
    browser.app.node.pass_time(61_000)
    for path in ("/", "/people", "/members", "/rules", "/terms", "/backups"):
        _, page = await browser.get(path)
        assert "If nobody confirms it within 9 minutes, the rules from before come back" in page, path
    assert "Version 2 of the rules, by admin, is in force on trial." in page


async def test_issuers_read_nothing_about_a_trial_and_end_or_confirm_none(browser):
    await browser.sign_in()
    await save(browser, RULES.replace("3 Mbit/s", "4 Mbit/s"))
    browser.session.cookie_jar.clear()
    await browser.sign_in(ISSUER_LINK)
    response, page = await browser.get("/vouchers")
    assert (200, False) == (response.status, "on trial" in page)
    forms = {
        "/rules/confirm": {"trial": "2"},
        "/rules/rollback": {"trial": "2"},
        "/rules": {"do": "save", "text": RULES},
    }
    for path, form in forms.items():
        for sent in (browser.send(path, **form), browser.post(path, form)):
            response, _ = await sent
            assert 403 == response.status, "an issuer adopts nothing"
    trial = browser.app.adoption.trial()
    assert 2 == (trial and trial.number)


async def test_a_trial_is_confirmed_once_however_often_the_form_is_sent(browser):
    await browser.sign_in()
    saved = RULES.replace("3 Mbit/s", "4 Mbit/s")
    await save(browser, saved)
    for number in ("", "0", "9" * 10):
        response, _ = await browser.send("/rules/confirm", trial=number)
        assert 404 == response.status, "only what the page has shown is confirmed"
    response, _ = await browser.post("/rules/confirm", {"trial": "2"})
    assert 403 == response.status, "without the token of the session"
    assert RULES == rule_file(browser)
    for _ in range(2):
        response, _ = await browser.send("/rules/confirm", trial="2")
        assert (303, "/rules?confirmed") == (response.status, response.headers["Location"])
    _, page = await browser.get("/rules?confirmed")
    assert ("Confirmed." in page, "Confirm the rules" in page) == (True, False)
    assert saved == rule_file(browser)


async def test_a_confirmation_after_the_trial_says_that_it_came_too_late(browser):
    await browser.sign_in()
    await save(browser, RULES.replace("3 Mbit/s", "4 Mbit/s"))
    browser.app.node.pass_time(600_000)
    await browser.app.adoption.tick()
    response, page = await browser.send("/rules/confirm", trial="2")
    assert (409, True) == (response.status, "Version 2 is no longer on trial" in page)
    _, page = await browser.get("/")
    assert "Version 2: taken back: nobody confirmed it in time." in page
    _, page = await browser.get("/rules")
    assert "taken back: nobody confirmed it in time" in page
    assert RULES == rule_file(browser) == browser.app.admin.rule_file().text


async def test_a_trial_is_taken_back_with_one_button_and_an_earlier_version_put_back_with_one(browser):
    await browser.sign_in()
    await save(browser, RULES.replace("3 Mbit/s", "4 Mbit/s"))
    response, _ = await browser.send("/rules/rollback", trial="2")
    assert "/rules?ended" == response.headers["Location"]
    response, _ = await browser.send("/rules/rollback", trial="2")
    assert "/rules?ended" == response.headers["Location"], "the second of two clicks"
    response, _ = await browser.send("/rules/rollback")
    assert (404, RULES) == (response.status, browser.app.admin.rule_file().text)
    _, page = await browser.get("/rules?ended")
    assert ("Taken back." in page, "taken back by an admin" in page) == (True, True)
    response, _ = await browser.send("/rules/rollback", number="2")
    assert "/rules?saved" == response.headers["Location"]
    _, page = await browser.get("/rules")
    assert ("the rules of version 2" in page, "Confirm the rules" in page) == (True, True)
    response, page = await browser.send("/rules/rollback", number="99")
    assert (409, True) == (response.status, "There is no version 99" in page)


async def test_scheduled_rules_are_shown_with_their_time_and_withdrawn_with_one_button(browser):
    await browser.sign_in()
    await browser.app.adoption.adopt(RULES + "# later\n", "admin Ana", due="2026-12-01 06:00")
    _, page = await browser.get("/rules")
    assert "Version 2, by admin Ana, comes into force at 2026-12-01 06:00." in page
    assert "waits until 2026-12-01 06:00" in page
    await browser.submit("/rules/rollback", trial=field_in(page, "trial"))
    _, page = await browser.get("/rules")
    assert ("withdrawn by an admin" in page, "Waiting for their time" in page) == (True, False)


async def test_rules_are_saved_for_later_and_an_invalid_time_keeps_the_draft(browser):
    await browser.sign_in()
    form = {"do": "schedule", "text": RULES + "# later\n"}
    form["replacing"] = browser.app.admin.rule_file().fingerprint
    for due in ("", "soon", "1999-01-01T06:00"):
        response, page = await browser.send("/rules", **form, due=due)
        assert (422, True, True) == (response.status, "# later" in page, "such as 2026-12-01 06:00" in page)
    response, _ = await browser.send("/rules", **form, due="2026-12-01T06:00", no_trial="yes")
    assert "/rules?scheduled" == response.headers["Location"]
    _, page = await browser.get("/rules?scheduled")
    assert "comes into force at 2026-12-01 06:00" in page
    browser.app.node.pass_time(7 * 86_400_000)
    await browser.app.adoption.tick()
    assert RULES + "# later\n" == rule_file(browser)


async def test_a_full_disk_leaves_the_rules_as_they_are_and_says_so(browser):
    await browser.sign_in()
    replacing = browser.app.admin.rule_file().fingerprint
    browser.app.node.repository.full = True
    response, page = await browser.send("/rules", do="save", text=RULES + "# new\n", replacing=replacing)
    assert (422, True, True) == (response.status, "the data folder is full" in page, "# new" in page)
    assert RULES == rule_file(browser) == browser.app.admin.rule_file().text


@pytest.mark.parametrize("number", ["9", "999999999"])
async def test_a_version_that_never_existed_is_not_found(browser, number):
    await browser.sign_in()
    response, _ = await browser.get(f"/rules?version={number}")
    assert 404 == response.status


async def test_signing_out_ends_the_session(browser):
    await browser.sign_in()
    response, _ = await browser.post("/sign-out", {"csrf_token": await browser.csrf_token()})
    assert 303 == response.status
    response, _ = await browser.get("/")
    assert 401 == response.status


async def test_text_of_rules_and_names_is_never_rendered_as_markup(tmp_path: Path) -> None:
    evil = "</textarea><script>alert(1)</script><b x='&"
    rules = f"# {evil}\n{RULES}"
    members = MEMBERS.replace("Ana Mas", evil)
    async with admin_browser(tmp_path, rules=rules, members=members, community=evil) as browser:
        browser.app.node.peers = (replace(OUTSIDER, name=evil, node=NodeId(evil), addresses=(evil,)),)
        browser.app.node.warnings = (evil,)
        assert await browser.app.portal.name_device(PHONE, PHONE, evil[:40]) is None
        await browser.sign_in()
        for path in ("/", "/people", "/people/account?id=ana", "/members", "/rules", "/rules?version=1"):
            _, page = await browser.get(path)
            assert "<script>" not in page
            assert "&lt;script&gt;" in page
        csrf_token = proof_in(page)
        _, page = await browser.post("/rules", {"csrf_token": csrf_token, "text": evil + "\nnonsense" + evil})
        assert "<script>" not in page


async def test_pages_forbid_scripts_framing_and_caching(browser):
    response, _ = await browser.get("/")
    policy = response.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "style-src 'sha256-"):
        assert part in policy
    assert ("no-store", "nosniff", "same-origin") == (
        response.headers["Cache-Control"],
        response.headers["X-Content-Type-Options"],
        response.headers["Referrer-Policy"],
    )


async def test_pages_need_no_script(browser):
    await browser.sign_in()
    for path in ("/", "/rules"):
        _, page = await browser.get(path)
        assert "<script" not in page
        assert not re.search(r"\son[a-z]+=", page)
        assert " style=" not in page


@pytest.mark.parametrize("path", ["/rules", "/sign-out"])
async def test_a_form_of_another_site_changes_nothing(browser, path):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    fields = {"do": "save", "text": "", "replacing": browser.app.admin.rule_file().fingerprint}
    for more, headers in (
        ({}, {}),
        ({"csrf_token": "0" * 64}, {}),
        ({"csrf_token": csrf_token}, {"Origin": "http://evil.example"}),
        ({"csrf_token": csrf_token}, {"Origin": "null"}),
    ):
        response, _ = await browser.post(path, {**fields, **more}, **headers)
        assert 403 == response.status
    assert (RULES, 200) == (rule_file(browser), (await browser.get("/"))[0].status)


async def test_a_get_request_never_changes_anything(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    for path in (f"/sign-out?csrf_token={csrf_token}", f"/rules?do=save&text=x&csrf_token={csrf_token}"):
        await browser.get(path)
    assert (RULES, 200) == (rule_file(browser), (await browser.get("/"))[0].status)
    response, _ = await browser.get("/sign-out")
    assert (405, "POST") == (response.status, response.headers["Allow"])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2081", "", "[", "127.0.0.1.evil.example"])
async def test_a_foreign_host_name_that_resolves_to_this_machine_gets_nothing(browser, host):
    """DNS rebinding: another site's name resolves to this machine, so that its scripts may talk to it."""
    await browser.sign_in()
    response, page = await browser.get("/", Host=host)
    assert (421, False) == (response.status, "Vall Alta" in page)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:2081", "192.0.2.7:80"])
async def test_addresses_and_localhost_are_accepted_as_host_also_through_a_tunnel(browser, host):
    await browser.sign_in()
    response, _ = await browser.get("/", Host=host)
    assert 200 == response.status


async def test_a_form_that_is_far_too_large_is_refused(browser):
    await browser.sign_in()
    body = io.BytesIO(b"csrf_token=" + (await browser.csrf_token()).encode() + b"&text=" + b"x" * 2_000_000)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response, _ = await browser.ask("POST", "/rules", data=body, headers=form)
    assert 413 == response.status
    response, _ = await browser.post(
        "/rules", {"csrf_token": await browser.csrf_token(), "text": "x" * 300_000}
    )
    assert 413 == response.status


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe\x00%%%", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(1000)), "application/x-www-form-urlencoded"),
        (b'{"csrf_token": 1}', "application/json"),
        (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_body_that_is_no_form_of_these_pages_changes_nothing(browser, body, kind):
    await browser.sign_in()
    response, _ = await browser.ask("POST", "/rules", data=body, headers={"Content-Type": kind})
    assert 403 == response.status


async def test_an_internal_error_is_shown_with_its_fix(browser):
    await browser.sign_in()
    csrf_token = await browser.csrf_token()
    browser.app.node.repository.full = True
    response, page = await browser.post("/losses", {"csrf_token": csrf_token})
    assert 503 == response.status
    assert "Make room." in page


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [f"127.0.0.{number}" for number in range(2, 10)]])
async def test_idle_connections_do_not_keep_an_admin_out(browser, addresses):
    """Up to 80 connections were held for 15 seconds each, also after a first request."""
    idle = []
    for number in range(160):
        address = addresses[number % len(addresses)]
        _, writer = await asyncio.open_connection("127.0.0.1", browser.port, local_addr=(address, 0))
        if number % 2:
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle.append(writer)
    await asyncio.sleep(0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", browser.port)
    writer.write(b"GET /sign-in?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(2):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    for each in [writer, *idle]:
        each.close()


async def test_a_port_in_use_is_reported_with_what_to_change(browser):
    with pytest.raises(NodeError, match=r"admins' pages cannot use 127\.0\.0\.1 port") as told:
        await AdminServer(browser.app.admin, address="127.0.0.1", port=browser.port).run()
    assert "[admin]" in told.value.fix


async def test_a_database_loss_is_shown_until_an_admin_acknowledges_it(browser):
    lost = "On 2026-11-28 13:40 the database was empty. Lost are counts since 2026-11-28 03:00."
    await browser.sign_in()
    _, page = await browser.get("/")
    assert "/losses" not in page
    browser.app.node.archive.losses = (lost,)
    _, page = await browser.get("/")
    assert lost in page
    assert 'action="/losses"' in page
    response, _ = await browser.send("/losses")
    assert 303 == response.status
    _, page = await browser.get("/")
    assert lost not in page


async def test_alerts_are_on_the_overview_with_since_when_and_what_to_do(browser):
    node, alerts = browser.app.node, browser.app.alerts
    await browser.sign_in()
    node.warnings = ("This node does not know the date.",)
    node.alert_readings = AlertReadings(line_answers=False, is_clock_known=False)
    for _ in range(70):
        browser.app.node.clock.pass_time(15_000)
        await alerts.look()
    _, page = await browser.get("/")
    assert page.index("The line to the Internet is dead") < page.index("The node does not know the time")
    assert "Look at the modem" in page
    assert "This node does not know the date." not in page, "an alert says it"
    node.alert_readings = AlertReadings(line_answers=True)
    for _ in range(20):
        browser.app.node.clock.pass_time(15_000)
        await alerts.look()
    _, page = await browser.get("/")
    assert "The line to the Internet is dead" not in page
    assert "This node does not know the date." in page


async def test_an_old_backup_is_said_once(browser):
    alerts = browser.app.alerts
    await browser.sign_in()
    browser.app.node.alert_readings = AlertReadings(backup_age_s=40 * 86_400)
    for _ in range(250):
        browser.app.node.clock.pass_time(15_000)
        await alerts.look()
    _, page = await browser.get("/")
    assert 1 == page.count("No backup has been made for 30 days")


async def test_while_the_line_is_down_an_admin_tells_people_who_knows_about_it_and_takes_it_back(browser):
    node = browser.app.node
    await browser.sign_in()
    assert "/outage" not in (await browser.get("/"))[1]
    node.down_since = node.clock.now
    _, page = await browser.get("/")
    assert 'action="/outage"' in page
    # A page that reloads would lose what is being typed.
    _, page = await browser.get("/?live")
    assert 'href="/#outage"' in page
    assert 'action="/outage"' not in page
    until = (node.clock.civil().astimezone() + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    response, _ = await browser.send("/outage", known_to="<b>The assembly</b>", until=until)
    assert (303, "/?told") == (response.status, response.headers["Location"])
    _, page = await browser.get("/?told")
    assert "<bdi>&lt;b&gt;The assembly&lt;/b&gt;</bdi> knows about it." in page
    assert "It may last until" in page
    outage = browser.app.portal.community().outage
    assert outage is not None
    assert ("<b>The assembly</b>", True) == (outage.known_to, outage.until is not None)
    response, _ = await browser.send("/outage/undo")
    assert 303 == response.status
    await browser.send("/outage/undo")
    _, page = await browser.get("/events")
    rows = page.partition("<tbody")[2].partition("</tbody>")[0]
    for once in (
        "People told who knows about the outage",
        "People no longer told who knows about the outage",
    ):
        assert 1 == rows.count(once)
    assert "The assembly" not in rows, "what was written may be a name"
    assert "knows about it." not in (await browser.get("/"))[1]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"known_to": "x" * 61},
        {"known_to": "a\u202eb"},
        {"until": "tomorrow"},
        {"until": "1999-01-01T00:00"},
    ],
)
async def test_what_cannot_be_told_about_an_outage_is_refused_beside_its_field(browser, fields):
    node = browser.app.node
    node.down_since = node.clock.now
    await browser.sign_in()
    response, page = await browser.send("/outage", **fields)
    assert 422 == response.status
    assert 'aria-invalid="true"' in page
    assert "<details open>" in page
    assert browser.app.alerts.outages.note is None


async def test_a_full_disk_is_said_when_an_outage_is_told(browser):
    node = browser.app.node
    node.down_since = node.clock.now
    await browser.sign_in()
    token = await browser.csrf_token()
    node.repository.full = True
    response, _ = await browser.post("/outage", {"csrf_token": token, "known_to": "The assembly"})
    assert 503 == response.status
    node.repository.full = False
    await browser.send("/outage/undo")
    _, page = await browser.get("/events")
    rows = page.partition("<tbody")[2].partition("</tbody>")[0]
    assert 1 == rows.count("People told who knows about the outage"), "it is recorded later"
