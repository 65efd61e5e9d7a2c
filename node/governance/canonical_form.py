"""The canonical form of a ruleset, as JSON: two files have the same exactly if they say the same, whatever their comments,
layout, and the order of their rules and keys.

As in RFC 8785, keys are sorted and nothing is between values; all numbers are integers, and text is in Unicode normalization
form C. What is so where a file says nothing (no reason, no end) has no key. Left out is what nothing depends on:
lines, and days of `[decisions]` after which no rule ends.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from typing import Any

from node.accounting.periods import SlidingDays
from node.governance.ladders import ladder_essence
from node.governance.minutes import Minutes
from node.governance.rules import (
    Ceiling,
    Credit,
    DevicesLimit,
    Example,
    Floor,
    Ladder,
    Quota,
    Reserve,
    Rule,
    Ruleset,
    SessionLimit,
    Share,
    UsageAlert,
)

FINGERPRINT_CHARS = 16
_KINDS: dict[type, str] = {
    Share: "share",
    Credit: "credit",
    Floor: "floor",
    Reserve: "reserve",
    Ceiling: "ceiling",
    Quota: "quota",
    SessionLimit: "session",
    DevicesLimit: "devices",
    UsageAlert: "tell",
    SlidingDays: "days",
}
"""Of values that others can be in place of."""


def canonical_form(ruleset: Ruleset) -> str:
    """Everything that the file says, as canonical JSON."""
    return _json(_plain(ruleset))


def meaning_fingerprint(ruleset: Ruleset) -> str:
    """Of the canonical form: the same for two files that say the same."""
    return hashlib.sha256(canonical_form(ruleset).encode()).hexdigest()[:FINGERPRINT_CHARS]


def effect_fingerprint(ruleset: Ruleset) -> str:
    """Of what the rules would do: without who decided them, why, what the rules are called, in which version of the file,
    and with which tests."""
    names = _effect_names(ruleset.every_rule)
    said = replace(
        ruleset,
        version=0,
        decision="",
        minutes=(),
        examples=(),
        rules=tuple(_unnamed(rule, names) for rule in ruleset.rules),
        observed=tuple(_unnamed(rule, names) for rule in ruleset.observed),
        ladders=tuple(map(ladder_essence, ruleset.ladders)),
        joining=replace(ruleset.joining, by=""),
        preview_by="decided" if ruleset.preview_by else "",
        usage_by_day_by="decided" if ruleset.usage_by_day_by else "",
    )
    return meaning_fingerprint(said)


def _effect_names(rules: Iterable[Rule]) -> dict[str, str]:
    """For the id of each rule a name made of what the rule does. An exception has that of its rule in its own."""
    by_id = {rule.id: rule for rule in rules}
    names: dict[str, str] = {}
    for rule in by_id.values():
        above: dict[str, Rule] = {}
        at: Rule | None = rule
        while at is not None and at.id not in names and at.id not in above:
            above[at.id] = at
            at = by_id.get(at.exception_to or "")
        for each in reversed(above.values()):
            names[each.id] = hashlib.sha256(_json(_plain(_unnamed(each, names))).encode()).hexdigest()
    return names


def _unnamed(rule: Rule, names: Mapping[str, str]) -> Rule:
    exception_to = rule.exception_to and names.get(rule.exception_to, rule.exception_to)
    return replace(rule, id="", exception_to=exception_to, by="", why="", proposed_by=None)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> object:
    """As values of JSON; what has no order of its own is sorted."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, tuple):
        items = [_plain(item) for item in value]
        return (
            sorted(items, key=_json)
            if value and isinstance(value[0], Rule | Example | Minutes | Ladder)
            else items
        )
    if not is_dataclass(value):
        assert value is None or isinstance(value, int), value
        return value
    # A field of its own for what a later version knows has a default, which leaves older fingerprints as they are.
    said = {each.name: getattr(value, each.name) for each in fields(value) if each.name != "line"}
    usual = {each.name: each.default for each in fields(value)}
    found = {name: _plain(each) for name, each in said.items() if each != usual[name]}
    return {"kind": _KINDS[type(value)], **found} if type(value) in _KINDS else found
