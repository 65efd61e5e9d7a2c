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
    meaning = effect_fingerprint(proposed)
    if meaning == effect_fingerprint(confirmed):
        return None
    for version in sorted(versions, key=lambda each: -each.number):
        if version.reason != "objections" or version.meaning != meaning:
            continue
        if not is_stopped(version, today):
            return None
        if is_decided_by_minutes(confirmed, proposed, day_of(version.ended)):
            return None
        return version
    return None
