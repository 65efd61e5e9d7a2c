"""Application service for cases of ladders: admins open, answer and lift them, and the node ends them."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from node.accounting.ledger import Ledger
from node.accounting.periods import SlidingDays, last_days, period_name
from node.accounts.events import Event
from node.accounts.ladder_cases import CASES_MAX, REASON_CHARS_MAX
from node.accounts.objections import ANSWER_CHARS_MAX
from node.app.admin_vouchers import store, unwritable
from node.app.case_views import CaseView, CaseViews, case_key
from node.app.event_recorder import event_of
from node.characters import hidden_character
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import CONFLICT, Finding, StorageTrouble
from node.governance.ladder_case import (
    CaseOpened,
    LadderCase,
    Lifted,
    next_step,
    open_case,
)
from node.governance.ladder_sentences import ladder_sentence, step_words
from node.governance.ladders import ladder_of, steps_said
from node.governance.rule_evaluation import COUNTED
from node.governance.rule_selection import selects
from node.governance.rules import Ladder, Trigger
from node.translator import ENGLISH, LazyText, Translator, gettext_lazy
from node.units import AccountId, Bytes

log = logging.getLogger(__name__)

CHECK_S = 20.0
OVER_MAX = 50
"""Accounts over a trigger that are listed."""


@dataclass(frozen=True, slots=True)
class OverTrigger:
    """An account that used more than the trigger of a ladder."""

    account: AccountId
    name: str
    used: Bytes
    has_case: bool


@dataclass(frozen=True, slots=True)
class LadderView:
    """One ladder of the rules in force."""

    id: str
    sentence: str
    over: tuple[OverTrigger, ...]
    """Those who used most first."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What opening a case would bring."""

    account: AccountId
    ladder: str
    step: int
    what: str
    used: Bytes | None
    """None for a ladder without a trigger."""
    is_reached: bool
    """The trigger is the reason; otherwise an admin has to say one."""


class LadderCaseService:
    """One change at a time: each is checked and made before anything waits, then stored."""

    def __init__(self, reconciler: Reconciler, clock: Clock) -> None:
        self._reconciler, self._clock, self._registry = reconciler, clock, reconciler.registry
        self._cases = reconciler.registry.ladder_cases

    # --- views -------------------------------------------------------------------------

    def ladders(self, words: Translator = ENGLISH) -> tuple[LadderView, ...]:
        ruleset = self._reconciler.active_ruleset.ruleset
        return tuple(
            LadderView(ladder.id, ladder_sentence(ladder, ruleset, words), self._over(ladder))
            for ladder in ruleset.ladders
        )

    def cases(self, words: Translator = ENGLISH) -> tuple[CaseView, ...]:
        """Open ones first, those with an objection before the others; then ended ones, newest first."""
        views = self._views(words)
        found = [views.view(case) for case in self._cases.all()]
        return tuple(
            sorted(found, key=lambda each: (bool(each.ending), each.phase != "suspended" and not each.ending))
        )

    def view(self, case: LadderCase, words: Translator = ENGLISH) -> CaseView:
        return self._views(words).view(case)

    def next_step(self, account: str, ladder: str, words: Translator = ENGLISH) -> NextStep | Finding:
        """What a case of the account would bring now, or why there can be none."""
        found = self._opening(account, ladder)
        if isinstance(found, Finding):
            return found
        of, number = found
        used = None if of.trigger is None else self._used(of.trigger, AccountId(account))
        reached = of.trigger is not None and used is not None and used >= of.trigger.volume
        return NextStep(
            AccountId(account), of.id, number, step_words(of.steps[number - 1], words), used, reached
        )

    # --- changes -----------------------------------------------------------------------

    async def open(
        self, by: str, account: str, ladder: str, reason: str, *, step: int = 0
    ) -> LadderCase | Finding:
        """Opens a case. `step`: the one that the admin has read of; another one is refused. 0: any."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        open_ = self._cases.open_of(AccountId(account))
        if open_ is not None and (open_.ladder, open_.by, open_.reason) == (ladder, by, reason):
            return open_  # the same form twice
        expected = self.next_step(account, ladder)
        if isinstance(expected, Finding):
            return expected
        if step not in (0, expected.step):
            return Finding(
                CONFLICT,
                0,
                gettext_lazy("Another step comes next now than the one that you read of."),
                gettext_lazy("look at it again, then decide"),
            )
        if (wrong := _wrong_text(reason, REASON_CHARS_MAX, required=not expected.is_reached)) is not None:
            return wrong
        found = ladder_of(self._reconciler.active_ruleset.ruleset, ladder)
        assert found is not None, "next_step found it"
        opened = CaseOpened(AccountId(account), found, expected.step, reason, by)
        now = self._reconciler.persistence.instant()
        case = self._cases.put(open_case(self._cases.next_number, opened, now))
        log.info("case %d: step %d of the ladder %s, opened by %s", case.number, case.step, case.ladder, by)
        event = event_of(self._reconciler, by, "case-opened", account=account, about=case.ladder, text=reason)
        await store(self._reconciler, (case, event))
        return case

    async def lift(self, by: str, number: int, key: str = "") -> LadderCase | Finding:
        """Ends a case at once. `key`: as the form had it; empty for any."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        case = self._case(number, key)
        if case is None:
            return _no_case()
        if case.ending == "lifted":
            return case  # the same form twice
        if case.ending:
            message = gettext_lazy("This case has ended already.")
            return Finding("ladder", 0, message, gettext_lazy("look at the list again"))
        event = event_of(self._reconciler, by, "case-lifted", account=case.account, about=case.ladder)
        ended = self._cases.handle(case, Lifted(by), self._reconciler.persistence.instant())
        await self._ended(ended, by, event)
        return self._cases.get(number) or case

    async def answer(self, by: str, number: int, text: str, key: str = "") -> LadderCase | Finding:
        """Answers the objection to a case; its step goes on. `key`: as for `lift`."""
        if (refused := await unwritable(self._reconciler)) is not None:
            return refused
        if (wrong := _wrong_text(text, ANSWER_CHARS_MAX, required=True)) is not None:
            return wrong
        case = self._case(number, key)
        if case is None:
            return _no_case()
        if not case.is_suspended or case.ending:
            message = gettext_lazy("No objection to this case waits for an answer.")
            return Finding("ladder", 0, message, gettext_lazy("look at the list again"))
        objection = self._registry.objection_of(case)
        if objection is None:
            message = gettext_lazy("This objection is gone: its author deleted it.")
            return Finding("ladder", 0, message, gettext_lazy("lift the case, or wait until it is lifted"))
        rows = self._registry.answer_objection(objection.number, text, self._reconciler.persistence.instant())
        event = event_of(self._reconciler, by, "case-answered", account=case.account, about=case.ladder)
        log.info("case %d: the objection is answered by %s", number, by)
        await store(self._reconciler, (*rows, event))
        return self._cases.get(number) or case

    # --- the clock ---------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until cancelled: ends cases whose time is over, that nobody answers, or that the rules no longer have."""
        while True:
            await asyncio.sleep(CHECK_S)
            with suppress(StorageTrouble):  # reported by the control loop, which stores it later
                await self.check()

    async def check(self) -> None:
        """Ends what is due."""
        persistence, ruleset = self._reconciler.persistence, self._reconciler.active_ruleset.ruleset
        if persistence.recalled and self._cases.all_open():
            days, steps = ruleset.charter.answer_days, steps_said(ruleset)
            await self._ended(self._cases.check(persistence.instant(), days, steps), "the node")

    def _case(self, number: int, key: str) -> LadderCase | None:
        case = self._cases.get(number)
        return case if case is not None and key in ("", case_key(case)) else None

    # --- internal ----------------------------------------------------------------------

    async def _ended(self, cases: Sequence[LadderCase], by: str, *events: Event) -> None:
        for case in cases:
            log.info("case %d: ended (%s) by %s", case.number, case.ending, by)
        if cases:
            await store(self._reconciler, (*cases, *events))

    def _views(self, words: Translator) -> CaseViews:
        ruleset = self._reconciler.active_ruleset.ruleset
        now = self._reconciler.persistence.instant()
        return CaseViews(self._registry, ruleset, now, self._clock.civil().tzinfo, words)

    def _opening(self, account: str, ladder: str) -> tuple[Ladder, int] | Finding:
        """The ladder and the step of a new case, or why there can be none."""
        reconciler, name = self._reconciler, AccountId(account)
        found = ladder_of(reconciler.active_ruleset.ruleset, ladder)
        now = reconciler.persistence.instant()
        if found is None:
            return _refused(
                gettext_lazy("The rules have no ladder of this name."), gettext_lazy("choose another one")
            )
        if not self._is_known(name):
            return _refused(
                gettext_lazy("Nobody here has this account."),
                gettext_lazy("look it up on the page of people"),
            )
        unit = reconciler.effective_policy.unit(name, reconciler.effective_policy.moment())
        if not selects(found.who, unit.tier, unit.groups):
            return _refused(
                gettext_lazy("This ladder is not for this account."), gettext_lazy("choose another one")
            )
        if self._cases.open_of(name) is not None:
            return _refused(
                gettext_lazy("This account has an open case."), gettext_lazy("wait until it ends, or lift it")
            )
        if now.wall_s is None:
            return _refused(
                gettext_lazy(
                    "This node does not know the time, so nobody could be told until when a step holds."
                ),
                gettext_lazy("set its clock"),
            )
        if len(self._cases) >= CASES_MAX:
            return _refused(
                gettext_lazy("There are too many cases on this node."),
                gettext_lazy("wait until old ones are deleted, 13 months after their end"),
            )
        return found, next_step(self._cases.of(name), found, now.wall_s)

    def _is_known(self, account: AccountId) -> bool:
        reconciler = self._reconciler
        return (
            account in reconciler.member_directory.by_account
            or account in reconciler.session_table.accounts_here()
            or self._registry.vouchers.of_account(account) is not None
            or bool(self._registry.bindings.of(account))
        )

    def _over(self, ladder: Ladder) -> tuple[OverTrigger, ...]:
        trigger, reconciler = ladder.trigger, self._reconciler
        if trigger is None:
            return ()
        moment = reconciler.effective_policy.moment()
        found = []
        for account in {*reconciler.member_directory.by_account, *reconciler.session_table.accounts_here()}:
            used = self._used(trigger, account)
            unit = reconciler.effective_policy.unit(account, moment)
            if used >= trigger.volume and selects(ladder.who, unit.tier, unit.groups):
                has_case = self._cases.open_of(account) is not None
                name = reconciler.member_directory.names.get(account, "")
                found.append(OverTrigger(account, name, used, has_case))
        return tuple(sorted(found, key=lambda each: (-each.used, each.account))[:OVER_MAX])

    def _used(self, trigger: Trigger, account: AccountId) -> Bytes:
        return used_of(trigger, self._reconciler.ledger, account, self._clock.today())


def used_of(trigger: Trigger, ledger: Ledger, account: AccountId, day: str) -> Bytes:
    """What the account used of what a trigger counts, in its period of `day`; nothing while the day is not known."""
    if isinstance(trigger.period, SlidingDays):
        periods = last_days(trigger.period.days, day)
    else:
        periods = () if (period := period_name(trigger.period, day)) is None else (period,)
    return Bytes(sum([COUNTED[trigger.counts](ledger.total(account, each)) for each in periods]))


def _wrong_text(text: str, most: int, *, required: bool) -> Finding | None:
    if required and not text.strip():
        return _refused(
            gettext_lazy("Say why: the person will read it on their page."),
            gettext_lazy("write it in a few words"),
        )
    if len(text) > most:
        return _refused(
            gettext_lazy("This is longer than {most} characters.", most=most), gettext_lazy("shorten it")
        )
    if hidden_character(text) is not None:
        return _refused(
            gettext_lazy("This holds an invisible character."), gettext_lazy("type it again by hand")
        )
    return None


def _refused(message: LazyText, fix: LazyText) -> Finding:
    return Finding("ladder", 0, message, fix)


def _no_case() -> Finding:
    return _refused(gettext_lazy("There is no case of this number."), gettext_lazy("look at the list again"))
