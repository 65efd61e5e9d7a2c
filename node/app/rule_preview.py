"""Preview of proposed rules: what they would have changed in the last days, or why that cannot be said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from node.errors import Finding, StorageTrouble
from node.governance.members import MemberDirectory
from node.governance.replay import Interval, Replay, TooFewAccounts, why_no_preview
from node.governance.replay_sentences import replay_sentences
from node.governance.rule_effects import preview_draft
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
    intervals: Iterator[Interval],
    rulesets: tuple[Ruleset, Ruleset],
    members: MemberDirectory,
    node: str,
    words: Translator = ENGLISH,
) -> RulePreview:
    """Of the second ruleset compared with the first, which is in force."""
    try:
        found, findings = preview_draft(intervals, *rulesets, members.unit_on, node)
    except TooFewAccounts:
        reason, fix = why_no_preview(rulesets[0], words)
    except StorageTrouble as trouble:
        reason, fix = trouble.message, trouble.fix
    else:
        return RulePreview(found, replay_sentences(found, words), findings=findings)
    return RulePreview(None, reason=as_sentence(reason), fix=as_sentence(fix))
