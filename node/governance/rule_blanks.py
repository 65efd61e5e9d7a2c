"""The blanks of one rule, as a form shows them: made from a ``[[rule]]`` of the file, and read back into its values.

Numbers and times are read here, so that a mistake is found at its own blank. What else a value may be, the parser of rule
files says.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from node.characters import hidden_character, is_name
from node.errors import Finding, InvalidValue
from node.governance.burst import LENGTH_MAX, SECOND_MS, Burst, format_burst, parse_burst
from node.governance.document import LIST_MAX, TEXT_MAX
from node.governance.expressions import rate_words
from node.governance.rule_table import COUNTS, COUNTS_DEFAULT, DEVICES_MAX, EFFECTS
from node.governance.rules import Ceiling, Share
from node.governance.times import DAYS, days_text, parse_times, span_parts
from node.governance.uplink_table import UPLINKS_MAX
from node.governance.value_syntax import (
    SHARE_MAX,
    parse_credit,
    parse_quota,
    parse_rates,
    parse_reserve,
    parse_session,
    parse_then,
)
from node.toml_writer import Value
from node.translator import LazyText, gettext_lazy
from node.units import (
    Milliseconds,
    Rates,
    format_volume,
    largest_unit,
    parse_duration,
    parse_rate,
    parse_volume,
)

Blanks = Mapping[str, str]
"""Texts by the name of their blank; a tick is ``yes`` or empty."""

RATE_UNITS = ("kbit/s", "Mbit/s", "Gbit/s")
VOLUME_UNITS = ("MB", "GB", "TB")
LENGTH_UNITS = ("minute", "hour", "day")
PERIODS = ("day", "week", "month", "7 days", "30 days")
THEN = ("share", "ceiling", "tell")
TICKS = frozenset({*DAYS, "lifted", "busy", "together", "observe"})
"""Blanks that a browser leaves out where they are not ticked."""
FREE = "none"
"""Value of a ceiling that lifts another."""

_KEYS_OF_EFFECTS = {"quota": ("quota", "counts", "then"), "ceiling": ("ceiling", "burst")}
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}([.,]\d{3}){2,}|\d{1,3},\d{3}", re.ASCII)
_POINT_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}", re.ASCII)
_AMOUNTS = ("down", "up", "volume")
"""Ends of the names of blanks with a number that has a unit."""
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_NUMBER_WANTED = gettext_lazy("write a number, such as {one} or {other}", one="5", other="2.5")


class InvalidBlank(ValueError):
    """A blank that cannot be read: which, what is wrong, and what to write."""

    def __init__(self, blank: str, message: LazyText, fix: LazyText) -> None:
        super().__init__(str(message))
        self.blank, self.finding = blank, Finding("E01", 0, message, fix)


@dataclass(frozen=True, slots=True)
class KeyBlanks:
    """How one key of a rule is shown."""

    empty: Blanks
    """All blanks of the key, as they are without a value."""
    show: Callable[[object], Blanks]
    """The blanks for a value that is there; raises ValueError where they cannot show it."""
    write: Callable[[Blanks], Value | None]
    """The value; raises InvalidBlank."""


def blanks_of(rule: Mapping[str, object]) -> dict[str, str]:
    """All blanks of a rule as it is in the file."""
    found: dict[str, str] = {}
    for key in keys_of(rule):
        found |= shown(KEYS[key], rule.get(key))
    return found


def changes(rule: Mapping[str, object], typed: Blanks) -> tuple[dict[str, Value | None], dict[str, Finding]]:
    """The new values of the keys that change by what was typed, and what is wrong, by blank. A blank that is not among
    `typed` stays as it is."""
    return changes_of({key: KEYS[key] for key in keys_of(rule)}, rule, typed)


def changes_of(
    keys: Mapping[str, KeyBlanks], table: Mapping[str, object], typed: Blanks
) -> tuple[dict[str, Value | None], dict[str, Finding]]:
    """As `changes`, of any table with these keys."""
    values: dict[str, Value | None] = {}
    wrong: dict[str, Finding] = {}
    for key, form in keys.items():
        before = {name: text.strip() for name, text in shown(form, table.get(key)).items()}
        after = {name: typed.get(name, text).strip() for name, text in before.items()}
        if after == before:
            continue
        try:
            for name, text in after.items():
                _refuse_misleading(name, text)
                if text != before[name] and name.endswith(_AMOUNTS):
                    _refuse_thousands(name, text)
            value = form.write(after)
            if value != table.get(key):
                values[key] = value
        except InvalidBlank as error:
            wrong[error.blank] = error.finding
    return values, wrong


def keys_of(rule: Mapping[str, object]) -> tuple[str, ...]:
    """The keys of a rule that have blanks: those of its effect, and those that each rule can have."""
    effect = effect_of(rule)
    own = _KEYS_OF_EFFECTS.get(effect, (effect,) if effect else ())
    load = ("while",) if effect in ("ceiling", "share", "session") or "while" in rule else ()
    count = () if effect in ("session", "devices") and "observe" not in rule else ("observe",)
    is_first = effect in ("share", "floor", "ceiling", "reserve") and "exception_to" not in rule
    pool = ("together",) if is_first or "together" in rule else ()
    return (
        *own,
        "who",
        "except",
        *pool,
        "when",
        *load,
        "at",
        "uplink",
        "from",
        "expires",
        "exception_to",
        "by",
        "why",
        *count,
    )


def effect_of(rule: Mapping[str, object]) -> str:
    """Its key; empty when there are several, or none."""
    found = [key for key in rule if key in EFFECTS]
    return found[0] if len(found) == 1 else ""


def blank_of(key: str, rule: Mapping[str, object]) -> str:
    """The first blank of a key; empty for one without blanks."""
    if key not in keys_of(rule):
        return ""
    found = shown(KEYS[key], rule.get(key))
    if key == "when":
        return "when" if found["when"] else "start"
    return next(iter(found))


def shown(key: KeyBlanks, value: object) -> dict[str, str]:
    """The blanks of a value; as without one where they cannot show it."""
    if value is None:
        return dict(key.empty)
    try:
        return {**key.empty, **key.show(value)}
    except ValueError:
        return dict(key.empty)


def _refuse_misleading(blank: str, text: str) -> None:
    """No text of a form may look like another one, or go on in another line of the file."""
    if len(text) > TEXT_MAX:
        message = gettext_lazy("This has {number} characters.", number=len(text))
        raise InvalidBlank(blank, message, gettext_lazy("write at most {most}", most=TEXT_MAX))
    if hidden_character(text) is not None or any(each in text for each in "\r\n\t"):
        message = gettext_lazy("This holds an invisible character, which can hide what it says.")
        raise InvalidBlank(blank, message, gettext_lazy("type the text again by hand"))


# --- numbers ----------------------------------------------------------------------------------


def _number(blank: str, text: str) -> str:
    """A number in ASCII, as people of all languages type it."""
    plain = "".join(str(unicodedata.decimal(each, each)) for each in text.replace("\u066b", "."))
    if _THOUSANDS.fullmatch(plain):
        raise _ambiguous(blank, text)
    plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        message = gettext_lazy("“{text}” is not a number.", text=f"{text:.40}")
        if not text:
            message = gettext_lazy("A number is missing.")
        raise InvalidBlank(blank, message, _NUMBER_WANTED)
    return plain


def _refuse_thousands(blank: str, text: str) -> None:
    """1.500 is one and a half for some, and one thousand five hundred for others; what the form itself shows is clear."""
    if _POINT_THOUSANDS.fullmatch("".join(str(unicodedata.decimal(each, each)) for each in text)):
        raise _ambiguous(blank, text)


def _ambiguous(blank: str, text: str) -> InvalidBlank:
    message = gettext_lazy("“{text}” can be read as two different numbers.", text=text)
    return InvalidBlank(blank, message, gettext_lazy("write it without a mark between thousands"))


def whole(blank: str, most: int, blanks: Blanks, *, least: int = 1) -> int:
    """Raises InvalidBlank."""
    number = _number(blank, blanks[blank])
    if "." in number or not least <= int(number) <= most:
        message = gettext_lazy("“{text}” is not possible here.", text=blanks[blank])
        fix = gettext_lazy("write a whole number from {least} to {most}", least=least, most=most)
        raise InvalidBlank(blank, message, fix)
    return int(number)


def quantity(blank: str, units: tuple[str, ...], blanks: Blanks, check: Callable[[str], object]) -> str:
    """A number with its unit, which `check` can read."""
    number, unit = (
        _number(blank, blanks[blank]),
        one_of(f"{blank}_unit", blanks, (*units, "bit/s", "B", "kB")),
    )
    text = f"{number} {unit}"
    try:
        check(text)
    except InvalidValue as error:
        message = gettext_lazy("{problem}.", problem=error.message)
        raise InvalidBlank(blank, message, error.fix or _NUMBER_WANTED) from error
    return text


def one_of(blank: str, blanks: Blanks, options: tuple[str, ...]) -> str:
    """Raises InvalidBlank."""
    if blanks[blank] not in options:
        message = gettext_lazy("“{text}” cannot be chosen here.", text=f"{blanks[blank]:.40}")
        raise InvalidBlank(blank, message, gettext_lazy("use one of {words}", words=", ".join(options)))
    return blanks[blank]


def show_whole(blank: str, value: object) -> Blanks:
    """Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no whole number")
    return {blank: str(value)}


# --- rates ------------------------------------------------------------------------------------


def no_rates(prefix: str = "") -> dict[str, str]:
    """The blanks of a rate in each direction, empty."""
    return {
        f"{prefix}down": "",
        f"{prefix}down_unit": "Mbit/s",
        f"{prefix}up": "",
        f"{prefix}up_unit": "Mbit/s",
    }


def rates_blanks(rates: Rates, prefix: str = "") -> dict[str, str]:
    """The same blanks, filled in."""
    down, _, down_unit = rate_words(rates.down).partition(" ")
    up, _, up_unit = rate_words(rates.up).partition(" ")
    return dict(zip(no_rates(prefix), (down, down_unit, up, up_unit), strict=True))


def write_rates(blanks: Blanks, prefix: str = "") -> str:
    """As a rule file has them. Raises InvalidBlank."""
    down, up = (quantity(f"{prefix}{way}", RATE_UNITS, blanks, parse_rate) for way in ("down", "up"))
    return f"{down} down, {up} up"


def _show_floor(value: object) -> Blanks:
    return rates_blanks(parse_rates(str(value)))


def _show_ceiling(value: object) -> Blanks:
    return {"lifted": "yes"} if value == FREE else _show_floor(value)


def _write_ceiling(blanks: Blanks) -> str:
    return FREE if blanks["lifted"] else write_rates(blanks)


def _show_burst(value: object) -> Blanks:
    burst = parse_burst(str(value))
    return {**rates_blanks(burst.rates, "burst_"), "burst_s": str(burst.length // SECOND_MS)}


def _write_burst(blanks: Blanks) -> str | None:
    """Nothing where all of it is empty."""
    if not any(blanks[name] for name in ("burst_down", "burst_up", "burst_s")):
        return None
    rates = parse_rates(write_rates(blanks, "burst_"))
    seconds = whole("burst_s", LENGTH_MAX // SECOND_MS, blanks)
    return format_burst(Burst(rates, Milliseconds(seconds * SECOND_MS)))


# --- volumes, parts and durations ----------------------------------------------------------------


def _show_quota(value: object) -> Blanks:
    volume, _ = parse_quota(str(value))
    number, _, unit = format_volume(volume).partition(" ")
    return {"volume": number, "volume_unit": unit, "period": str(value).strip().rpartition(" per ")[2]}


def _write_quota(blanks: Blanks) -> str:
    text = f"{quantity('volume', VOLUME_UNITS, blanks, parse_volume)} per {blanks['period']}"
    try:
        parse_quota(text)
    except InvalidValue as error:
        message = gettext_lazy("{problem}.", problem=error.message)
        raise InvalidBlank("volume", message, error.fix or _NUMBER_WANTED) from error
    return text


def _show_then(value: object) -> Blanks:
    match parse_then(str(value)):
        case Share(weight):
            return {"then": "share", "then_share": str(weight)}
        case Ceiling(Rates() as rates):
            return {"then": "ceiling", **rates_blanks(rates, "then_")}
        case _:
            return {"then": "tell"}


def _write_then(blanks: Blanks) -> str:
    kind = one_of("then", blanks, THEN)
    if kind == "tell":
        return kind
    amount = whole("then_share", SHARE_MAX, blanks) if kind == "share" else write_rates(blanks, "then_")
    return f"{kind} {amount} until reset"


def _show_session(value: object) -> Blanks:
    number, unit = largest_unit(parse_session(str(value)))
    return {"length": str(number), "length_unit": unit}


def _write_session(blanks: Blanks) -> str:
    number, unit = whole("length", 100_000, blanks), one_of("length_unit", blanks, LENGTH_UNITS)
    text = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    try:
        parse_duration(text)
    except InvalidValue as error:
        raise InvalidBlank(
            "length", gettext_lazy("{problem}.", problem=error.message), _NUMBER_WANTED
        ) from error
    return text


# --- people, times and texts ---------------------------------------------------------------------


def _show_selectors(first: str, more: str, value: object) -> Blanks:
    """The first selector in a blank, and all others in the next one."""
    values = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    if len(texts) > LIST_MAX or len(texts) < len(values):
        raise ValueError("no selectors")
    return {first: ", ".join(texts[:1]), more: ", ".join(texts[1:])}


def _write_selectors(first: str, more: str, blanks: Blanks) -> Value | None:
    return _write_list(f"{blanks[first]},{blanks[more]}")


def _write_list(typed: str) -> Value | None:
    """One text alone, several as a list without repetitions, and none for nothing."""
    texts = list(dict.fromkeys(text for each in typed.split(",") if (text := each.strip())))
    return texts[0] if len(texts) == 1 else texts or None


def _selectors(first: str, more: str) -> KeyBlanks:
    return KeyBlanks(
        {first: "", more: ""},
        partial(_show_selectors, first, more),
        partial(_write_selectors, first, more),
    )


def _show_lines(value: object) -> Blanks:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in names) or len(names) > UPLINKS_MAX:
        raise ValueError("no lines")
    return {"uplink": ", ".join(map(str, names))}


def _show_times(value: object) -> Blanks:
    text = str(value)
    weekly, separator, closed = text.partition(" except ")
    try:
        times = parse_times(weekly)
    except InvalidValue:
        return {"when": text}
    parts = span_parts(times)
    if len(parts) != 1 or ";" in closed or (separator and not closed.strip()):
        return {"when": text}
    days, _, hours = parts[0].rpartition(" ")
    start, _, end = hours.partition("-")
    return {
        **dict.fromkeys(_days_named(days), "yes"),
        "start": start,
        "end": "00:00" if end == "24:00" else end,
        "closed": closed.strip(),
    }


def _days_named(text: str) -> Iterator[str]:
    """Of what `days_text` writes."""
    for part in text.replace("daily", "mon-sun").split(","):
        first, _, last = part.partition("-")
        yield from DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]


def _write_times(blanks: Blanks) -> str | None:
    if blanks["when"]:
        return blanks["when"]
    days = {number for number, day in enumerate(DAYS) if blanks[day]} or set(range(len(DAYS)))
    start, end = (blanks[name][:5] for name in ("start", "end"))
    if not start and not end:
        start = end = "00:00"
    for name, text in (("start", start), ("end", end)):
        if not _TIME.fullmatch(text):
            message = gettext_lazy("“{text}” is not a time of the day.", text=f"{text:.40}")
            if not text:
                message = gettext_lazy("One of the two times is missing.")
            fix = gettext_lazy("write both times, such as {one} and {other}", one="18:00", other="23:00")
            raise InvalidBlank(name, message, gettext_lazy("{fix}, or none for the whole day", fix=fix))
    if start == end != "00:00":
        message = gettext_lazy("This is when it begins.")
        raise InvalidBlank("end", message, gettext_lazy("write a later time; it can be on the next day"))
    closed = [each.strip() for each in blanks["closed"].split(",") if each.strip()]
    if not all(map(is_name, closed)):
        message = gettext_lazy("“{text}” cannot be chosen here.", text=f"{blanks['closed']:.40}")
        raise InvalidBlank("closed", message, gettext_lazy("choose days that the file names"))
    if start == end and len(days) == len(DAYS) and not closed:
        return None
    text = f"{days_text(days)} {start}-{'24:00' if end == '00:00' else end}"
    return f"{text} except {','.join(closed)}" if closed else text


def _show_day(value: object) -> Blanks:
    return {"first": date.fromisoformat(str(value)).isoformat()}


def _text(blank: str) -> KeyBlanks:
    return KeyBlanks({blank: ""}, lambda value: {blank: str(value)}, lambda blanks: blanks[blank] or None)


KEYS: Mapping[str, KeyBlanks] = {
    "share": KeyBlanks({"share": ""}, partial(show_whole, "share"), partial(whole, "share", SHARE_MAX)),
    "devices": KeyBlanks(
        {"devices": ""}, partial(show_whole, "devices"), partial(whole, "devices", DEVICES_MAX)
    ),
    "credit": KeyBlanks(
        {"credit": ""},
        lambda value: {"credit": str(parse_credit(str(value)).weight)},
        lambda blanks: f"share +{whole('credit', SHARE_MAX, blanks)}",
    ),
    "reserve": KeyBlanks(
        {"percent": ""},
        lambda value: {"percent": str(parse_reserve(str(value)))},
        lambda blanks: f"{whole('percent', 100, blanks)} percent",
    ),
    "floor": KeyBlanks(no_rates(), _show_floor, write_rates),
    "ceiling": KeyBlanks({**no_rates(), "lifted": ""}, _show_ceiling, _write_ceiling),
    "burst": KeyBlanks({**no_rates("burst_"), "burst_s": ""}, _show_burst, _write_burst),
    "quota": KeyBlanks({"volume": "", "volume_unit": "GB", "period": "month"}, _show_quota, _write_quota),
    "counts": KeyBlanks(
        {"counts": COUNTS_DEFAULT},
        lambda value: {"counts": str(value)},
        lambda blanks: one_of("counts", blanks, COUNTS),
    ),
    "then": KeyBlanks({"then": "share", "then_share": "", **no_rates("then_")}, _show_then, _write_then),
    "session": KeyBlanks({"length": "", "length_unit": "hour"}, _show_session, _write_session),
    "who": _selectors("who", "who_too"),
    "except": _selectors("except", "except_too"),
    "when": KeyBlanks(
        dict.fromkeys((*DAYS, "start", "end", "closed", "when"), ""), _show_times, _write_times
    ),
    "while": KeyBlanks(
        {"busy": ""}, lambda _value: {"busy": "yes"}, lambda blanks: "busy" if blanks["busy"] else None
    ),
    "together": KeyBlanks(
        {"together": ""},
        lambda value: {"together": "yes" if value is True else ""},
        lambda blanks: True if blanks["together"] else None,
    ),
    "observe": KeyBlanks(
        {"observe": ""},
        lambda value: {"observe": "yes" if value is True else ""},
        lambda blanks: True if blanks["observe"] else None,
    ),
    "at": KeyBlanks(
        {"at": ""},
        lambda value: {"at": str(value).removeprefix("node:").strip()},
        lambda blanks: f"node:{blanks['at']}" if blanks["at"] else None,
    ),
    "uplink": KeyBlanks({"uplink": ""}, _show_lines, lambda blanks: _write_list(blanks["uplink"])),
    "from": KeyBlanks({"first": ""}, _show_day, lambda blanks: blanks["first"] or None),
    "expires": _text("expires"),
    "exception_to": _text("exception_to"),
    "by": _text("by"),
    "why": _text("why"),
}
"""The keys of a rule that have blanks."""
