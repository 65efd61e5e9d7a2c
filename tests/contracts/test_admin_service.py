"""The real application behind the admin server: changes made in the browser take effect at the portal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node.app.admin_members import CardView, MemberEntry
from node.app.admin_sessions import Signed
from node.app.views import CardShown, CodeTyped, PassphraseTyped, TermsAccepted
from node.errors import NodeError, StorageTrouble
from tests.contracts.admin_browser import AdminBrowser, admin_browser, field_in
from tests.contracts.test_admin_vouchers import ORDER, codes_in
from tests.fakes.admin_pages import ISSUER_LINK, LAPTOP, LINK, MEMBERS, PHONE, RULES, STRANGER, TABLET


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with opened(tmp_path) as browser:
        yield browser


@asynccontextmanager
async def opened(folder: Path, link: str = LINK) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(folder, is_populated=False) as browser:
        await browser.sign_in(link)
        yield browser


async def issue(office: AdminBrowser, **other: str) -> list[str]:
    _, page = await office.get("/vouchers")
    return codes_in(
        await office.submit("/vouchers", **{**ORDER, "ticket": field_in(page, "ticket"), **other})
    )


async def test_a_printed_code_admits_a_household_and_its_people_are_listed(office: AdminBrowser) -> None:
    code, *_ = await issue(office, count="2", devices="2")
    account = await office.app.join(PHONE, CodeTyped(code))
    assert account == await office.app.join(TABLET, CodeTyped(code.lower()))
    _, page = await office.get("/people")
    assert (account in page, "voucher" in page) == (True, True)
    assert account in await office.submit("/people", q=code)
    assert account in await office.submit("/people", q=PHONE)
    _, page = await office.get(f"/people/account?id={account}")
    for said in (PHONE, TABLET, "batch 1", "day-pass"):
        assert said in page
    page = await office.submit("/vouchers/code", code=code)
    assert "It has been in use" in page
    assert account in page


async def test_a_revoked_voucher_ends_its_sessions_and_restoring_it_admits_them_again(
    office: AdminBrowser,
) -> None:
    code, *_ = await issue(office, count="1")
    await office.app.join(PHONE, CodeTyped(code))
    await office.submit("/vouchers/batch", number="1", do="revoke")
    assert "admitted" != office.app.portal.guest(PHONE).state
    assert "code-revoked" == await office.app.refusal(PHONE, CodeTyped(code))
    await office.submit("/vouchers/batch", number="1", do="restore")
    await office.app.join(PHONE, CodeTyped(code))


async def test_a_blocked_person_reads_why_and_is_rejected_by_every_join_method_until_unblocked(
    office: AdminBrowser,
) -> None:
    code, *_ = await issue(office, count="1")
    account = await office.app.join(PHONE, TermsAccepted())
    await office.submit("/people/block", account=account, device=PHONE, because="Come and talk to us.")
    view = office.app.portal.guest(PHONE)
    assert ("removed", "Come and talk to us.") == (view.state, view.removed_because)
    for entry in (TermsAccepted(), CodeTyped(code)):
        assert "removed" == await office.app.refusal(PHONE, entry)
    _, page = await office.get("/people/blocked")
    assert "Come and talk to us." in page
    await office.submit("/people/unblock", device=PHONE)
    await office.app.join(PHONE, TermsAccepted())


async def test_all_devices_of_one_household_are_blocked_and_no_others(office: AdminBrowser) -> None:
    code, *_ = await issue(office, count="1")
    account = await office.app.join(PHONE, CodeTyped(code))
    await office.app.join(TABLET, CodeTyped(code))
    await office.app.join(STRANGER, TermsAccepted())
    await office.submit("/people/block", account=account, device="", because="Enough.")
    states = [office.app.portal.guest(mac).state for mac in (PHONE, TABLET, STRANGER)]
    assert ["removed", "removed", "admitted"] == states


async def test_a_member_added_in_the_browser_joins_with_a_new_passphrase(office: AdminBrowser) -> None:
    _, page = await office.get("/members/edit")
    await office.submit(
        "/members/edit",
        replacing=field_in(page, "replacing"),
        was="",
        account="joan",
        name="Joan",
        tier="member",
        groups="",
        devices="",
    )
    assert 'id = "joan"' in office.app.files.members.read_text()
    assert office.app.files.members.read_text().startswith(MEMBERS)
    passphrase = await office.app.admin.members.new_passphrase("joan")
    assert isinstance(passphrase, str)
    assert "joan" == await office.app.join(TABLET, PassphraseTyped("joan", passphrase))
    _, page = await office.get("/members/edit?id=joan")
    assert TABLET in page


async def test_a_removed_member_is_a_guest_at_once(office: AdminBrowser) -> None:
    assert "ana" == await office.app.join(LAPTOP, TermsAccepted())
    _, page = await office.get("/members/edit?id=ana")
    await office.submit("/members/remove", account="ana", replacing=field_in(page, "replacing"))
    assert str(office.app.portal.guest(LAPTOP).account).startswith("guest-")


async def test_a_file_that_was_edited_by_hand_meanwhile_is_not_overwritten(office: AdminBrowser) -> None:
    mark = office.app.admin.members.find("").fingerprint
    office.app.files.members.write_text(MEMBERS + '[[account]]\nid = "pere"\n')
    findings = await office.app.admin.members.save(MemberEntry("joan"), "", mark)
    assert ["conflict"] == [finding.code for finding in findings]
    assert "pere" in office.app.files.members.read_text()


async def test_a_members_file_broken_by_hand_is_reported_and_left_alone(
    office: AdminBrowser,
) -> None:
    broken = MEMBERS + "[[account]\n"
    office.app.files.members.write_text(broken)
    await office.app.files.look(office.app.loop, office.app.adoption.record, "a test")
    _, page = await office.get("/members/edit?id=ana")
    form = {"replacing": field_in(page, "replacing"), "was": "ana", "account": "ana", "name": "Ana"}
    response, page = await office.send("/members/edit", **form)
    assert (422, True) == (response.status, "changed by hand and has errors" in page)
    assert broken == office.app.files.members.read_text()


async def test_a_printed_card_works_until_it_is_voided(office: AdminBrowser) -> None:
    card = await office.app.admin.members.new_card("school")
    assert isinstance(card, CardView)
    assert "school" == await office.app.join(TABLET, CardShown(f"http://x/?card={card.text}"))
    await office.submit("/members/void", account="school")
    assert "card-revoked" == await office.app.refusal(STRANGER, CardShown(card.text))


async def test_new_terms_are_shown_at_the_portal(office: AdminBrowser) -> None:
    _, page = await office.get("/terms")
    await office.submit(
        "/terms", **{"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
    )
    community = office.app.portal.community()
    assert ("Be kind, and share.", "2") == (community.terms_texts[0].text, community.terms_version)


async def test_a_notice_is_shown_at_the_portal_until_it_is_removed(office: AdminBrowser) -> None:
    notice = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Storm", "text-en": ""}
    await office.submit("/notices/edit", **notice, do="save")
    assert ["Storm"] == [each.texts[0].title for each in office.app.portal.notices(None)]
    await office.submit("/notices/remove", **await office.shown("/notices", 1))
    assert () == office.app.portal.notices(None)


async def test_an_objection_is_answered_on_the_persons_own_page(office: AdminBrowser) -> None:
    await office.app.join(PHONE, TermsAccepted())
    assert await office.app.portal.add_objection(PHONE, "guest-top", "Why so slow?") is None
    form = await office.shown("/objections", 1)
    await office.submit("/objections", **form, **{"text-1": "It was the storm."})
    assert ["It was the storm."] == [each.answer for each in office.app.portal.guest(PHONE).objections]


async def test_actions_of_an_admin_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as office:
        await issue(office, count="3")
        notice = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Hi"}
        await office.submit("/notices/edit", **notice, do="save")
        kept = office.app.node.repository.registry.kept
    assert (1, 3, 1) == (len(kept.batches), len(kept.vouchers), len(kept.notices))


async def test_codes_that_cannot_be_stored_are_not_shown(office: AdminBrowser) -> None:
    office.app.node.repository.full = True
    _, page = await office.get("/vouchers")
    form = {**ORDER, "ticket": field_in(page, "ticket")}
    response, page = await office.send("/vouchers", **form)
    assert (422, []) == (response.status, codes_in(page))
    office.app.node.repository.full = False
    response, page = await office.send("/vouchers", **form)
    assert (200, 25) == (response.status, len(codes_in(page)))
    assert 25 == len(office.app.node.repository.registry.kept.vouchers)


async def refused_by_the_disk(office: AdminBrowser, path: str, **fields: str) -> str:
    """What an admin reads after submitting this form while nothing can be stored."""
    office.app.node.repository.full = True
    response, page = await office.send(path, **fields)
    office.app.node.repository.full = False
    assert response.status in {422, 503}, page
    assert "cannot save anything right now, so nothing was changed" in page
    assert "the data folder is full" in page
    return page


async def test_terms_that_cannot_be_stored_are_not_in_force_and_stay_in_the_form(
    office: AdminBrowser,
) -> None:
    _, page = await office.get("/terms")
    form = {"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
    assert "Be kind, and share." in await refused_by_the_disk(office, "/terms", **form)
    assert "1" == office.app.portal.community().terms_version
    await office.submit("/terms", **form)
    assert ["2"] == [each.version for each in office.app.node.repository.registry.kept.terms]


async def test_without_storage_no_notice_is_published_or_removed(office: AdminBrowser) -> None:
    form = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Storm", "do": "save"}
    assert "Storm" in await refused_by_the_disk(office, "/notices/edit", **form)
    assert () == office.app.portal.notices(None)
    await office.submit("/notices/edit", **form)
    await refused_by_the_disk(office, "/notices/remove", number="1")
    assert 1 == len(office.app.portal.notices(None))


async def test_an_answer_that_cannot_be_stored_is_not_shown_to_anybody(office: AdminBrowser) -> None:
    await office.app.join(PHONE, TermsAccepted())
    assert await office.app.portal.add_objection(PHONE, "guest-top", "Why so slow?") is None
    form = {"number": "1", "text-1": "It was the storm."}
    assert "It was the storm." in await refused_by_the_disk(office, "/objections", **form)
    assert [""] == [each.answer for each in office.app.portal.guest(PHONE).objections]


async def test_a_passphrase_that_cannot_be_stored_is_not_made(office: AdminBrowser) -> None:
    await refused_by_the_disk(office, "/members/passphrase", account="ana")
    assert not office.app.admin.members.has_passphrase("ana")
    assert () == office.app.node.repository.registry.kept.passphrases


async def test_cards_count_until_their_revocation_can_be_stored(office: AdminBrowser) -> None:
    card = await office.app.admin.members.new_card("ana")
    assert isinstance(card, CardView)
    await refused_by_the_disk(office, "/members/void", account="ana")
    assert "ana" == await office.app.join(STRANGER, CardShown(card.text))


async def test_a_change_that_was_never_stored_is_reported_as_in_memory_only(
    office: AdminBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_sessions: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    _, page = await office.get("/terms")
    with monkeypatch.context() as filling:
        filling.setattr(office.app.node.repository, "save_sessions", refuse)
        response, page = await office.send(
            "/terms", **{"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
        )
    assert (503, True) == (response.status, "will be lost if the node stops before the disk" in page)


async def test_nothing_is_changed_before_the_database_could_be_read(office: AdminBrowser) -> None:
    office.app.loop.persistence.recalled = False
    with pytest.raises(NodeError, match="could not read its stored data yet"):
        await office.app.admin.vouchers.revoke_batch(Signed("admin"), 1, back=False)
    with pytest.raises(NodeError, match="could not read its stored data yet"):
        await office.app.admin.content.take_down(1, "")
    response, page = await office.send("/objections", number="1", **{"text-1": "x"})
    assert (503, True) == (response.status, "Make the data folder readable" in page)


async def test_an_issuer_with_a_link_from_the_console_issues_under_their_name(tmp_path: Path) -> None:
    async with opened(tmp_path, ISSUER_LINK) as office:
        await issue(office, count="1")
        assert ["issuer library"] == [
            batch.issued_by for batch in office.app.loop.registry.vouchers.batches.values()
        ]
        response, _ = await office.get("/people")
        assert 403 == response.status


async def test_a_month_before_a_rule_ends_the_overview_says_so(office: AdminBrowser) -> None:
    limit = '[[rule]]\nid = "few"\ndevices = 3\nwho = "everyone"\nby = "D-1"\nexpires = "{}"\n'
    await office.app.adopt(limit.format("2026-12-24"))
    _, page = await office.get("/")
    assert "The last day of few is 24 December 2026." in page
    await office.app.adopt(limit.format("2026-12-25"))
    _, page = await office.get("/")
    assert "The last day of few" not in page


async def test_a_rule_for_a_node_that_nobody_has_is_a_warning_and_so_is_a_draft_with_one(
    office: AdminBrowser,
) -> None:
    limit = '[[rule]]\nid = "few"\ndevices = 3\nwho = "everyone"\nby = "D-1"\nat = "node:{}"\n'
    own = office.app.node.config.node.name
    warning = "few is for node:nowhere, and no node of this community is called that."
    for name, is_told in ((own, False), ("nowhere", True)):
        await office.app.adopt(limit.format(name))
        _, page = await office.get("/")
        assert is_told == (warning in page)
        text = RULES + limit.format(name)
        page = await office.submit("/rules", text=text, replacing="x", do="check")
        assert is_told == (warning in page)
