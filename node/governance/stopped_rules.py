"""Rules that members stopped: for some days no admin alone brings them back."""

from collections.abc import Iterable
from datetime import date

from node.governance.canonical_form import effect_fingerprint
from node.governance.rule_history import RuleVersion
from node.governance.rules import Ruleset
from node.governance.waiting_time import is_decided_by_minutes

STOPPED_DAYS = 30
"""For so many days after members stopped rules, an admin alone cannot bring back what would do the same."""
APPROVALS_AFTER_OBJECTIONS = 2
"""How many admins can, whatever the charter says."""


def stopped_before(
    confirmed: Ruleset, proposed: Ruleset, versions: Iterable[RuleVersion], today: str
) -> RuleVersion | None:
    """The newest version that members stopped and that would do what `proposed` would, unless it changes nothing, or minutes
    from that day or later decided it. While the day is not known, it counts as stopped."""
    meaning = effect_fingerprint(proposed)
    if meaning == effect_fingerprint(confirmed):
        return None
    for version in sorted(versions, key=lambda each: -each.number):
        if version.reason != "objections" or version.meaning != meaning:
            continue
        ended = _day(version.ended)
        if _is_over(ended, today) or is_decided_by_minutes(confirmed, proposed, ended):
            return None
        return version
    return None


def _is_over(ended: date | None, today: str) -> bool:
    now = _day(today)
    return ended is not None and now is not None and (now - ended).days > STOPPED_DAYS


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
