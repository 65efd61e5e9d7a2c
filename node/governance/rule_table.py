"""Parses one ``[[rule]]``: exactly one effect, its selector, its times, and the rule it replaces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from node.errors import Finding, InvalidValue
from node.governance.burst_table import read_burst, refuse_burst, refuse_burst_without_ceiling
from node.governance.document import TomlTable, suggestion, tables, write
from node.governance.expressions import listed
from node.governance.rule_evaluation import SESSION_MIN
from node.governance.rule_selection import selects
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    LATE_DUES,
    LIFELINE,
    ONLY_GUESTS,
    Ceiling,
    Counts,
    Credit,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Reserve,
    Rule,
    SessionLimit,
    Share,
    UsageAlert,
    Who,
    reserved,
)
from node.governance.times import (
    ALWAYS,
    DAY_WANTED,
    END_WANTED,
    Calendar,
    DecisionTerm,
    Times,
    end_of,
    parse_day,
    parse_end,
    parse_times,
)
from node.governance.times import WANTED as TIMES_WANTED
from node.governance.uplink_table import uplinks_of
from node.governance.value_syntax import (
    AT_WANTED,
    CREDIT_WANTED,
    DECISION_WANTED,
    NAME_WANTED,
    QUOTA_WANTED,
    RATES_WANTED,
    RESERVE_WANTED,
    SESSION_WANTED,
    SHARE_MAX,
    THEN_WANTED,
    WHILE_WANTED,
    WHO_WANTED,
    parse_at,
    parse_credit,
    parse_decision,
    parse_name,
    parse_quota,
    parse_rates,
    parse_reserve,
    parse_session,
    parse_then,
    parse_while,
    parse_who,
)
from node.toml_reader import TomlDocument
from node.translator import LazyText, day_words, gettext_lazy, literal
from node.units import NO_RATES, Rates

RULES_MAX = 200
OBSERVED_MAX = 10
"""Rules that are only observed: what they would do is counted for some seconds each."""

DEVICES_MAX = 50
"""Devices online at once; no account in the directory has more."""

EFFECTS = ("share", "credit", "floor", "reserve", "ceiling", "quota", "session", "devices")
RULE_KEYS = (
    "id",
    *EFFECTS,
    "burst",
    "counts",
    "then",
    "who",
    "except",
    "when",
    "from",
    "expires",
    "while",
    "at",
    "uplink",
    "exception_to",
    "together",
    "emergency",
    "observe",
    "by",
    "proposed_by",
    "why",
)
EMERGENCY_DAYS_MAX = 3
"""Of an emergency order: 72 hours."""
EMERGENCY_EXAMPLE = ("2026-12-01", "2026-12-03")

TERM_EFFECTS, TERM_MONTHS = (Quota, Credit), 12
"""Effects that end so many months after their decision, unless the rule says when it ends."""

WHILE_BUSY = (Ceiling, Share, SessionLimit)
"""Effects that may hold only while the line is busy."""

COUNTS: tuple[Counts, ...] = ("uplink while busy", "uplink")
COUNTS_DEFAULT: Counts = "uplink while busy"
COUNTS_WANTED = gettext_lazy("{some} or {last}", some='"uplink"', last='"uplink while busy"')

_TARGET_WANTED = gettext_lazy("the id of the rule that it replaces, in quotes")

Names = Mapping[str, TomlTable]
Lines = Mapping[str, Rates | None]
"""By name, the rate of each line that is shared; None for one with errors, which are reported."""


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates that rules can refer to."""

    calendar: Calendar = field(default_factory=dict)
    decisions: Mapping[str, date] = field(default_factory=dict)
    """The day of each decision whose date the file says."""


def read_rules(
    document: TomlDocument, findings: list[Finding], dates: Dates, lines: Lines
) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The rules in force and those only observed, without errors of their own; all errors are added to `findings`. `lines`:
    those whose speed is stated."""
    found = tables(document, "rule", RULES_MAX, findings)
    names = _names(found)
    rules: list[Rule] = []
    observed: list[Rule] = []
    for table in found:
        rule = _rule(table, names, dates, lines)
        among = observed if _observe(table, names, rule) else rules
        among += [] if rule is None else [rule]
    if len(observed) > OBSERVED_MAX:
        message = gettext_lazy(
            "{number} rules are only observed; at most {most} can be at once.",
            number=len(observed),
            most=OBSERVED_MAX,
        )
        fix = gettext_lazy("remove those that you know enough about")
        findings.append(Finding("E02", observed[OBSERVED_MAX].line, message, fix))
    return tuple(rules), tuple(observed)


def _names(found: Sequence[TomlTable]) -> dict[str, TomlTable]:
    """Rule ids to their tables; a repeated id is refused."""
    names: dict[str, TomlTable] = {}
    for table in found:
        name = table.data.get("id")
        if not isinstance(name, str):
            continue
        if name in names:
            first = names[name].line("id")
            message = gettext_lazy(
                "{name} is the id of two rules, first on line {line}.", name=f"{name!r:.60}", line=first
            )
            table.refuse("id", message, gettext_lazy("give it another id"))
        else:
            names[name] = table
    return names


def _rule(table: TomlTable, names: Names, dates: Dates, lines: Lines) -> Rule | None:
    table.known(RULE_KEYS)
    name = table.required("id", NAME_WANTED, _rule_name)
    by = table.required("by", DECISION_WANTED, parse_decision, "E07")
    chain = _replaced(table, names)
    who = _who(table, chain)
    uplinks = uplinks_of(table, chain, tuple(lines))
    effect = _effect(table, [lines[name] for name in uplinks or lines])
    when = _when(table, dates, effect, by)
    while_busy = _while_busy(table, effect)
    at = _at(table, chain)
    is_emergency = _emergency(table, effect, when)
    proposed_by = _selectors(table, "proposed_by", [])
    together = _together(table, chain, effect)
    if isinstance(effect, Reserve) and not together and who not in (ONLY_GUESTS, None):
        _reserve_apart(table)
    if together and who is not None:
        _guests_apart(table, who)
    why = table.text("why", gettext_lazy("the reason in a few words"))
    if name is None or by is None or who is None or effect is None:
        return None
    exception_to = None if not chain else str(table.data["exception_to"])
    return Rule(
        name,
        who,
        effect,
        by,
        when,
        exception_to,
        together,
        why or "",
        table.line(),
        while_busy,
        at,
        is_emergency,
        proposed_by,
        uplinks,
    )


def _while_busy(table: TomlTable, effect: Effect | None) -> bool:
    """Whether the rule holds only while the line is busy: a ceiling, a share or a session may."""
    if not table.value("while", WHILE_WANTED, parse_while):
        return False
    if effect is not None and not isinstance(effect, WHILE_BUSY):
        fix = gettext_lazy("remove {key}, or write {other} with the hours", key="while", other="when")
        if isinstance(effect, Quota):
            counts = 'counts = "uplink while busy"'
            fix = gettext_lazy("remove {key}, and write {example}", key="while", example=counts)
        message = gettext_lazy(
            "A rule with {effect} cannot depend on whether the line is busy.", effect=_effects(table)[0]
        )
        table.refuse("while", message, fix, "E02")
    return True


def _at(table: TomlTable, chain: Sequence[TomlTable]) -> str:
    """The only node at which the rule applies; an exception without ``at`` has that of the rule it replaces."""
    # Copies with a separate list: errors in the other rule are reported there, once.
    replaced = (replace(each, findings=[]).value("at", AT_WANTED, parse_at) for each in chain)
    inherited = next((node for node in replaced if node), "")
    own = table.value("at", AT_WANTED, parse_at)
    if own and inherited and own != inherited:
        message = gettext_lazy(
            "The rule that this one replaces is for {node}, so this one would never apply.",
            node=f"node:{inherited}",
        )
        fix = gettext_lazy("write {text}, or remove {key}", text=f'at = "node:{inherited}"', key="at")
        table.refuse("at", message, fix, "E02")
    return own or inherited


def _emergency(table: TomlTable, effect: Effect | None, when: Times | None) -> bool:
    """Whether it is a rule by an emergency order: a ceiling or a share for a few days."""
    if not table.flag("emergency"):
        return False
    if effect is not None and not isinstance(effect, Ceiling | Share):
        message = gettext_lazy("An emergency rule is a ceiling or a share.")
        table.refuse("emergency", message, _remove("emergency"), "E09")
    first, last = (None, None) if when is None else (when.first, when.last)
    if first is None or last is None or (last - first).days >= EMERGENCY_DAYS_MAX:
        message = gettext_lazy(
            "An emergency rule needs its first and its last day, at most {days} days in all.",
            days=EMERGENCY_DAYS_MAX,
        )
        example = f'from = "{EMERGENCY_EXAMPLE[0]}" and expires = "{EMERGENCY_EXAMPLE[1]}"'
        table.refuse("emergency", message, gettext_lazy("write for example {text}", text=example), "E09")
    return True


def _observe(table: TomlTable, names: Names, rule: Rule | None) -> bool:
    """Whether the rule is only observed; an exception to one that is has to be, too."""
    if not table.flag("observe"):
        # A copy with a separate list: errors in the chain of exceptions were reported.
        chain = _replaced(replace(table, findings=[]), names)
        if chain and chain[0].data.get("observe") is True:
            message = gettext_lazy(
                "{name} is only observed, so there is nothing that this rule could replace.",
                name=chain[0].data["id"],
            )
            fix = gettext_lazy(
                "write {text} here too, or remove {key}", text="observe = true", key="exception_to"
            )
            table.refuse("exception_to", message, fix, "E02")
        return False
    reason = None if rule is None else _why_not_observed(table, rule)
    if reason is not None:
        table.refuse("observe", reason, _remove("observe"), "E02")
    return True


def _why_not_observed(table: TomlTable, rule: Rule) -> LazyText | None:
    if rule.is_emergency:
        return gettext_lazy("An emergency rule limits at once, so it cannot be only observed.")
    if isinstance(rule.effect, SessionLimit | DevicesLimit):
        return gettext_lazy(
            "What a rule with {effect} would do cannot be counted, so it cannot be only observed.",
            effect=_effects(table)[0],
        )
    if isinstance(rule.effect, Quota) and isinstance(rule.effect.then, UsageAlert):
        return gettext_lazy("This quota limits nobody as it is, so it cannot be only observed.")
    return None


def _when(table: TomlTable, dates: Dates, effect: Effect | None, by: str | None) -> Times | None:
    """Weekly times and dates; None for always, and when they are refused."""
    when = table.value("when", TIMES_WANTED, lambda text: parse_times(text, dates.calendar))
    first = table.value("from", DAY_WANTED, parse_day)
    end = _end(table, dates, effect, by)
    if first is None and end is None:
        return when
    last, open_end = (None, end) if isinstance(end, DecisionTerm) else (end, None)
    if first is not None and last is not None and last < first:
        message = gettext_lazy("This rule ends on {day}, before it begins.", day=partial(day_words, last))
        fix = gettext_lazy("write {day} or a later day", day=f'expires = "{first.isoformat()}"')
        table.refuse("expires", message, fix)
    return replace(when or ALWAYS, first=first, last=last, open_end=open_end)


def _end(table: TomlTable, dates: Dates, effect: Effect | None, by: str | None) -> date | DecisionTerm | None:
    """The last day as the rule says, or the end of the term of its decision; None for no end."""
    if "expires" in table.data:
        return table.value("expires", END_WANTED, lambda text: parse_end(text, dates.decisions))
    if by is None or not isinstance(effect, TERM_EFFECTS):
        return None
    return end_of(DecisionTerm(by, TERM_MONTHS), dates.decisions)


def _rule_name(text: str) -> str:
    if text in (LIFELINE, GUESTS):
        wrong = gettext_lazy("{text} is what the node itself uses", text=repr(text))
        raise InvalidValue(wrong, wanted=NAME_WANTED)
    return parse_name(text)


def _replaced(table: TomlTable, names: Names) -> tuple[TomlTable, ...]:
    """The rule that the table replaces, the one that this replaces, and so on; may be empty."""
    if "exception_to" not in table.data:
        return ()
    own, target = table.data.get("id"), table.text("exception_to", _TARGET_WANTED)
    if target is None:
        return ()
    if target not in names:
        near = suggestion(target, [name for name in names if name != own])
        message = gettext_lazy("There is no rule {name} to replace.", name=f"{target!r:.60}")
        table.refuse("exception_to", message, near, "E02")
        return ()
    seen, chain = {own}, [table]
    while isinstance(name := chain[-1].data.get("exception_to"), str) and name in names:
        if name in seen:
            message = gettext_lazy("The exceptions from {name} on form a circle.", name=f"{own!r:.60}")
            table.refuse("exception_to", message, gettext_lazy("name the rule that this one replaces"), "E02")
            return ()
        seen.add(name)
        chain.append(names[name])
    return tuple(chain[1:]) if _same_effect(table, names[target]) else ()


def _same_effect(table: TomlTable, target: TomlTable) -> bool:
    own, theirs = _effects(table), _effects(target)
    if len(own) != 1 or len(theirs) != 1 or own == theirs:
        return True
    message = gettext_lazy(
        "A rule with {effect} cannot replace {name}, which has {other}.",
        effect=own[0],
        name=f"{target.data.get('id')!r:.60}",
        other=theirs[0],
    )
    fix = gettext_lazy("write {effect}, or leave out {key}", effect=theirs[0], key="exception_to")
    table.refuse("exception_to", message, fix, "E02")
    return False


def _effects(table: TomlTable) -> list[str]:
    return [key for key in table.data if key in EFFECTS]


def _who(table: TomlTable, chain: Sequence[TomlTable]) -> Who | None:
    """The rule's selector; an exception without ``who`` has that of the rule it replaces."""
    if "who" in table.data:
        return read_who(table)
    if "except" in table.data:
        message = gettext_lazy("{key} is there without {other}.", key="except", other="who")
        fix = gettext_lazy("add {other}, and then leave people out with {key}", key="except", other="who")
        table.refuse("except", message, fix)
        return None
    if "exception_to" not in table.data:
        fix = gettext_lazy("add {example}, or a tier or group", example='who = "everyone"')
        table.refuse("", gettext_lazy("This rule does not say who it is for."), fix)
        return None
    nearest = next((replaced for replaced in chain if "who" in replaced.data), None)
    # A copy with a separate list: errors in the other rule are reported there, once.
    return None if nearest is None else read_who(replace(nearest, findings=[]))


def read_who(table: TomlTable) -> Who | None:
    """The selector in ``who`` and ``except``; None when it is missing or refused."""
    return _selectors(table, "who", table.texts("except", literal('["tier:guest"]')) or [])


def _selectors(table: TomlTable, key: str, excluded: Sequence[str]) -> Who | None:
    selectors = table.texts(key, WHO_WANTED)
    if selectors is None:
        return None
    try:
        return parse_who(selectors, excluded)
    except InvalidValue as error:
        table.refuse_value(key, error, WHO_WANTED)
        return None


def _effect(table: TomlTable, lines: Sequence[Rates | None]) -> Effect | None:
    found = _effects(table)
    if len(found) != 1:
        message = gettext_lazy("This rule does nothing; a rule has exactly one effect.")
        fix = gettext_lazy("add one of {words}", words=", ".join(EFFECTS))
        if found:
            effects = partial(listed, found)
            message = gettext_lazy("This rule has {effects}; a rule has exactly one effect.", effects=effects)
            fix = gettext_lazy("write one rule for each effect")
        table.refuse("", message, fix, "E02")
        return None
    if found[0] != "quota":
        for key in ("counts", "then"):
            if key in table.data:
                message = gettext_lazy(
                    "{key} belongs to a quota, and this rule has {effect}.", key=key, effect=found[0]
                )
                table.refuse(key, message, gettext_lazy("take it out"), "E02")
    if found[0] != "ceiling":
        refuse_burst(table, found[0])
    return _reserve(table, lines) if found[0] == "reserve" else _READERS[found[0]](table)


def _share(table: TomlTable) -> Share | None:
    weight = table.integer("share", 1, SHARE_MAX)
    return None if weight is None else Share(weight)


def _credit(table: TomlTable) -> Credit | None:
    return table.value("credit", CREDIT_WANTED, parse_credit)


def _floor(table: TomlTable) -> Floor | None:
    rates = table.value("floor", RATES_WANTED, parse_rates)
    return None if rates is None else Floor(rates)


def _reserve(table: TomlTable, lines: Sequence[Rates | None]) -> Reserve | None:
    """`lines`: those on which the rule holds; of several, its rate depends on the line (`Ruleset.of_uplink`)."""
    percent = table.value("reserve", RESERVE_WANTED, parse_reserve)
    if percent is None:
        return None
    if not lines:
        message = gettext_lazy("A reserve is a part of the line, and its speed is not stated.")
        fix = gettext_lazy("write {table} with {examples}", table="[uplink.main]", examples="down, up")
        table.refuse("reserve", message, fix, "E02")
        return None
    line = lines[0] if len(lines) == 1 else NO_RATES
    return None if line is None else reserved(line, percent)


def _ceiling(table: TomlTable) -> Ceiling | None:
    if table.data.get("ceiling") == "none":
        if "exception_to" in table.data:
            refuse_burst_without_ceiling(table)
            return Ceiling(None)
        message = gettext_lazy("{example} lifts no other rule.", example='ceiling = "none"')
        fix = gettext_lazy("remove the rule, or say with {key} which ceiling it lifts", key="exception_to")
        table.refuse("ceiling", message, fix, "E02")
        return None
    rates = table.value("ceiling", RATES_WANTED, parse_rates)
    burst = read_burst(table, rates)
    return None if rates is None else Ceiling(rates, burst)


def _quota(table: TomlTable) -> Quota | None:
    amount = table.value("quota", QUOTA_WANTED, parse_quota)
    counts = _counts(table)
    then = table.required("then", THEN_WANTED, parse_then)
    return None if amount is None or counts is None or then is None else Quota(*amount, counts, then)


def _session(table: TomlTable) -> SessionLimit | None:
    length = table.value("session", SESSION_WANTED, parse_session)
    if length is not None and length < SESSION_MIN:
        message = gettext_lazy("A visit lasts 30 minutes at least.")
        table.refuse("session", message, write('session = "30 minutes"'), "E03")
    return None if length is None else SessionLimit(length)


def _devices(table: TomlTable) -> DevicesLimit | None:
    count = table.integer("devices", 1, DEVICES_MAX)
    return None if count is None else DevicesLimit(count)


_READERS: Mapping[str, Callable[[TomlTable], Effect | None]] = {
    "share": _share,
    "credit": _credit,
    "floor": _floor,
    "ceiling": _ceiling,
    "quota": _quota,
    "session": _session,
    "devices": _devices,
}


def _counts(table: TomlTable) -> Counts | None:
    if "counts" not in table.data:
        return COUNTS_DEFAULT
    text = table.text("counts", COUNTS_WANTED)
    if text == "all":
        message = gettext_lazy(
            "{example} is not known to this version: local traffic is not counted.", example='counts = "all"'
        )
        table.refuse("counts", message, write(COUNTS_WANTED))
        return None
    counts = next((counts for counts in COUNTS if counts == text), None)
    if text is not None and counts is None:
        message = gettext_lazy("A quota cannot count {text}.", text=f"{text!r:.60}")
        table.refuse("counts", message, write(COUNTS_WANTED))
    return counts


def _together(table: TomlTable, chain: Sequence[TomlTable], effect: Effect | None) -> bool:
    """Whether the selected accounts count as one; a pool must not depend on times or be divided."""
    inherited = any(replaced.data.get("together") is True for replaced in chain)
    together = table.flag("together") if "together" in table.data else inherited
    if together and isinstance(effect, Credit | Quota | SessionLimit | DevicesLimit):
        message = gettext_lazy(
            "A {effect} limit is for each account, not for people together.", effect=_effects(table)[0]
        )
        if isinstance(effect, Credit):
            message = gettext_lazy("A credit is for each account, not for people together.")
        if isinstance(effect, Quota):
            message = gettext_lazy("A quota is counted for each account, not for people together.")
        table.refuse("together", message, _remove("together"), "E02")
    if chain and together != inherited:
        message = gettext_lazy("An exception counts people together exactly as the rule it replaces.")
        table.refuse("together", message, _remove("together"), "E02")
    if together and isinstance(effect, Share):
        for key in ("when", "from", "expires", "while"):
            if not chain and key in table.data:
                message = gettext_lazy("People cannot be one household at some times only.")
                fix = gettext_lazy("remove {key}, or remove {other}", key=key, other="together")
                table.refuse(key, message, fix, "E02")
        if not chain and "at" in table.data:
            message = gettext_lazy("People cannot be one household at some nodes only.")
            fix = gettext_lazy("remove {key}, or remove {other}", key="at", other="together")
            table.refuse("at", message, fix, "E02")
        if chain and ("who" in table.data or "except" in table.data):
            message = gettext_lazy("An exception to a share of people together is for all of them.")
            fix = gettext_lazy("remove {key} and {other}", key="who", other="except")
            table.refuse("who", message, fix, "E02")
    return together


def _remove(key: str) -> LazyText:
    return gettext_lazy("remove {key}", key=key)


def _reserve_apart(table: TomlTable) -> None:
    message = gettext_lazy("A reserve is for people together.")
    fix = gettext_lazy("write {text} here, and in a share rule for the same people", text="together = true")
    table.refuse("reserve", message, fix, "E02")


def _guests_apart(table: TomlTable, who: Who) -> None:
    """Guests share one lifeline and households have one each, so they cannot be in the same pool; nor do people change
    their pool when their dues are paid."""
    if LATE_DUES in who.groups | who.excluded_groups:
        message = gettext_lazy("People cannot be one household only while their dues are late.")
        fix = gettext_lazy("leave out {text}, or remove {key}", text=LATE_DUES, key="together")
        table.refuse("who", message, fix, "E02")
    if selects(who, GUEST_TIER, frozenset()) and who != ONLY_GUESTS:
        message = gettext_lazy("Guests and others cannot be one household: they have different lifelines.")
        fix = gettext_lazy("write one rule for {who} and another for the others", who='"tier:guest"')
        table.refuse("who", message, fix, "E02")
