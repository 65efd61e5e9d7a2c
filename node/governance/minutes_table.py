"""Reads ``[decisions]``: of each decision its day alone, or a table with the minutes; and compares what names decisions with
it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from node.characters import plain
from node.errors import Finding, InvalidValue
from node.governance.document import TomlTable, one_table, write
from node.governance.minutes import Minutes
from node.governance.rules import Ruleset
from node.governance.times import DAY_WANTED, parse_day
from node.governance.value_syntax import DECISION_WANTED, parse_decision
from node.toml_reader import TomlDocument
from node.translator import as_sentence, gettext_lazy, literal

DECISIONS_MAX = 200
"""Entries of [decisions]."""
PEOPLE_MAX = 1_000_000
"""People at an assembly."""
SIGNERS_MIN, SIGNERS_MAX = 2, 20
"""Names below the minutes."""
SIGNER_CHARS_MAX = 80
SIGNERS_WANTED = literal('["Ana Pons", "Ben Riu"]')
MINUTES_KEYS = ("day", "place", "present", "yes", "no", "signers")


def read_decisions(
    document: TomlDocument, findings: list[Finding]
) -> tuple[Mapping[str, date], tuple[Minutes, ...]]:
    """The day of each decision in ``[decisions]``, and the minutes of those that have them; errors are added to
    `findings`."""
    table = one_table(document, "decisions", findings)
    if table is None:
        return {}, ()
    if len(table.data) > DECISIONS_MAX:
        message = gettext_lazy(
            "{table} has {number} decisions; at most {most} are read.",
            table="[decisions]",
            number=len(table.data),
            most=DECISIONS_MAX,
        )
        table.refuse("", message, gettext_lazy("leave out those that no rule names"))
    days: dict[str, date] = {}
    minutes: list[Minutes] = []
    for decision in list(table.data)[:DECISIONS_MAX]:
        try:
            parse_decision(decision)
        except InvalidValue as error:
            table.refuse(decision, as_sentence(error.message), error.fix or write(DECISION_WANTED))
            continue
        if isinstance(table.data[decision], dict):
            held = _minutes(table, decision)
            minutes += [] if held is None else [held]
            days |= {} if held is None else {decision: held.day}
        elif (day := table.value(decision, DAY_WANTED, parse_day)) is not None:
            days[decision] = day
    return days, tuple(minutes)


def _minutes(decisions: TomlTable, decision: str) -> Minutes | None:
    document, findings = decisions.document, decisions.findings
    headings = (f'decisions."{decision}"', f"decisions.'{decision}'")
    name = next(filter(document.line, headings), f"decisions.{decision}")
    # Written on one line, its keys have the line of the decision.
    line = document.line(name) or decisions.line(decision)
    table = TomlTable(document, name, 0, decisions.data[decision], findings)
    before = len(findings)
    table.known(MINUTES_KEYS)
    day = table.required("day", DAY_WANTED, parse_day)
    place = _one_line(table.name_text("place", gettext_lazy("where it was, in a few words, in quotes")) or "")
    present, yes, no = (_people(table, key) for key in ("present", "yes", "no"))
    signers = _signers(table)
    if present is not None and (yes or 0) + (no or 0) > present:
        message = gettext_lazy(
            "{yes} yes and {no} no are more than the people who were present ({present}).",
            yes=yes or 0,
            no=no or 0,
            present=present,
        )
        table.refuse("present", message, gettext_lazy("correct the numbers"))
    findings[before:] = [each if each.line else replace(each, line=line) for each in findings[before:]]
    if day is None or present is None or yes is None or no is None:
        return None
    return Minutes(decision, day, place, present, yes, no, signers, line)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _signers(table: TomlTable) -> tuple[str, ...]:
    """Names of different people; spelled in another way, a name is the same."""
    signers = tuple(_one_line(name) for name in table.texts("signers", SIGNERS_WANTED) or ())
    are_names = all(0 < len(name) <= SIGNER_CHARS_MAX for name in signers)
    if not (are_names and SIGNERS_MIN <= len({plain(name) for name in signers}) <= SIGNERS_MAX):
        message = gettext_lazy(
            "Minutes are signed by {least} to {most} people.", least=SIGNERS_MIN, most=SIGNERS_MAX
        )
        table.refuse(
            "signers", message, write(gettext_lazy("{key} = {wanted}", key="signers", wanted=SIGNERS_WANTED))
        )
    return signers


def _people(table: TomlTable, key: str) -> int | None:
    if key not in table.data:
        message = gettext_lazy("These minutes have no {key}.", key=key)
        table.refuse("", message, gettext_lazy("add {key} and how many people", key=key))
        return None
    return table.integer(key, 0, PEOPLE_MAX)


def minutes_findings(ruleset: Ruleset) -> Iterator[Finding]:
    """E07 for a rule, and for another table, whose decision was voted down, and W19 for one whose decision has no minutes,
    in a file that keeps them."""
    held = {each.decision: each for each in ruleset.minutes}
    if not held:
        return
    tables = (
        *((each.id, each.by, each.line) for each in ruleset.ladders),
        ("[joining]", ruleset.joining.by, 0),
        ("[preview]", ruleset.preview_by, 0),
        ("[usage_by_day]", ruleset.usage_by_day_by, 0),
    )
    before_minutes: set[str] = set()
    for name, decision, line in (*((rule.id, rule.by, rule.line) for rule in ruleset.rules), *tables):
        found = held.get(decision)
        if found is None and decision and decision not in before_minutes:
            before_minutes.add(decision)
            message = gettext_lazy(
                "{rule} names {decision}, of which there are no minutes: it counts as decided before minutes were kept.",
                rule=name,
                decision=decision,
            )
            fix = gettext_lazy("write {table} with what was decided", table=f'[decisions."{decision}"]')
            yield Finding("W19", line, message, fix)
        elif found is not None and not found.is_adopted:
            message = gettext_lazy(
                "{rule} names {decision}, which was not adopted: {yes} yes, {no} no.",
                rule=name,
                decision=decision,
                yes=found.yes,
                no=found.no,
            )
            yield Finding(
                "E07", line, message, gettext_lazy("remove it, or name the decision that adopted it")
            )
