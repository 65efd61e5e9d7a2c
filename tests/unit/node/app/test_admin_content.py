"""Terms, notices and objections as admins change them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from node.accounts.appearance import NO_APPEARANCE, Appearance, WelcomeText
from node.accounts.notices import Notice, NoticeText
from node.accounts.terms import Terms, TermsText
from node.app.admin_content import AdminContentService, fingerprint
from node.app.admin_sessions import ADMIN, Signed
from node.errors import CONFLICT, UNSTORED, Finding
from tests.fakes.admin_pages import PHONE, STORM, TABLET, admin_app, populate
from tests.fakes.use_cases import TODAY, UseCases

ANA = Signed("admin", "Ana")
HELLO = Notice(0, "network", "everyone", "", "", False, (NoticeText("en", "Hello", ""),))


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path) as opened:
        yield opened


@pytest.fixture
def content(app: UseCases) -> AdminContentService:
    return app.admin.content


@asynccontextmanager
async def restarted(app: UseCases) -> AsyncIterator[UseCases]:
    """A second run of the daemon on what the first one stored."""
    async with app.node.life() as again:
        await asyncio.to_thread(lambda: again.files)  # blocks, as in the daemon before its loop runs
        yield again


async def test_the_terms_of_the_settings_hold_until_others_are_saved(content):
    assert ["1"] == [terms.version for terms in content.terms()]
    saved = await content.save_terms(ANA, (TermsText("en", "Share."),), "1")
    assert Terms("2", (TermsText("en", "Share."),), TODAY, "admin Ana") == saved
    assert "2" == content.terms()[0].version


async def test_terms_that_changed_meanwhile_are_not_overwritten(content):
    await content.save_terms(ANA, (TermsText("en", "Theirs."),), "1")
    (finding,) = await content.save_terms(ANA, (TermsText("en", "Mine."),), "1")  # type: ignore[misc]
    assert CONFLICT == finding.code


async def test_terms_that_are_sent_twice_are_one_version_and_no_conflict(content):
    for _ in range(2):
        saved = await content.save_terms(ANA, (TermsText("en", "Share."),), "1")
        assert Terms("2", (TermsText("en", "Share."),), TODAY, "admin Ana") == saved


async def test_unchanged_terms_need_no_new_acceptance(content):
    assert isinstance(await content.save_terms(ANA, content.terms()[0].texts, "1"), tuple)


async def test_new_terms_survive_a_restart(app):
    await app.admin.content.save_terms(ANA, (TermsText("en", "Share."),), "1")
    async with app.node.life() as again:
        assert ["2"] == [terms.version for terms in again.loop.registry.terms.all()]
        assert "Share." == again.portal.community().terms_texts[0].text


async def test_urgent_notices_come_first_and_then_the_newest(content):
    await content.save_notice(ADMIN, STORM)
    for first_day in ("", TODAY):
        assert () == await content.save_notice(ADMIN, replace(HELLO, first_day=first_day))
    assert [1, 3, 2] == [notice.number for notice in content.notices()]


async def test_a_new_notice_that_is_sent_twice_is_published_once(content):
    async with asyncio.TaskGroup() as tasks:
        clicks = [tasks.create_task(content.save_notice(ANA, HELLO)) for _ in range(2)]
    assert [(), ()] == [click.result() for click in clicks]
    assert () == await content.save_notice(ADMIN, HELLO)
    assert ["admin Ana"] == [notice.by for notice in content.notices()]


async def test_a_notice_removed_meanwhile_is_published_again_when_saved(content):
    await content.save_notice(ADMIN, HELLO)
    (notice,) = content.notices()
    assert notice == await content.take_down(1, fingerprint(notice))
    assert await content.take_down(1, fingerprint(notice)) is None
    assert () == await content.save_notice(ADMIN, replace(HELLO, number=1))
    assert {2} == {notice.number for notice in content.notices()}


async def test_an_invalid_notice_is_not_published(content):
    wrong = replace(HELLO, where="nowhere", texts=())
    assert 2 == len(content.check_notice(wrong)) == len(await content.save_notice(ADMIN, wrong))
    assert () == tuple(content.notices())


async def test_a_notice_is_shown_at_its_place_and_time(content):
    assert content.shows_today(HELLO)
    assert content.shows_today(replace(HELLO, where="zone:valley", first_day=TODAY, last_day=TODAY))
    assert not content.shows_today(replace(HELLO, where="node:hills"))
    assert not content.shows_today(replace(HELLO, last_day="2026-11-23"))


async def test_an_answer_to_an_objection_is_stored_and_a_missing_objection_is_reported(app):
    await populate(app)
    (objection,) = app.admin.content.objections()
    assert await app.admin.content.answer_objection(1, "We changed it.", fingerprint(objection)) is None
    assert "We changed it." == app.admin.content.objections()[0].answer
    assert await app.admin.content.answer_objection(9, "?", fingerprint(objection)) is not None
    assert ["We changed it."] == [each.answer for each in app.node.repository.registry.kept.objections]


async def test_the_reused_number_of_a_deleted_objection_does_not_answer_another_person(app):
    """Its author deletes the newest one, the node restarts, and somebody else objects: an old page is still open."""
    await app.join(TABLET)
    assert await app.portal.add_objection(TABLET, "", "I am a guest.") is None
    (seen,) = app.admin.content.objections()
    await app.portal.erase(TABLET)
    assert () == app.admin.content.objections()
    async with restarted(app) as again:
        await again.join_by_card(PHONE)
        assert await again.portal.add_objection(PHONE, "", "I am Ana.") is None
        (other,) = again.admin.content.objections()
        assert (1, 1) == (seen.number, other.number)
        refused = await again.admin.content.answer_objection(1, "For the guest.", fingerprint(seen))
        assert refused is not None
        assert CONFLICT == refused.code
        assert [""] == [each.answer for each in again.admin.content.objections()]
        assert [""] == [each.answer for each in app.node.repository.registry.kept.objections]


async def test_the_answer_of_another_admin_is_not_replaced_unseen_and_the_same_form_may_come_twice(app):
    await populate(app)
    (objection,) = app.admin.content.objections()
    answer = app.admin.content.answer_objection
    assert await answer(1, "Yes.", fingerprint(objection)) is None
    assert await answer(1, "Yes.", fingerprint(objection)) is None
    refused = await answer(1, "No.", fingerprint(objection))
    assert refused is not None
    assert CONFLICT == refused.code
    assert await answer(1, "No.", fingerprint(app.admin.content.objections()[0])) is None
    assert "No." == app.admin.content.objections()[0].answer


async def test_the_reused_number_of_a_deleted_notice_does_not_change_or_remove_another(app):
    content = app.admin.content
    await content.save_notice(ADMIN, HELLO)
    (seen,) = content.notices()
    await content.take_down(1, fingerprint(seen))
    async with restarted(app) as again:
        content = again.admin.content
        await content.save_notice(ADMIN, STORM)
        (other,) = content.notices()
        assert (1, 1) == (seen.number, other.number)
        (refused,) = await content.save_notice(ADMIN, replace(seen, first_day=TODAY), fingerprint(seen))
        assert CONFLICT == refused.code
        assert isinstance(await content.take_down(1, fingerprint(seen)), Finding)
        assert (other,) == tuple(content.notices())


async def test_a_changed_notice_is_not_replaced_unseen_and_the_same_form_may_come_twice(app):
    content = app.admin.content
    await content.save_notice(ADMIN, HELLO)
    (seen,) = content.notices()
    changed = replace(seen, first_day=TODAY)
    assert () == await content.save_notice(ADMIN, changed, fingerprint(seen))
    assert () == await content.save_notice(ADMIN, changed, fingerprint(seen))
    (refused,) = await content.save_notice(ADMIN, replace(seen, last_day=TODAY), fingerprint(seen))
    assert CONFLICT == refused.code
    assert (changed,) == tuple(content.notices())


async def test_an_appearance_is_in_force_at_once_and_after_a_restart(app, content):
    wanted = Appearance("#b02040", "#ff8899", (WelcomeText("ca", "Hola."),), "Vall Oberta")
    assert {} == await content.save_appearance(ANA, wanted, fingerprint(content.appearance()))
    assert replace(wanted, by="admin Ana") == content.appearance() == app.portal.community().appearance
    assert "Vall Oberta" == app.admin.site().wifi
    async with restarted(app) as again:
        assert replace(wanted, by="admin Ana") == again.admin.content.appearance()


async def test_an_appearance_that_changed_meanwhile_is_not_overwritten(content):
    seen = fingerprint(content.appearance())
    assert {} == await content.save_appearance(ANA, Appearance(wifi_name="Theirs"), seen)
    findings = await content.save_appearance(ANA, Appearance(wifi_name="Mine"), seen)
    assert [CONFLICT] == [finding.code for finding in findings.values()]
    assert "Theirs" == content.appearance().wifi_name


async def test_an_appearance_that_is_sent_twice_is_no_conflict(content):
    seen = fingerprint(content.appearance())
    for _ in range(2):
        assert {} == await content.save_appearance(ANA, Appearance(wifi_name="Vall"), seen)


async def test_an_appearance_that_is_not_valid_changes_nothing(content):
    wanted = Appearance("#ffffff", "#ffffff")
    findings = await content.save_appearance(ANA, wanted, fingerprint(content.appearance()))
    assert ["accent"] == list(findings)
    assert NO_APPEARANCE == content.appearance()


async def test_an_appearance_that_cannot_be_stored_is_refused(app, content):
    app.node.repository.full = True
    findings = await content.save_appearance(
        ANA, Appearance(wifi_name="x"), fingerprint(content.appearance())
    )
    assert [UNSTORED] == [finding.code for finding in findings.values()]
    assert NO_APPEARANCE == content.appearance()
