"""Warnings that depend on what a node knows beside the rules: the day (for what it measured of its line, see
`guarantees.measured_findings`). They change with time, so they are not findings of `checks.check`, by which files are
compared on all nodes."""

from collections.abc import Iterator
from datetime import date
from functools import partial

from node.errors import Finding
from node.governance.rules import Ruleset
from node.governance.times import months_after
from node.translator import day_words, gettext_lazy

NOTICE_MONTHS = 1
"""How long before its last day people are told that a rule ends."""


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
