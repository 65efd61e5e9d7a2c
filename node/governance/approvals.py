"""How many admins must approve rules before they come into force: a committee that decides M of N."""

from collections.abc import Iterable
from dataclasses import replace

from node.characters import plain
from node.governance.minutes import Minutes
from node.governance.rules import Rule, Ruleset

EMERGENCY_APPROVALS = 2
"""For an emergency order, whatever the charter says."""
_UNNAMED = "admin"
"""Label of an admin who has not chosen a name."""


def approver(label: str) -> str:
    """What all labels of one admin have in common, however the name is spelled; empty for an admin without a name, who could
    be anybody, also one of the others."""
    key = plain(label)
    return "" if key == _UNNAMED else key


def missing_approvals(labels: Iterable[str], needed: int) -> int:
    """How many more admins must approve rules that those with these `labels` proposed and approved. Where one admin decides,
    none."""
    return 0 if needed <= 1 else max(0, needed - len({approver(label) for label in labels} - {""}))


def approvals_needed(confirmed: Ruleset, proposed: Ruleset, *, is_return: bool = False) -> int:
    """How many different admins, with the one who proposes it, must approve `proposed` before it replaces `confirmed`, as
    the charter in force says. A change of the charter itself may need more, and so do a new emergency rule, which as few as
    for any other change can end, and new minutes of an assembly, which these admins attest. `is_return`: they were
    confirmed just before; one admin may go back to them alone, unless the charter changed since."""
    charter = confirmed.charter
    if is_return and proposed.charter == charter:
        return 1
    needed = charter.approvals
    if proposed.charter != charter:
        needed = max(needed, charter.charter_approvals)
    if _emergency(proposed) - _emergency(confirmed):
        needed = max(needed, EMERGENCY_APPROVALS)
    attested = charter.minutes_attested_by
    # Or an admin alone would first make one enough.
    if new_minutes(confirmed, proposed) or proposed.charter.minutes_attested_by < attested:
        needed = max(needed, attested)
    return needed


def new_minutes(confirmed: Ruleset, proposed: Ruleset) -> tuple[Minutes, ...]:
    """Minutes that `confirmed` does not have, or has with other words or numbers."""
    known = {replace(each, line=0) for each in confirmed.minutes}
    return tuple(each for each in proposed.minutes if replace(each, line=0) not in known)


def _emergency(ruleset: Ruleset) -> set[Rule]:
    """The emergency rules, wherever they stand in the file."""
    return {replace(rule, line=0) for rule in ruleset.rules if rule.is_emergency}
