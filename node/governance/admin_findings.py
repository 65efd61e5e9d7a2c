"""Whether there are as many admins as the charter needs to change rules, so that nobody locks the community out; and the
minutes that several admins have to attest."""

from collections.abc import Iterator

from node.errors import Finding
from node.governance.approvals import new_minutes
from node.governance.rules import Ruleset
from node.translator import gettext_lazy


def too_few_admins(ruleset: Ruleset, admins: int) -> Iterator[Finding]:
    """W22. `admins`: how many have accounts on this node."""
    charter = ruleset.charter
    for key, needed in (
        ("approvals", charter.approvals),
        ("charter_approvals", charter.charter_approvals),
        ("minutes_attested_by", charter.minutes_attested_by),
    ):
        if needed <= max(1, admins):
            continue
        values: dict[str, str | int] = {"key": key, "needed": needed, "admins": admins}
        message = gettext_lazy(
            "{key} is {needed}, and {admins} admins have accounts on this node: nobody could change these rules.",
            **values,
        )
        if key == "minutes_attested_by":
            message = gettext_lazy(
                "{key} is {needed}, and {admins} admins have accounts on this node: nobody could attest new minutes.",
                **values,
            )
        fix = gettext_lazy("make accounts for more admins first, or lower {key}", key=key)
        yield Finding("W22", 0, message, fix)
        return


def minutes_to_attest(confirmed: Ruleset, proposed: Ruleset) -> Iterator[Finding]:
    """W23 for minutes that are new in `proposed`, and that the charter in force wants to be attested by several admins."""
    needed = confirmed.charter.minutes_attested_by
    if needed <= 1:
        return
    for each in new_minutes(confirmed, proposed):
        message = gettext_lazy(
            "The minutes of {decision} are new: they count when {number} different admins have approved these rules, with "
            "the one who proposes them.",
            decision=each.decision,
            number=needed,
        )
        fix = gettext_lazy("ask an admin who was there to compare them with the paper, and to approve")
        yield Finding("W23", each.line, message, fix)
