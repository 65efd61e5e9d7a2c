"""Registry records of objections: one that is filed at one node is read and answered at every other, once.

The key is that of the objection; the value has its account, day, rule and text, and the answer when there is one. It is
empty when the objection was deleted.
"""

from typing import Any, TypeGuard

from node.accounting.periods import DAY_UNKNOWN
from node.accounts.changes import Change, Objection, ObjectionGone
from node.accounts.objections import ANSWER_CHARS_MAX, OBJECTION_CHARS_MAX, RULE_CHARS_MAX
from node.accounts.registry import AccountRegistry
from node.accounts.registry_record import (
    RegistryRecord,
    Value,
    displayable,
    is_iso_day,
    last_day,
    value_text,
)
from node.units import AccountId, Now

KIND = "objection"
ACCOUNT_CHARS_MAX = 64


def objection_record(change: Change, today: str) -> tuple[str, Value, str] | None:
    """Key, value and last day of the record that this change makes. An answered one ends with the retention of the row."""
    match change:
        case Objection(key="") | ObjectionGone(key=""):
            return None
        case Objection():
            return change.key, _value(change), last_day(change.answered_day) if change.answer else ""
        case ObjectionGone():
            return change.key, {}, last_day(today)
        case _:
            return None


def join_objections(one: Value, other: Value) -> Value:
    """One that was deleted stays so; then an answer counts, and of two the earlier one."""
    return min(one, other, key=_order)


def apply_objection(record: RegistryRecord, registry: AccountRegistry, at: Now) -> tuple[Change, ...]:
    """Do what the record of another node says; returns the rows to store. One that cannot be read has no effect."""
    if not record.value:
        known = registry.objections.with_key(record.key)
        return registry.objections.forget((known.number,)) if known is not None else ()
    told = _objection(record)
    return registry.take_objection(told, at) if told is not None else ()


def _value(objection: Objection) -> dict[str, Any]:
    said = {
        "account": objection.account,
        "day": objection.day,
        "rule": displayable(objection.rule),
        "text": displayable(objection.text),
    }
    answered = {"answer": displayable(objection.answer), "answered_day": objection.answered_day}
    return said | (answered if objection.answer else {})


def _objection(record: RegistryRecord) -> Objection | None:
    """With number 0."""
    value = record.value
    account = value.get("account")
    day, answered_day = _day(value, "day"), _day(value, "answered_day")
    rule, text = _text(value, "rule", RULE_CHARS_MAX), _text(value, "text", OBJECTION_CHARS_MAX)
    answer = _text(value, "answer", ANSWER_CHARS_MAX)
    if not (_is_account(account) and text):
        return None
    if day is None or rule is None or answer is None or answered_day is None:
        return None
    return Objection(0, AccountId(account), day, rule, text, answer, answered_day, record.key)


def _is_account(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= ACCOUNT_CHARS_MAX and value.isprintable()


def _text(value: Value, name: str, most: int) -> str | None:
    found = value.get(name, "")
    return displayable(found) if isinstance(found, str) and len(found) <= most else None


def _day(value: Value, name: str) -> str | None:
    """Days are compared, so no other text is one."""
    day = value.get(name, "")
    return day if day in ("", DAY_UNKNOWN) or is_iso_day(day) else None


def _order(value: Value) -> tuple[bool, bool, str, str]:
    answer = bool(value.get("answer"))
    return bool(value), not answer, str(value.get("answered_day", "")) if answer else "", value_text(value)
