"""Parses the tables ``[uplink.NAME]``, and which of these lines a rule is for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.characters import is_name
from node.errors import Finding, InvalidValue
from node.governance.document import TomlTable, one_table, suggestion, write
from node.governance.rules import MAIN_UPLINK, MeasuredUplink, NamedUplink, Ruleset
from node.governance.value_syntax import NAME_WANTED, RATES_WANTED, parse_rates
from node.toml_reader import TomlDocument
from node.translator import gettext_lazy, literal
from node.units import BitsPerSecond, Rates, parse_rate

UPLINKS_MAX = 8
RULES_ON_LINES_MAX = 400
"""Each line is checked by itself; lines with the same rules count once."""
NAMES_READ_MAX = 100
"""Of a table with more keys, the others are not even refused."""
USABLE_PERCENT, USABLE_UP_PERCENT = 85, 95
"""Part of the download, and of the upload, that is shared where a file says nothing, so that the queue builds up here and
not in the modem. A download has passed the line before it waits here, and what is dropped then has taken some of it."""
USABLE_PERCENT_MIN, USABLE_PERCENT_MAX = 50, 100
RATE_SOURCES = ("stated", "measured")
RATE_SOURCES_WANTED = gettext_lazy(
    "{measured} (the speed follows what the line carries) or {stated}",
    measured='"measured"',
    stated='"stated"',
)
LEAST_PART = 8
"""Where the rules do not say: a measured uplink carries at least this part of the stated rate, one by so much."""
LEAST_MIN = 16_000
"""In bit/s; that part of the least uplink. With none at all nothing could be shared, nor estimated."""
UPLINK_WANTED = gettext_lazy("the name of a line, such as {one}, or a list of names", one='"main"')

UPLINK_KEYS = ("down", "up", "usable_percent", "usable_up_percent", "rate", "least", "most")


@dataclass(frozen=True, slots=True)
class Uplinks:
    """The lines of a file, by name; those with errors have no rate, and are named all the same."""

    found: tuple[NamedUplink, ...]
    names: tuple[str, ...]

    @property
    def shaped(self) -> Mapping[str, Rates | None]:
        """By name, the rate of each line that is shared; None where it has errors."""
        rates = {each.name: each.shaped for each in self.found}
        return {name: rates.get(name) for name in self.names}

    @property
    def only(self) -> NamedUplink | None:
        return self.found[0] if len(self.names) == len(self.found) == 1 else None

    @property
    def several(self) -> tuple[NamedUplink, ...]:
        return self.found if len(self.names) > 1 else ()


def read_uplinks(document: TomlDocument, findings: list[Finding]) -> Uplinks:
    """Sorted by name."""
    table = one_table(document, "uplink", findings)
    if table is None:
        return Uplinks((), ())
    names = [name for name in list(table.data)[:NAMES_READ_MAX] if _is_named(table, name)]
    if len(table.data) > UPLINKS_MAX:
        message = gettext_lazy(
            "There are {number} lines; at most {most} are read.", number=len(table.data), most=UPLINKS_MAX
        )
        line = document.line(f"uplink.{list(table.data)[UPLINKS_MAX]}")
        findings.append(Finding("E01", line, message, gettext_lazy("remove some of them")))
    read = [_uplink(document, name, findings) for name in sorted(names[:UPLINKS_MAX])]
    return Uplinks(tuple(each for each in read if each is not None), tuple(sorted(names[:UPLINKS_MAX])))


def _is_named(table: TomlTable, name: str) -> bool:
    """Whether it is a table with a plain name; what is not is refused."""
    heads = (f"uplink.{name}", f'uplink."{name}"')
    line = next((line for head in heads if (line := table.document.line(head))), table.line(name))
    if not isinstance(table.data[name], dict):
        message = gettext_lazy("{key} belongs to a line, and each line has a name.", key=f"{name!r:.60}")
        fix = gettext_lazy("write it below {table}", table=f"[uplink.{MAIN_UPLINK}]")
        if name not in UPLINK_KEYS:
            fix = gettext_lazy("write {example} on a line of its own", example=f"[uplink.{MAIN_UPLINK}]")
    elif not is_name(name):
        message = gettext_lazy("{text} is not a plain name.", text=f"{name!r:.60}")
        fix = write(NAME_WANTED)
    else:
        return True
    table.findings.append(Finding("E01", line, message, fix))
    return False


def _uplink(document: TomlDocument, name: str, findings: list[Finding]) -> NamedUplink | None:
    table = one_table(document, f"uplink.{name}", findings)
    if table is None:
        return None
    table.known(UPLINK_KEYS)
    usable = _usable_permille(table)
    down = table.value("down", literal('"40 Mbit/s"'), _uplink_rate)
    up = table.value("up", literal('"8 Mbit/s"'), _uplink_rate)
    for key in ("down", "up"):
        if key not in table.data:
            message = gettext_lazy("{table} has no {key}.", table=f"[uplink.{name}]", key=key)
            fix = gettext_lazy("add the measured speed, such as {example}", example=f'{key} = "8 Mbit/s"')
            table.refuse("", message, fix)
    stated = Rates(down, up) if down and up else None
    measured = _measured(table, stated)
    return None if stated is None else NamedUplink(name, stated, usable[0], measured, usable[1])


def _usable_permille(table: TomlTable) -> tuple[int, int | None]:
    """Of the download, and of the upload where that is not the same. One number in the file is for both."""
    down, up = (
        table.integer(key, USABLE_PERCENT_MIN, USABLE_PERCENT_MAX)
        for key in ("usable_percent", "usable_up_percent")
    )
    if down is None:
        down, up = USABLE_PERCENT, up or USABLE_UP_PERCENT
    return 10 * down, None if up is None or up == down else 10 * up


def _measured(table: TomlTable, stated: Rates | None) -> MeasuredUplink | None:
    rate = table.value("rate", RATE_SOURCES_WANTED, _rate_source)
    least, most = (table.value(key, RATES_WANTED, parse_rates) for key in ("least", "most"))
    for key in ("least", "most"):
        if key in table.data and rate != "measured":
            measured = 'rate = "measured"'
            message = gettext_lazy("{key} has no effect without {example}.", key=key, example=measured)
            table.refuse(
                key, message, gettext_lazy("add {example}, or remove {key}", example=measured, key=key)
            )
    if rate != "measured" or stated is None:
        return None
    least = least or Rates(BitsPerSecond(stated.down // LEAST_PART), BitsPerSecond(stated.up // LEAST_PART))
    most = most or stated
    if min(least.down, least.up) < LEAST_MIN:
        fix = gettext_lazy(
            "write a speed that the line has even on its worst day, or remove {key}", key="least"
        )
        table.refuse("least", gettext_lazy("{key} is too little to share.", key="least"), fix)
    if least.down > stated.down or least.up > stated.up:
        table.refuse(
            "least",
            gettext_lazy("{key} is more than the stated speed.", key="least"),
            gettext_lazy("write a speed that the line has even on its worst day"),
        )
    if most.down < stated.down or most.up < stated.up:
        table.refuse(
            "most",
            gettext_lazy("{key} is less than the stated speed.", key="most"),
            gettext_lazy("write the best speed that the line ever has, or remove {key}", key="most"),
        )
    return MeasuredUplink(least, most)


def _rate_source(text: str) -> str:
    if text not in RATE_SOURCES:
        wrong = gettext_lazy("{text} is not known", text=f"{text!r:.60}")
        raise InvalidValue(wrong, wanted=RATE_SOURCES_WANTED)
    return text


def _uplink_rate(text: str) -> BitsPerSecond:
    rate = parse_rate(text)
    if rate < 128_000:
        raise InvalidValue(
            gettext_lazy("{text} is too little to share", text=repr(text)),
            gettext_lazy("write the measured speed, such as {example}", example='"8 Mbit/s"'),
        )
    return rate


def few_enough_on_lines(ruleset: Ruleset, findings: list[Finding]) -> None:
    """E01 where rules for some lines only would take long to check."""
    if not ruleset.is_of_several:
        return
    number = sum(
        map(len, {tuple(rule.id for rule in each.every_rule) for each in ruleset.by_uplink.values()})
    )
    if number <= RULES_ON_LINES_MAX:
        return
    message = gettext_lazy(
        "On lines with different rules there are {number} rules, those of each line counted; at most {most} are checked.",
        number=number,
        most=RULES_ON_LINES_MAX,
    )
    findings.append(
        Finding("E01", 0, message, gettext_lazy("write rules for all lines, and fewer exceptions"))
    )


def uplinks_of(table: TomlTable, chain: Sequence[TomlTable], names: Sequence[str]) -> tuple[str, ...]:
    """The lines on which a rule holds, sorted; empty for all. An exception without ``uplink`` has those of the rule it
    replaces. `names`: of all lines."""
    inherited = next((found for each in chain if (found := _known(each, names))), ())
    own = _own_uplinks(table, names)
    if inherited and not set(own) <= set(inherited):
        wanted = json.dumps(inherited[0] if len(inherited) == 1 else inherited)
        message = gettext_lazy(
            "The rule that this one replaces is for the line {name}, so this one would never apply on others.",
            name=", ".join(inherited),
        )
        fix = gettext_lazy("write {text}, or remove {key}", text=f"uplink = {wanted}", key="uplink")
        table.refuse("uplink", message, fix, "E02")
    return own or inherited


def _known(table: TomlTable, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the lines that a rule names and that there are; errors in it are reported elsewhere."""
    value = table.data.get("uplink")
    texts = value[:UPLINKS_MAX] if isinstance(value, list) else [value]
    return tuple(sorted({text for text in texts if isinstance(text, str) and text in names}))


def _own_uplinks(table: TomlTable, names: Sequence[str]) -> tuple[str, ...]:
    value = table.data.get("uplink")
    if isinstance(value, list) and not 0 < len(value) <= UPLINKS_MAX:
        message = gettext_lazy("With no line, this rule would never apply.")
        if value:
            message = gettext_lazy(
                "There are {number} lines; at most {most} are read.", number=len(value), most=UPLINKS_MAX
            )
        table.refuse("uplink", message, gettext_lazy("name a line, or remove {key}", key="uplink"), "E02")
        return ()
    texts = table.texts("uplink", UPLINK_WANTED)
    unknown = next((text for text in texts or () if text not in names), None)
    if unknown is not None:
        fix = suggestion(unknown, names)
        if not names:
            fix = gettext_lazy("write {table} with {examples}", table="[uplink.NAME]", examples="down, up")
        table.refuse(
            "uplink", gettext_lazy("The file has no line {name}.", name=f"{unknown!r:.60}"), fix, "E02"
        )
    return _known(table, names) if texts else ()
