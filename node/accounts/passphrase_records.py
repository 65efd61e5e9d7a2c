"""Registry records of members' passphrases: one that is set at one node is known at every other.

The key is the account; the value has the scrypt hash as `hash` and as `day` when it was set, empty if that is not known. It
is empty when there is no passphrase any longer.
"""

from node.accounts.changes import Change, PassphraseGone, PassphraseHash
from node.accounts.member_passphrases import is_hash
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, Value, is_iso_day, last_day
from node.units import AccountId

KIND = "passphrase"


def passphrase_record(change: Change, today: str) -> tuple[str, Value, str] | None:
    """Key, value and last day of the record that this change makes."""
    match change:
        case PassphraseHash(account, hashed):
            return account, {"hash": hashed, "day": today if is_iso_day(today) else ""}, ""
        case PassphraseGone(account):
            return account, {}, last_day(today)
        case _:
            return None


def no_passphrase(record: RegistryRecord, today: str) -> tuple[Value, str] | None:
    """What to put when the account has no passphrase here; None if the record says so, or cannot be read: it may be that of
    a later version of the software."""
    return ({}, last_day(today)) if is_hash(record.value.get("hash")) else None


def is_same_passphrase(one: Value, other: Value) -> bool:
    """Whenever it was set: a row does not say that."""
    return one.get("hash") == other.get("hash")


def passphrase_day(record: RegistryRecord) -> str:
    """When it was set; empty if that is not known."""
    day = record.value.get("day")
    return day if is_iso_day(day) else ""


def apply_passphrase(record: RegistryRecord, registry: AccountRegistry) -> tuple[Change, ...]:
    """Do what the record of another node says; returns the rows to store. One that cannot be read has no effect."""
    hashed = record.value.get("hash")
    if is_hash(hashed):
        return registry.take_passphrase(AccountId(record.key), hashed)
    return registry.drop_passphrase(AccountId(record.key)) if not record.value else ()
