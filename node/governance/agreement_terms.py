"""The parts of the agreement that are the same for everybody, and which of them two files have different."""

from collections.abc import Mapping
from typing import Literal
from unicodedata import normalize

from node.governance.ladders import ladder_essence
from node.governance.rule_evaluation import guest_lifeline, lifeline
from node.governance.rules import Ruleset

Term = Literal[
    "line",
    "lifeline",
    "guest_lifeline",
    "max_weight_ratio",
    "overbook_percent",
    "approvals",
    "minutes_attested_by",
    "waiting",
    "unit",
    "joining",
    "busy",
    "grace_days",
    "preview",
    "usage_by_day",
    "step_max_days",
    "answer_days",
    "ladders",
]
"""A part of the agreement that is the same for everybody."""


def changed_terms(before: Ruleset, after: Ruleset) -> tuple[Term, ...]:
    """Those that differ, without any that nothing depends on in either file."""
    old, new = _terms(before), _terms(after)
    without_effect: set[Term] = set()
    if not (before.depends_on_load or after.depends_on_load):
        without_effect.add("busy")
    if not (before.knows_dues or after.knows_dues):
        without_effect.add("grace_days")
    if not (before.ladders or after.ladders):
        without_effect |= {"step_max_days", "answer_days"}
    return tuple(term for term in old if old[term] != new[term] and term not in without_effect)


def _terms(ruleset: Ruleset) -> Mapping[Term, object]:
    charter, joining = ruleset.charter, ruleset.joining
    return {
        "line": [
            (name if ruleset.is_of_several else "", each.shaped, each.measured)
            for name, each in ruleset.by_uplink.items()
        ],
        "lifeline": lifeline(charter),
        "guest_lifeline": guest_lifeline(charter),
        "max_weight_ratio": charter.max_weight_ratio,
        "overbook_percent": charter.overbook_percent,
        "approvals": (charter.approvals, charter.charter_approvals),
        "minutes_attested_by": charter.minutes_attested_by,
        "waiting": charter.waiting,
        "unit": normalize("NFC", ruleset.unit),
        "joining": (joining.ways, joining.when_full),
        "busy": charter.busy,
        "grace_days": ruleset.grace_days,
        "preview": bool(ruleset.preview_by),
        "usage_by_day": bool(ruleset.usage_by_day_by),
        "step_max_days": charter.step_max_days,
        "answer_days": charter.answer_days,
        "ladders": frozenset(map(ladder_essence, ruleset.ladders)),
    }
