"""The real application behind the admin server: changes made in the browser take effect at the portal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar

from node.admin.server import AdminServer
from node.app.admin import AdminService
from node.app.admin_members import CardView, MemberEntry
from node.app.rule_files import RuleFiles
from node.app.signin import Signed
from node.app.views import Admitted, CardShown, CodeTyped, PassphraseTyped, Refused, TermsAccepted
from node.errors import NodeError, StorageTrouble
from tests.contracts.admin_browser import AdminBrowser, field_in
from tests.contracts.test_admin_vouchers import ORDER, codes_in
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, BEN, CAI, LISTED, MEMBERS, AppFixture, UseCases
from tests.lab.agreement import Settings  # noqa: F401 - the settings that the fixture uses


@dataclass
class Office:
    """The application with its portal, its admin pages, and a browser for them."""

    backend: UseCases
    admin: AdminService
    browser: AdminBrowser
    files: RuleFiles
    repository: FakeRepository

    async def send(self, path: str, **fields: str) -> str:
        """Submit a form of the admin pages, which succeeds."""
        response, page = await self.browser.send(path, **fields)
        assert response.status in {200, 303}, page
        return page

    async def issue(self, **other: str) -> list[str]:
        _, page = await self.browser.get("/vouchers")
        return codes_in(
            await self.send("/vouchers", **{**ORDER, "ticket": field_in(page, "ticket"), **other})
        )

    async def comes_in(self, mac: Any, entry: Any) -> str:
        came = await self.backend.portal.admit(mac, entry, "1")
        assert isinstance(came, Admitted), came
        return str(self.backend.portal.guest(mac).account)

    async def is_refused(self, mac: Any, entry: Any) -> str:
        refused = await self.backend.portal.admit(mac, entry, "1")
        assert isinstance(refused, Refused), refused
        return refused.reason


@asynccontextmanager
async def opened(folder: Path, signed: Signed | None = None) -> AsyncIterator[Office]:
    street = AppFixture(folder=folder)
    async with street.life() as backend:
        admin = backend.admin
        server = AdminServer(admin, address="127.0.0.1", port=0)
        async with asyncio.TaskGroup() as tasks, ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            running = tasks.create_task(server.run())
            await server.ready.wait()
            assert server.bound is not None
            browser = AdminBrowser(session, admin, server.bound[1])  # type: ignore[arg-type]
            link, _ = await admin.new_link(signed or Signed("admin"))
            await browser.sign_in(link.partition("token=")[2])
            yield Office(backend, admin, browser, backend.files, street.repository)
            running.cancel()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with opened(tmp_path) as made:
        yield made


async def test_a_printed_code_admits_a_household_and_its_people_are_listed(office: Office) -> None:
    code, *_ = await office.issue(count="2", devices="2")
    account = await office.comes_in(ANA, CodeTyped(code))
    assert account == await office.comes_in(BEN, CodeTyped(code.lower()))
    _, page = await office.browser.get("/people")
    assert (account in page, "voucher" in page) == (True, True)
    assert account in await office.send("/people", q=code)
    assert account in await office.send("/people", q=ANA)
    _, page = await office.browser.get(f"/people/account?id={account}")
    for said in (ANA, BEN, "batch 1", "day-pass"):
        assert said in page
    page = await office.send("/vouchers/code", code=code)
    assert "It has been in use" in page
    assert account in page


async def test_a_revoked_voucher_ends_its_sessions_and_restoring_it_admits_them_again(
    office: Office,
) -> None:
    code, *_ = await office.issue(count="1")
    await office.comes_in(ANA, CodeTyped(code))
    await office.send("/vouchers/batch", number="1", do="revoke")
    assert "admitted" != office.backend.portal.guest(ANA).state
    assert "code-revoked" == await office.is_refused(ANA, CodeTyped(code))
    await office.send("/vouchers/batch", number="1", do="restore")
    await office.comes_in(ANA, CodeTyped(code))


async def test_a_blocked_person_reads_why_and_is_rejected_by_every_join_method_until_unblocked(
    office: Office,
) -> None:
    code, *_ = await office.issue(count="1")
    account = await office.comes_in(ANA, TermsAccepted())
    await office.send("/people/block", account=account, device=ANA, because="Come and talk to us.")
    view = office.backend.portal.guest(ANA)
    assert ("removed", "Come and talk to us.") == (view.state, view.removed_because)
    for entry in (TermsAccepted(), CodeTyped(code)):
        assert "removed" == await office.is_refused(ANA, entry)
    _, page = await office.browser.get("/people/blocked")
    assert "Come and talk to us." in page
    await office.send("/people/unblock", device=ANA)
    await office.comes_in(ANA, TermsAccepted())


async def test_all_devices_of_one_household_are_blocked_and_no_others(office: Office) -> None:
    code, *_ = await office.issue(count="1")
    account = await office.comes_in(ANA, CodeTyped(code))
    await office.comes_in(BEN, CodeTyped(code))
    await office.comes_in(CAI, TermsAccepted())
    await office.send("/people/block", account=account, device="", because="Enough.")
    states = [office.backend.portal.guest(mac).state for mac in (ANA, BEN, CAI)]
    assert ["removed", "removed", "admitted"] == states


async def test_a_member_added_in_the_browser_joins_with_a_new_passphrase(office: Office) -> None:
    _, page = await office.browser.get("/members/edit")
    await office.send(
        "/members/edit",
        replacing=field_in(page, "replacing"),
        was="",
        account="joan",
        name="Joan",
        tier="member",
        groups="",
        devices="",
    )
    assert 'id = "joan"' in office.files.members.read_text()
    assert office.files.members.read_text().startswith(MEMBERS)
    passphrase = await office.admin.members.new_passphrase("joan")
    assert isinstance(passphrase, str)
    assert "joan" == await office.comes_in(BEN, PassphraseTyped("joan", passphrase))
    _, page = await office.browser.get("/members/edit?id=joan")
    assert BEN in page


async def test_a_removed_member_is_a_guest_at_once(office: Office) -> None:
    assert "ana" == await office.comes_in(LISTED, TermsAccepted())
    _, page = await office.browser.get("/members/edit?id=ana")
    await office.send("/members/remove", account="ana", replacing=field_in(page, "replacing"))
    assert str(office.backend.portal.guest(LISTED).account).startswith("guest-")


async def test_a_file_that_was_edited_by_hand_meanwhile_is_not_overwritten(office: Office) -> None:
    mark = office.admin.members.find("").fingerprint
    office.files.members.write_text(MEMBERS + '[[account]]\nid = "pere"\n')
    findings = await office.admin.members.save(MemberEntry("joan"), "", mark)
    assert ["conflict"] == [finding.code for finding in findings]
    assert "pere" in office.files.members.read_text()


async def test_a_members_file_broken_by_hand_is_reported_and_left_alone(
    office: Office,
) -> None:
    broken = MEMBERS + "[[account]\n"
    office.files.members.write_text(broken)
    await office.files.look(office.backend.loop, office.admin.keep_rules, "a test")
    _, page = await office.browser.get("/members/edit?id=ana")
    form = {"replacing": field_in(page, "replacing"), "was": "ana", "account": "ana", "name": "Ana"}
    response, page = await office.browser.send("/members/edit", **form)
    assert (422, True) == (response.status, "changed by hand and has errors" in page)
    assert broken == office.files.members.read_text()


async def test_a_printed_card_works_until_it_is_voided(office: Office) -> None:
    card = await office.admin.members.new_card("carme")
    assert isinstance(card, CardView)
    assert "carme" == await office.comes_in(BEN, CardShown(f"http://x/?card={card.text}"))
    await office.send("/members/void", account="carme")
    assert "card-revoked" == await office.is_refused(CAI, CardShown(card.text))


async def test_new_terms_are_shown_at_the_portal(office: Office) -> None:
    _, page = await office.browser.get("/terms")
    await office.send(
        "/terms", **{"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
    )
    community = office.backend.portal.community()
    assert ("Be kind, and share.", "2") == (community.terms, community.terms_version)


async def test_a_notice_is_shown_at_the_portal_until_it_is_removed(office: Office) -> None:
    notice = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Storm", "text-en": ""}
    await office.send("/notices/edit", **notice, do="save")
    assert ["Storm"] == [each.texts[0].title for each in office.backend.portal.notices(None)]
    await office.send("/notices/remove", number="1")
    assert () == office.backend.portal.notices(None)


async def test_an_objection_is_answered_on_the_persons_own_page(office: Office) -> None:
    await office.comes_in(ANA, TermsAccepted())
    assert await office.backend.portal.add_objection(ANA, "day-pass", "Why so slow?") is None
    await office.send("/contests", number="1", **{"text-1": "It was the storm."})
    assert ["It was the storm."] == [each.answer for each in office.backend.portal.guest(ANA).objections]


async def test_actions_of_an_admin_survive_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as office:
        await office.issue(count="3")
        notice = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Hi"}
        await office.send("/notices/edit", **notice, do="save")
        kept = office.repository.registry.kept
    assert (1, 3, 1) == (len(kept.batches), len(kept.vouchers), len(kept.notices))


async def test_codes_that_cannot_be_stored_are_not_shown(office: Office) -> None:
    office.repository.full = True
    _, page = await office.browser.get("/vouchers")
    form = {**ORDER, "ticket": field_in(page, "ticket")}
    response, page = await office.browser.send("/vouchers", **form)
    assert (422, []) == (response.status, codes_in(page))
    office.repository.full = False
    response, page = await office.browser.send("/vouchers", **form)
    assert (200, 25) == (response.status, len(codes_in(page)))
    assert 25 == len(office.repository.registry.kept.vouchers)


async def refused_by_the_disk(office: Office, path: str, **fields: str) -> str:
    """What an admin reads after submitting this form while nothing can be stored."""
    office.repository.full = True
    response, page = await office.browser.send(path, **fields)
    office.repository.full = False
    assert response.status in {422, 503}, page
    assert "cannot save anything right now, so nothing was changed" in page
    assert "the data folder is full" in page
    return page


async def test_terms_that_cannot_be_stored_are_not_in_force_and_stay_in_the_form(office: Office) -> None:
    _, page = await office.browser.get("/terms")
    form = {"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
    assert "Be kind, and share." in await refused_by_the_disk(office, "/terms", **form)
    assert "1" == office.backend.portal.community().terms_version
    await office.send("/terms", **form)
    assert ["2"] == [each.version for each in office.repository.registry.kept.terms]


async def test_without_storage_no_notice_is_published_or_removed(office: Office) -> None:
    form = {"number": "0", "where": "network", "audience": "everyone", "title-en": "Storm", "do": "save"}
    assert "Storm" in await refused_by_the_disk(office, "/notices/edit", **form)
    assert () == office.backend.portal.notices(None)
    await office.send("/notices/edit", **form)
    await refused_by_the_disk(office, "/notices/remove", number="1")
    assert 1 == len(office.backend.portal.notices(None))


async def test_an_answer_that_cannot_be_stored_is_not_shown_to_anybody(office: Office) -> None:
    await office.comes_in(ANA, TermsAccepted())
    assert await office.backend.portal.add_objection(ANA, "day-pass", "Why so slow?") is None
    form = {"number": "1", "text-1": "It was the storm."}
    assert "It was the storm." in await refused_by_the_disk(office, "/contests", **form)
    assert [""] == [each.answer for each in office.backend.portal.guest(ANA).objections]


async def test_a_passphrase_that_cannot_be_stored_is_not_made(office: Office) -> None:
    await refused_by_the_disk(office, "/members/passphrase", account="ana")
    assert not office.admin.members.has_passphrase("ana")
    assert () == office.repository.registry.kept.passphrases


async def test_cards_count_until_their_revocation_can_be_stored(office: Office) -> None:
    card = await office.admin.members.new_card("ana")
    assert isinstance(card, CardView)
    await refused_by_the_disk(office, "/members/void", account="ana")
    assert "ana" == await office.comes_in(CAI, CardShown(card.text))


async def test_a_change_that_was_never_stored_is_reported_as_in_memory_only(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_sessions: object) -> None:
        raise StorageTrouble("the data folder is full", "make room")

    _, page = await office.browser.get("/terms")
    with monkeypatch.context() as filling:
        filling.setattr(office.repository, "save_sessions", refuse)
        response, page = await office.browser.send(
            "/terms", **{"replacing": field_in(page, "replacing"), "text-en": "Be kind, and share."}
        )
    assert (503, True) == (response.status, "will be lost if the node stops before the disk" in page)


async def test_nothing_is_changed_before_the_database_could_be_read(office: Office) -> None:
    office.backend.loop.persistence.recalled = False
    with pytest.raises(NodeError, match="could not read its stored data yet"):
        await office.admin.vouchers.revoke_batch(Signed("admin"), 1, back=False)
    with pytest.raises(NodeError, match="could not read its stored data yet"):
        await office.admin.content.take_down(1)
    response, page = await office.browser.send("/contests", number="1", **{"text-1": "x"})
    assert (503, True) == (response.status, "Make the data folder readable" in page)


async def test_an_issuer_with_a_link_from_the_console_issues_under_their_name(tmp_path: Path) -> None:
    async with opened(tmp_path, Signed("issuer", "library")) as office:
        await office.issue(count="1")
        assert ["issuer library"] == [
            batch.issued_by for batch in office.backend.loop.registry.vouchers.batches.values()
        ]
        response, _ = await office.browser.get("/people")
        assert 403 == response.status
