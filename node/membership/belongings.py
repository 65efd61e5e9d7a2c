"""What the register keeps about somebody: to see, to take along, to erase."""

from collections.abc import Mapping
from dataclasses import asdict

from node.membership.entrances import Instant
from node.membership.ports import Change
from node.membership.register import Register
from node.membership.vouchers import voucher_state
from node.units import AccountId, MacAddress


def own_rows(register: Register, account: AccountId, mac: MacAddress, at: Instant) -> Mapping[str, object]:
    """Everything about the device and its account, ready for JSON. No hash of a passphrase and no code is in it: they
    are not needed to know what is kept, and who finds the file must not get in by it."""
    mine = {binding.mac: binding for binding in register.bindings.of(account)}
    own = register.bindings.get(mac)
    if own is not None:
        mine[mac] = own
    voucher = register.vouchers.of_account(account)
    rows: dict[str, object] = {
        "devices": [asdict(binding) for binding in mine.values()],
        "guests": [asdict(binding) for binding in register.bindings.introduced_by(account)],
        "contests": [asdict(contest) for contest in register.contests.of(account)],
        "has_passphrase": register.has_passphrase(account),
    }
    if voucher is not None:
        batch = register.vouchers.batch_of(voucher)
        rows["voucher"] = {
            "group": batch.group,
            "lasts_ms": batch.lasts_ms,
            "devices_max": batch.devices_max,
            "issued_day": batch.issued_day,
            "used_day": voucher.used_day,
            "state": voucher_state(voucher, at.now),
            "left_ms": max(0, voucher.lease.ends - at.now) if voucher.lease is not None else None,
        }
    question = register.introductions.of_device(mac, at.now)
    if question is not None:
        rows["asked"] = {"host": question.asked_for, "name": question.name}
    return rows


def erase(register: Register, account: AccountId, mac: MacAddress, at: Instant) -> tuple[Change, ...]:
    """Deletes the device with its name and question. When it was the last one of its account here, also the account's
    contests, passphrase and open code, and its word for guests, who have to ask somebody else when they next come in.
    What stays: the voucher's own row, so that its code cannot be used for a fresh allowance; void cards, so
    that they stay void; the roll, which is the community's; and for some hours the count of wrong guesses."""
    register.introductions.withdraw(mac, at.now)
    rows: list[Change] = [*register.bindings.unbind(mac)]
    if register.bindings.of(account) or {*register.listed_devices(account)} - {mac}:
        return tuple(rows)
    register.device_codes.drop(account)
    rows += register.contests.forget(contest.number for contest in register.contests.of(account))
    rows += register.drop_passphrase(account)
    for guest in register.bindings.introduced_by(account):
        rows += register.bindings.unbind(guest.mac)
    return tuple(rows)
