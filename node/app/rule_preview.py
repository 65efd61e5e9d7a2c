"""Preview of proposed rules: what they would have changed in the last days, or why that cannot be said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from node.errors import Finding
from node.governance.account_classes import AccountClasses
from node.governance.members import MemberDirectory
from node.governance.replay import Interval, Replay, TooFewAccounts, why_no_preview
from node.governance.replay_sentences import replay_sentences
from node.governance.rule_effects import ReadAgain, preview_draft_alike
from node.governance.rules import Ruleset
from node.translator import ENGLISH, Translator, as_sentence

type ReadIntervals = Callable[[int, int], Iterator[Interval]]
"""Usage in intervals that begin between two Unix times. Blocks. Raises StorageTrouble."""


@dataclass(frozen=True, slots=True)
class RulePreview:
    """Either `replay`, or `reason` and `fix`."""

    replay: Replay | None
    sentences: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""
    findings: tuple[Finding, ...] = ()
    """Warnings about rules that would have touched many, or nobody."""


def preview(
    read: ReadAgain,
    rulesets: tuple[Ruleset, Ruleset],
    members: MemberDirectory,
    node: str,
    words: Translator = ENGLISH,
    *,
    told: AccountClasses,
) -> tuple[RulePreview, AccountClasses]:
    """Of the second ruleset compared with the first, which is in force, and the accounts that it treats alike, which have to
    be remembered before it is shown. `read` reads the same intervals each time; `told`: the accounts that previews treated
    alike until now. Raises StorageTrouble."""
    try:
        alike, findings = preview_draft_alike(read, *rulesets, members.unit_on, node, told)
    except TooFewAccounts:
        return no_preview(*why_no_preview(rulesets[0], words)), {}
    found = alike.replays[0]
    sentences = replay_sentences(found, words, has_stand_ins=alike.has_stand_ins)
    return RulePreview(found, sentences, findings=findings), alike.classes


def no_preview(reason: str, fix: str) -> RulePreview:
    """Why there is none, and what to do."""
    return RulePreview(None, reason=as_sentence(reason), fix=as_sentence(fix))
