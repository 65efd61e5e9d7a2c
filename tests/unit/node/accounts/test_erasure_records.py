"""What other nodes are told of an erasure, and what they delete."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.changes import (
    Binding,
    ObjectionGone,
    PassphraseGone,
    RuleObjection,
    RuleObjectionGone,
    Unbound,
)
from node.accounts.erasure_records import (
    KIND,
    erase_device,
    erase_until,
    erasure_day,
    erasure_value,
    join_erasures,
)
from node.accounts.ladder_cases import LadderCaseGone
from node.accounts.member_passphrases import DUMMY_HASH
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, value_text
from node.units import AccountId, Now
from tests.fakes.members import make_registry
from tests.fakes.registry_fixture import PHONE, TABLET, at
from tests.unit.node.accounts.test_ladder_cases import case

ANA, BEN, DAY = AccountId("ana"), AccountId("ben"), "2026-11-24"


def record(value: dict[str, Any]) -> RegistryRecord:
    return RegistryRecord(KIND, ANA, 1, "", value)


@pytest.mark.parametrize(
    ("value", "day"),
    [(erasure_value(DAY), DAY), (erasure_value("2026-11-25"), "2026-11-25"), (erasure_value("2026-11-26"), ""),
     (erasure_value("2099-01-01"), ""), (erasure_value("1970-01-01"), "1970-01-01"), ({}, ""), ({"day": 7}, ""),
     ({"day": "20261124"}, ""), ({"day": "2026-11-31"}, ""), ({"day": None}, ""),
     ({"day": "2026-W48-1"}, ""), ({"day": "2026-W01-1"}, "")],
)  # fmt: skip
def test_an_erasure_of_the_future_or_without_a_day_erases_nothing(value: dict[str, Any], day: str) -> None:
    assert day == erasure_day(record(value), DAY)


def test_on_the_last_day_that_there_is_nothing_is_raised() -> None:
    assert "" == erasure_day(record({"day": DAY}), "9999-12-31")


def full(day: str) -> AccountRegistry:
    """Both accounts wrote on that day."""
    registry = make_registry()
    for number, account in enumerate((ANA, BEN), start=1):
        registry.add_objection(account, "", "Mine.", Now(at().now, "boot-1", None, day))
        registry.rule_objections.put(RuleObjection(account, 4, "f4", day, ""))
        registry.ladder_cases.put(case(number, account))
        registry.take_passphrase(account, DUMMY_HASH)
    return registry


def test_what_the_account_wrote_until_that_day_is_deleted_and_nothing_of_others() -> None:
    registry = full(DAY)
    (opened,) = registry.ladder_cases.of(ANA)
    rows = erase_until(registry, ANA, "2033-01-01", passphrase_day=DAY)
    assert {
        ObjectionGone(1),
        RuleObjectionGone(ANA, 4),
        LadderCaseGone(opened.number),
        PassphraseGone(ANA),
    } == set(rows)
    assert () == erase_until(registry, ANA, "2033-01-01", passphrase_day=DAY)
    assert registry.objections.of(BEN)
    assert registry.rule_objections.of(BEN)
    assert registry.ladder_cases.of(BEN)
    assert registry.has_passphrase(BEN)


def test_what_came_after_the_erasure_stays() -> None:
    registry = full("2026-11-25")
    assert {LadderCaseGone(1)} >= set(erase_until(registry, ANA, DAY, passphrase_day="2026-11-25"))
    assert registry.has_passphrase(ANA)
    assert registry.objections.of(ANA)
    assert registry.rule_objections.of(ANA)
    assert () == erase_until(registry, ANA, "1970-01-01", passphrase_day=DAY)


def test_a_passphrase_of_which_the_day_is_not_known_goes() -> None:
    registry = full(DAY)
    assert PassphraseGone(ANA) in erase_until(registry, ANA, DAY, passphrase_day="")


values = st.fixed_dictionaries(
    {}, optional={"day": st.sampled_from(["", DAY, "2027-01-01", 7, None]), "x": st.integers(0, 1)}
)


@given(values, values, values)
def test_the_later_erasure_holds_in_any_order(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert value_text(join_erasures(one, two)) == value_text(join_erasures(two, one))
    left = join_erasures(join_erasures(one, two), three)
    assert value_text(left) == value_text(join_erasures(one, join_erasures(two, three)))
    assert one == join_erasures(one, one)
    assert erasure_value("2027-01-01") == join_erasures(erasure_value("2027-01-01"), erasure_value(DAY))


@pytest.mark.parametrize(("bound", "is_gone"), [("", True), (DAY, True), ("2026-11-25", False)])
def test_a_device_is_unbound_unless_it_was_bound_after_its_erasure(bound: str, is_gone: bool) -> None:
    registry = make_registry()
    for mac in (PHONE, TABLET):
        registry.bindings.bind(Binding(mac, ANA, "passphrase", bound))
    assert ((Unbound(PHONE),) if is_gone else ()) == erase_device(registry, PHONE, DAY, at())
    assert is_gone == (registry.bindings.get(PHONE) is None)
    assert registry.bindings.get(TABLET) is not None


def test_a_request_of_an_erased_device_is_gone() -> None:
    registry = make_registry()
    registry.ask(PHONE, "ben", "Pau", ["introduction"], at())
    assert () == erase_device(registry, PHONE, DAY, at())
    assert registry.sponsorship.of_device(PHONE, at().now) is None
