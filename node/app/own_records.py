"""What the nodes of a community tell each other about one person: part of the person's own data."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from node.accounts import card_records, passphrase_records
from node.accounts.erasure_records import DEVICE_KIND
from node.accounts.erasure_records import KIND as ERASURE
from node.accounts.registry_record import CREDENTIALS, RegistryRecord, value_text
from node.accounts.voucher_records import VOUCHER_RECORD, voucher_key
from node.app.roaming_records import BINDING, BLOCKED, SESSION
from node.units import AccountId

OF_ACCOUNT = passphrase_records.KIND, card_records.KIND, ERASURE
OF_DEVICE = SESSION, BINDING, BLOCKED, DEVICE_KIND
"""Kinds by what their key names. Objections are among the person's data as they were filed."""

type Effective = Callable[[str, str], RegistryRecord | None]
"""The record of a kind and key."""


def own_records(
    effective: Effective, account: AccountId | None, devices: Iterable[str]
) -> tuple[Mapping[str, str], ...]:
    """`devices`: the names of the person's devices. Ready for JSON, and without a hash: it would be a credential."""
    return tuple(
        {
            "told_kind": found.kind,
            "key": found.key,
            "until": found.until,
            "said": value_text({name: each for name, each in found.value.items() if name not in CREDENTIALS}),
        }
        for kind, key in _names(account, devices)
        if key and (found := effective(kind, key)) is not None
    )


def _names(account: AccountId | None, devices: Iterable[str]) -> Iterator[tuple[str, str]]:
    if account is not None:
        for kind in OF_ACCOUNT:
            yield kind, account
        yield VOUCHER_RECORD, voucher_key(account)
    for device in devices:
        for kind in OF_DEVICE:
            yield kind, device
