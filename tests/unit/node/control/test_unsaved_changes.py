"""Pending changes of the registry: the last change of a row counts, whatever failed before."""

from node.accounts.changes import PassphraseGone, PassphraseHash, Unbound
from node.accounts.device_bindings import Binding
from node.control.write_buffer import UnsavedChanges
from node.units import AccountId, MacAddress

ANA = MacAddress("02:00:00:00:00:0a")
HOUSE = AccountId("ana")


def named(name: str) -> Binding:
    return Binding(ANA, HOUSE, "card", "2026-11-24", name)


def test_only_the_last_change_of_a_row_is_pending() -> None:
    pending = UnsavedChanges()
    pending.add([named("phone"), PassphraseHash(HOUSE, "x"), named("old phone")])
    assert (named("old phone"), PassphraseHash(HOUSE, "x")) == pending.take()
    assert not pending


def test_a_failed_change_is_pending_again_but_never_replaces_a_newer_one() -> None:
    pending = UnsavedChanges()
    pending.add([named("phone"), PassphraseHash(HOUSE, "x")])
    taken = pending.take()
    pending.add([Unbound(ANA)])
    pending.give_back(taken)
    assert {Unbound(ANA), PassphraseHash(HOUSE, "x")} == set(pending.take())


def test_deleting_a_row_is_a_change_of_that_row() -> None:
    pending = UnsavedChanges()
    pending.add([PassphraseHash(HOUSE, "x"), PassphraseGone(HOUSE)])
    assert (PassphraseGone(HOUSE),) == pending.take()
