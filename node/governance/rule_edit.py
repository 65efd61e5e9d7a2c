"""Edits the text of a rule file, one rule at a time: the blanks of a rule, a rule more, one less, or an exception to one.

Only the lines of that rule change. Each result is read again and compared with what was wanted.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from node.errors import Finding
from node.governance.document import read_document
from node.governance.parse import FILE_BYTES_MAX
from node.governance.rule_blanks import Blanks, blank_of, blanks_of, changes, effect_of
from node.governance.rule_table import EFFECTS
from node.governance.table_blanks import blank_of as table_blank_of
from node.governance.table_blanks import keys_of as table_keys_of
from node.governance.table_blanks import place_of_table
from node.governance.value_syntax import NAME_MAX
from node.toml_reader import TomlDocument
from node.toml_writer import (
    Value,
    table_lines,
    with_changes,
    with_table,
    with_table_after,
    without_table,
)
from node.translator import gettext_lazy

HEADING = ""
"""In place of a blank: the finding is about the rule as a whole."""
_EVENING = "daily 18:00-23:00"
_EFFECT_CODES = frozenset({"E02", "E03", "E04", "E05", "W02", "W04", "W08", "W10", "W13", "W15", "W21"})
_WHO_CODES = frozenset({"W01", "W03", "W05", "W06"})
_KEYS_OF_CODES = {
    "E06": "exception_to",
    "E07": "by",
    "W19": "by",
    "W07": "when",
    "W16": "expires",
    "W17": "expires",
    "W18": "expires",
    "W20": "at",
}

NEW_RULES: Mapping[str, Mapping[str, Value]] = {
    "ceiling": {"ceiling": "5 Mbit/s down, 1 Mbit/s up", "who": "tier:guest"},
    "floor": {"floor": "1 Mbit/s down, 256 kbit/s up", "who": "tier:member"},
    "share": {"share": 200, "who": "tier:member"},
    "credit": {"credit": "share +50", "who": "tier:member"},
    "reserve": {"reserve": "10 percent", "who": "tier:guest"},
    "quota": {
        "quota": "60 GB per month",
        "counts": "uplink while busy",
        "then": "share 50 until reset",
        "who": "tier:member",
    },
    "session": {"session": "4 hours", "who": "tier:guest"},
    "devices": {"devices": 5, "who": "tier:member"},
}
"""What a new rule says until its blanks are filled in, by its effect."""


@dataclass(frozen=True)  # no slots: what is needed for each finding is computed once
class RuleDraft:
    """A rule file that can be read as TOML, whatever its rules say."""

    text: str
    document: TomlDocument

    @cached_property
    def tables(self) -> list[Mapping[str, Any]]:
        """All rules, with those that are no tables left empty."""
        found = self.document.data.get("rule", [])
        return [each if isinstance(each, dict) else {} for each in found] if isinstance(found, list) else []

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the rules that have one, in the order of the file."""
        return tuple(each["id"] for each in self.tables if isinstance(each.get("id"), str))

    @property
    def named_days(self) -> tuple[str, ...]:
        """The names of the calendar."""
        calendar = self.document.data.get("calendar")
        return tuple(calendar) if isinstance(calendar, dict) else ()

    @property
    def uplinks(self) -> tuple[str, ...]:
        """The names of the lines."""
        lines = self.document.data.get("uplink")
        return (
            tuple(name for name, each in lines.items() if isinstance(each, dict))
            if isinstance(lines, dict)
            else ()
        )

    @property
    def decisions(self) -> tuple[str, ...]:
        """All decisions that the file names, those with the highest numbers first."""
        dated, head = (self.document.data.get(name) for name in ("decisions", "ruleset"))
        found = {*dated} if isinstance(dated, dict) else set()
        found |= {table.get("by") for table in self.tables}
        found.add(head.get("decision") if isinstance(head, dict) else "")
        return tuple(sorted((each for each in found if isinstance(each, str) and each), reverse=True))

    def rule(self, name: str) -> Mapping[str, Any] | None:
        return next((each for each in self.tables if each.get("id") == name), None)

    def exceptions_to(self, name: str) -> tuple[str, ...]:
        return tuple(
            each["id"]
            for each in self.tables
            if each.get("exception_to") == name and isinstance(each.get("id"), str)
        )

    def place_of(self, finding: Finding) -> tuple[str, str] | None:
        """The id of the rule that the finding is about, or a table such as ``[charter]``, and its blank; None when it is
        about something else."""
        at = bisect_right(self._heads, (finding.line, "\U0010ffff")) - 1
        if at < 0:
            return None
        start, table, index = self._heads[at]
        if table != "rule":
            return self._place_in_table(finding, table) if table_keys_of(table) else None
        rule = self.tables[index]
        name = rule.get("id")
        if not isinstance(name, str):
            return None
        key = self._key_of(finding, rule) if finding.line == start else self._key_at(finding.line, index)
        return name, blank_of(key, rule)

    def _place_in_table(self, finding: Finding, table: str) -> tuple[str, str] | None:
        """As `place_of`, of a line or the charter, which has brackets as no rule's id has. None for a key without a blank:
        only the text shows it."""
        keys = [(line, key) for (name, _, key), line in self.document.lines.items() if name == table and key]
        _, key = max((each for each in keys if each[0] <= finding.line), default=(0, ""))
        blank = table_blank_of(table, key)
        return (place_of_table(table), blank) if blank or not key else None

    @cached_property
    def _heads(self) -> list[tuple[int, str, int]]:
        """The line of each table, its name, and its number among those of that name."""
        lines = self.document.lines.items()
        return sorted((line, table, index) for (table, index, key), line in lines if not key)

    @cached_property
    def _keys(self) -> dict[int, list[tuple[int, str]]]:
        """The lines of the keys of each rule."""
        found: dict[int, list[tuple[int, str]]] = {}
        for (table, index, key), line in self.document.lines.items():
            if table == "rule" and key:
                found.setdefault(index, []).append((line, key))
        return found

    def _key_at(self, line: int, index: int) -> str:
        """The key of a rule that has this line: a value can go on in further lines."""
        return max((each for each in self._keys.get(index, []) if each[0] <= line), default=(0, ""))[1]

    @staticmethod
    def _key_of(finding: Finding, rule: Mapping[str, Any]) -> str:
        """The key that a finding about a whole rule is about."""
        if finding.code in _EFFECT_CODES:
            return effect_of(rule)
        is_for_nobody = finding.code == "E01" and "who" not in rule
        return "who" if finding.code in _WHO_CODES or is_for_nobody else _KEYS_OF_CODES.get(finding.code, "")


def read_draft(text: str) -> RuleDraft | Finding:
    """A Finding when the text cannot be read as TOML."""
    document = read_document(text, FILE_BYTES_MAX)
    return document if isinstance(document, Finding) else RuleDraft(text, document)


def rule_blanks(draft: RuleDraft, name: str) -> dict[str, str] | None:
    """The blanks of the rule with this id; None without it."""
    rule = draft.rule(name)
    return None if rule is None else blanks_of(rule)


def changed(draft: RuleDraft, name: str, typed: Blanks) -> str | dict[str, Finding]:
    """The text with these blanks of one rule filled in, or what is wrong, by blank."""
    rule = draft.rule(name)
    if rule is None:
        return {HEADING: _not_there(name)}
    values, wrong = changes(rule, typed)
    if wrong:
        return wrong
    if not values:
        return draft.text
    lines = table_lines(draft.text, draft.document, "rule", draft.tables.index(rule))
    if lines is None:
        return {HEADING: _unusual()}
    values = {key: _in_order(value, rule.get(key)) for key, value in values.items()}
    kept = {key: value for key, value in rule.items() if key not in values}
    wanted = {**kept, **{key: value for key, value in values.items() if value is not None}}
    edited = _proven(draft, with_changes(lines, values), _replaced(draft, rule, wanted))
    return {HEADING: edited} if isinstance(edited, Finding) else edited


def removed(draft: RuleDraft, name: str) -> str | Finding:
    """The text without the rule; refused while another rule is an exception to it."""
    rule = draft.rule(name)
    if rule is None:
        return _not_there(name)
    if others := draft.exceptions_to(name):
        message = gettext_lazy("{names} replaces this rule.", names=", ".join(others))
        fix = gettext_lazy("remove the exception first, or choose there which rule it replaces")
        return Finding("E02", 0, message, fix)
    lines = table_lines(draft.text, draft.document, "rule", draft.tables.index(rule))
    if lines is None:
        return _unusual()
    return _proven(draft, without_table(lines), [each for each in draft.tables if each is not rule])


def added(draft: RuleDraft, effect: str) -> tuple[str, str] | Finding:
    """The text with a new rule after the others, and the id of that rule."""
    if effect not in NEW_RULES:
        message = gettext_lazy("{text} is not what a rule can do.", text=f"{effect!r:.60}")
        return Finding("E01", 0, message, gettext_lazy("use one of {words}", words=", ".join(EFFECTS)))
    return _with_rule(draft, _fresh(draft, effect), NEW_RULES[effect], len(draft.tables) - 1)


def with_exception(draft: RuleDraft, name: str) -> tuple[str, str] | Finding:
    """The text with an exception to a rule below it, which says the same in the evening, and the id of that exception."""
    rule = draft.rule(name)
    if rule is None:
        return _not_there(name)
    copied = (effect_of(rule), "burst", "counts", "then", "while", "observe")
    values = {key: rule[key] for key in copied if key in rule}
    values |= {"when": _EVENING, "exception_to": name}
    last = max(draft.tables.index(each) for each in draft.tables if each.get("id") == name)
    return _with_rule(draft, _fresh(draft, f"{name[: NAME_MAX - 10]}-except"), values, last)


def _with_rule(
    draft: RuleDraft, name: str, values: Mapping[str, Value], after: int
) -> tuple[str, str] | Finding:
    """`after`: number of the rule above it; -1 for none."""
    rule: dict[str, Value] = {"id": name, **values, "by": _decision(draft)}
    lines = table_lines(draft.text, draft.document, "rule", after) if after >= 0 else None
    text = with_table(draft.text, "rule", rule) if lines is None else with_table_after(lines, rule)
    at = len(draft.tables) if lines is None else after + 1
    edited = _proven(draft, text, [*draft.tables[:at], rule, *draft.tables[at:]])
    return edited if isinstance(edited, Finding) else (edited, name)


def _fresh(draft: RuleDraft, name: str) -> str:
    """An id that no rule has."""
    return next(each for each in _numbered(name) if each not in draft.ids)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _decision(draft: RuleDraft) -> str:
    """The decision that the file says it comes from: the nearest that is known."""
    ruleset = draft.document.data.get("ruleset")
    decision = ruleset.get("decision") if isinstance(ruleset, dict) else None
    return decision if isinstance(decision, str) and decision else "D-1"


def _in_order(value: Value | None, before: object) -> Value | None:
    """Of a list, first the entries that stay where they are, with their comments."""
    if isinstance(value, str | int) or value is None or not isinstance(before, list):
        return value
    return [*(each for each in before if each in value), *(each for each in value if each not in before)]


def _replaced(
    draft: RuleDraft, rule: Mapping[str, Any], wanted: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    return [wanted if each is rule else each for each in draft.tables]


def _proven(draft: RuleDraft, text: str, wanted: list[Mapping[str, Any]]) -> str | Finding:
    """The text, if reading it gives the wanted rules and leaves everything else as it was."""
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return document
    expected = {**draft.document.data, "rule": wanted}
    if not wanted and "rule" not in document.data:
        del expected["rule"]
    return text if document.data == expected else _unusual()


def _not_there(name: str) -> Finding:
    message = gettext_lazy("There is no rule {name}.", name=f"{name!r:.60}")
    return Finding("E01", 0, message, gettext_lazy("choose one of the rules on this page"))


def _unusual() -> Finding:
    message = gettext_lazy("This rule is written in a way that this page cannot change safely.")
    return Finding("E01", 0, message, gettext_lazy("change it in the text of the rule file"))
