"""Drafts of rules: shown to members before anybody decides them."""

from node.app.adoption_log import AdoptionLog
from node.app.adoption_messages import decided_already, nothing_to_draft, too_many_drafts
from node.app.adoption_views import AdoptionOutcome, DraftView
from node.app.rule_objections import ObjectionCounter
from node.errors import Finding
from node.governance.adoption import DRAFTS_MAX, AdoptionState


def draft_before(
    state: AdoptionState, log: AdoptionLog, meaning: str, in_force: str, findings: tuple[Finding, ...]
) -> AdoptionOutcome | None:
    """What comes of a draft with this meaning that is no new one: it is refused, or was shown before. None for a new one.
    `in_force`: the meaning of the rules in force."""
    same = next((each.number for each in state.drafts if each.meaning == meaning), 0)
    if same:
        return AdoptionOutcome("draft", same, findings)
    decided = [each for each in (state.trial, state.waiting) if each is not None]
    for each in decided:
        version = log.version(each.number)
        if version is not None and version.meaning == meaning:
            return AdoptionOutcome("refused", each.number, (decided_already(each.number),))
    if meaning == in_force:
        return AdoptionOutcome("refused", findings=(nothing_to_draft(),))
    if len(state.drafts) >= DRAFTS_MAX:
        return AdoptionOutcome("refused", findings=(too_many_drafts(),))
    return None


def draft_views(
    state: AdoptionState, log: AdoptionLog, objections: ObjectionCounter
) -> tuple[DraftView, ...]:
    """Open drafts, the newest first."""
    found: list[DraftView] = []
    for each in reversed(state.drafts):
        version = log.version(each.number)
        count = objections.count(version)
        found.append(
            DraftView(
                each.number,
                log.by(each.number),
                each.adopted,
                count.objections,
                count.accounts,
                objections.texts(version),
            )
        )
    return tuple(found)
