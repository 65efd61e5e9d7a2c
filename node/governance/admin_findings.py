"""Whether there are as many admins as the charter needs to change rules, so that nobody locks the community out."""

from collections.abc import Iterator

from node.errors import Finding
from node.governance.rules import Ruleset
from node.translator import gettext_lazy


def too_few_admins(ruleset: Ruleset, admins: int) -> Iterator[Finding]:
    """W22. `admins`: how many have accounts on this node."""
    charter = ruleset.charter
    for key, needed in (("approvals", charter.approvals), ("charter_approvals", charter.charter_approvals)):
        if needed <= max(1, admins):
            continue
        message = gettext_lazy(
            "{key} is {needed}, and {admins} admins have accounts on this node: nobody could change these rules.",
            key=key,
            needed=needed,
            admins=admins,
        )
        fix = gettext_lazy("make accounts for more admins first, or lower {key}", key=key)
        yield Finding("W22", 0, message, fix)
        return
