"""People, members, terms, notices and objections in the browser."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.accounts.member_passphrases import is_right
from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import Objection
from node.accounts.told_notices import TOLD_BY_NODE_MAX
from node.app.admin_members import CardView
from node.app.admin_sessions import ADMIN
from node.app.views import CardShown, PassphraseTyped
from node.config.settings import TERMS
from node.units import AccountId, MacAddress
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in, shown_in
from tests.fakes.admin_pages import (
    LAPTOP,
    LINK,
    MEMBERS,
    PHONE,
    RULES,
    STRANGER,
    TABLET,
    TIGHT,
    TODAY,
    changed_lines,
)
from tests.fakes.neighbours import id_of


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        await opened.sign_in(LINK)
        yield opened


OTHER = MacAddress("02:00:00:00:00:04")


def states(browser: AdminBrowser, account: str) -> dict[str, tuple[str, str | None]]:
    """State of each device of an account, and the reason shown on it."""
    return {
        mac: (view.state, view.removed_because)
        for mac in (PHONE, LAPTOP, TABLET, STRANGER)
        if (view := browser.app.portal.guest(mac)).account == account
    }


def members_file(browser: AdminBrowser) -> str:
    return browser.app.files.members.read_text()


async def edit_ana(browser: AdminBrowser, **other: str) -> dict[str, str]:
    _, page = await browser.get("/members/edit?id=ana")
    return {
        "csrf_token": field_in(page, "csrf_token"),
        "replacing": field_in(page, "replacing"),
        "was": "ana",
        "account": "ana",
        "name": "Ana Mas",
        "tier": "member",
        "groups": "mast-hosts",
        "devices": "02:00:00:00:00:aa",
        **other,
    }


async def test_active_accounts_are_listed_with_their_usage_and_join_method(browser):
    browser.app.node.pass_time(3 * 3_600_000)
    await browser.sign_in((await browser.app.admin.access.new_token(ADMIN))[0])
    await browser.app.transfer({PHONE: (1_000_000, 100_000), LAPTOP: (500_000, 50_000)})
    _, page = await browser.get("/people")
    for said in ("Ana Mas", "12 Mbit/s", "3 h", "membership card", "guest-02", "accepted the terms"):
        assert said in page


async def test_people_asked_to_use_less_are_marked_in_the_list(browser):
    word = (
        '[[rule]]\nid = "word"\nquota = "1 MB per month"\ncounts = "uplink"\nthen = "tell"\n'
        'who = "tier:member"\nby = "D-1"\n'
    )
    await browser.app.write_rules(RULES + word)
    _, page = await browser.get("/people")
    assert "Asked to use less" not in page
    await browser.app.transfer({PHONE: (2_000_000, 100_000), LAPTOP: (3_000_000, 50_000)})
    _, page = await browser.get("/people")
    assert 1 == page.count("Asked to use less: <bdi>word</bdi>")
    _, page = await browser.get("/people/account?id=ana")
    assert "Asked to use less: <bdi>word</bdi>" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [("ana", ["ana"]), ("Mas", ["ana"]), ("02-00-00-00-00-02", ["guest-02"]), ("nobody", [])],
)
async def test_an_account_is_found_by_its_name_or_device(browser, query, found):
    _, page = await browser.send("/people", q=query)
    assert found == re.findall(r'href="/people/account\?id=([^"]+)"', page)
    assert bool(found) != ("Nobody found" in page)


async def test_a_voucher_code_finds_its_account_and_is_in_no_address(browser):
    (code,) = await browser.app.codes()
    _, page = await browser.send("/people", q=code)
    assert 1 == len(re.findall(r'href="/people/account\?id=voucher-', page))
    assert not re.findall(rf'(?:href|action)="[^"]*{code}', page)


async def test_a_pause_ends_by_itself_and_says_when_to_the_admin_and_the_person(browser):
    _, page = await browser.send(
        "/people/block", account="ana", because="Backups by day, please.", lasts="3600"
    )
    assert "When the time is over" in page
    assert "It ends in 60 min" in page
    assert states(browser, "ana")[PHONE] == ("removed", "Backups by day, please.")
    assert browser.app.portal.guest(PHONE).removed_for_s == 3600
    await browser.app.pass_time(3_599_000)
    assert states(browser, "ana")[PHONE][0] == "removed"
    await browser.app.pass_time(1_000)
    assert {state for state, _ in states(browser, "ana").values()} == {"waiting"}
    response, _ = await browser.send("/people/block", account="ana", because="x", lasts="-1")
    assert 422 == response.status


async def test_a_block_of_all_devices_is_undone_with_one_button(browser):
    _, page = await browser.send("/people/block", account="ana", because="Wrong person.")
    assert {state for state, _ in states(browser, "ana").values()} == {"removed"}
    fields = {"account": "ana", "undo": shown_undo(page)}
    response, page = await browser.send("/people/unblock", **fields)
    assert (200, True) == (response.status, "It can join again" in page)
    assert {state for state, _ in states(browser, "ana").values()} == {"waiting"}
    _, page = await browser.send("/people/unblock", account="ana", undo=f"{STRANGER} nonsense " * 400)
    assert browser.app.portal.guest(STRANGER).state == "removed", "it is not a device of this account"


def shown_undo(page: str) -> str:
    return field_in(page, "undo")


async def test_a_session_is_made_longer_and_that_is_taken_back(browser):
    def left() -> int | None:
        return browser.app.portal.guest(TABLET).seconds_left

    before = left()
    assert before is not None
    response, _ = await browser.send("/people/extend", account="guest-02")
    assert 404 == response.status, "it began just now"
    await browser.app.pass_time(3_600_000)
    _, page = await browser.send("/people/extend", account="guest-02")
    assert "A whole session begins now." in page
    assert before == left()
    _, page = await browser.send("/people/extend", account="guest-02", do="undo")
    assert before - 3600 == left()
    response, page = await browser.send("/people/extend", account="guest-02", do="undo")
    assert (404, True) == (response.status, "This can no longer be taken back." in page)
    assert before - 3600 == left(), "only once"


async def test_undo_leaves_a_block_for_another_reason(browser):
    _, page = await browser.send("/people/block", account="ana", because="Wrong person.")
    undo = shown_undo(page)
    await browser.send("/people/unblock", account="ana", device=PHONE)
    await browser.send("/people/block", account="ana", device=PHONE, because="A week | after the assembly.")
    await browser.send("/people/unblock", account="ana", undo=undo)
    assert {"removed": 1, "waiting": 1} == Counter(state for state, _ in states(browser, "ana").values())
    assert states(browser, "ana")[PHONE] == ("removed", "A week | after the assembly.")


async def test_use_by_day_is_shown_only_if_the_community_decided_it(browser):
    await browser.app.use(PHONE, down=3_000_000_000)
    _, page = await browser.get("/people/account?id=ana")
    assert "Only its people see it." in page
    assert "yesterday" not in page
    await browser.app.write_rules(RULES + '[usage_by_day]\nby = "D-2026-021"\n')
    _, page = await browser.get("/people/account?id=ana")
    assert "yesterday" in page
    assert "3 GB" in page


async def test_the_page_says_what_an_account_could_have_and_since_when_a_rule_binds_it(browser):
    for time_ms in (1_000, 720_000):  # it is noted when usage is counted
        await browser.app.pass_time(time_ms)
    _, page = await browser.get("/people/account?id=guest-02")
    assert "Could have now" in page
    assert "This has limited it for 12 min." in page


async def test_a_device_is_blocked_with_a_reason_and_unblocked(browser):
    response, page = await browser.send(
        "/people/block", account="ana", device="02:00:00:00:00:01", because="Talk to us."
    )
    assert (200, True) == (response.status, "stays blocked until" in page)
    assert {PHONE: ("removed", "Talk to us."), LAPTOP: ("admitted", None)} == states(browser, "ana")
    _, page = await browser.get("/people/blocked")
    assert "Talk to us." in page
    _, page = await browser.send("/people/unblock", account="ana", device="02:00:00:00:00:01")
    assert "can join again" in page
    assert "ana" == await browser.app.join(PHONE)


async def test_all_devices_of_an_account_are_blocked_at_once(browser):
    await browser.send("/people/block", account="ana", device="", because="Talk to us.")
    assert dict.fromkeys((PHONE, LAPTOP), ("removed", "Talk to us.")) == states(browser, "ana")
    assert "admitted" == browser.app.portal.guest(TABLET).state


@pytest.mark.parametrize(
    ("because", "device"), [("", ""), ("x" * 201, ""), ("why", "no device"), ("why", "02:00:00:00:00:99")]
)
async def test_blocking_requires_a_reason_that_the_person_can_read(browser, because, device):
    response, _ = await browser.send("/people/block", account="ana", device=device, because=because)
    assert 422 == response.status
    assert dict.fromkeys((PHONE, LAPTOP), ("admitted", None)) == states(browser, "ana")


async def test_an_edit_in_the_browser_keeps_what_people_wrote_around_it(browser):
    form = await edit_ana(
        browser, groups="mast-hosts, school", devices="02:00:00:00:00:aa\n02-00-00-00-00-AB"
    )
    response, _ = await browser.post("/members/edit", form)
    assert (303, "/members?saved") == (response.status, response.headers["Location"])
    assert [
        '- groups = ["mast-hosts"]',
        '+ groups = ["mast-hosts", "school"]',
        '+     "02:00:00:00:00:ab",',
    ] == changed_lines(MEMBERS, members_file(browser))


async def test_two_editors_of_the_members_do_not_overwrite_each_other_unseen(browser):
    mine, theirs = await edit_ana(browser, name="Mine"), await edit_ana(browser, name="Theirs")
    await browser.post("/members/edit", theirs)
    response, page = await browser.post("/members/edit", mine)
    assert (409, True) == (response.status, "Someone else has changed the members" in page)
    assert 'value="Mine"' in page
    assert 'name = "Theirs"' in members_file(browser)
    again = {**mine, "replacing": field_in(page, "replacing")}
    assert 303 == (await browser.post("/members/edit", again))[0].status
    assert 'name = "Mine"' in members_file(browser)


async def test_a_member_is_added_taken_out_and_put_back(browser):
    form = await edit_ana(browser, was="", account="joan", name="Joan", groups="", devices="")
    assert 303 == (await browser.post("/members/edit", form))[0].status
    _, page = await browser.get("/members?q=jo")
    assert "Joan" in page
    _, page = await browser.get("/members/edit?id=joan")
    response, page = await browser.send(
        "/members/remove", account="joan", replacing=field_in(page, "replacing")
    )
    assert (200, True) == (response.status, "is no longer a member" in page)
    assert MEMBERS == members_file(browser)
    undo = {
        name: field_in(page, name)
        for name in ("csrf_token", "replacing", "account", "name", "tier", "groups", "devices")
    }
    assert 303 == (await browser.post("/members/edit", undo))[0].status
    assert 'id = "joan"' in members_file(browser)


async def test_before_a_member_is_saved_the_rules_that_would_no_longer_fit_are_shown(browser):
    await browser.app.write_rules(TIGHT)
    form = await edit_ana(browser, was="", account="joan", name="Joan", groups="", devices="")
    response, page = await browser.post("/members/edit", form)
    assert (422, True) == (response.status, "Nothing was changed yet" in page)
    assert "lifelines and floors of three households" in page
    assert 'value="Joan"' in page
    assert MEMBERS == members_file(browser)
    response, _ = await browser.post("/members/edit", {**form, "knowing": field_in(page, "knowing")})
    assert (303, "/members?saved") == (response.status, response.headers["Location"])
    _, page = await browser.get("/members?saved")
    assert "Saved, and in force." in page
    assert "The rules no longer fit the members" in page
    assert "lifelines and floors of three households" in page


async def test_a_consequence_that_changed_meanwhile_must_be_confirmed_again(browser):
    await browser.app.write_rules(TIGHT)
    form = await edit_ana(browser, was="", account="joan", name="Joan", groups="", devices="")
    assert 422 == (await browser.post("/members/edit", {**form, "knowing": "0123456789abcdef"}))[0].status
    assert MEMBERS == members_file(browser)


async def test_before_a_member_is_removed_the_rules_that_would_no_longer_hold_are_shown(browser):
    """A test in the rule file may name a member."""
    test = '[[test]]\ngiven = "tier:anchor, mon 10:00, everyone busy"\nexpect = "down <= 1400 kbit/s"\n'
    await browser.app.write_rules(TIGHT + test)
    _, page = await browser.get("/members/edit?id=ana")
    wish = {"account": "ana", "replacing": field_in(page, "replacing")}
    response, page = await browser.send("/members/remove", **wish)
    assert (422, True) == (response.status, "Remove them anyway" in page)
    assert MEMBERS == members_file(browser)
    response, page = await browser.send("/members/remove", **wish, knowing=field_in(page, "knowing"))
    assert (200, True) == (response.status, "is no longer a member" in page)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", ""),
        ("account", "school"),
        ("account", "guest-12"),
        ("account", "Ana Mas"),
        ("name", "x" * 81),
        ("tier", "no tier!"),
        ("groups", "Ö"),
        ("devices", "02:00"),
        ("devices", "ff:ff:ff:ff:ff:ff"),
    ],
)
async def test_an_invalid_member_changes_nothing(browser, field, value):
    form = await edit_ana(browser, was="", account="joan", groups="", devices="")
    response, page = await browser.post("/members/edit", {**form, field: value})
    assert (422, True) == (response.status, 'aria-invalid="true"' in page)
    assert MEMBERS == members_file(browser)


async def test_a_new_passphrase_is_shown_once_and_admits_its_member(browser):
    _, page = await browser.send("/members/passphrase", account="ana")
    passphrase = re.search(r'class="once" dir="ltr">([^<]+)<', page)[1]
    assert "ana" == await browser.app.join(TABLET, PassphraseTyped("ana", passphrase))
    stored = browser.app.node.repository.registry.kept
    (kept,) = stored.passphrases
    assert ("ana", True) == (kept.account, is_right(passphrase, kept.hash))
    assert passphrase not in repr(stored)


async def test_a_card_admits_its_member_until_it_is_voided(browser):
    _, page = await browser.send("/members/card", account="ana")
    assert 2 == page.count('class="square"'), "the card's, and the Wi-Fi's"
    card = await browser.app.admin.members.new_card("ana")
    assert isinstance(card, CardView)
    assert "ana" == await browser.app.join(TABLET, CardShown(card.text))
    _, page = await browser.send("/members/void", account="ana")
    assert "All cards made so far are invalid" in page
    assert "card-revoked" == await browser.app.refusal(OTHER, CardShown(card.text))


@pytest.mark.parametrize("path", ["/members/passphrase", "/members/card", "/members/void", "/members/remove"])
async def test_accounts_that_are_not_members_get_no_passphrase_or_card(browser, path):
    response, _ = await browser.send(path, account="nobody")
    assert 404 == response.status


async def test_new_terms_are_a_new_version_and_the_old_ones_stay_readable(browser):
    _, page = await browser.get("/terms")
    assert "Version 1 is in force" in page
    for replacing, text in (("1", "Be kind, and share."), ("2", "Be kinder.")):
        fields = {"replacing": replacing, "text-en": text, "text-ca": ""}
        response, _ = await browser.send("/terms", **fields)
        assert (303, "/terms?saved") == (response.status, response.headers["Location"])
    _, page = await browser.get("/terms?saved")
    assert "Version 3 is in force" in page
    _, page = await browser.get("/terms?version=2")
    assert ("Be kind, and share." in page, "No longer in force" in page) == (True, True)


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"replacing": "0", "text-en": "Mine."}, 409, "Someone else has saved other terms"),
        ({"replacing": "1", "text-en": "", "text-ca": "Sigues amable."}, 422, "it is the binding one"),
        ({"replacing": "1", "text-en": TERMS}, 422, "These are the terms in force"),
        ({"replacing": "1", "text-en": "x" * 20_001}, 422, "at most 20000"),
    ],
)
async def test_invalid_terms_change_nothing(browser, fields, status, said):
    response, page = await browser.send("/terms", **fields)
    assert (status, True) == (response.status, said in page)
    assert "1" == browser.app.admin.content.terms()[0].version


NOTICE = {
    "number": "0",
    "where": "network",
    "audience": "everyone",
    "group": "",
    "first_day": "2026-11-24",
    "last_day": "2026-12-31",
    "title-en": "Assembly",
    "text-en": "On Friday.",
    "title-ca": "Assemblea",
    "text-ca": "Divendres.",
}


async def test_a_notice_is_for_this_node_unless_somebody_says_otherwise(browser):
    _, page = await browser.get("/notices/edit")
    assert '<option value="here" selected>' in page
    assert "At all nodes" in page


async def test_notices_of_other_nodes_are_shown_and_have_no_button(browser):
    texts = (NoticeText("en", "<b>Storm</b> in the hills", ""),)
    board = browser.app.loop.registry.heard_notices
    board.name_of = lambda _node: "<i>hills</i>"
    browser.app.hear_notices(
        id_of("hills"), Notice(0, "zone:hills", "everyone", "", "", is_urgent=True, texts=texts)
    )
    _, page = await browser.get("/notices")
    part = page.partition("Of other nodes")[2]
    assert "&lt;b&gt;Storm&lt;/b&gt; in the hills" in part
    assert "&lt;i&gt;hills&lt;/i&gt;" in part
    assert "<form" not in part.partition("</section>")[0]
    assert "not shown here" in part


async def test_a_node_has_so_many_notices_for_all_nodes(browser):
    for number in range(TOLD_BY_NODE_MAX):
        response, _ = await browser.send("/notices/edit", **NOTICE | {"title-en": str(number)}, do="save")
    response, page = await browser.send("/notices/edit", **NOTICE, do="save")
    assert (422, True) == (response.status, "show this one only at this node" in page)
    assert 303 == (await browser.send("/notices/edit", **NOTICE | {"where": "here"}, do="save"))[0].status


async def test_a_notice_is_previewed_published_changed_and_removed(browser):
    content = browser.app.admin.content
    _, page = await browser.send("/notices/edit", **NOTICE, do="preview")
    assert ("Preview" in page, len(content.notices())) == (True, 1)
    assert 303 == (await browser.send("/notices/edit", **NOTICE, do="save"))[0].status
    (new,) = (notice for notice in content.notices() if notice.number == 2)
    assert ["en", "ca"] == [text.language for text in new.texts]
    shown = await browser.shown("/notices/edit?number=2", 2)
    await browser.send(
        "/notices/edit", **{**NOTICE, **shown, "audience": "group", "group": "school"}, do="save"
    )
    (changed,) = (notice for notice in content.notices() if notice.number == 2)
    assert ("group:school", "admin") == (changed.audience, changed.by)
    _, page = await browser.send("/notices/remove", **await browser.shown("/notices", 2))
    assert "The notice was removed" in page
    assert [1] == [notice.number for notice in content.notices()]
    undo = dict(
        re.findall(
            r'<input type="hidden" name="([^"]+)" value="([^"]*)">',
            page.partition("notice was removed")[2].partition("</form>")[0],
        )
    )
    assert 303 == (await browser.post("/notices/edit", {**undo, "do": "save"}))[0].status
    assert "Assembly" in {text.title for notice in content.notices() for text in notice.texts}


@pytest.mark.parametrize(
    "other",
    [
        {"where": "nowhere"},
        {"audience": "group", "group": ""},
        {"audience": "kings"},
        {"first_day": "tomorrow"},
        {"last_day": "2026-01-01"},
        {"title-en": "", "text-en": "", "title-ca": "", "text-ca": ""},
        {"title-en": ""},
        {"title-en": "x" * 81},
        {"text-en": "x" * 1_001},
    ],
)
async def test_an_invalid_notice_is_not_published_and_not_lost(browser, other):
    response, page = await browser.send("/notices/edit", **{**NOTICE, **other}, do="save")
    assert (422, 1) == (response.status, len(browser.app.admin.content.notices()))
    assert 'class="error"' in page
    assert "2026-12-31" in page or "last_day" in other


async def test_objections_are_answered_where_both_sides_read_it(browser):
    assert "One objection is waiting" in (await browser.get("/"))[1]
    _, page = await browser.get("/objections")
    assert "I work at night." in page
    response, page = await browser.send("/objections", number="1", **{"text-1": ""})
    assert (422, True) == (response.status, "Write an answer" in page)
    form = await browser.shown("/objections", 1)
    await browser.send("/objections", **form, **{"text-1": "We changed the rule."})
    (objection,) = browser.app.portal.guest(PHONE).objections
    assert ("We changed the rule.", TODAY) == (objection.answer, objection.answered_day)
    assert "objection is waiting" not in (await browser.get("/"))[1]


THEIRS = Objection(1, AccountId("school"), TODAY, "", "Somebody else.")


async def test_an_old_form_answers_no_other_objection_and_keeps_what_was_typed(browser):
    form = await browser.shown("/objections", 1)
    objections = browser.app.loop.registry.objections
    objections.forget([1])
    objections.take([THEIRS])  # as after a restart, which uses the number again
    response, page = await browser.send("/objections", **form, **{"text-1": "For Ana only."})
    assert (409, True) == (response.status, "This has changed since you opened the page" in page)
    assert "For Ana only." in page
    assert THEIRS == browser.app.admin.content.objections()[0]


async def test_an_old_form_changes_and_removes_no_other_notice(browser):
    listed = await browser.shown("/notices", 1)
    (urgent,) = browser.app.admin.content.notices()
    await browser.app.put_up(replace(urgent, last_day="2026-12-24"))
    (other,) = browser.app.admin.content.notices()
    response, page = await browser.send("/notices/edit", **{**NOTICE, **listed}, do="preview")
    again = shown_in(page, 1)
    assert (200, listed) == (response.status, again)
    response, page = await browser.send("/notices/edit", **{**NOTICE, **again}, do="save")
    assert (409, True) == (response.status, "This has changed since you opened the page" in page)
    assert ("Divendres." in page, listed) == (True, shown_in(page, 1))
    response, page = await browser.send("/notices/remove", **listed)
    assert (404, True) == (response.status, "This has changed since you opened the page" in page)
    assert [other] == list(browser.app.admin.content.notices())
