"""What other nodes are told of passphrases, and what they make of it."""

import pytest

from node.accounts.changes import CardsVoid, PassphraseGone, PassphraseHash
from node.accounts.member_passphrases import DUMMY_HASH
from node.accounts.passphrase_records import (
    KIND,
    apply_passphrase,
    is_same_passphrase,
    no_passphrase,
    passphrase_day,
    passphrase_record,
)
from node.accounts.registry_record import RegistryRecord
from node.units import AccountId
from tests.fakes.members import make_registry

ANA, TODAY = AccountId("ana"), "2026-11-30"


def record(value: dict[str, object]) -> RegistryRecord:
    return RegistryRecord(KIND, ANA, 3, "", value)


def test_a_hash_has_no_end_and_its_removal_lasts_thirteen_months() -> None:
    assert (ANA, {"hash": "h", "day": TODAY}, "") == passphrase_record(PassphraseHash(ANA, "h"), TODAY)
    assert (ANA, {}, "2028-01-04") == passphrase_record(PassphraseGone(ANA), TODAY)
    assert passphrase_record(CardsVoid(ANA, 7), TODAY) is None


def test_what_is_told_is_done_once_also_before_the_account_is_a_member_here() -> None:
    registry = make_registry()
    assert (PassphraseHash(ANA, DUMMY_HASH),) == apply_passphrase(record({"hash": DUMMY_HASH}), registry)
    assert () == apply_passphrase(record({"hash": DUMMY_HASH}), registry)
    assert registry.has_passphrase(ANA)
    assert (PassphraseGone(ANA),) == apply_passphrase(record({}), registry)
    assert () == apply_passphrase(record({}), registry)


@pytest.mark.parametrize("value", [{"hash": 7}, {"hash": "scrypt:x"}, {"hash": None}, {"other": DUMMY_HASH}])
def test_what_cannot_be_read_changes_nothing(value: dict[str, object]) -> None:
    registry = make_registry()
    registry.take_passphrase(ANA, DUMMY_HASH)
    assert () == apply_passphrase(record(value), registry)
    assert registry.has_passphrase(ANA)


def test_an_account_without_a_passphrase_says_so_unless_its_record_does() -> None:
    assert ({}, "2028-01-04") == no_passphrase(record({"hash": DUMMY_HASH}), TODAY)
    assert no_passphrase(record({}), TODAY) is None
    assert no_passphrase(record({"hash": "argon2:1"}), TODAY) is None, "nodes of a later version know it"


@pytest.mark.parametrize("day", [7, None, "unknown", "2026-02-30", ""])
def test_a_day_that_cannot_be_read_is_not_known(day: object) -> None:
    assert "" == passphrase_day(record({"hash": DUMMY_HASH, "day": day}))
    assert TODAY == passphrase_day(record({"hash": DUMMY_HASH, "day": TODAY}))
    said = passphrase_record(PassphraseHash(ANA, DUMMY_HASH), str(day))
    assert (ANA, {"hash": DUMMY_HASH, "day": ""}, "") == said


def test_the_day_alone_makes_no_new_version() -> None:
    assert is_same_passphrase({"hash": "h", "day": TODAY}, {"hash": "h", "day": ""})
    assert not is_same_passphrase({"hash": "h"}, {})
