"""Rules that members stopped: for some days no admin alone brings them back."""

from collections.abc import Iterable

from node.governance.canonical_form import effect_fingerprint
from node.governance.rule_history import RuleVersion, day_of, is_stopped
from node.governance.rules import Ruleset
from node.governance.waiting_time import is_decided_by_minutes

APPROVALS_AFTER_OBJECTIONS = 2
"""How many admins can, whatever the charter says."""


def stopped_before(
    confirmed: Ruleset, proposed: Ruleset, versions: Iterable[RuleVersion], today: str
) -> RuleVersion | None:
    """The newest version that members stopped and that would do what `proposed` would, unless it changes nothing, or minutes
    from that day or later decided it. While the day is not known, it counts as stopped."""
    stops = [version for version in versions if version.reason == "objections"]
    if not stops:
        return None
    meaning = effect_fingerprint(proposed)
    same = [version for version in stops if version.meaning == meaning]
    newest = max(same, key=lambda each: each.number, default=None)
    if newest is None or not is_stopped(newest, today) or meaning == effect_fingerprint(confirmed):
        return None
    return None if is_decided_by_minutes(confirmed, proposed, day_of(newest.ended)) else newest
