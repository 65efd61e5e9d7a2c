"""The blanks of a line, ``[uplink.NAME]``, and of ``[charter]``, as a form shows them: made from the table, and read back
into its values, as `rule_blanks` does for a rule."""

from collections.abc import Callable, Mapping
from functools import partial

from node.errors import Finding
from node.governance.parse import (
    ANSWER_DAYS_LIMIT,
    APPROVALS_MAX,
    BUSY_PERCENT_MIN,
    OVERBOOK_PERCENT_MAX,
    STEP_DAYS_LIMIT,
)
from node.governance.rule_blanks import (
    RATE_UNITS,
    Blanks,
    KeyBlanks,
    changes_of,
    no_rates,
    one_of,
    quantity,
    rates_blanks,
    show_whole,
    shown,
    whole,
    write_rates,
)
from node.governance.uplink_table import RATE_SOURCES, USABLE_PERCENT_MAX, USABLE_PERCENT_MIN
from node.governance.value_syntax import (
    BUSY_AFTER_MAX,
    HOUR_MS,
    WAITING_MAX,
    parse_busy_after,
    parse_rates,
    parse_waiting,
)
from node.toml_writer import Value
from node.units import Rates, parse_rate

CHARTER, UPLINK = "charter", "uplink"
STATED = RATE_SOURCES[0]
_MINUTE_MS = 60_000


def keys_of(table: str) -> Mapping[str, KeyBlanks]:
    """The keys of a table that have blanks; none of a table without a form."""
    kind, _, name = table.partition(".")
    if kind == UPLINK and name:
        return LINE_KEYS
    return CHARTER_KEYS if table == CHARTER else {}


def place_of_table(table: str) -> str:
    """What the page calls it in place of the id of a rule, which has no brackets."""
    return f"[{table}]"


def blanks_of(table: str, values: Mapping[str, object]) -> dict[str, str]:
    """All blanks of the table with these values."""
    found: dict[str, str] = {}
    for key, form in keys_of(table).items():
        found |= shown(form, values.get(key))
    return found


def changes(
    table: str, values: Mapping[str, object], typed: Blanks
) -> tuple[dict[str, Value | None], dict[str, Finding]]:
    """The new values of the keys that change by what was typed, and what is wrong, by blank. A blank that is not among
    `typed` stays as it is."""
    return changes_of(keys_of(table), values, typed)


def blank_of(table: str, key: str) -> str:
    """The first blank of a key; empty for one without blanks."""
    form = keys_of(table).get(key)
    return "" if form is None else next(iter(form.empty))


def _rate(way: str) -> KeyBlanks:
    """The speed of a line in one direction."""
    blank = f"line_{way}"
    return KeyBlanks(
        {blank: "", f"{blank}_unit": "Mbit/s"},
        lambda value: _show_rate(blank, value),
        lambda blanks: quantity(blank, RATE_UNITS, blanks, parse_rate) if blanks[blank] else None,
    )


def _show_rate(blank: str, value: object) -> Blanks:
    rate = parse_rate(str(value))
    both = rates_blanks(Rates(rate, rate))
    return {blank: both["down"], f"{blank}_unit": both["down_unit"]}


def _rates(prefix: str) -> KeyBlanks:
    """Rates in both directions, or none."""
    return KeyBlanks(
        no_rates(prefix),
        lambda value: rates_blanks(parse_rates(str(value)), prefix),
        partial(_write_rates, prefix),
    )


def _write_rates(prefix: str, blanks: Blanks) -> str | None:
    if not blanks[f"{prefix}down"] and not blanks[f"{prefix}up"]:
        return None
    return write_rates(blanks, prefix)


def _number(key: str, least: int, most: int) -> KeyBlanks:
    """A whole number, or none."""
    return KeyBlanks(
        {key: ""},
        partial(show_whole, key),
        lambda blanks: whole(key, most, blanks, least=least) if blanks[key] else None,
    )


def _source() -> KeyBlanks:
    def write(blanks: Blanks) -> str | None:
        chosen = one_of("rate", blanks, RATE_SOURCES)
        return None if chosen == STATED else chosen

    return KeyBlanks({"rate": STATED}, lambda value: {"rate": str(value)}, write)


def _length(
    blank: str, unit: str, unit_ms: int, most: int, parse: Callable[[str], int], *, least: int = 1
) -> KeyBlanks:
    """A duration in whole units, or none; `parse` reads it in milliseconds."""

    def write(blanks: Blanks) -> str | None:
        if not blanks[blank]:
            return None
        number = whole(blank, most // unit_ms, blanks, least=least)
        return f"1 {unit}" if number == 1 else f"{number} {unit}s"

    return KeyBlanks({blank: ""}, lambda value: {blank: str(parse(str(value)) // unit_ms)}, write)


LINE_KEYS: Mapping[str, KeyBlanks] = {
    "down": _rate("down"),
    "up": _rate("up"),
    "usable_percent": _number("usable_percent", USABLE_PERCENT_MIN, USABLE_PERCENT_MAX),
    "usable_up_percent": _number("usable_up_percent", USABLE_PERCENT_MIN, USABLE_PERCENT_MAX),
    "rate": _source(),
    "least": _rates("least_"),
    "most": _rates("most_"),
}
CHARTER_KEYS: Mapping[str, KeyBlanks] = {
    "lifeline": _rates("lifeline_"),
    "guest_lifeline": _rates("guest_"),
    "max_weight_ratio": _number("max_weight_ratio", 1, 100),
    "reserve_max_percent": _number("reserve_max_percent", 1, 100),
    "overbook_percent": _number("overbook_percent", 100, OVERBOOK_PERCENT_MAX),
    "busy_above": _number("busy_above", BUSY_PERCENT_MIN, 100),
    "busy_below": _number("busy_below", BUSY_PERCENT_MIN, 100),
    "busy_after": _length("busy_after", "minute", _MINUTE_MS, BUSY_AFTER_MAX, parse_busy_after),
    "approvals": _number("approvals", 1, APPROVALS_MAX),
    "charter_approvals": _number("charter_approvals", 1, APPROVALS_MAX),
    "minutes_attested_by": _number("minutes_attested_by", 1, APPROVALS_MAX),
    "waiting": _length("waiting_hours", "hour", HOUR_MS, WAITING_MAX, parse_waiting, least=0),
    "step_max_days": _number("step_max_days", 1, STEP_DAYS_LIMIT),
    "answer_days": _number("answer_days", 1, ANSWER_DAYS_LIMIT),
}
