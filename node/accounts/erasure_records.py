"""Registry records of erasures: a person who erases their data at one node is erased at every other.

The key is the account; the value has as `day` the last day whose usage, texts and passphrase are erased. That of a device
has its name (`DeviceNames`) as key and the same value.
"""

from datetime import UTC, datetime

from node.accounts.changes import Change
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import RegistryRecord, Value, is_iso_day, last_day, value_text
from node.units import AccountId, MacAddress, Now

KIND, DEVICE_KIND = "erasure", "deviceerasure"
AHEAD_DAYS = 1
"""How far the day of another node may be ahead, around midnight."""


def erasure_value(day: str) -> Value:
    """The value of an erasure on this day."""
    return {"day": day}


def erasure_day(record: RegistryRecord, today: str) -> str:
    """The day; empty if it cannot be read, or lies in the future, as by a wrong clock. `today` has to be known."""
    day = record.value.get("day")
    return day if is_iso_day(day) and day <= last_day(today, AHEAD_DAYS) else ""


def join_erasures(one: Value, other: Value) -> Value:
    """The later one."""
    return max(one, other, key=lambda value: (str(value.get("day", "")), value_text(value)))


def erase_until(
    registry: AccountRegistry, account: AccountId, day: str, *, passphrase_day: str
) -> tuple[Change, ...]:
    """Delete what `personal_data.erase` deletes with the last device of an account, as far as it is from that day or before;
    bindings have records of their own. `passphrase_day`: when the passphrase was set, empty if that is not known."""
    objections, cases = registry.objections.of(account), registry.ladder_cases.of(account)
    rows: list[Change] = [
        *registry.objections.forget(each.number for each in objections if each.day <= day),
        *registry.ladder_cases.forget(each.number for each in cases if _day_of(each.opened_s) <= day),
    ]
    for each in registry.rule_objections.of(account):
        rows += registry.rule_objections.forget(account, each.version) if each.day <= day else ()
    message = registry.messages.of(account)
    if message is not None and message.day <= day:
        rows += registry.messages.withdraw(account)
    if passphrase_day <= day:
        registry.device_codes.drop(account)
        rows += registry.drop_passphrase(account)
    return tuple(rows)


def erase_device(registry: AccountRegistry, mac: MacAddress, day: str, at: Now) -> tuple[Change, ...]:
    """Delete the device with its name and request to a member, unless it was bound after that day."""
    registry.sponsorship.withdraw(mac, at.now)
    binding = registry.bindings.get(mac)
    return () if binding is None or binding.bound_day > day else registry.bindings.unbind(mac)


def _day_of(wall_s: int) -> str:
    return datetime.fromtimestamp(wall_s, UTC).date().isoformat()
