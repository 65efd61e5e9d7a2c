"""Export and erasure of everything that is stored about a person."""

import json

import pytest

from node.accounts.codes import shown
from node.accounts.device_bindings import Binding
from node.accounts.member_passphrases import PassphraseHash
from node.accounts.personal_data import erase, own_rows
from node.accounts.sponsorship import SponsorRequest
from node.accounts.vouchers import SavedVoucher
from tests.fakes.registry_fixture import (
    ALL,
    DAY_MS,
    LAPTOP,
    PHONE,
    STRANGER,
    TABLET,
    TODAY,
    RegistryFixture,
    at,
    guest_account,
)


@pytest.fixture
def town() -> RegistryFixture:
    return RegistryFixture()


def test_a_voucher_shows_what_it_is_worth_and_no_secret(town):
    (code,) = town.issue()
    account = town.came(town.code(PHONE, code.text)).account
    town.registry.new_device_code(PHONE, account, at())
    rows = own_rows(town.registry, account, PHONE, at(1_000))
    assert ("day-pass", DAY_MS - 1_000, "used") == tuple(
        rows["voucher"][k] for k in ("group", "left_ms", "state")
    )
    assert [PHONE] == [device["mac"] for device in rows["devices"]]
    text = json.dumps(rows)
    assert code.text not in text
    assert town.registry.vouchers.find(code).fingerprint not in text
    assert shown(town.registry.device_codes.of(account, at().now).code) not in text


def test_a_members_export_has_guests_objections_and_that_there_is_a_passphrase(town):
    town.keep(town.registry.set_passphrase("ana", "scrypt:secret"))
    town.keep(town.registry.add_objection("ana", "night", "Why?", at()))
    question = town.registry.ask(PHONE, "ana", "Pau", ALL, at())
    town.came(town.registry.answer("ana", question.number, at(), yes=True).accepted)
    town.keep(town.registry.name_device("ana", LAPTOP, "laptop", at()))
    rows = own_rows(town.registry, "ana", LAPTOP, at())
    assert ["Pau"] == [guest["name"] for guest in rows["guests"]]
    assert ["laptop"] == [device["name"] for device in rows["devices"]]
    assert ["Why?"] == [objection["text"] for objection in rows["objections"]]
    assert rows["has_passphrase"] is True
    assert "secret" not in json.dumps(rows)


def test_a_guests_export_has_the_request_and_nothing_of_the_member(town):
    town.registry.ask(PHONE, "Ana Mas", "Pau", ALL, at())
    rows = own_rows(town.registry, guest_account(PHONE), PHONE, at())
    assert {"host": "Ana Mas", "name": "Pau"} == rows["asked"]
    assert [] == rows["devices"] == rows["objections"] == rows["guests"]


def test_erasing_leaves_nothing_of_a_guest(town):
    account = guest_account(PHONE)
    town.keep(town.registry.name_device(account, PHONE, "phone", at()))
    town.keep(town.registry.add_objection(account, "night", "Why?", at()))
    town.registry.ask(PHONE, "ana", "Pau", ALL, at())
    town.registry.new_device_code(PHONE, account, at())
    town.keep(erase(town.registry, account, PHONE, at()))
    assert {} == town.rows
    assert town.registry.sponsorship.of_device(PHONE, at().now) is None
    assert town.registry.device_codes.of(account, at().now) is None
    assert not any(own_rows(town.registry, account, PHONE, at()).values())


def test_erasing_one_device_leaves_the_rest_of_the_household(town):
    (code,) = town.issue()
    account = town.came(town.code(PHONE, code.text)).account
    town.came(town.code(TABLET, code.text))
    town.keep(town.registry.add_objection(account, "night", "Why?", at()))
    town.keep(erase(town.registry, account, PHONE, at()))
    assert [TABLET] == [each.mac for each in town.registry.bindings.of(account)]
    assert 1 == len(town.registry.objections.of(account))
    town.keep(erase(town.registry, account, TABLET, at()))
    assert () == town.registry.objections.of(account)


def test_erasing_a_voucher_account_gives_no_fresh_allowance(town):
    (code,) = town.issue()
    first = town.came(town.code(PHONE, code.text, at(0)))
    ends = town.ends(first.account)
    town.keep(erase(town.registry, first.account, PHONE, at()))
    town.restart(at(5))
    again = town.came(town.code(STRANGER, code.text, at(3_600_000)))
    assert (first.account, ends) == (again.account, town.ends(again.account))


def test_a_member_with_a_device_in_the_members_file_keeps_account_and_passphrase(town):
    town.keep(town.registry.set_passphrase("ana", "a hash"))
    question = town.registry.passphrase_question(PHONE, "ana", ALL, at())
    town.came(town.registry.enter_by_passphrase(question, at(), was_right=True))
    town.keep(erase(town.registry, "ana", PHONE, at()))
    assert town.registry.bindings.get(PHONE) is None
    assert town.registry.has_passphrase("ana")


def test_erasing_a_members_last_device_erases_everything_but_the_communitys_own_records(town):
    town.keep(town.registry.set_passphrase("pere", "a hash"))
    question = town.registry.passphrase_question(PHONE, "pere", ALL, at())
    town.came(town.registry.enter_by_passphrase(question, at(), was_right=True))
    town.keep(town.registry.void_cards("pere", TODAY))
    asked = town.registry.ask(TABLET, "pere", "Pau", ALL, at())
    assert isinstance(asked, SponsorRequest)
    town.came(town.registry.answer("pere", asked.number, at(), yes=True).accepted)
    town.keep(erase(town.registry, "pere", PHONE, at()))
    kinds = {kind for kind, _ in town.rows}
    assert not kinds & {Binding, PassphraseHash, SavedVoucher}
    assert 1 == len(town.rows)
    assert not town.registry.has_passphrase("pere")
    assert town.registry.is_member("pere")
    assert "pere" not in repr(town.registry.bindings.get(TABLET))
