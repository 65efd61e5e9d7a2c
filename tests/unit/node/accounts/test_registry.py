"""Joining, sharing an account and leaving: with all join methods, restarts and failed attempts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.auth_result import Accepted, Rejected
from node.accounts.cards import CardsVoid, make_card
from node.accounts.changes import Forgotten
from node.accounts.codes import make_code, shown
from node.accounts.member_passphrases import DUMMY_HASH, PassphraseHash
from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import OBJECTION_CHARS_MAX
from node.accounts.registry import PassphraseQuestion, SponsorApproval
from node.accounts.rule_objections import RuleObjection
from node.accounts.sponsorship import SponsorRequest
from node.accounts.terms import Terms, TermsText
from node.governance.members import make_member_directory
from node.identity import key_from_raw
from tests.fakes.registry_fixture import (
    ALL,
    DAY_MS,
    DAY_PASS,
    LAPTOP,
    NODE_KEY,
    PHONE,
    STRANGER,
    TABLET,
    TODAY,
    RegistryFixture,
    at,
    guest_account,
)

TEXT = NoticeText("ca", "Assemblea", "Divendres.")
RULE_OBJECTION = RuleObjection("ana", 4, "f4", TODAY, "Why?")
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(TEXT,))


@pytest.fixture
def town() -> RegistryFixture:
    return RegistryFixture()


# --- terms ------------------------------------------------------------------------------


def test_accepting_the_terms_creates_a_guest_account_without_a_row(town):
    accepted = town.registry.enter_by_terms(PHONE, ALL, at())
    assert Accepted(guest_account(PHONE)) == accepted
    assert {} == town.rows


def test_a_join_method_that_the_rules_do_not_open_is_closed(town):
    registry, (code,) = town.registry, town.issue()
    closed = Rejected("way-closed")
    assert closed == registry.enter_by_terms(PHONE, ["voucher"], at())
    assert closed == registry.enter_by_code(PHONE, code.text, ["terms"], at())
    assert closed == registry.enter_by_card(PHONE, "", ["terms"], at())
    assert closed == registry.passphrase_question(PHONE, "ana", ["terms"], at())
    assert closed == registry.ask(PHONE, "ana", "Pau", ["terms"], at())


def test_a_device_in_the_members_file_always_joins_its_account(town):
    registry, (code,) = town.registry, town.issue()
    assert "ana" == registry.enter_by_terms(LAPTOP, ["voucher"], at()).account
    assert Accepted("ana") == town.code(LAPTOP, code.text)
    assert town.registry.vouchers.find(code).lease is None


# --- vouchers ---------------------------------------------------------------------------


def test_a_voucher_starts_when_it_is_first_used(town):
    (code,) = town.issue()
    accepted = town.came(town.code(PHONE, shown(code).lower(), at(5_000)))
    assert 5_000 + DAY_MS == town.ends(accepted.account)
    assert accepted.account == town.registry.account_of(PHONE)
    assert {"day-pass"} == town.registry.vouchers.groups_of(accepted.account)
    assert "voucher" == town.registry.way_of(PHONE)


def test_a_household_shares_one_voucher_and_its_end(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    ends = town.ends(first.account)
    second = town.came(town.code(TABLET, code.text, at(3_600_000)))
    assert (first.account, ends) == (second.account, town.ends(second.account))
    assert 2 == len(town.registry.bindings.of(first.account))


def test_a_device_with_a_new_address_rejoins_with_the_code_and_gets_no_fresh_allowance(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    ends = town.ends(first.account)
    later = town.came(town.code(STRANGER, code.text, at(DAY_MS - 1)))
    assert (first.account, ends) == (later.account, town.ends(later.account))


def test_a_code_is_entered_once_on_each_device(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    assert replace(first, changes=()) == town.registry.enter_by_terms(PHONE, ["terms"], at(5))
    town.restart(at(10))
    assert replace(first, changes=()) == town.registry.enter_by_terms(PHONE, [], at(20))
    town.restart(at(0, "boot-2", 1_000_000 + 3_600), saved_at=10)
    again = town.registry.enter_by_terms(PHONE, [], at(5, "boot-2"))
    assert (first.account, DAY_MS - 3_600_000) == (again.account, town.ends(again.account))


def test_when_a_voucher_has_ended_its_device_is_a_separate_guest_again(town):
    (code,) = town.issue()
    town.came(town.code(PHONE, code.text, at(0)))
    assert Rejected("code-ended") == town.code(TABLET, code.text, at(DAY_MS))
    assert Rejected("code-ended") == town.registry.enter_by_terms(PHONE, ["voucher"], at(DAY_MS))
    assert guest_account(PHONE) == town.came(town.registry.enter_by_terms(PHONE, ALL, at(DAY_MS))).account
    assert town.registry.account_of(PHONE) is None
    town.restart(at(DAY_MS + 1))
    assert town.registry.account_of(PHONE) is None


def test_a_revoked_voucher_admits_nobody_and_its_people_are_guests(town):
    (code,) = town.issue()
    used = town.came(town.code(PHONE, code.text))
    names = [voucher.fingerprint for voucher in town.registry.vouchers.of_batch(1)]
    town.keep(town.registry.vouchers.revoke(names, at().now).changes)
    assert Rejected("code-revoked") == town.code(TABLET, code.text)
    assert Rejected("code-revoked") == town.registry.enter_by_terms(PHONE, ["voucher"], at())
    assert town.registry.account_of(PHONE) is None
    town.keep(town.registry.vouchers.restore(names, at().now))
    assert used.account == town.registry.account_of(PHONE)


def test_the_next_voucher_takes_over_the_device_and_keeps_its_name(town):
    first, second = town.issue(2)
    before = town.came(town.code(PHONE, first.text))
    town.keep(town.registry.name_device(before.account, PHONE, "phone", at()))
    after = town.came(town.code(PHONE, second.text))
    assert before.account != after.account
    assert () == town.registry.bindings.of(before.account)
    assert "phone" == town.registry.bindings.name_of(PHONE)


def test_a_typo_is_distinguished_from_a_wrong_code(town):
    (code,) = town.issue()
    wrong = code.text[:-1] + ("0" if code.text[-1] != "0" else "1")
    assert Rejected("code-mistyped") == town.code(PHONE, wrong)
    assert Rejected("code-unknown") == town.code(PHONE, make_code(b"unknown", "voucher").text)


def test_a_device_that_guesses_waits_while_others_join(town):
    (code,) = town.issue()
    for number in range(5):
        assert Rejected("code-unknown") == town.code(STRANGER, make_code(bytes([number] * 7), "voucher").text)
    assert Rejected("too-many-guesses", 60) == town.code(STRANGER, code.text)
    assert Rejected("too-many-guesses", 60) == town.registry.enter_by_card(STRANGER, "x", ALL, at())
    assert isinstance(town.code(PHONE, code.text), Accepted)
    assert isinstance(town.code(STRANGER, code.text, at(60_000)), Accepted)


def test_endless_typos_make_only_this_device_wait(town):
    for _ in range(30):
        assert Rejected("code-mistyped") == town.code(STRANGER, "7K3M")
    assert Rejected("too-many-guesses", 60) == town.code(STRANGER, "7K3M")
    assert Rejected("code-mistyped") == town.code(PHONE, "7K3M")


# --- device codes -----------------------------------------------------------------------


def test_a_second_device_joins_with_the_code_shown_on_the_first(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    opened = town.registry.new_device_code(PHONE, first.account, at(10))
    second = town.came(town.code(TABLET, shown(opened.code), at(20)))
    assert replace(first, changes=()) == replace(second, changes=())
    assert Rejected("code-used") == town.code(STRANGER, opened.code.text, at(30))
    assert Rejected("code-unknown") == town.code(STRANGER, make_code(b"guess!", "device").text)


def test_a_device_code_works_whichever_join_methods_are_open(town):
    opened = town.registry.new_device_code(LAPTOP, "ana", at())
    assert "ana" == town.came(town.registry.enter_by_code(PHONE, opened.code.text, [], at())).account


def test_guests_whose_join_method_was_closed_cannot_readmit_each_other_without_end(town):
    opened = town.registry.new_device_code(PHONE, guest_account(PHONE), at())
    assert Rejected("way-closed") == town.registry.enter_by_code(TABLET, opened.code.text, ["voucher"], at())
    assert town.registry.account_of(TABLET) is None


def test_two_devices_of_a_guest_share_one_allowance(town):
    account = guest_account(PHONE)
    opened = town.registry.new_device_code(PHONE, account, at())
    accepted = town.came(town.code(TABLET, opened.code.text))
    assert (account, "terms") == (accepted.account, town.registry.way_of(TABLET))
    assert account == town.registry.enter_by_terms(TABLET, ALL, at()).account


def test_a_device_code_of_an_ended_voucher_admits_nobody(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    opened = town.registry.new_device_code(PHONE, first.account, at(DAY_MS - 1_000))
    assert Rejected("code-ended") == town.code(TABLET, opened.code.text, at(DAY_MS))


# --- passphrases and cards --------------------------------------------------------------


def test_a_member_joins_with_account_or_name_and_passphrase(town):
    town.set_passphrase("ana", "three goats on a hill")
    for mac, typed in ((PHONE, "ana"), (TABLET, " ANA mas ")):
        accepted = town.came(town.passphrase(mac, typed, "three goats on a hill"))
        assert ("ana", "passphrase") == (accepted.account, town.registry.way_of(PHONE))
    town.restart(at(5))
    assert "ana" == town.registry.account_of(PHONE)
    assert town.registry.has_passphrase("ana")


def test_no_response_reveals_which_accounts_exist(town):
    town.set_passphrase("ana", "three goats on a hill")
    for account in ("ana", "pere", "nobody", "", "x" * 500, guest_account(PHONE)):
        assert Rejected("passphrase-wrong") == town.passphrase(PHONE, account, "a wrong passphrase")
    questions = [town.registry.passphrase_question(TABLET, who, ALL, at()) for who in ("pere", "nobody")]
    assert [DUMMY_HASH] * 2 == [question.hash for question in questions]


def test_the_wait_after_wrong_passphrases_is_the_same_for_an_unknown_account(town):
    town.set_passphrase("ana", "three goats on a hill")

    def waits(account: str) -> list[int]:
        seen = []
        for number in range(21):
            question = town.registry.passphrase_question(f"m{number}", account, ALL, at())
            if isinstance(question, Rejected):
                seen.append(question.wait_s)
            else:
                town.registry.enter_by_passphrase(question, at(), was_right=False)
        return seen

    assert [600] == waits("ana") == waits("nobody")


def test_no_wait_reveals_which_two_names_mean_one_member(town):
    town.set_passphrase("ana", "three goats on a hill")
    for _ in range(5):
        assert Rejected("passphrase-wrong") == town.passphrase(PHONE, "ana", "a guess or two")
    assert isinstance(town.passphrase(PHONE, "ANA", "a guess or two"), Rejected)
    assert Rejected("too-many-guesses", 60) == town.passphrase(PHONE, " Ana ", "a guess or two")
    for name in (town.member_directory.names["ana"], "nobody"):
        assert Rejected("passphrase-wrong") == town.passphrase(PHONE, name, "a guess or two")


def test_guessing_strangers_never_lock_out_the_accounts_own_devices(town):
    town.set_passphrase("ana", "three goats on a hill")
    town.came(town.passphrase(PHONE, "ana", "three goats on a hill"))
    for number in range(20):
        question = town.registry.passphrase_question(f"m{number}", "ana", ALL, at())
        town.registry.enter_by_passphrase(question, at(), was_right=False)
    assert Rejected("too-many-guesses", 600) == town.passphrase(STRANGER, "ana", "three goats on a hill")
    for own in (PHONE, LAPTOP):
        assert isinstance(town.passphrase(own, "ana", "three goats on a hill"), Accepted)
    opened = town.registry.new_device_code(PHONE, "ana", at())
    assert "ana" == town.code(TABLET, opened.code.text).account


def test_many_simultaneous_guesses_learn_no_more_than_sequential_ones(town):
    town.set_passphrase("ana", "three goats on a hill")
    questions = [town.registry.passphrase_question(f"m{number}", "ana", ALL, at()) for number in range(30)]
    answers = [town.registry.enter_by_passphrase(each, at(), was_right=False) for each in questions[:-1]]
    assert [Rejected("passphrase-wrong")] * 20 + [Rejected("too-many-guesses", 600)] * 9 == answers
    last = town.registry.enter_by_passphrase(questions[-1], at(), was_right=True)
    assert Rejected("too-many-guesses", 600) == last


def test_a_passphrase_changed_while_it_was_checked_is_wrong(town):
    town.set_passphrase("ana", "three goats on a hill")
    question = town.registry.passphrase_question(PHONE, "ana", ALL, at())
    town.set_passphrase("ana", "four goats on a hill")
    rejected = Rejected("passphrase-wrong")
    assert rejected == town.registry.enter_by_passphrase(question, at(), was_right=True)


def test_the_dummy_account_never_joins(town):
    question = PassphraseQuestion(PHONE, "pere", "pere", DUMMY_HASH)
    assert Rejected("passphrase-wrong") == town.registry.enter_by_passphrase(question, at(), was_right=True)


def test_a_passphrase_can_be_removed(town):
    town.set_passphrase("ana", "three goats on a hill")
    town.keep(town.registry.drop_passphrase("ana"))
    assert () == town.registry.drop_passphrase("ana")
    town.restart(at(5))
    assert not town.registry.has_passphrase("ana")


def test_only_members_have_passphrases_and_cards(town):
    assert Rejected("not-a-member") == town.registry.set_passphrase(guest_account(PHONE), "x")
    assert Rejected("not-a-member") == town.registry.next_card("nobody", TODAY, TODAY)


def test_a_former_member_is_out_with_all_devices(town):
    town.set_passphrase("ana", "three goats on a hill")
    town.came(town.passphrase(PHONE, "ana", "three goats on a hill"))
    town.without("ana")
    assert town.registry.account_of(PHONE) is None
    assert guest_account(PHONE) == town.registry.enter_by_terms(PHONE, ALL, at()).account
    assert Rejected("passphrase-wrong") == town.passphrase(TABLET, "ana", "three goats on a hill")


def card_of(town: RegistryFixture, account: str = "ana", today: str = TODAY) -> str:
    card = town.registry.next_card(account, today, "2027-12-31")
    return make_card(NODE_KEY, "Vall", card)


def test_a_member_joins_with_the_card(town):
    accepted = town.came(town.registry.enter_by_card(PHONE, card_of(town), ALL, at()))
    assert ("ana", "card") == (accepted.account, town.registry.way_of(PHONE))
    assert "card" == town.registry.way_of(PHONE)


def test_voided_cards_stay_void_and_new_ones_count_on_the_same_day(town):
    lost = card_of(town)
    town.keep(town.registry.void_cards("ana", TODAY))
    new = card_of(town)
    town.restart(at(5))
    assert Rejected("card-revoked") == town.registry.enter_by_card(PHONE, lost, ALL, at())
    assert isinstance(town.registry.enter_by_card(PHONE, new, ALL, at()), Accepted)
    assert isinstance(town.registry.enter_by_card(PHONE, card_of(town, "pere"), ALL, at()), Accepted)


def test_a_card_that_is_not_accepted_says_why(town):
    text, enter = card_of(town), town.registry.enter_by_card
    assert Rejected("card-unreadable") == enter(PHONE, "hello", ALL, at())
    assert Rejected("card-ended") == enter(PHONE, text, ALL, at(today="2028-01-01"))
    card = town.registry.next_card("ana", TODAY, "2027-12-31")
    assert Rejected("card-foreign") == enter(
        PHONE, make_card(key_from_raw(b"x" * 32), "Vall", card), ALL, at()
    )
    town.without("ana")
    assert Rejected("card-unknown") == enter(PHONE, text, ALL, at())


# --- sponsorship ------------------------------------------------------------------------


def ask(town: RegistryFixture, host: str = "Ana Mas", mac: str = PHONE) -> SponsorRequest:
    question = town.registry.ask(mac, host, "  Pau\n", ALL, at())
    assert isinstance(question, SponsorRequest)
    return question


def test_a_member_sponsors_a_guest(town):
    question = ask(town)
    assert [("Pau", question.sign)] == [
        (each.name, each.sign) for each in town.registry.sponsorship.of_host("ana", at().now)
    ]
    introduced = town.registry.answer("ana", question.number, at(), yes=True)
    assert isinstance(introduced, SponsorApproval)
    accepted = town.came(introduced.accepted)
    assert (PHONE, guest_account(PHONE), "introduction") == (
        introduced.mac,
        accepted.account,
        town.registry.way_of(PHONE),
    )
    assert [PHONE] == [each.mac for each in town.registry.bindings.introduced_by("ana")]
    town.restart(at(5))
    assert accepted.account == town.registry.enter_by_terms(PHONE, ["introduction"], at(5)).account
    assert Rejected("way-closed") == town.registry.enter_by_terms(PHONE, ["voucher"], at(5))


def test_a_refusal_admits_nobody_and_reveals_nothing(town):
    question = ask(town)
    assert town.registry.answer("ana", question.number, at(), yes=False) is None
    assert {} == town.rows
    waiting = town.registry.sponsorship.of_device(PHONE, at().now)
    assert (question.sign, question.asked_for) == (waiting.sign, waiting.asked_for)


def test_an_answer_to_another_members_request_is_refused(town):
    question = ask(town)
    assert Rejected("not-yours") == town.registry.answer("pere", question.number, at(), yes=True)
    assert Rejected("not-a-member") == town.registry.answer("nobody", question.number, at(), yes=True)
    assert Rejected("not-yours") == town.registry.answer("ana", 99, at(), yes=True)


def test_a_request_for_an_unknown_name_looks_like_one_for_ana(town):
    known, unknown = ask(town), ask(town, "Maria", TABLET)
    assert unknown.host is None
    assert (known.name, known.ends) == (unknown.name, unknown.ends)
    for number in range(5):
        assert isinstance(town.registry.ask(f"m{number}", "Joana", "Pau", ALL, at()), SponsorRequest)
    assert Rejected("too-many-open") == town.registry.ask(STRANGER, "Joana", "Pau", ALL, at())


@pytest.mark.parametrize("nothing", ["", "  ", "\u200b\u2060", "\u202e"])
def test_a_request_without_a_visible_name_is_refused(town, nothing):
    assert Rejected("too-long") == town.registry.ask(PHONE, "ana", nothing, ALL, at())


def test_names_over_the_limit_are_refused(town):
    assert Rejected("too-long") == town.registry.ask(PHONE, "x" * 61, "Pau", ALL, at())
    assert Rejected("too-long") == town.registry.ask(PHONE, "ana", "x" * 41, ALL, at())


def test_sponsorship_can_be_withdrawn_and_ends_with_the_membership(town):
    for mac in (PHONE, TABLET):
        done = town.registry.answer("ana", ask(town, mac=mac).number, at(), yes=True)
        town.came(done.accepted)
    town.keep(town.registry.unbind("ana", PHONE))
    assert Rejected("way-closed") == town.registry.enter_by_terms(PHONE, ["introduction"], at())
    assert isinstance(town.registry.enter_by_terms(TABLET, ["introduction"], at()), Accepted)
    town.without("ana")
    assert Rejected("way-closed") == town.registry.enter_by_terms(TABLET, ["introduction"], at())


def test_a_guests_second_device_depends_on_the_same_sponsor(town):
    done = town.registry.answer("ana", ask(town).number, at(), yes=True)
    account = town.came(done.accepted).account
    opened = town.registry.new_device_code(PHONE, account, at())
    assert account == town.came(town.code(TABLET, opened.code.text)).account
    assert "introduction" == town.registry.way_of(TABLET)
    town.without("ana")
    assert Rejected("way-closed") == town.registry.enter_by_terms(TABLET, ["introduction"], at())


# --- changes to the own account ---------------------------------------------------------


def test_people_name_their_own_devices_and_no_others(town):
    (code,) = town.issue()
    mine = town.came(town.code(PHONE, code.text)).account
    town.keep(town.registry.name_device(mine, PHONE, " the  phone ", at()))
    assert "the phone" == town.registry.bindings.name_of(PHONE)
    assert Rejected("not-yours") == town.registry.name_device("pere", PHONE, "mine", at())
    assert Rejected("not-yours") == town.registry.name_device(mine, STRANGER, "mine", at())
    assert Rejected("too-long") == town.registry.name_device(mine, PHONE, "x" * 41, at())
    town.restart(at(1))
    assert "the phone" == town.registry.bindings.name_of(PHONE)


def test_a_guest_can_name_the_only_device(town):
    account = guest_account(PHONE)
    town.keep(town.registry.name_device(account, PHONE, "phone", at()))
    assert account == town.registry.account_of(PHONE)
    assert account == town.registry.enter_by_terms(PHONE, ALL, at()).account
    assert "terms" == town.registry.way_of(PHONE)


def test_a_named_device_removed_from_the_members_file_leaves_the_account(town):
    town.keep(town.registry.name_device("ana", LAPTOP, "laptop", at()))
    town.keep(town.registry.name_device("ana", LAPTOP, "old laptop", at()))
    assert "old laptop" == town.registry.bindings.name_of(LAPTOP)
    town.member_directory = make_member_directory(town.member_directory.units)
    assert "ana" != town.registry.account_of(LAPTOP)
    assert Rejected("not-yours") == town.registry.name_device("ana", LAPTOP, "mine", at())


def test_a_removed_device_is_no_longer_in_the_account(town):
    (code,) = town.issue()
    mine = town.came(town.code(PHONE, code.text)).account
    town.came(town.code(TABLET, code.text))
    assert Rejected("not-yours") == town.registry.unbind("pere", TABLET)
    assert Rejected("not-yours") == town.registry.unbind(mine, STRANGER)
    opened = town.registry.new_device_code(TABLET, mine, at())
    town.keep(town.registry.unbind(mine, TABLET))
    assert town.registry.account_of(TABLET) is None
    assert isinstance(town.code(TABLET, opened.code.text), Rejected)
    assert mine == town.registry.account_of(PHONE)


def test_an_objection_is_stored_within_its_limits(town):
    (objection,) = town.registry.add_objection("ana", "night", " Why? ", at())
    assert ("Why?", TODAY) == (objection.text, objection.day)
    assert () == town.registry.add_objection("ana", "night", " \n", at())
    assert Rejected("too-long") == town.registry.add_objection(
        "ana", "night", "x" * (OBJECTION_CHARS_MAX + 1), at()
    )
    assert Rejected("too-long") == town.registry.add_objection("ana", "x" * 41, "Why?", at())
    for _ in range(2):
        town.registry.add_objection("ana", "night", "Why?", at())
    assert Rejected("too-many-open") == town.registry.add_objection("ana", "night", "Why?", at())


def test_texts_may_be_as_long_as_their_limits_say(town):
    assert isinstance(town.registry.ask(PHONE, "x" * 60, "x" * 40, ALL, at()), SponsorRequest)
    assert 1 == len(town.registry.add_objection("ana", "x" * 40, "x" * OBJECTION_CHARS_MAX, at()))


def test_a_member_who_joins_by_another_method_is_known_by_the_newest(town):
    town.came(town.registry.enter_by_card(PHONE, card_of(town), ALL, at()))
    town.keep(town.registry.set_passphrase("ana", "a hash"))
    question = town.registry.passphrase_question(PHONE, "ana", ALL, at())
    accepted = town.came(town.registry.enter_by_passphrase(question, at(), was_right=True))
    assert ["passphrase"] == [row.way for row in accepted.changes]
    town.restart(at(1))
    assert "passphrase" == town.registry.way_of(PHONE)
    again = town.registry.enter_by_passphrase(question, at(), was_right=True)
    assert () == again.changes


# --- throttling of every kind -----------------------------------------------------------


def test_wrong_device_codes_count_like_wrong_vouchers(town):
    for number in range(5):
        assert Rejected("code-unknown") == town.code(STRANGER, make_code(bytes([number] * 6), "device").text)
    assert Rejected("too-many-guesses", 60) == town.code(STRANGER, "7K3M")


def test_invalid_cards_finally_make_their_device_wait(town):
    for _ in range(30):
        assert Rejected("card-unreadable") == town.registry.enter_by_card(STRANGER, "x", ALL, at())
    assert Rejected("too-many-guesses", 60) == town.registry.enter_by_card(STRANGER, "x", ALL, at())


def test_the_right_passphrase_clears_earlier_failures(town):
    town.keep(town.registry.set_passphrase("ana", "a hash"))
    for was_right in (False, False, False, False, True, False, False, False, False):
        question = town.registry.passphrase_question(PHONE, "ana", ALL, at())
        town.registry.enter_by_passphrase(question, at(), was_right=was_right)
    assert isinstance(town.registry.passphrase_question(PHONE, "ana", ALL, at()), PassphraseQuestion)


# --- storage ----------------------------------------------------------------------------


def full(town: RegistryFixture) -> RegistryFixture:
    """Every action that leaves a row has been done."""
    (code,) = town.issue()
    town.came(town.code(PHONE, code.text))
    town.keep(town.registry.set_passphrase("ana", "a hash"))
    town.keep(town.registry.void_cards("ana", TODAY))
    town.keep(town.registry.add_objection("ana", "night", "Why?", at()))
    town.keep((town.registry.notices.put_up(NOTICE),))
    town.keep((town.registry.terms.adopt((TermsText("ca", "Sigues amable."),), TODAY, "admin"),))
    return town


def test_a_restart_restores_everything(town):
    full(town).registry.rule_objections.put(RULE_OBJECTION)
    town.keep((RULE_OBJECTION,))
    before = town.registry.rows()
    assert 9 == len(before)
    town.restart(at(1))
    assert set(before) == set(town.registry.rows())


def test_rows_deleted_from_storage_are_deleted_everywhere(town):
    registry = full(town).registry
    (voucher,) = registry.vouchers.of_batch(1)
    assert () == registry.forget(
        Forgotten((voucher.fingerprint,), (), (PHONE,), (1,), (1,)), at(400 * DAY_MS)
    )
    kinds = {type(row) for row in registry.rows()}
    assert {PassphraseHash, CardsVoid, Terms} == kinds
    assert registry.bindings.get(PHONE) is None
    assert () == registry.objections.of("ana") == registry.notices.all()


# --- in any order -----------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["first", "second", "shared", "restart", "terms", "unbind", "revoke", "restore"]),
            st.sampled_from([PHONE, TABLET, STRANGER]),
            st.integers(0, DAY_MS // 2),
        ),
        max_size=25,
    )
)
def test_one_code_is_one_account_that_never_outlives_its_promise(events):
    town, now = RegistryFixture(), 0
    first, second = town.issue(2)
    accounts = {code.text: town.registry.vouchers.find(code).account for code in (first, second)}
    began: dict[str, int] = {}
    for kind, mac, passed in events:
        now += passed
        accepted: object = None
        if kind in ("first", "second"):
            code = first if kind == "first" else second
            accepted = town.code(mac, code.text, at(now))
            if isinstance(accepted, Accepted):
                assert accepted.account == accounts[code.text]
        elif kind == "shared" and town.registry.account_of(mac) is not None:
            opened = town.registry.new_device_code(mac, town.registry.account_of(mac), at(now))
            accepted = town.code(PHONE, opened.code.text, at(now))
        elif kind == "terms":
            accepted = town.registry.enter_by_terms(mac, ALL, at(now))
        elif kind == "unbind":
            done = town.registry.unbind(accounts[first.text], mac)
            town.keep(() if isinstance(done, Rejected) else done)
        elif kind in ("revoke", "restore"):
            name = town.registry.vouchers.find(first).fingerprint
            store = town.registry.vouchers
            town.keep(
                store.revoke([name], at(now).now).changes
                if kind == "revoke"
                else store.restore([name], at(now).now)
            )
        elif kind == "restart":
            town.restart(at(now))
        if isinstance(accepted, Accepted):
            town.keep(accepted.changes)
            if accepted.account in accounts.values():
                ends = town.ends(accepted.account)
                assert ends == began.setdefault(accepted.account, now) + DAY_MS
                assert ends > now
            else:
                assert town.ends(accepted.account) is None
        for each in (PHONE, TABLET, STRANGER):
            assert town.registry.account_of(each) in {None, *accounts.values()}


@given(st.lists(st.tuples(st.sampled_from("vpci"), st.sampled_from([PHONE, TABLET, STRANGER])), max_size=12))
def test_stored_rows_restore_exactly_which_device_is_in_which_account(events):
    town = RegistryFixture()
    (code,) = town.issue()
    town.keep(town.registry.set_passphrase("pere", "a hash"))
    for way, mac in events:
        if way == "v":
            town.came(town.code(mac, code.text))
        elif way == "p":
            question = town.registry.passphrase_question(mac, "pere", ALL, at())
            town.came(town.registry.enter_by_passphrase(question, at(), was_right=True))
        elif way == "c":
            town.came(town.registry.enter_by_card(mac, card_of(town), ALL, at()))
        else:
            town.came(town.registry.answer("pere", ask(town, "pere", mac).number, at(), yes=True).accepted)
    before = {mac: town.registry.bindings.get(mac) for mac in (PHONE, TABLET, STRANGER)}
    town.restart(at(1))
    assert before == {mac: town.registry.bindings.get(mac) for mac in (PHONE, TABLET, STRANGER)}


def test_a_batch_of_another_group_gets_other_rules(town):
    (code,) = town.issue(1, replace(DAY_PASS, group="helpers", devices_max=0))
    accepted = town.came(town.code(PHONE, code.text))
    assert {"helpers"} == town.registry.vouchers.groups_of(accepted.account)
