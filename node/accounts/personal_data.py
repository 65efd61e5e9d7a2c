"""Personal data: export and erasure of what the account registry holds, and entries of the data inventory (GDPR, articles
15, 17, 20 and 30)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from node.accounts.changes import Change, EventsErased
from node.accounts.registry import AccountRegistry
from node.accounts.vouchers import voucher_state
from node.governance.ladder_case import LadderCase
from node.units import AccountId, MacAddress, Now


@dataclass(frozen=True, slots=True)
class InventoryEntry:
    """What one table or file of the node holds, why, and for how long (GDPR, article 30)."""

    table: str
    purpose: str
    """`purpose` and `retention` are message ids of the translation catalogues."""
    retention: str


def own_rows(registry: AccountRegistry, account: AccountId, mac: MacAddress, at: Now) -> Mapping[str, object]:
    """All data about the device and its account, ready for JSON. Passphrase hashes and codes are left out: a
    leaked export must not be a credential."""
    mine = {binding.mac: binding for binding in registry.bindings.of(account)}
    own = registry.bindings.get(mac)
    if own is not None:
        mine[mac] = own
    voucher = registry.vouchers.of_account(account)
    rows: dict[str, object] = {
        "devices": [asdict(binding) for binding in mine.values()],
        "guests": [asdict(binding) for binding in registry.bindings.introduced_by(account)],
        "objections": [asdict(objection) for objection in registry.objections.of(account)],
        "rule_objections": [asdict(objection) for objection in registry.rule_objections.of(account)],
        "ladder_cases": [_case_row(case) for case in registry.ladder_cases.of(account)],
        "messages": [asdict(message) for message in [registry.messages.of(account)] if message is not None],
        "has_passphrase": registry.has_passphrase(account),
    }
    if voucher is not None:
        batch = registry.vouchers.batches[voucher.batch]
        rows["voucher"] = {
            "group": batch.group,
            "lasts_ms": batch.lasts_ms,
            "devices_max": batch.devices_max,
            "issued_day": batch.issued_day,
            "used_day": voucher.used_day,
            "state": voucher_state(voucher, at.now),
            "left_ms": max(0, voucher.lease.ends - at.now) if voucher.lease is not None else None,
        }
    question = registry.sponsorship.of_device(mac, at.now)
    if question is not None:
        rows["asked"] = {"host": question.asked_for, "name": question.name}
    return rows


def _case_row(case: LadderCase) -> Mapping[str, object]:
    """What the node keeps of a case, without what only its clockwork needs."""
    return {
        "number": case.number,
        "ladder": case.ladder,
        "step": case.step,
        "said": case.said,
        "reason": case.reason,
        "by": case.by,
        "begins": _time_text(case.begins_s),
        "until": _time_text(case.until_s),
        "objection": case.objection or None,
        "ending": case.ending,
        "ended": _time_text(case.ended_s) if case.ended_s else "",
        "ended_by": case.ended_by,
    }


def _time_text(wall_s: int) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(" ", "minutes")


def erase(registry: AccountRegistry, account: AccountId, mac: MacAddress, at: Now) -> tuple[Change, ...]:
    """Delete the device with its name and sponsor request. If it was the account's last device on this node,
    also delete the account's objections to limits and rules, cases, passphrase, open device code and the bindings of
    guests it sponsors, who then need another sponsor, and take it out of the events.

    Not deleted: the voucher's row, so that its code cannot be used again; card revocations; the member
    directory, which belongs to the community; and, for some hours, the counters of failed attempts.
    """
    registry.sponsorship.withdraw(mac, at.now)
    rows: list[Change] = [*registry.bindings.unbind(mac)]
    if registry.bindings.of(account) or {*registry.listed_devices(account)} - {mac}:
        return tuple(rows)
    registry.device_codes.drop(account)
    rows += registry.objections.forget(objection.number for objection in registry.objections.of(account))
    rows += registry.rule_objections.forget_account(account)
    rows += registry.ladder_cases.forget(case.number for case in registry.ladder_cases.of(account))
    rows += registry.drop_passphrase(account)
    rows += registry.messages.withdraw(account)
    rows += (EventsErased(account),)
    for guest in registry.bindings.introduced_by(account):
        rows += registry.bindings.unbind(guest.mac)
    return tuple(rows)
