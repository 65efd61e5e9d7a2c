"""Cases of ladders as people read them: on their own page, and as admins do."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from node.accounts.objections import Objection
from node.accounts.registry import AccountRegistry
from node.app.admin_sessions import label_text
from node.governance.ladder_case import DAY_S, Ending, LadderCase, Phase, phase
from node.governance.ladder_sentences import step_in, step_words
from node.governance.ladders import step_text
from node.governance.rules import Ruleset
from node.translator import ENGLISH, Translator, translate
from node.units import AccountId, Now

SHOWN_DAYS = 30
"""An ended case is on the person's page for so long."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case."""

    number: int
    account: AccountId
    ladder: str
    step: int
    rule: str
    """Id of the step's rule, as an objection names it."""
    what: str
    """The step in words."""
    is_word: bool
    """The step limits nothing."""
    reason: str
    by: str
    phase: Phase
    opened: datetime
    key: str
    """For forms: after a restart the number of a deleted case is used again."""
    begins: datetime
    until: datetime
    objection: Objection | None = None
    can_object: bool = False
    ending: Ending | str = ""
    ended: datetime | None = None
    ended_by: str = ""


class CaseViews:
    """Makes the views; `now` and `ruleset` are those of the moment."""

    def __init__(
        self,
        registry: AccountRegistry,
        ruleset: Ruleset,
        now: Now,
        zone: tzinfo | None,
        words: Translator = ENGLISH,
    ) -> None:
        self._registry, self._ruleset, self._now, self._zone, self._words = (
            registry,
            ruleset,
            now,
            zone,
            words,
        )

    def view(self, case: LadderCase) -> CaseView:
        found = phase(case, self._now, self._ruleset.charter.answer_days)
        return CaseView(
            number=case.number,
            account=case.account,
            ladder=case.ladder,
            step=case.step,
            rule=case.group,
            what=case_words(case, self._ruleset, self._words),
            is_word=not case.days,
            reason=case.reason,
            by=translate(label_text(case.by), self._words),
            phase=found,
            opened=self._time(case.opened_s),
            key=case_key(case),
            begins=self._time(case.begins_s),
            until=self._time(case.until_s),
            objection=self._registry.objection_of(case),
            can_object=found in ("notice", "in force") and not case.objection,
            ending=case.ending,
            ended=self._time(case.ended_s) if case.ending else None,
            ended_by=translate(label_text(case.ended_by), self._words) if case.ended_by else "",
        )

    def shown_to(self, account: AccountId) -> tuple[CaseView, ...]:
        """The open case of the account, and those that ended not long ago; newest first."""
        return tuple(
            self.view(case)
            for case in self._registry.ladder_cases.of(account)
            if not case.ending or self._ended_lately(case)
        )

    def _ended_lately(self, case: LadderCase) -> bool:
        return self._now.wall_s is not None and self._now.wall_s - case.ended_s < SHOWN_DAYS * DAY_S

    def _time(self, wall_s: int) -> datetime:
        return datetime.fromtimestamp(wall_s, self._zone)


def case_key(case: LadderCase) -> str:
    """Tells a case from another one that had its number before."""
    return str(case.opened_s)


def case_words(case: LadderCase, ruleset: Ruleset, words: Translator = ENGLISH) -> str:
    """The step in words; as the file said it, if the rules have another one now."""
    step = step_in(ruleset, case.group)
    return case.said if step is None or step_text(step) != case.said else step_words(step, words)
