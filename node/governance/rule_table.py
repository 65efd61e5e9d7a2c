"""Parses one ``[[rule]]``: exactly one effect, its selector, its times, and the rule it replaces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from node.errors import Finding
from node.governance.document import TomlTable, suggestion, tables
from node.governance.rule_evaluation import SESSION_MIN
from node.governance.rules import (
    GUEST_TIER,
    GUESTS,
    LIFELINE,
    ONLY_GUESTS,
    Ceiling,
    Counts,
    DevicesLimit,
    Effect,
    Floor,
    Quota,
    Rule,
    SessionLimit,
    Share,
    Who,
    selects,
)
from node.governance.times import WANTED as TIMES_WANTED
from node.governance.times import Times, parse_times
from node.governance.value_syntax import (
    DECISION_WANTED,
    NAME_WANTED,
    QUOTA_WANTED,
    RATES_WANTED,
    SESSION_WANTED,
    SHARE_MAX,
    THEN_WANTED,
    WHO_WANTED,
    parse_decision,
    parse_name,
    parse_quota,
    parse_rates,
    parse_session,
    parse_then,
    parse_who,
)
from node.toml_reader import TomlDocument

RULES_MAX = 200

DEVICES_MAX = 50
"""Devices online at once; no account in the directory has more."""

EFFECTS = ("share", "floor", "ceiling", "quota", "session", "devices")
RULE_KEYS = (
    "id",
    *EFFECTS,
    "counts",
    "then",
    "who",
    "except",
    "when",
    "exception_to",
    "together",
    "by",
    "why",
)
LATER = {
    "burst": "use a ceiling alone until a later version knows bursts",
    "credit": "write a share rule for that group until a later version knows credits",
    "reserve": "write a floor for that tier until a later version knows reserves",
    "expires": "remove the rule from the file on that day",
    "from": "put the rule into the file on that day",
}
"""Keys that later versions of the rule language will have, and what to do until then."""

COUNTS: tuple[Counts, ...] = ("uplink", "uplink while busy")
COUNTS_WANTED = '"uplink" or "uplink while busy"'

Names = Mapping[str, TomlTable]


def read_rules(document: TomlDocument, findings: list[Finding]) -> tuple[Rule, ...]:
    """The rules without errors of their own; all errors are added to `findings`."""
    found = tables(document, "rule", RULES_MAX, findings)
    names = _names(found)
    rules = [_rule(table, names) for table in found]
    return tuple(rule for rule in rules if rule is not None)


def _names(found: Sequence[TomlTable]) -> dict[str, TomlTable]:
    """Rule ids to their tables; a repeated id is refused."""
    names: dict[str, TomlTable] = {}
    for table in found:
        name = table.data.get("id")
        if not isinstance(name, str):
            continue
        if name in names:
            first = names[name].line("id")
            table.refuse(
                "id", f"{name!r:.60} is the id of two rules, first on line {first}.", "give it another id"
            )
        else:
            names[name] = table
    return names


def _rule(table: TomlTable, names: Names) -> Rule | None:
    table.known(RULE_KEYS, LATER)
    name = table.required("id", NAME_WANTED, _rule_name)
    by = table.required("by", DECISION_WANTED, parse_decision, "E07")
    chain = _replaced(table, names)
    who = _who(table, chain)
    effect = _effect(table)
    when = table.value("when", TIMES_WANTED, parse_times)
    together = _together(table, chain, effect, when)
    if together and who is not None:
        _guests_apart(table, who)
    why = table.text("why", "the reason in a few words")
    if name is None or by is None or who is None or effect is None:
        return None
    exception_to = None if not chain else str(table.data["exception_to"])
    return Rule(name, who, effect, by, when, exception_to, together, why or "", table.line())


def _rule_name(text: str) -> str:
    if text in (LIFELINE, GUESTS):
        raise ValueError(f"{text!r} is what the node itself uses; write {NAME_WANTED}")
    return parse_name(text)


def _replaced(table: TomlTable, names: Names) -> tuple[TomlTable, ...]:
    """The rule that the table replaces, the one that this replaces, and so on; may be empty."""
    if "exception_to" not in table.data:
        return ()
    own, target = table.data.get("id"), table.text("exception_to", '"the-id-of-the-rule-it-replaces"')
    if target is None:
        return ()
    if target not in names:
        near = suggestion(target, [name for name in names if name != own])
        table.refuse("exception_to", f"There is no rule {target!r:.60} to replace.", near, "E02")
        return ()
    seen, chain = {own}, [table]
    while isinstance(name := chain[-1].data.get("exception_to"), str) and name in names:
        if name in seen:
            message = f"The exceptions from {own!r:.60} on form a circle."
            table.refuse("exception_to", message, "name the rule that this one replaces", "E02")
            return ()
        seen.add(name)
        chain.append(names[name])
    return tuple(chain[1:]) if _same_effect(table, names[target]) else ()


def _same_effect(table: TomlTable, target: TomlTable) -> bool:
    own, theirs = _effects(table), _effects(target)
    if len(own) != 1 or len(theirs) != 1 or own == theirs:
        return True
    message = f"A {own[0]} cannot replace {target.data.get('id')!r:.60}, which is a {theirs[0]}."
    table.refuse("exception_to", message, f"write a {theirs[0]}, or leave out exception_to", "E02")
    return False


def _effects(table: TomlTable) -> list[str]:
    return [key for key in table.data if key in EFFECTS]


def _who(table: TomlTable, chain: Sequence[TomlTable]) -> Who | None:
    """The rule's selector; an exception without ``who`` has that of the rule it replaces."""
    if "who" in table.data:
        return _own_who(table)
    if "except" in table.data:
        table.refuse(
            "except", "except is there without who.", "add who, and then leave people out with except"
        )
        return None
    if "exception_to" not in table.data:
        table.refuse("", "This rule does not say who it is for.", 'add who = "everyone", or a tier or group')
        return None
    nearest = next((replaced for replaced in chain if "who" in replaced.data), None)
    # A copy with a separate list: errors in the other rule are reported there, once.
    return None if nearest is None else _own_who(replace(nearest, findings=[]))


def _own_who(table: TomlTable) -> Who | None:
    selectors = table.texts("who", WHO_WANTED)
    excluded = table.texts("except", '["tier:guest"]') or []
    if selectors is None:
        return None
    try:
        return parse_who(selectors, excluded)
    except ValueError as error:
        message, _, fix = str(error).partition("; ")
        table.refuse("who", f"who: {message}.", fix or f"write {WHO_WANTED}")
        return None


def _effect(table: TomlTable) -> Effect | None:
    found = _effects(table)
    if len(found) != 1:
        if not found and any(key in LATER for key in table.data):
            return None
        said = f"This rule has {' and '.join(found)}" if found else "This rule does nothing"
        fix = "write one rule for each effect" if found else f"add one of {', '.join(EFFECTS)}"
        table.refuse("", f"{said}; a rule has exactly one effect.", fix, "E02")
        return None
    if found[0] != "quota":
        for key in ("counts", "then"):
            if key in table.data:
                table.refuse(
                    key, f"{key} belongs to a quota, and this is a {found[0]}.", "take it out", "E02"
                )
    return _READERS[found[0]](table)


def _share(table: TomlTable) -> Share | None:
    weight = table.integer("share", 1, SHARE_MAX)
    return None if weight is None else Share(weight)


def _floor(table: TomlTable) -> Floor | None:
    rates = table.value("floor", RATES_WANTED, parse_rates)
    return None if rates is None else Floor(rates)


def _ceiling(table: TomlTable) -> Ceiling | None:
    if table.data.get("ceiling") == "none":
        if "exception_to" in table.data:
            return Ceiling(None)
        fix = "remove the rule, or say with exception_to which ceiling it lifts"
        table.refuse("ceiling", 'ceiling = "none" lifts no other rule.', fix, "E02")
        return None
    rates = table.value("ceiling", RATES_WANTED, parse_rates)
    return None if rates is None else Ceiling(rates)


def _quota(table: TomlTable) -> Quota | None:
    amount = table.value("quota", QUOTA_WANTED, parse_quota)
    counts = _counts(table)
    then = table.required("then", THEN_WANTED, parse_then)
    return None if amount is None or counts is None or then is None else Quota(*amount, counts, then)


def _session(table: TomlTable) -> SessionLimit | None:
    length = table.value("session", SESSION_WANTED, parse_session)
    if length is not None and length < SESSION_MIN:
        table.refuse("session", "A visit lasts 30 minutes at least.", 'write session = "30 minutes"', "E03")
    return None if length is None else SessionLimit(length)


def _devices(table: TomlTable) -> DevicesLimit | None:
    count = table.integer("devices", 1, DEVICES_MAX)
    return None if count is None else DevicesLimit(count)


_READERS: Mapping[str, Callable[[TomlTable], Effect | None]] = {
    "share": _share,
    "floor": _floor,
    "ceiling": _ceiling,
    "quota": _quota,
    "session": _session,
    "devices": _devices,
}


def _counts(table: TomlTable) -> Counts | None:
    if "counts" not in table.data:
        return "uplink while busy"
    text = table.text("counts", COUNTS_WANTED)
    if text == "all":
        message = 'counts = "all" is not known to this version: local traffic is not counted.'
        table.refuse("counts", message, f"write {COUNTS_WANTED}")
        return None
    counts = next((counts for counts in COUNTS if counts == text), None)
    if text is not None and counts is None:
        table.refuse("counts", f"A quota cannot count {text!r:.60}.", f"write {COUNTS_WANTED}")
    return counts


def _together(
    table: TomlTable, chain: Sequence[TomlTable], effect: Effect | None, when: Times | None
) -> bool:
    """Whether the selected accounts count as one; a pool must not depend on times or be divided."""
    inherited = any(replaced.data.get("together") is True for replaced in chain)
    together = table.flag("together") if "together" in table.data else inherited
    if together and isinstance(effect, Quota | SessionLimit | DevicesLimit):
        message = f"A {_effects(table)[0]} limit is for each account, not for people together."
        if isinstance(effect, Quota):
            message = "A quota is counted for each account, not for people together."
        table.refuse("together", message, "remove together", "E02")
    if chain and together != inherited:
        message = "An exception counts people together exactly as the rule it replaces."
        table.refuse("together", message, "remove together", "E02")
    if together and isinstance(effect, Share):
        if not chain and when is not None:
            message = "People cannot be one household at some hours only."
            table.refuse("when", message, "remove when, or remove together", "E02")
        if chain and ("who" in table.data or "except" in table.data):
            message = "An exception to a share of people together is for all of them."
            table.refuse("who", message, "remove who and except", "E02")
    return together


def _guests_apart(table: TomlTable, who: Who) -> None:
    """Guests share one lifeline and households have one each, so they cannot be in the same pool."""
    if selects(who, GUEST_TIER, frozenset()) and who != ONLY_GUESTS:
        message = "Guests and others cannot be one household: they have different lifelines."
        table.refuse("who", message, 'write one rule for "tier:guest" and another for the others', "E02")
