"""Registry records of revoked membership cards: a card revoked at one node is refused at every other.

The key is the account; the value has as `below` the serial number below which its cards are revoked.
"""

from node.accounts.cards import SERIAL_MAX, CardsVoid
from node.accounts.changes import Change
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, Value, value_text
from node.units import AccountId

KIND = "cards"


def card_record(change: Change) -> tuple[str, Value, str] | None:
    """Key, value and last day of the record that this change makes."""
    match change:
        case CardsVoid(account, below):
            return account, {"below": below}, ""
        case _:
            return None


def join_cards(one: Value, other: Value) -> Value:
    """More is revoked."""
    return max(one, other, key=lambda value: (_below(value), value_text(value)))


def apply_cards(record: RegistryRecord, registry: AccountRegistry) -> tuple[Change, ...]:
    """Do what the record of another node says; returns the rows to store. A card is never valid again, and one that cannot
    be read has no effect."""
    return registry.take_void(AccountId(record.key), _below(record.value))


def _below(value: Value) -> int:
    below = value.get("below")
    return below if type(below) is int and 0 < below <= SERIAL_MAX else 0
