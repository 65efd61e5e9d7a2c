"""What people read about the adoption of rules: what became of a version, and why a request was refused."""

from node.errors import CONFLICT, UNSTORED, Finding, NodeError, StorageSlow, StorageTrouble
from node.governance.adoption import DRAFT_DAYS, DRAFTS_MAX, Reason
from node.governance.rule_history import STOPPED_DAYS, RuleVersion
from node.translator import N_, gettext_lazy

STOPPED = "stopped"
"""Code of a finding: members stopped these rules, and a single admin cannot bring them back."""
DRAFTS = "drafts"
"""Code of a finding: these rules cannot be shown as a draft."""


class NothingToDo(NodeError):
    """There is no trial to confirm, or no version to put back."""


class WrongTime(NodeError):
    """The time of a schedule cannot be meant."""


def became(version: RuleVersion) -> str:
    """What became of a version, as a text for people; empty for one that was replaced by newer rules."""
    if version.is_draft or version.state == "draft":
        return _became_of_draft(version)
    match version.state:
        case "active":
            return gettext_lazy("in force")
        case "trial":
            return gettext_lazy("in force, on trial")
        case "fallback":
            return gettext_lazy("comes back unless the trial is confirmed")
        case "waiting":
            return _waits(version)
        case "superseded":
            return ""
        case "withdrawn":
            return _became_of_withdrawn(version)
        case "reverted":
            return gettext_lazy(_REVERTED.get(version.reason, _REVERTED["admin"]))


def _waits(version: RuleVersion) -> str:
    if version.due:
        return gettext_lazy("waits until {time}", time=version.due.replace("T", " "))
    if version.waits_s:
        return gettext_lazy("waits for as long as the charter says")
    return gettext_lazy("waits for approvals")


def _became_of_withdrawn(version: RuleVersion) -> str:
    if version.reason == "objections":
        return gettext_lazy(
            "withdrawn: of {accounts} members, {number} objected",
            accounts=version.accounts,
            number=version.objections,
        )
    return gettext_lazy(_WITHDRAWN.get(version.reason, _WITHDRAWN["admin"]))


def _became_of_draft(version: RuleVersion) -> str:
    if version.decided_as:
        return gettext_lazy("a draft, decided as version {number}", number=version.decided_as)
    if version.state != "withdrawn":
        return gettext_lazy("a draft that nobody has decided")
    if version.reason == "time":
        return gettext_lazy("a draft that ended: nobody decided it in {days} days", days=DRAFT_DAYS)
    return gettext_lazy("a draft that an admin withdrew")


_WITHDRAWN: dict[Reason, str] = {
    "admin": N_("withdrawn by an admin"),
    "newer": N_("withdrawn: other rules came before it"),
    "invalid": N_("withdrawn: it had errors when its time came"),
}
_REVERTED: dict[Reason, str] = {
    "admin": N_("taken back by an admin"),
    "time": N_("taken back: nobody confirmed it in time"),
    "restart": N_("taken back: the node was restarted before anybody confirmed it"),
    "kernel": N_("taken back: the kernel refused it"),
    "lifeline": N_("taken back: the line was too slow for the lifelines"),
    "portal": N_("taken back: the portal stopped"),
    "file": N_("taken back: the rule file could not be written"),
    "disk": N_("never in force: the disk took too long to save it"),
    "newer": N_("replaced by an edit of the file"),
}


def stopped_before_alone(version: RuleVersion) -> Finding:
    message = gettext_lazy(
        "Members stopped version {number}, which does the same: for {days} days after that, no admin alone can adopt it.",
        number=version.number,
        days=STOPPED_DAYS,
    )
    fix = gettext_lazy(
        "let an assembly decide, and write its minutes of that day or later into {table}; or make an account for a second "
        "admin, who can approve it",
        table="[decisions]",
    )
    return Finding(STOPPED, 0, message, fix)


def too_many_drafts() -> Finding:
    message = gettext_lazy(
        "{number} drafts are open already, and there cannot be another one.", number=DRAFTS_MAX
    )
    return Finding(DRAFTS, 0, message, gettext_lazy("withdraw one of them first"))


def nothing_to_draft() -> Finding:
    message = gettext_lazy("This draft says the same as the rules in force.")
    return Finding(DRAFTS, 0, message, gettext_lazy("change a rule first"))


def decided_already(number: int) -> Finding:
    message = gettext_lazy("Version {number} says the same, and members read of it already.", number=number)
    return Finding(DRAFTS, 0, message, gettext_lazy("wait until it is decided, or withdraw it first"))


def not_open(number: int) -> NothingToDo:
    return NothingToDo(
        gettext_lazy("version {number} is no draft, and does not wait", number=number),
        gettext_lazy("choose one from the history of the rules"),
    )


def rules_changed() -> Finding:
    return Finding(
        CONFLICT,
        0,
        gettext_lazy("Someone else has changed the rules."),
        gettext_lazy("copy your text, look at the new rules, and try again"),
    )


def unstored(trouble: StorageTrouble) -> Finding:
    if isinstance(trouble, StorageSlow):
        message = gettext_lazy(
            "It is not known yet whether this is saved: {english}.", english=trouble.message
        )
        fix = gettext_lazy(
            "look at the history of the rules in a minute, and send this again if it is not there"
        )
        return Finding(UNSTORED, 0, message, fix)
    message = gettext_lazy(
        "The node cannot save anything right now, so nothing was changed: {english}.", english=trouble.message
    )
    return Finding(UNSTORED, 0, message, gettext_lazy("send this again when the disk can be written"))


def no_trial(version: RuleVersion | None) -> NothingToDo:
    fix = gettext_lazy("look at the history of the rules; adopt them again if they are still wanted")
    if version is None:
        return NothingToDo(gettext_lazy("no rules are on trial"), fix)
    return NothingToDo(
        gettext_lazy("version {number} is no longer on trial, and not in force", number=version.number), fix
    )


def not_waiting(number: int) -> NothingToDo:
    return NothingToDo(
        gettext_lazy("version {number} does not wait for approvals", number=number),
        gettext_lazy("look at the history of the rules; adopt them again if they are still wanted"),
    )


def unnamed() -> NothingToDo:
    return NothingToDo(
        gettext_lazy("an admin without a name cannot approve rules"),
        gettext_lazy("choose a name and a passphrase, and then approve them"),
    )


def not_ended(number: int) -> NothingToDo:
    return NothingToDo(
        gettext_lazy("version {number} is no longer on trial, and does not wait for its time", number=number),
        gettext_lazy("choose one from the history of the rules"),
    )


def no_version(number: int) -> NothingToDo:
    if number:
        return NothingToDo(
            gettext_lazy("there is no version {number} of the rules", number=number),
            gettext_lazy("choose one from the history of the rules"),
        )
    return NothingToDo(
        gettext_lazy("there are no earlier rules to put back"), gettext_lazy("change the rules instead")
    )
