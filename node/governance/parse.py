"""Parses a rule file into a ruleset: all errors at once, each with its line and what to write instead."""

from collections.abc import Sequence
from functools import partial

from node.characters import is_name
from node.errors import Finding, InvalidValue
from node.governance.coverage import STRETCHES_MAX, stretches
from node.governance.document import (
    FINDINGS_MAX,
    TomlTable,
    one_table,
    read_document,
    suggestion,
    tables,
    write,
)
from node.governance.expressions import rates_words
from node.governance.ladder_table import read_ladders
from node.governance.minutes_table import DECISIONS_MAX, read_decisions
from node.governance.rule_evaluation import CODE_LIFELINE
from node.governance.rule_table import RULES_MAX, Dates, read_rules
from node.governance.rules import (
    ANSWER_DAYS,
    DEFAULT_JOIN_METHODS,
    GRACE_DAYS,
    MAIN_UPLINK,
    RESERVE_MAX_PERCENT,
    STEP_DAYS_MAX,
    WAYS,
    WHEN_FULL,
    BusyThresholds,
    Charter,
    Example,
    JoinMethods,
    Rule,
    Ruleset,
    nodes_of,
)
from node.governance.times import RANGE_WANTED, NamedDays, parse_day_range
from node.governance.uplink_table import USABLE_PERCENT, few_enough_on_lines, read_uplinks
from node.governance.value_syntax import (
    BUSY_AFTER_WANTED,
    DECISION_WANTED,
    NAME_WANTED,
    RATES_WANTED,
    WAITING_WANTED,
    format_rates,
    parse_busy_after,
    parse_decision,
    parse_rates,
    parse_waiting,
)
from node.toml_reader import TomlDocument
from node.translator import as_sentence, gettext_lazy, literal, number_lazy
from node.units import BitsPerSecond, Rates, highest

FILE_BYTES_MAX = 256 * 1024
SENTENCES_MAX = RULES_MAX + DECISIONS_MAX + 100
"""More than any file has: one for each rule, one for the minutes of each decision, and the others."""
EXAMPLES_MAX = 50
CALENDAR_NAMES_MAX, CALENDAR_RANGES_MAX = 20, 100
"""Entries of [calendar], and the days and ranges of all of them."""
GRACE_DAYS_MAX = 366
OVERBOOK_PERCENT_MAX = 200
OF_OTHER_FILES = {"account": "members.toml", "roll": "members.toml", "keys": "node.toml", "node": "node.toml"}
"""Tables that no rule can touch, with the file in which they are."""
NODES_MAX = 20
"""Nodes that rules name; times and nodes together are at most as many as a week has minutes."""
APPROVALS_MAX = 10
"""Admins who must approve rules."""
STEP_DAYS_LIMIT, ANSWER_DAYS_LIMIT = 90, 30
"""What the charter can allow: the longest step of a ladder, and the longest wait for an answer to an objection."""

DEFAULT_CHARTER = Charter(
    lifeline=Rates(BitsPerSecond(256_000), BitsPerSecond(96_000)),
    guest_lifeline=Rates(BitsPerSecond(1_000_000), BitsPerSecond(256_000)),
    max_weight_ratio=4,
)
BUSY_PERCENT_MIN, BUSY_GAP_MIN = 10, 5
"""Lowest threshold of a busy uplink, and how far the one at which it ends is below the one at which it begins."""
WAYS_WANTED = gettext_lazy("the ways that are open, such as {example}", example='ways = ["terms", "voucher"]')
WHEN_FULL_WANTED = gettext_lazy(
    "{oldest} (the device that has been idle for longest is disconnected) or {ask}",
    oldest='"oldest"',
    ask='"ask"',
)
UNIT_WANTED = gettext_lazy(
    "what counts as one, such as {one} or {other}", one='"household"', other='"person"'
)


def parse_ruleset(text: str) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """The ruleset in `text`, or None and every error in it."""
    document = read_document(text, FILE_BYTES_MAX)
    if isinstance(document, Finding):
        return None, (document,)
    findings: list[Finding] = []
    _known_tables(document, findings)
    ruleset = _ruleset(document, findings)
    few_enough_on_lines(ruleset, findings)
    if any(finding.is_error for finding in findings):
        return None, tuple(sorted(findings, key=lambda finding: finding.line))[:FINDINGS_MAX]
    return ruleset, ()


def _known_tables(document: TomlDocument, findings: list[Finding]) -> None:
    known = (
        "ruleset",
        "uplink",
        "charter",
        "joining",
        "calendar",
        "decisions",
        "dues",
        "preview",
        "usage_by_day",
        "rule",
        "ladder",
        "test",
    )
    for key in document.data:
        if key not in known and len(findings) <= FINDINGS_MAX:
            line = document.line(key) or document.line("", 0, key)
            if key in OF_OTHER_FILES:
                message = gettext_lazy(
                    "{key}: a rule file cannot change the roll or keys.", key=f"{key!r:.60}"
                )
                fix = gettext_lazy("take it out, and write it into {file}", file=OF_OTHER_FILES[key])
                findings.append(Finding("E10", line, message, fix))
                continue
            near = suggestion(key, known)
            message = gettext_lazy("{key} is not a part of a rule file.", key=f"{key!r:.60}")
            findings.append(Finding("E01", line, message, near))


def _ruleset(document: TomlDocument, findings: list[Finding]) -> Ruleset:
    head = one_table(document, "ruleset", findings)
    if head is None:
        message = gettext_lazy("The file does not say whose rules these are.")
        fix = gettext_lazy(
            "write {table} with {examples} and {last}",
            table="[ruleset]",
            examples='community = "…", version = 1',
            last='decision = "…"',
        )
        findings.append(Finding("E01", document.line("ruleset"), message, fix))
        head = TomlTable(document, "ruleset", 0, {})
    else:
        head.known(("community", "version", "decision", "unit"))
        for key in ("community", "version", "decision"):
            if key not in head.data:
                _missing(head, key, _HEAD_EXAMPLES[key])
    lines = read_uplinks(document, findings)
    calendar = _calendar(document, findings)
    decided, minutes = read_decisions(document, findings)
    dates = Dates({days.name: days for days in calendar}, decided)
    rules, observed = read_rules(document, findings, dates, lines.shaped)
    only = lines.only
    _few_enough_times((*rules, *observed), findings)
    charter = _charter(document, findings)
    return Ruleset(
        community=head.name_text("community", literal(_HEAD_EXAMPLES["community"])) or "",
        version=head.integer("version", 1, 10**9) or 1,
        decision=head.value("decision", literal(_HEAD_EXAMPLES["decision"]), parse_decision) or "",
        uplink=None if only is None else only.rates,
        usable_permille=USABLE_PERCENT * 10 if only is None else only.usable_permille,
        measured=None if only is None else only.measured,
        charter=charter,
        rules=rules,
        observed=observed,
        unit=head.name_text("unit", UNIT_WANTED) or "household",
        examples=_examples(document, findings),
        joining=_joining(document, findings),
        calendar=calendar,
        grace_days=_grace_days(document, findings),
        preview_by=_decided(document, "preview", findings),
        usage_by_day_by=_decided(document, "usage_by_day", findings),
        minutes=minutes,
        uplink_name="" if lines.several else MAIN_UPLINK if only is None else only.name,
        uplinks=lines.several,
        ladders=read_ladders(document, findings, charter, rules),
        usable_up_permille=None if only is None else only.usable_up_permille,
    )


_HEAD_EXAMPLES = {
    "community": 'community = "vall-baixa"',
    "version": "version = 1",
    "decision": 'decision = "D-2026-001"',
}


def _missing(table: TomlTable, key: str, example: str) -> None:
    message = gettext_lazy("{table} has no {key}.", table=f"[{table.name}]", key=key)
    table.refuse("", message, gettext_lazy("add {example}", example=example))


CHARTER_KEYS = (
    "lifeline",
    "guest_lifeline",
    "max_weight_ratio",
    "busy_above",
    "busy_below",
    "busy_after",
    "overbook_percent",
    "reserve_max_percent",
    "approvals",
    "charter_approvals",
    "step_max_days",
    "answer_days",
    "waiting",
    "minutes_attested_by",
)


def _charter(document: TomlDocument, findings: list[Finding]) -> Charter:
    table = one_table(document, "charter", findings)
    if table is None:
        return DEFAULT_CHARTER
    table.known(CHARTER_KEYS)
    approvals, charter_approvals = _approvals(table)
    return Charter(
        _lifeline(table, "lifeline") or DEFAULT_CHARTER.lifeline,
        _lifeline(table, "guest_lifeline") or DEFAULT_CHARTER.guest_lifeline,
        table.integer("max_weight_ratio", 1, 100) or DEFAULT_CHARTER.max_weight_ratio,
        _busy_thresholds(table),
        table.integer("overbook_percent", 100, OVERBOOK_PERCENT_MAX) or 100,
        table.integer("reserve_max_percent", 1, 100) or RESERVE_MAX_PERCENT,
        approvals,
        charter_approvals,
        table.integer("step_max_days", 1, STEP_DAYS_LIMIT) or STEP_DAYS_MAX,
        table.integer("answer_days", 1, ANSWER_DAYS_LIMIT) or ANSWER_DAYS,
        table.value("waiting", WAITING_WANTED, parse_waiting) or DEFAULT_CHARTER.waiting,
        table.integer("minutes_attested_by", 1, APPROVALS_MAX) or 1,
    )


def _approvals(table: TomlTable) -> tuple[int, int]:
    """Of rules, and of a change of the charter: as many, unless it says more."""
    approvals = table.integer("approvals", 1, APPROVALS_MAX) or 1
    of_charter = table.integer("charter_approvals", 1, APPROVALS_MAX) or approvals
    if of_charter < approvals:
        message = gettext_lazy(
            "{key} is less than {other}: the charter would be easier to change than the rules under it.",
            key="charter_approvals",
            other="approvals",
        )
        table.refuse("charter_approvals", message, write(f"charter_approvals = {approvals}"))
    return approvals, of_charter


def _busy_thresholds(table: TomlTable) -> BusyThresholds:
    """``busy_above`` and ``busy_below`` in percent of the rate that is shared, and ``busy_after``."""
    default = DEFAULT_CHARTER.busy
    above = table.integer("busy_above", BUSY_PERCENT_MIN, 100) or default.above // 10
    below = table.integer("busy_below", BUSY_PERCENT_MIN, 100) or min(
        default.below // 10, above - BUSY_GAP_MIN
    )
    after = table.value("busy_after", BUSY_AFTER_WANTED, parse_busy_after)
    if above - below < BUSY_GAP_MIN:
        table.refuse(
            "busy_below" if "busy_below" in table.data else "busy_above",
            gettext_lazy(
                "{below} has to be at least {percent} percent under {above} ({number}), or the line would count as "
                "busy and not busy in turn.",
                below="busy_below",
                above="busy_above",
                percent=BUSY_GAP_MIN,
                number=above,
            ),
            write(f"busy_below = {max(BUSY_PERCENT_MIN, above - 20)}"),
        )
    return BusyThresholds(above * 10, below * 10, after or default.after)


def _lifeline(table: TomlTable, key: str) -> Rates | None:
    """E03 for a lifeline below the one in code."""
    rates = table.value(key, RATES_WANTED, parse_rates)
    if rates is not None and (enough := highest(rates, CODE_LIFELINE)) != rates:
        message = gettext_lazy(
            "{key} is below the {rates} that no vote can go under.",
            key=key,
            rates=partial(rates_words, CODE_LIFELINE),
        )
        fix = gettext_lazy("write at least {text}", text=f'{key} = "{format_rates(enough)}"')
        table.refuse(key, message, fix, "E03")
    return rates


def _joining(document: TomlDocument, findings: list[Finding]) -> JoinMethods:
    table = one_table(document, "joining", findings)
    if table is None:
        return DEFAULT_JOIN_METHODS
    table.known(("ways", "when_full", "by"))
    by = table.required("by", DECISION_WANTED, parse_decision, "E07")
    texts = table.texts("ways", WAYS_WANTED)
    if texts == []:
        message = gettext_lazy("With no way to join, nobody could join.")
        table.refuse("ways", message, write(WAYS_WANTED))
    for index, text in enumerate(texts or ()):
        if text not in WAYS:
            message = gettext_lazy("{text} is not a way to join.", text=f"{text!r:.60}")
            table.refuse("ways", message, suggestion(text, WAYS))
        elif text in (texts or ())[:index]:
            message = gettext_lazy("The way {text} is there twice.", text=text)
            table.refuse("ways", message, gettext_lazy("keep it once"))
    full = table.text("when_full", WHEN_FULL_WANTED)
    if full is not None and full not in WHEN_FULL:
        message = gettext_lazy("{key} cannot be {text}.", key="when_full", text=f"{full!r:.60}")
        table.refuse("when_full", message, write(WHEN_FULL_WANTED))
    return JoinMethods(
        tuple(way for text in texts for way in WAYS if way == text) if texts else DEFAULT_JOIN_METHODS.ways,
        next((choice for choice in WHEN_FULL if choice == full), DEFAULT_JOIN_METHODS.when_full),
        by or "",
    )


def _calendar(document: TomlDocument, findings: list[Finding]) -> tuple[NamedDays, ...]:
    table = one_table(document, "calendar", findings)
    if table is None:
        return ()
    if len(table.data) > CALENDAR_NAMES_MAX:
        message = gettext_lazy(
            "{table} has {number} names; at most {most} are read.",
            table="[calendar]",
            number=len(table.data),
            most=CALENDAR_NAMES_MAX,
        )
        table.refuse("", message, gettext_lazy("join some of them"))
    named, count = [], 0
    for name in list(table.data)[:CALENDAR_NAMES_MAX]:
        if not is_name(name):
            message = gettext_lazy("{text} is not a name for days.", text=f"{name!r:.60}")
            table.refuse(name, message, write(NAME_WANTED))
            continue
        days = _named_days(table, name)
        count += len(days.ranges)
        named.append(days)
    if count > CALENDAR_RANGES_MAX:
        message = gettext_lazy(
            "{table} has {number} days and ranges; at most {most} are read.",
            table="[calendar]",
            number=count,
            most=CALENDAR_RANGES_MAX,
        )
        fix = gettext_lazy(
            "write days in a row as a range, such as {example}", example='"2026-12-26..2027-01-06"'
        )
        table.refuse("", message, fix)
    return tuple(sorted(named, key=lambda days: days.name))


def _named_days(table: TomlTable, name: str) -> NamedDays:
    ranges = []
    for text in table.texts(name, RANGE_WANTED) or ():
        try:
            ranges.append(parse_day_range(text))
        except InvalidValue as error:
            table.refuse_value(name, error, RANGE_WANTED)
    if table.data[name] == []:
        table.refuse(name, gettext_lazy("{key} has no days.", key=name), write(RANGE_WANTED))
    return NamedDays(name, tuple(sorted(set(ranges))))


def _grace_days(document: TomlDocument, findings: list[Finding]) -> int:
    table = one_table(document, "dues", findings)
    if table is None:
        return GRACE_DAYS
    table.known(("grace_days",))
    days = table.integer("grace_days", 0, GRACE_DAYS_MAX)
    return GRACE_DAYS if days is None else days


def _decided(document: TomlDocument, name: str, findings: list[Finding]) -> str:
    """The decision of a table that has nothing else; empty without the table."""
    table = one_table(document, name, findings)
    if table is None:
        return ""
    table.known(("by",))
    return table.required("by", DECISION_WANTED, parse_decision, "E07") or ""


def _few_enough_times(rules: Sequence[Rule], findings: list[Finding]) -> None:
    # With errors the limits of a calendar may be exceeded, so that it could take long.
    nodes = nodes_of(rules)
    if findings or not (nodes or any(rule.when is not None and rule.when.is_dated for rule in rules)):
        return
    if len(nodes) > NODES_MAX:
        message = gettext_lazy(
            "These rules name {number} nodes; at most {most} can have rules of their own.",
            number=len(nodes),
            most=NODES_MAX,
        )
        fix = gettext_lazy("write rules for all nodes, and fewer exceptions")
        findings.append(Finding("E01", 0, message, fix))
        return
    try:
        different = len(stretches(rules))
    except InvalidValue as error:
        findings.append(Finding("E01", 0, as_sentence(error.message), error.fix or gettext_lazy("remove it")))
        return
    if different * (len(nodes) + 1) > STRETCHES_MAX and nodes:
        message = gettext_lazy(
            "These rules have {times} different times at {nodes} nodes.",
            times=number_lazy(different),
            nodes=len(nodes),
        )
        fix = gettext_lazy("use the same hours and the same dates in several rules")
        findings.append(Finding("E01", 0, message, fix))


def _examples(document: TomlDocument, findings: list[Finding]) -> tuple[Example, ...]:
    examples = []
    for table in tables(document, "test", EXAMPLES_MAX, findings):
        table.known(("given", "expect"))
        given = table.text("given", literal('"member, fri 21:00, everyone busy"'))
        expect = table.text("expect", literal('"down >= 400 kbit/s"'))
        for key in ("given", "expect"):
            if key not in table.data:
                _missing(table, key, _TEST_EXAMPLES[key])
        examples.append(Example(given or "", expect or "", table.line()))
    return tuple(examples)


_TEST_EXAMPLES = {
    "given": 'given = "member, fri 21:00, everyone busy"',
    "expect": 'expect = "down >= 400 kbit/s"',
}
