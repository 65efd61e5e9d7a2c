"""Step-up authentication: a card that was shown authorizes changes of its account, on its device, for a while."""

from node.accounts import cards
from node.accounts.cards import SHOWN_FOR, StepUp
from node.units import AccountId, MacAddress, Monotonic

ANA, PERE = AccountId("ana"), AccountId("pere")
PHONE, TABLET = MacAddress("02:00:00:00:00:01"), MacAddress("02:00:00:00:00:02")
NOW = Monotonic(1_000)


def test_a_card_authorizes_for_ten_minutes() -> None:
    many = StepUp()
    many.show(PHONE, ANA, NOW)
    seen = [many.has_shown(PHONE, ANA, Monotonic(NOW + passed)) for passed in (0, SHOWN_FOR - 1, SHOWN_FOR)]
    assert [True, True, False] == seen


def test_a_card_authorizes_no_other_account_and_no_other_device() -> None:
    many = StepUp()
    many.show(PHONE, ANA, NOW)
    assert not many.has_shown(PHONE, PERE, NOW)
    assert not many.has_shown(TABLET, ANA, NOW)
    many.show(PHONE, PERE, NOW)
    assert not many.has_shown(PHONE, ANA, NOW)


def test_a_voided_card_no_longer_authorizes() -> None:
    many = StepUp()
    many.show(PHONE, ANA, NOW)
    many.show(TABLET, PERE, NOW)
    many.drop(ANA)
    assert not many.has_shown(PHONE, ANA, NOW)
    assert many.has_shown(TABLET, PERE, NOW)


def test_the_number_of_remembered_cards_is_limited(monkeypatch) -> None:
    monkeypatch.setattr(cards, "STEP_UPS_MAX", 2)
    many = StepUp()
    macs = [MacAddress(f"02:00:00:00:00:1{number}") for number in range(4)]
    for each in macs:
        many.show(each, ANA, NOW)
    assert [False, False, True, True] == [many.has_shown(each, ANA, NOW) for each in macs]
    assert 2 == len(many)
