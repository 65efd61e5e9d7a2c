"""Warnings that depend on what a node knows beside the rules: the day, the names of the community's nodes, and the rules in
force (for what it measured of its line, see `guarantees.measured_findings`). They change with time, so they are not findings
of `checks.check`, by which files are compared on all nodes."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from functools import partial

from node.errors import Finding
from node.governance.rules import Ruleset
from node.governance.times import months_after
from node.toml_reader import closest
from node.translator import day_words, gettext_lazy

NOTICE_MONTHS = 1
"""How long before its last day people are told that a rule ends."""

NAMES_SHOWN_MAX = 20


def ending(ruleset: Ruleset, today: date) -> Iterator[Finding]:
    """W18: rules that end soon, but for those that hold only for so short a time."""
    for rule in ruleset.every_rule:
        if rule.when is None or rule.when.last is None:
            continue
        first, last = rule.when.first, rule.when.last
        is_short = first is not None and last <= months_after(first, NOTICE_MONTHS)
        if is_short or not today <= last <= months_after(today, NOTICE_MONTHS):
            continue
        message = gettext_lazy("The last day of {rule} is {day}.", rule=rule.id, day=partial(day_words, last))
        fix = gettext_lazy(
            "let it end, or decide on it again and write the new {one} or {other}", one="by", other="expires"
        )
        yield Finding("W18", rule.line, message, fix)


def softened(error: Finding) -> Finding:
    """W14 instead of an error that the active rules have too, because members joined or left since."""
    message = gettext_lazy(
        "{code} applies here as it does with the rules in force, because the members changed: {finding}",
        code=error.code,
        finding=error.message,
    )
    return replace(error, code="W14", message=message)


def unknown_nodes(ruleset: Ruleset, names: Collection[str]) -> Iterator[Finding]:
    """W20: rules for a node that the community does not have. `names`: of all its nodes; empty while they are not known."""
    for rule in ruleset.every_rule if names else ():
        if not rule.at or rule.at in names:
            continue
        message = gettext_lazy(
            "{rule} is for {node}, and no node of this community is called that.",
            rule=rule.id,
            node=f"node:{rule.at}",
        )
        near = closest(rule.at, names)
        fix = gettext_lazy("did you mean {word}?", word=f"node:{near}")
        if not near:
            known = ", ".join(f"node:{name}" for name in sorted(names)[:NAMES_SHOWN_MAX])
            fix = gettext_lazy("use one of {words}", words=known)
        yield Finding("W20", rule.line, message, fix)
