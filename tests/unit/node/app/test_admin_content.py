"""Terms, notices and objections as admins change them."""

from dataclasses import replace

from node.accounts.notices import Notice, NoticeText
from node.accounts.terms import Terms, TermsText
from node.app.signin import ADMIN, Signed
from node.errors import CONFLICT
from tests.fakes.admin_people import Membership
from tests.fakes.registry_fixture import TODAY, at

ANA = Signed("admin", "Ana")
HELLO = Notice(0, "network", "everyone", "", "", False, (NoticeText("en", "Hello", ""),))


async def test_the_terms_of_the_settings_hold_until_others_are_saved():
    words = Membership().content
    assert ["1"] == [terms.version for terms in words.terms()]
    saved = await words.save_terms(ANA, (TermsText("en", "Share."),), "1")
    assert Terms("2", (TermsText("en", "Share."),), TODAY, "admin Ana") == saved
    assert "2" == words.terms()[0].version


async def test_terms_that_changed_meanwhile_are_not_overwritten():
    words = Membership().content
    await words.save_terms(ANA, (TermsText("en", "Theirs."),), "1")
    (finding,) = await words.save_terms(ANA, (TermsText("en", "Mine."),), "1")  # type: ignore[misc]
    assert CONFLICT == finding.code


async def test_unchanged_terms_need_no_new_acceptance():
    words = Membership().content
    assert isinstance(await words.save_terms(ANA, words.terms()[0].texts, "1"), tuple)


async def test_new_terms_survive_a_restart():
    membership = Membership()
    await membership.content.save_terms(ANA, (TermsText("en", "Share."),), "1")
    membership.town.restart(at())
    assert ["2"] == [terms.version for terms in membership.town.registry.terms.all()]


async def test_urgent_notices_come_first_and_then_the_newest():
    words = Membership().content
    for _ in range(2):
        assert () == await words.save_notice(ADMIN, HELLO)
    assert [1, 3, 2] == [notice.number for notice in words.notices()]


async def test_a_notice_removed_meanwhile_is_published_again_when_saved():
    words = Membership().content
    await words.save_notice(ADMIN, HELLO)
    assert await words.take_down(2)
    assert await words.take_down(2) is None
    assert () == await words.save_notice(ADMIN, replace(HELLO, number=2))
    assert {1, 3} == {notice.number for notice in words.notices()}


async def test_an_invalid_notice_is_not_published():
    words = Membership().content
    wrong = replace(HELLO, where="nowhere", texts=())
    assert 2 == len(words.check_notice(wrong)) == len(await words.save_notice(ADMIN, wrong))
    assert 1 == len(words.notices())


def test_a_notice_is_shown_at_its_place_and_time():
    words = Membership().content
    assert words.shows_today(HELLO)
    assert words.shows_today(replace(HELLO, where="zone:valley", first_day=TODAY, last_day=TODAY))
    assert not words.shows_today(replace(HELLO, where="node:hills"))
    assert not words.shows_today(replace(HELLO, last_day="2027-02-28"))


async def test_an_answer_to_an_objection_is_stored_and_a_missing_objection_is_reported():
    membership = Membership()
    assert await membership.content.answer_objection(1, "We changed it.") is None
    assert "We changed it." == membership.content.objections()[0].answer
    assert await membership.content.answer_objection(9, "?") is not None
    assert 1 == len(membership.town.rows)
