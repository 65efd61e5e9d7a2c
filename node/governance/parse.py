"""Parses a rule file into a ruleset: all errors at once, each with its line and what to write instead."""

from node.errors import Finding
from node.governance.document import (
    FINDINGS_MAX,
    TomlTable,
    one_table,
    read_document,
    suggestion,
    tables,
)
from node.governance.rule_evaluation import CODE_LIFELINE
from node.governance.rule_table import read_rules
from node.governance.rules import (
    DEFAULT_JOIN_METHODS,
    WAYS,
    WHEN_FULL,
    Charter,
    Example,
    JoinMethods,
    MeasuredUplink,
    Ruleset,
)
from node.governance.value_syntax import (
    DECISION_WANTED,
    RATES_WANTED,
    format_rates,
    parse_decision,
    parse_rates,
)
from node.toml_reader import TomlDocument
from node.units import BitsPerSecond, Rates, highest, parse_rate

FILE_BYTES_MAX = 256 * 1024
EXAMPLES_MAX = 50

DEFAULT_CHARTER = Charter(
    lifeline=Rates(BitsPerSecond(256_000), BitsPerSecond(96_000)),
    guest_lifeline=Rates(BitsPerSecond(1_000_000), BitsPerSecond(256_000)),
    max_weight_ratio=4,
)
WAYS_WANTED = 'the ways that are open, such as ways = ["terms", "voucher"]'
WHEN_FULL_WANTED = '"oldest" (the device that has been idle for longest is disconnected) or "ask"'
USABLE_PERCENT = 85
"""Part of the uplink that is shared, so that the queue builds up here and not in the modem."""
RATE_SOURCES = ("stated", "measured")
RATE_SOURCES_WANTED = '"measured" (the speed follows what the line carries) or "stated"'
LEAST_PART = 8
"""Where the rules do not say: a measured uplink carries at least this part of the stated rate, one by so much."""
LEAST_MIN = 16_000
"""In bit/s; that part of the least uplink. With none at all nothing could be shared, nor estimated."""


def parse_ruleset(text: str) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """The ruleset in `text`, or None and every error in it."""
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return None, (document,)
    findings: list[Finding] = []
    _known_tables(document, findings)
    ruleset = _ruleset(document, findings)
    if any(finding.is_error for finding in findings):
        return None, tuple(sorted(findings, key=lambda finding: finding.line))[:FINDINGS_MAX]
    return ruleset, ()


def _known_tables(document: TomlDocument, findings: list[Finding]) -> None:
    known = ("ruleset", "uplink", "charter", "joining", "rule", "test")
    for key in document.data:
        if key not in known and len(findings) <= FINDINGS_MAX:
            line = document.line(key) or document.line("", 0, key)
            near = suggestion(key, known)
            findings.append(Finding("E01", line, f"{key!r:.60} is not a part of a rule file.", near))


def _ruleset(document: TomlDocument, findings: list[Finding]) -> Ruleset:
    head = one_table(document, "ruleset", findings)
    if head is None:
        message = "The file does not say whose rules these are."
        fix = 'write [ruleset] with community = "…", version = 1 and decision = "…"'
        findings.append(Finding("E01", document.line("ruleset"), message, fix))
        head = TomlTable(document, "ruleset", 0, {})
    else:
        head.known(("community", "version", "decision", "unit"))
        for key in ("community", "version", "decision"):
            if key not in head.data:
                head.refuse("", f"[ruleset] has no {key}.", f"add {_HEAD_EXAMPLES[key]}")
    uplink, permille, measured = _uplink(document, findings)
    return Ruleset(
        community=head.name_text("community", _HEAD_EXAMPLES["community"]) or "",
        version=head.integer("version", 1, 10**9) or 1,
        decision=head.value("decision", _HEAD_EXAMPLES["decision"], parse_decision) or "",
        uplink=uplink,
        usable_permille=permille,
        measured=measured,
        charter=_charter(document, findings),
        rules=read_rules(document, findings),
        unit=head.name_text("unit", 'what counts as one, such as "household" or "person"') or "household",
        examples=_examples(document, findings),
        joining=_joining(document, findings),
    )


_HEAD_EXAMPLES = {
    "community": 'community = "vall-baixa"',
    "version": "version = 1",
    "decision": 'decision = "D-2026-001"',
}


def _uplink(
    document: TomlDocument, findings: list[Finding]
) -> tuple[Rates | None, int, MeasuredUplink | None]:
    default = None, USABLE_PERCENT * 10, None
    if (uplinks := one_table(document, "uplink", findings)) is None:
        return default
    for name in uplinks.data:
        if name != "main":
            line = document.line(f"uplink.{name}") or uplinks.line(name)
            message = f"uplink.{name:.40} is not known to this version."
            findings.append(Finding("E01", line, message, "write one uplink, [uplink.main]"))
    if (main := one_table(document, "uplink.main", findings)) is None:
        return default
    main.known(("down", "up", "usable_percent", "rate", "least", "most"))
    percent = main.integer("usable_percent", 50, 100) or USABLE_PERCENT
    down = main.value("down", '"40 Mbit/s"', _uplink_rate)
    up = main.value("up", '"8 Mbit/s"', _uplink_rate)
    for key in ("down", "up"):
        if key not in main.data:
            main.refuse(
                "", f"[uplink.main] has no {key}.", f'add the measured speed, such as {key} = "8 Mbit/s"'
            )
    stated = Rates(down, up) if down and up else None
    return stated, percent * 10, _measured(main, stated)


def _measured(main: TomlTable, stated: Rates | None) -> MeasuredUplink | None:
    rate = main.value("rate", RATE_SOURCES_WANTED, _rate_source)
    least, most = (main.value(key, RATES_WANTED, parse_rates) for key in ("least", "most"))
    for key in ("least", "most"):
        if key in main.data and rate != "measured":
            main.refuse(
                key,
                f'{key} has no effect without rate = "measured".',
                f'add rate = "measured", or remove {key}',
            )
    if rate != "measured" or stated is None:
        return None
    least = least or Rates(BitsPerSecond(stated.down // LEAST_PART), BitsPerSecond(stated.up // LEAST_PART))
    most = most or stated
    if min(least.down, least.up) < LEAST_MIN:
        main.refuse(
            "least",
            "least is too little to share.",
            "write a speed that the line has even on its worst day, or remove least",
        )
    if least.down > stated.down or least.up > stated.up:
        main.refuse(
            "least",
            "least is more than the stated speed.",
            "write a speed that the line has even on its worst day",
        )
    if most.down < stated.down or most.up < stated.up:
        main.refuse(
            "most",
            "most is less than the stated speed.",
            "write the best speed that the line ever has, or remove most",
        )
    return MeasuredUplink(least, most)


def _rate_source(text: str) -> str:
    if text not in RATE_SOURCES:
        raise ValueError(f"{text!r:.60} is not known; write {RATE_SOURCES_WANTED}")
    return text


def _uplink_rate(text: str) -> BitsPerSecond:
    rate = parse_rate(text)
    if rate < 128_000:
        raise ValueError(f'{text!r} is too little to share; write the measured speed, such as "8 Mbit/s"')
    return rate


def _charter(document: TomlDocument, findings: list[Finding]) -> Charter:
    table = one_table(document, "charter", findings)
    if table is None:
        return DEFAULT_CHARTER
    table.known(("lifeline", "guest_lifeline", "max_weight_ratio"))
    return Charter(
        _lifeline(table, "lifeline") or DEFAULT_CHARTER.lifeline,
        _lifeline(table, "guest_lifeline") or DEFAULT_CHARTER.guest_lifeline,
        table.integer("max_weight_ratio", 1, 100) or DEFAULT_CHARTER.max_weight_ratio,
    )


def _lifeline(table: TomlTable, key: str) -> Rates | None:
    """E03 for a lifeline below the one in code."""
    rates = table.value(key, RATES_WANTED, parse_rates)
    if rates is not None and (enough := highest(rates, CODE_LIFELINE)) != rates:
        message = f"{key} is below the {format_rates(CODE_LIFELINE)} that no vote can go under."
        table.refuse(key, message, f'write at least {key} = "{format_rates(enough)}"', "E03")
    return rates


def _joining(document: TomlDocument, findings: list[Finding]) -> JoinMethods:
    table = one_table(document, "joining", findings)
    if table is None:
        return DEFAULT_JOIN_METHODS
    table.known(("ways", "when_full", "by"))
    by = table.required("by", DECISION_WANTED, parse_decision, "E07")
    texts = table.texts("ways", WAYS_WANTED)
    if texts == []:
        table.refuse("ways", "With no way to join, nobody could join.", f"write {WAYS_WANTED}")
    for index, text in enumerate(texts or ()):
        if text not in WAYS:
            table.refuse("ways", f"{text!r:.60} is not a way to join.", suggestion(text, WAYS))
        elif text in (texts or ())[:index]:
            table.refuse("ways", f"The way {text} stands twice.", "keep it once")
    full = table.text("when_full", WHEN_FULL_WANTED)
    if full is not None and full not in WHEN_FULL:
        table.refuse("when_full", f"when_full cannot be {full!r:.60}.", f"write {WHEN_FULL_WANTED}")
    return JoinMethods(
        tuple(way for text in texts for way in WAYS if way == text) if texts else DEFAULT_JOIN_METHODS.ways,
        next((choice for choice in WHEN_FULL if choice == full), DEFAULT_JOIN_METHODS.when_full),
        by or "",
    )


def _examples(document: TomlDocument, findings: list[Finding]) -> tuple[Example, ...]:
    examples = []
    for table in tables(document, "test", EXAMPLES_MAX, findings):
        table.known(("given", "expect"))
        given = table.text("given", '"member, fri 21:00, everyone busy"')
        expect = table.text("expect", '"down >= 400 kbit/s"')
        for key in ("given", "expect"):
            if key not in table.data:
                table.refuse("", f"This test has no {key}.", f"add {_TEST_EXAMPLES[key]}")
        examples.append(Example(given or "", expect or "", table.line()))
    return tuple(examples)


_TEST_EXAMPLES = {
    "given": 'given = "member, fri 21:00, everyone busy"',
    "expect": 'expect = "down >= 400 kbit/s"',
}
