"""People see everything that is kept about them, and erase it."""

import json

import pytest

from node.membership.belongings import erase, own_rows
from node.membership.bindings import Binding
from node.membership.codes import shown
from node.membership.introductions import Question
from node.membership.passphrases import PassphraseHash
from node.membership.vouchers import SavedVoucher
from tests.fakes.town import ALL, DAY_MS, LAPTOP, PHONE, STRANGER, TABLET, TODAY, Town, at, guest_account


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_voucher_shows_what_it_is_worth_and_no_secret(town):
    (code,) = town.issue()
    account = town.came(town.code(PHONE, code.text)).account
    town.register.new_device_code(PHONE, account, at())
    rows = own_rows(town.register, account, PHONE, at(1_000))
    assert ("day-pass", DAY_MS - 1_000, "used") == tuple(
        rows["voucher"][k] for k in ("group", "left_ms", "state")
    )
    assert [PHONE] == [device["mac"] for device in rows["devices"]]
    text = json.dumps(rows)
    assert code.text not in text
    assert town.register.vouchers.find(code).fingerprint not in text
    assert shown(town.register.device_codes.of(account, at().now).code) not in text


def test_a_member_sees_guests_contests_and_that_there_is_a_passphrase(town):
    town.keep(town.register.set_passphrase("ana", "scrypt:secret"))
    town.keep(town.register.contest("ana", "night", "Why?", at()))
    question = town.register.ask(PHONE, "ana", "Pau", ALL, at())
    town.came(town.register.answer("ana", question.number, at(), yes=True).entrance)
    town.keep(town.register.name_device("ana", LAPTOP, "laptop", at()))
    rows = own_rows(town.register, "ana", LAPTOP, at())
    assert ["Pau"] == [guest["name"] for guest in rows["guests"]]
    assert ["laptop"] == [device["name"] for device in rows["devices"]]
    assert ["Why?"] == [contest["text"] for contest in rows["contests"]]
    assert rows["has_passphrase"] is True
    assert "secret" not in json.dumps(rows)


def test_who_asked_sees_the_question_and_nothing_of_the_member(town):
    town.register.ask(PHONE, "Ana Mas", "Pau", ALL, at())
    rows = own_rows(town.register, guest_account(PHONE), PHONE, at())
    assert {"host": "Ana Mas", "name": "Pau"} == rows["asked"]
    assert [] == rows["devices"] == rows["contests"] == rows["guests"]


def test_erasing_leaves_nothing_of_a_guest(town):
    account = guest_account(PHONE)
    town.keep(town.register.name_device(account, PHONE, "phone", at()))
    town.keep(town.register.contest(account, "night", "Why?", at()))
    town.register.ask(PHONE, "ana", "Pau", ALL, at())
    town.register.new_device_code(PHONE, account, at())
    town.keep(erase(town.register, account, PHONE, at()))
    assert {} == town.rows
    assert town.register.introductions.of_device(PHONE, at().now) is None
    assert town.register.device_codes.of(account, at().now) is None
    assert not any(own_rows(town.register, account, PHONE, at()).values())


def test_erasing_one_device_leaves_the_household_alone(town):
    (code,) = town.issue()
    account = town.came(town.code(PHONE, code.text)).account
    town.came(town.code(TABLET, code.text))
    town.keep(town.register.contest(account, "night", "Why?", at()))
    town.keep(erase(town.register, account, PHONE, at()))
    assert [TABLET] == [each.mac for each in town.register.bindings.of(account)]
    assert 1 == len(town.register.contests.of(account))
    town.keep(erase(town.register, account, TABLET, at()))
    assert () == town.register.contests.of(account)


def test_an_erased_voucher_gives_nobody_a_fresh_allowance(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    ends = town.ends(first.account)
    town.keep(erase(town.register, first.account, PHONE, at()))
    town.restart(at(5))
    again = town.came(town.code(STRANGER, code.text, at(3_600_000)))
    assert (first.account, ends) == (again.account, town.ends(again.account))


def test_a_member_with_a_device_in_the_roll_keeps_account_and_passphrase(town):
    town.keep(town.register.set_passphrase("ana", "a hash"))
    question = town.register.passphrase_question(PHONE, "ana", ALL, at())
    town.came(town.register.enter_by_passphrase(question, at(), was_right=True))
    town.keep(erase(town.register, "ana", PHONE, at()))
    assert town.register.bindings.get(PHONE) is None
    assert town.register.has_passphrase("ana")


def test_the_last_device_of_a_member_takes_everything_with_it_but_what_is_the_communitys(town):
    town.keep(town.register.set_passphrase("pere", "a hash"))
    question = town.register.passphrase_question(PHONE, "pere", ALL, at())
    town.came(town.register.enter_by_passphrase(question, at(), was_right=True))
    town.keep(town.register.void_cards("pere", TODAY))
    asked = town.register.ask(TABLET, "pere", "Pau", ALL, at())
    assert isinstance(asked, Question)
    town.came(town.register.answer("pere", asked.number, at(), yes=True).entrance)
    town.keep(erase(town.register, "pere", PHONE, at()))
    kinds = {kind for kind, _ in town.rows}
    assert not kinds & {Binding, PassphraseHash, SavedVoucher}
    assert 1 == len(town.rows)
    assert not town.register.has_passphrase("pere")
    assert town.register.is_member("pere")
    assert "pere" not in repr(town.register.bindings.get(TABLET))
