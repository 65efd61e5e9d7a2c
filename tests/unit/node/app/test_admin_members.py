"""Members as admins change them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.accounts.cards import CARD_CHARS_MAX, read_card
from node.accounts.member_passphrases import is_fit
from node.app.admin_members import (
    LETTERS,
    PASSPHRASE_LETTERS,
    AdminMembersService,
    CardView,
    MemberEntry,
    make_passphrase,
)
from node.app.views import PassphraseTyped
from node.errors import CONFLICT, Finding
from node.identity import own_node_id
from tests.fakes.admin_pages import MEMBERS, PHONE, RULES, TABLET, TIGHT, admin_app
from tests.fakes.members import COMMUNITY
from tests.fakes.use_cases import KEY, TODAY, UseCases


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path) as opened:
        yield opened


@pytest.fixture
def members(app: UseCases) -> AdminMembersService:
    return app.admin.members


async def test_members_are_found_by_name_account_or_device(members):
    for query in ("ana", "mas", "MAST", "02:00:00:00:00:aa", "02-00-00-00-00-AA"):
        assert ["ana"] == [each.account for each in members.find(query).members], query
    assert ["ana", "school"] == [each.account for each in members.find("").members]
    assert () == members.find("nobody").members
    assert ("anchor", "guest", "member") == members.find("").tiers


async def test_a_change_is_effective_when_it_is_saved(app, members):
    mark = members.find("").fingerprint
    assert () == await members.save(MemberEntry("joan", "Joan", "member"), "", mark)
    assert MemberEntry("joan", "Joan", "member") == members.member("joan")
    (finding,) = await members.remove("joan", mark)
    assert CONFLICT == finding.code
    assert () == await members.remove("joan", members.find("").fingerprint)
    assert MEMBERS == app.files.members.read_text()


@pytest.mark.parametrize("instead_of", ["", "ana"])
async def test_a_form_that_is_sent_twice_is_no_conflict_and_another_one_is(members, instead_of):
    mark, joan = members.find("").fingerprint, MemberEntry("joan", "Joan", groups=("school", "choir"))
    for _ in range(2):
        assert () == await members.save(joan, instead_of, mark)
    (finding,) = await members.save(MemberEntry("joan", "Joan"), instead_of, mark)
    assert CONFLICT == finding.code
    (finding,) = await members.save(joan, "school", mark)
    assert CONFLICT == finding.code


async def test_a_new_passphrase_replaces_the_one_before(app, members):
    first, second = [await members.new_passphrase("ana") for _ in range(2)]
    assert isinstance(first, str)
    assert isinstance(second, str)
    assert first != second
    assert "passphrase-wrong" == await app.refusal(PHONE, PassphraseTyped("ana", first))
    assert "ana" == await app.join(TABLET, PassphraseTyped("ana", second))
    assert members.has_passphrase("ana")


async def test_a_card_fits_a_qr_code_and_belongs_to_its_member(members):
    card = await members.new_card("ana")
    assert isinstance(card, CardView)
    assert len(card.text) <= CARD_CHARS_MAX
    read = read_card(card.text, COMMUNITY, {own_node_id(KEY)}, TODAY)
    assert ("ana", "2027-12-29") == (getattr(read, "account", read), card.last_day)


async def test_accounts_that_are_not_members_get_no_passphrase_or_card(members):
    assert isinstance(await members.new_passphrase("guest-1"), Finding)
    assert isinstance(await members.new_card("guest-1"), Finding)
    assert isinstance(await members.void_cards("guest-1"), Finding)


def test_a_generated_passphrase_is_long_enough_and_has_no_look_alike_letters():
    made = make_passphrase(bytes(range(PASSPHRASE_LETTERS)))
    assert is_fit(made)
    assert "abcde-fghij-kmnpq" == made
    assert 32 == len(set(LETTERS))
    assert not set("lo01") & set(LETTERS)


async def test_rules_that_would_no_longer_fit_are_shown_before_a_member_is_saved_and_afterwards(app, members):
    await app.write_rules(TIGHT)
    joan = MemberEntry("joan", "Joan", "member")
    mark = members.find("").fingerprint
    (finding,) = await members.strains(joan, "", mark)
    assert "E04" == finding.code
    assert "Upload: lifelines and floors of three households" in finding.message
    assert () == members.find("").strained
    assert () == await members.save(joan, "", mark)
    mark = members.find("").fingerprint
    assert (finding,) == members.find("").strained
    pere = MemberEntry("pere", "Pere", "member")
    assert () == await members.strains(pere, "", mark), "it does not fit already, and that is said"
    assert () == await members.strains(None, "joan", mark)
    assert () == await members.strains(joan, "", "another file"), "what cannot be saved breaks nothing"
    assert () == await members.strains(MemberEntry("no name!"), "", mark)


async def test_late_dues_are_listed_once_a_rule_uses_them(tmp_path):
    """The clock says 24 November: ten days of grace are over, fourteen are not."""
    members = MEMBERS.replace('name = "Ana Mas"\n', 'name = "Ana Mas"\npaid_until = "2026-11-13"\n')
    late = '[[rule]]\nid = "late"\nceiling = "1 Mbit/s down, 1 Mbit/s up"\nwho = "dues:late"\nby = "D-1"\n'
    for rules, expected in (
        (late, ()),
        (f"[dues]\ngrace_days = 10\n{late}", ("ana",)),
        ("[dues]\ngrace_days = 10\n", ()),
    ):
        folder = tmp_path / str(len(rules))
        folder.mkdir()
        async with admin_app(folder, rules=RULES + rules, members=members) as app:
            assert frozenset(expected) == app.admin.members.find("").late
            assert "2026-11-13" == app.admin.members.member("ana").paid_until
