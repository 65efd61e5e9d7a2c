"""Edits the text of a rule file: the blanks of a line, ``[uplink.NAME]``, or of ``[charter]``.

Only the lines of that table change, and a table that is not there is added. Each result is read again and compared with
what was wanted.
"""

import re
from collections.abc import Mapping
from typing import Any

from node.errors import Finding
from node.governance.document import read_document
from node.governance.parse import FILE_BYTES_MAX
from node.governance.rule_blanks import Blanks
from node.governance.rule_edit import HEADING, RuleDraft
from node.governance.table_blanks import CHARTER, UPLINK, changes, place_of_table
from node.governance.value_syntax import NAME_MAX
from node.toml_writer import Value, table_lines, with_changes, with_plain_table_after
from node.translator import gettext_lazy

_PLACE = re.compile(rf"\[(charter|uplink\.[a-z0-9-]{{1,{NAME_MAX}}})\]", re.ASCII)
PLACE_MAX = NAME_MAX + len("[uplink.]")


def table_at(place: str) -> str:
    """The table that a place of the page names, as ``[uplink.main]``; empty for a rule, and for no table with a form."""
    found = _PLACE.fullmatch(place)
    return "" if found is None else found[1]


def table_values(draft: RuleDraft, table: str) -> Mapping[str, Any] | None:
    """What the file says there; empty where it says nothing yet, and None where it is no table, or a line that the file
    does not name."""
    data: Any = draft.document.data
    for part in table.split("."):
        data = data.get(part, {}) if isinstance(data, dict) else None
    if not isinstance(data, dict):
        return None
    lines = draft.document.data.get(UPLINK) or {}
    if table != CHARTER and lines and (not isinstance(lines, dict) or table.partition(".")[2] not in lines):
        return None
    return data


def table_changed(draft: RuleDraft, table: str, typed: Blanks) -> str | dict[str, Finding]:
    """The text with these blanks filled in, or what is wrong, by blank."""
    before = table_values(draft, table)
    if before is None:
        return {HEADING: _unusual(table)}
    values, wrong = changes(table, before, typed)
    if wrong:
        return wrong
    if not values:
        return draft.text
    kept = {key: value for key, value in before.items() if key not in values}
    wanted = {**kept, **{key: value for key, value in values.items() if value is not None}}
    text = _written(draft, table, values)
    if text is None or not _says(draft, text, table, wanted):
        return {HEADING: _unusual(table)}
    return text


def _written(draft: RuleDraft, table: str, values: Mapping[str, Value | None]) -> str | None:
    """None where the file has the table in no lines of its own."""
    lines = table_lines(draft.text, draft.document, table, 0)
    if lines is not None:
        return with_changes(lines, values)
    if table_values(draft, table):
        return None
    above = (each for each in _above(draft, table) if (each, 0, "") in draft.document.lines)
    place = table_lines(draft.text, draft.document, next(above, "ruleset"), 0)
    return None if place is None else with_plain_table_after(place, table, values)


def _above(draft: RuleDraft, table: str) -> tuple[str, ...]:
    """The tables below which a new one is written, the first of them that there is."""
    lines = draft.document.data.get(UPLINK)
    named = [f"{UPLINK}.{name}" for name in lines] if table == CHARTER and isinstance(lines, dict) else []
    return (*reversed(named), "ruleset")


def _says(draft: RuleDraft, text: str, table: str, wanted: Mapping[str, Any]) -> bool:
    """Whether reading the text gives this table and leaves everything else as it was."""
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return False
    expected = dict(draft.document.data)
    if table == CHARTER:
        expected[CHARTER] = wanted
    else:
        expected[UPLINK] = {**expected.get(UPLINK, {}), table.partition(".")[2]: wanted}
    return bool(document.data == expected)


def _unusual(table: str) -> Finding:
    message = gettext_lazy(
        "{table} is written in a way that this page cannot change safely.", table=place_of_table(table)
    )
    return Finding("E01", 0, message, gettext_lazy("change it in the text of the rule file"))
