"""A device code adds one more device to its account: it is short, valid for ten minutes, and works once."""

from random import Random

from node.accounts import device_bindings
from node.accounts.codes import make_code
from node.accounts.device_bindings import CODE_LIFE, DeviceCodes
from node.units import Monotonic

NOW = Monotonic(5_000)
LATE = Monotonic(NOW + CODE_LIFE)


def codes() -> DeviceCodes:
    return DeviceCodes(Random(5).randbytes)


def test_a_code_opens_its_account_once():
    many = codes()
    shown = many.new("ana", "passphrase", NOW)
    assert shown == many.of("ana", NOW)
    assert shown == many.use(shown.code, NOW)
    assert many.use(shown.code, NOW) is None
    assert many.of("ana", NOW) is None
    assert many.is_spent(shown.code)


def test_a_code_expires_after_ten_minutes():
    many = codes()
    shown = many.new("ana", "voucher", NOW)
    assert many.of("ana", LATE) is None
    assert many.use(shown.code, LATE) is None
    assert many.is_spent(shown.code)


def test_a_new_code_replaces_the_one_before():
    many = codes()
    first, second = many.new("ana", "voucher", NOW), many.new("ana", "voucher", NOW)
    assert many.use(first.code, NOW) is None
    assert second == many.use(second.code, NOW)


def test_a_wrong_code_is_not_reported_as_an_expired_one():
    guess = make_code(bytes(6), "device")
    assert codes().use(guess, NOW) is None
    assert not codes().is_spent(guess)


def test_codes_of_other_accounts_stay_valid():
    many = codes()
    shown = many.new("ana", "voucher", NOW)
    many.new("pere", "voucher", NOW)
    many.drop("pere")
    many.drop("nobody")
    assert shown == many.use(shown.code, NOW)


def test_a_code_is_not_in_its_repr():
    shown = codes().new("ana", "voucher", NOW)
    assert shown.code.text not in repr(shown)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(device_bindings, "OPEN_MAX", 2)
    monkeypatch.setattr(device_bindings, "SPENT_MAX", 2)
    many = codes()
    shown = [many.new(f"account-{n}", "terms", NOW) for n in range(5)]
    assert 2 == len(many)
    assert [False, True, True, False, False] == [many.is_spent(each.code) for each in shown]
    assert shown[4] == many.use(shown[4].code, NOW)


def test_codes_of_guests_never_evict_a_members_code(monkeypatch):
    monkeypatch.setattr(device_bindings, "OPEN_MAX", 3)
    many = codes()
    shown = many.new("ana", "card", NOW)
    for number in range(9):
        many.new(f"guest-{number}", "terms", NOW)
    assert 3 == len(many)
    assert shown == many.use(shown.code, NOW)


def test_a_repeating_random_source_makes_no_code_twice():
    draws = iter([b"a" * 6, b"a" * 6, b"b" * 6])
    many = DeviceCodes(lambda _: next(draws))
    assert many.new("ana", "terms", NOW).code != many.new("pere", "terms", NOW).code
