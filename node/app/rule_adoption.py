"""Adoption of rules: on trial until they are confirmed, scheduled, taken back; each step is in the log first."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from node.accounts.rule_objections import RuleObjection
from node.app.adoption_checks import AdoptionChecks, Conditions
from node.app.adoption_log import AdoptionLog, new_record
from node.app.adoption_messages import (
    no_trial,
    no_version,
    not_ended,
    not_waiting,
    rules_changed,
    stopped_before_alone,
    unnamed,
    unstored,
)
from node.app.adoption_views import AdoptionOutcome, DraftView, TrialView, WaitingView
from node.app.due_time import read_due
from node.app.ports import AdoptionArchive
from node.app.rule_drafts import draft_before, draft_views
from node.app.rule_files import BY_EDIT, BY_START, LOOK_EVERY_S, RuleFiles
from node.app.rule_meanings import effect_of
from node.app.rule_objections import ObjectionCounter, ObjectionOutcome
from node.app.waited_time import WaitedTime
from node.app.waiting_rules import WaitingRules
from node.control.active_ruleset import fingerprint
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import Finding, KernelRefused, NodeError, StorageTrouble
from node.governance.adoption import (
    Adopted,
    AdoptionState,
    Append,
    ApprovedBy,
    Begin,
    ConfirmedBy,
    DayPassed,
    Draft,
    Drafted,
    DraftEnded,
    Edited,
    Event,
    PutInForce,
    Restarted,
    Scheduled,
    TakenBack,
    TimePassed,
    WriteFile,
    step,
)
from node.governance.approvals import approver
from node.governance.rule_history import RuleVersion
from node.governance.rules import ActiveRuleset
from node.governance.stopped_rules import APPROVALS_AFTER_OBJECTIONS
from node.translator import N_
from node.units import AccountId, Milliseconds

log = logging.getLogger(__name__)

BY_NODE = N_("the node")
"""Stored with what no person did."""
OPEN = frozenset({"waiting", "draft"})
"""States of versions to which members can object."""
AGAIN_TICKS = 17
"""After how many ticks a log that could not be read is read again, and rules that are not in it are recorded."""
BEGIN_AGAIN_TICKS = 100
"""After how many ticks scheduled rules that could not be adopted are tried again: each time they are checked."""


class RuleAdoption:
    """Executes `node.governance.adoption.step`. One change at a time."""

    def __init__(
        self,
        reconciler: Reconciler,
        files: RuleFiles,
        records: AdoptionArchive,
        clock: Clock,
        *,
        confirm_timeout: Milliseconds,
        portal_runs: Callable[[], bool] = lambda: True,
        admins: Callable[[], int] = lambda: APPROVALS_AFTER_OBJECTIONS,
    ) -> None:
        """`confirm_timeout`: how long a trial lasts; `portal_runs`: whether the portal answers people; `admins`: how many
        admins have accounts."""
        self._reconciler, self._files, self._clock = reconciler, files, clock
        self._timeout, self._checks = confirm_timeout, AdoptionChecks(reconciler, files, portal_runs, admins)
        self._state = AdoptionState()
        self._log, self._record = AdoptionLog(records, self._replaced), partial(new_record, clock)
        self._text = ""
        """Of the trial."""
        self._trouble = ""
        """Why the rules whose time has come could not be adopted, as it was logged."""
        self._objections = ObjectionCounter(reconciler, self._log.version)
        waited = WaitedTime(records, clock)
        self._waits = WaitingRules(self._log, self._objections, self._checks, waited, clock)
        self.admins = admins
        self._ticks = self._begin_tick = 0
        """So far, and the first one at which scheduled rules are tried."""
        self._changing = asyncio.Lock()

    # --- what is the case ---

    @property
    def damaged(self) -> int:
        """Number of the first damaged record of the log; 0 if it is whole."""
        return self._log.damaged

    @property
    def in_force(self) -> int:
        """Number of the version in force; 0 while there is no record of it."""
        return self._state.in_force

    def trial(self) -> TrialView | None:
        trial = self._state.trial
        if trial is None:
            return None
        left_ms = max(0, trial.ends - self._clock.monotonic())
        return TrialView(trial.number, self._log.by(trial.number), -(-left_ms // 1000))

    def waiting(self) -> WaitingView | None:
        return self._waits.view(self._state.waiting)

    def drafts(self) -> tuple[DraftView, ...]:
        """Open ones, the newest first."""
        return draft_views(self._state, self._log, self._objections)

    @property
    def draft_numbers(self) -> tuple[int, ...]:
        """Numbers of the open drafts, the newest first."""
        return tuple(each.number for each in reversed(self._state.drafts))

    @property
    def waiting_number(self) -> int:
        """Number of the version that waits; 0 for none."""
        return self._state.waiting.number if self._state.waiting is not None else 0

    def versions(self) -> tuple[RuleVersion, ...]:
        """The newest first."""
        return self._log.versions()

    def version(self, number: int) -> RuleVersion | None:
        return self._log.version(number)

    def last_ended(self) -> RuleVersion | None:
        """The newest version, if its trial was ended or its schedule withdrawn by the node."""
        return self._log.last_ended()

    def objection_texts(self) -> tuple[str, ...]:
        """What members wrote who object to the version that waits, or who stopped the newest one."""
        waiting = self.waiting_number
        return self._objections.texts(self.version(waiting) if waiting else self.last_ended())

    async def version_text(self, number: int) -> str | None:
        """The text of a version; None if there is none."""
        return await self._log.text(number)

    # --- what people do ---

    async def adopt(
        self, text: str, by: str, *, replacing: str | None = None, due: str = "", is_trial: bool = True
    ) -> AdoptionOutcome:
        """Checks rules and puts them in force, on trial unless they say what those confirmed last say, or at the local time
        `due`. Refused with code CONFLICT if the
        rules in force do not have the fingerprint `replacing`, and with UNSTORED while the log cannot be written. Raises
        WrongTime, or NodeError when the kernel refuses; then nothing has changed."""
        text = text.replace("\r\n", "\n")
        now, knows_time = self._clock.civil().replace(tzinfo=None), self._clock.state() != "unknown"
        at = read_due(due, now, knows_time=knows_time) if due else None
        try:
            async with self._changing:
                await self._record_confirmed(self._files.confirmed(self._reconciler), BY_START)
                return await self._adopt(text, by, replacing, at, is_trial=is_trial)
        except StorageTrouble as trouble:
            return AdoptionOutcome("refused", findings=(unstored(trouble),))

    async def _adopt(
        self, text: str, by: str, replacing: str | None, at: datetime | None, *, is_trial: bool
    ) -> AdoptionOutcome:
        in_force = self._reconciler.active_ruleset.fingerprint
        # Equal to the new text when the same form comes twice.
        if replacing is not None and in_force not in {replacing, fingerprint(text)}:
            return AdoptionOutcome("refused", findings=(rules_changed(),))
        findings = await self._checks.findings(text)
        if any(finding.is_error for finding in findings):
            return AdoptionOutcome("refused", findings=findings)
        if self._reconciler.active_ruleset.fingerprint != in_force:  # the file was edited during the check
            return AdoptionOutcome("refused", findings=(rules_changed(),))
        if at is None and in_force == fingerprint(text):
            return AdoptionOutcome("same", self._state.in_force, findings)
        needs = await self._waits.conditions(text)
        if at is not None or needs.must_wait:
            return await self._propose(text, by, findings, at, needs, is_trial=is_trial)
        says_same = self._state.trial is None and await self._checks.says_the_same(text)
        outcome = await self._go_on_trial(text, by, findings, is_trial=is_trial and not says_same)
        return replace(outcome, says_the_same=says_same)

    async def adopt_signed(self, text: str, by: str) -> AdoptionOutcome:
        """Puts rules in force that the community signed, at once. Raises NodeError, and then nothing has changed."""
        async with self._changing:
            await self._record_confirmed(self._files.confirmed(self._reconciler), BY_START)
            findings = await self._checks.findings(text)
            if any(finding.is_error for finding in findings):
                return AdoptionOutcome("refused", findings=findings)
            if self._reconciler.active_ruleset.fingerprint == fingerprint(text):
                return AdoptionOutcome("same", self._state.in_force, findings)
            return await self._go_on_trial(text, by, findings, is_trial=False)

    async def draft(self, text: str, by: str) -> AdoptionOutcome:
        """Shows rules to members as a draft, which binds nobody; again, as by a form that is sent twice, it changes nothing.
        Refused with the errors of the check, with code DRAFTS if there are too many or it is no draft, and with UNSTORED
        while the log cannot be written."""
        text = text.replace("\r\n", "\n")
        try:
            async with self._changing:
                await self._record_confirmed(self._files.confirmed(self._reconciler), BY_START)
                return await self._draft(text, by)
        except StorageTrouble as trouble:
            return AdoptionOutcome("refused", findings=(unstored(trouble),))

    async def _draft(self, text: str, by: str) -> AdoptionOutcome:
        findings = await self._checks.findings(text)
        if any(finding.is_error for finding in findings):
            return AdoptionOutcome("refused", findings=findings)
        meaning, in_force = await effect_of(text), await effect_of(self._reconciler.active_ruleset.text)
        before = draft_before(self._state, self._log, meaning, in_force, findings)
        if before is not None:
            return before
        made = await self._log.append(self._record("draft", by, text, meaning=meaning))
        await self._handle(Drafted(Draft(made.number, meaning, made.adopted)), by)
        return AdoptionOutcome("draft", made.number, findings)

    async def approve(self, by: str, number: int) -> AdoptionOutcome:
        """Approves the rules of this version, which wait; with the last approval that they need, they come into force, on
        trial, if their time has come. Again, or for a version in force, it changes nothing. Refused with UNSTORED
        while the log cannot be written. Raises NothingToDo for another version, and for an admin without a name."""
        async with self._changing:
            waiting = self._state.waiting
            if waiting is None or waiting.number != number:
                return self._approved_before(number)
            if not approver(by):
                raise unnamed()
            try:
                if approver(by) not in {approver(each) for each in waiting.approved}:
                    await self._log.append(self._record("approved", by, subject=number))
                    await self._handle(ApprovedBy(number, by), by)
                await self._begin_if_due()
            except StorageTrouble as trouble:
                return AdoptionOutcome("refused", number, (unstored(trouble),))
            return self._after_approval(number)

    def _after_approval(self, number: int) -> AdoptionOutcome:
        if self._state.waiting is not None:
            return self._still_waits(number)
        if self._state.trial is not None:
            return AdoptionOutcome("trial", self._state.trial.number)
        if self._state.active > number:
            return AdoptionOutcome("confirmed", self._state.active)
        version = self.version(number)
        is_withdrawn = version is not None and version.state == "withdrawn"
        return AdoptionOutcome("withdrawn" if is_withdrawn else "ended", number)

    def _still_waits(self, number: int, findings: tuple[Finding, ...] = ()) -> AdoptionOutcome:
        view = self.waiting()
        return AdoptionOutcome("proposed" if view and view.missing else "scheduled", number, findings)

    def _approved_before(self, number: int) -> AdoptionOutcome:
        version, in_force = self.version(number), self.version(self._state.in_force)
        if version is None or not version.has_waited or version.state == "withdrawn":
            raise not_waiting(number)
        if in_force is None or in_force.fingerprint != version.fingerprint:  # its trial is over
            raise not_waiting(number)
        return AdoptionOutcome("same", self._state.in_force)

    async def confirm(self, by: str, number: int = 0) -> AdoptionOutcome:
        """Confirms the rules on trial; with `number`, only if they are this version. Confirming again changes nothing.
        Raises NothingToDo without such a trial, and NodeError when the file cannot be written: the trial then goes on."""
        await self._files.look(self._reconciler, self.record, BY_EDIT)  # an edit of the file ends the trial
        async with self._changing:
            trial = self._state.trial
            if trial is not None and number in {0, trial.number}:
                await self._handle(ConfirmedBy(trial.number), by)
                return AdoptionOutcome("confirmed", trial.number)
            versions = [each for each in self.versions() if each.state != "waiting" and not each.is_draft]
            version = next((each for each in versions if number in {0, each.number}), None)
            if version is not None and version.state in {"active", "fallback"}:
                return AdoptionOutcome("same", version.number)
            raise no_trial(version)

    async def end(self, by: str, number: int) -> AdoptionOutcome:
        """Ends the trial, or withdraws the schedule or the draft, of this version. Again, as by a form that is sent twice,
        it changes nothing. Raises NothingToDo for a version that is none of these and was not taken back."""
        async with self._changing:
            trial, waiting = self._state.trial, self._state.waiting
            if trial is not None and trial.number == number:
                await self._handle(TakenBack("admin"), by)
                return AdoptionOutcome("ended", number)
            if waiting is not None and waiting.number == number:
                await self._handle(TakenBack("admin", only_waiting=True), by)
                return AdoptionOutcome("withdrawn", number)
            if number in self.draft_numbers:
                await self._handle(DraftEnded(number), by)
                return AdoptionOutcome("withdrawn", number)
            version = self.version(number)
            if version is not None and version.state == "withdrawn":
                return AdoptionOutcome("withdrawn", number)
            if version is not None and version.state == "reverted":
                return AdoptionOutcome("ended", number)
            raise not_ended(number)

    async def roll_back(self, by: str, number: int = 0) -> AdoptionOutcome:
        """Takes back what was adopted last: a trial ends, else a schedule is withdrawn, else the version confirmed before
        is adopted. With `number`, adopts this version. Raises NothingToDo without such a version."""
        try:
            async with self._changing:
                await self._record_confirmed(self._files.confirmed(self._reconciler), BY_START)
                return await self._roll_back(by, number)
        except StorageTrouble as trouble:
            return AdoptionOutcome("refused", number, (unstored(trouble),))

    async def _roll_back(self, by: str, number: int) -> AdoptionOutcome:
        before = self._state
        if not number and (before.trial is not None or before.waiting is not None):
            await self._handle(TakenBack("admin"), by)
            if before.trial is not None:
                return AdoptionOutcome("ended", before.trial.number)
            return AdoptionOutcome("withdrawn", before.waiting.number if before.waiting else 0)
        history = self._log.history
        assert history is not None, "was read"
        previous = history.version(number) if number else history.previous()
        text = None if previous is None else await self._log.text(previous.number)
        if previous is None or text is None or previous.is_draft:
            raise no_version(number)
        findings = await self._checks.findings(text)
        if any(finding.is_error for finding in findings):
            return AdoptionOutcome("refused", previous.number, findings)
        if self._reconciler.active_ruleset.fingerprint == fingerprint(text):
            return AdoptionOutcome("same", previous.number, findings)
        is_return = previous == history.previous()
        needs = await self._waits.conditions(text, is_return=is_return)
        if needs.must_wait:
            outcome = await self._propose(text, by, findings, None, needs, subject=previous.number)
        else:
            outcome = await self._go_on_trial(text, by, findings, subject=previous.number)
        return replace(outcome, put_back=previous.number)

    async def object(self, account: AccountId, number: int, text: str) -> ObjectionOutcome:
        """The account objects to the waiting version or the draft with this number. Enough objections withdraw what waits;
        a draft stays."""
        async with self._changing:
            version = self.version(number)
            if version is None or version.state not in OPEN:
                return "over"
            outcome = await self._objections.object(account, version, text)
            await self._withdraw_if_blocked()
            return outcome

    async def take_back_objection(self, account: AccountId, number: int) -> ObjectionOutcome:
        """The account no longer objects to the waiting version or the draft with this number. Again, it changes nothing."""
        async with self._changing:
            version = self.version(number)
            if version is None or version.state not in OPEN:
                return "over"
            return await self._objections.take_back(account, version)

    def objection(self, account: AccountId, number: int) -> RuleObjection | None:
        """The account's objection to this version."""
        version = self.version(number)
        return None if version is None else self._objections.of(account, version)

    async def record(self, active: ActiveRuleset, by: str) -> None:
        """The rules of the file came into force: at the start, or by an edit."""
        async with self._changing:
            with suppress(StorageTrouble):  # reported by the control loop; `tick` tries it again
                await self._record_confirmed(active, by, is_edit=by != BY_START)

    # --- what time does ---

    async def run(self) -> None:
        """Runs until cancelled: ends trials and begins what was scheduled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.tick()

    async def tick(self) -> None:
        """Does what is due."""
        async with self._changing:
            self._ticks += 1
            if self._ticks % AGAIN_TICKS == 0 or self._log.is_owed:
                if self._log.history is not None:
                    await self._end_old_drafts()
                    self._objections.forget_over(self.versions(), self._clock.today())
                with suppress(StorageTrouble):  # reported by the control loop
                    await self._log.store_owed()
                    await self._settle()
                    await self._record_confirmed(self._files.confirmed(self._reconciler), BY_EDIT)
            if self._state.waiting is not None:
                await self._waits.count_time(self._state.waiting.number)
            if self._state.trial is None and self._files.is_on_trial:
                await self._put_in_force(0)  # nothing else would end it
            if self._state.trial is not None:
                await self._handle(TimePassed(None, self._checks.failing()), BY_NODE)
            elif self._state.waiting is not None:
                with suppress(StorageTrouble):  # as above
                    await self._begin_if_due()

    async def _end_old_drafts(self) -> None:
        if self._clock.state() != "unknown":
            await self._handle(DayPassed(self._clock.civil().date()), BY_NODE)

    async def _begin_if_due(self) -> None:
        """Begins the rules that wait if their time has come and they are approved. Raises StorageTrouble."""
        await self._withdraw_if_blocked()
        if self._state.waiting is None or self._state.trial is not None:
            return
        await self._waits.count_needed(self._state.waiting.number)
        if not self._reconciler.persistence.recalled:
            return  # no objection is known yet
        await self._handle(self._waits.passed(self._state.waiting, self._checks.failing()), BY_NODE)

    async def _withdraw_if_blocked(self) -> None:
        if self.waiting_number and self._objections.count(self.version(self.waiting_number)).is_enough:
            log.info("version %d of the rules is withdrawn: members object", self.waiting_number)
            await self._handle(TakenBack("objections", only_waiting=True), BY_NODE)

    # --- inside, while nothing else changes ---

    async def _propose(
        self,
        text: str,
        by: str,
        findings: tuple[Finding, ...],
        asked: datetime | None,
        needs: Conditions,
        *,
        is_trial: bool = True,
        subject: int = 0,
    ) -> AdoptionOutcome:
        """Puts the rules in the log, to wait for the time that was asked for, for what the charter says, and for approvals,
        which the same rules keep if the same admin sends them again. Raises StorageTrouble."""
        if needs.stopped is not None and self.admins() < APPROVALS_AFTER_OBJECTIONS:
            return AdoptionOutcome("refused", needs.stopped.number, (stopped_before_alone(needs.stopped),))
        at, waits_s = self._waits.due(asked, needs.waiting), needs.waiting // 1000
        if self._waits.has(self._state.waiting, text, by, asked, is_trial=is_trial):
            return replace(self._still_waits(self.waiting_number, findings), stopped=needs.stopped)
        due = "" if at is None else at.isoformat(timespec="minutes")
        trial_s, meaning = self._timeout // 1000 if is_trial else 0, await effect_of(text)
        record = self._record(
            "scheduled", by, text, subject=subject, due=due, trial_s=trial_s, meaning=meaning
        )
        made = await self._log.append(replace(record, waits_s=waits_s))
        await self._handle(Scheduled(made.number, at, by, meaning, waits_s), by)
        await self._withdraw_if_blocked()  # by objections to a draft that said the same
        if self._state.waiting is None:
            return AdoptionOutcome("withdrawn", made.number, findings)
        await self._waits.count_time(made.number)
        await self._waits.count_needed(made.number)
        return replace(self._still_waits(made.number, findings), stopped=needs.stopped)

    async def _go_on_trial(
        self,
        text: str,
        by: str,
        findings: tuple[Finding, ...],
        *,
        subject: int = 0,
        is_trial: bool = True,
    ) -> AdoptionOutcome:
        """Raises NodeError when the kernel refuses the rules, or without a trial the file cannot be written: those before
        are in force again."""
        failing, meaning = self._checks.failing(), await effect_of(text)
        made = await self._log.append(
            self._record("adopted", by, text, subject=subject, trial_s=self._timeout // 1000, meaning=meaning)
        )
        self._text = text
        try:
            await self._handle(Adopted(made.number, self._timeout, subject, failing, meaning), by)
        except KernelRefused:
            await self._handle(TakenBack("kernel"), BY_NODE)
            raise
        if is_trial:
            return AdoptionOutcome("trial", made.number, findings)
        try:
            await self._handle(ConfirmedBy(made.number), by)
        except NodeError:
            await self._handle(TakenBack("file"), BY_NODE)
            raise
        return AdoptionOutcome("confirmed", made.number, findings)

    async def _record_confirmed(self, active: ActiveRuleset, by: str, *, is_edit: bool = False) -> None:
        """Records the rules of the file if they are not the ones confirmed last in the log: they were edited, or the
        database was replaced by an older one. During a trial, only an edit is recorded, also one
        that was in force just before it. Raises StorageTrouble."""
        await self._read_log(active)
        trial = self._state.trial
        goes_on = trial is not None and self._files.is_on_trial and not is_edit
        if goes_on or self._log.fingerprint(self._state.active) == active.fingerprint:
            return
        if trial is not None and fingerprint(self._text) == active.fingerprint:
            await self._handle(ConfirmedBy(trial.number, is_written=True), by)
            return
        meaning = await effect_of(active.text)
        made = await self._log.append(self._record("edited", by, active.text, meaning=meaning))
        await self._handle(Edited(made.number, meaning), by)

    async def _handle(self, event: Event, by: str) -> None:
        before = self._state
        self._state, effects = step(before, event, self._clock.monotonic())
        for effect in effects:
            match effect:
                case WriteFile():
                    try:
                        is_written = await self._files.keep_trial(self._reconciler)
                    except NodeError:
                        self._state = before
                        raise
                    if not is_written:
                        self._state = before
                        raise no_trial(None)
                case PutInForce(number):
                    await self._put_in_force(number)
                case Append(kind, subject, reason):
                    made = self._record(kind, by, subject=subject, reason=reason)
                    if reason == "objections":
                        count = self._objections.count(self.version(subject))
                        made = replace(made, objections=count.objections, accounts=count.accounts)
                    await self._log.append_later(made)
                case Begin(number):
                    await self._begin(number)

    async def _put_in_force(self, number: int) -> None:
        if self._state.trial is not None and self._state.trial.number == number:
            await self._files.begin_trial(self._reconciler, self._text)
            log.info("rules %s are in force, on trial", fingerprint(self._text))
            return
        try:
            await self._files.end_trial(self._reconciler)
        except KernelRefused as refused:
            log.error("the rules from before the trial are applied as soon as possible: %s", refused)
        log.info("the trial is over: rules %s are in force", self._reconciler.active_ruleset.fingerprint)

    async def _begin(self, number: int) -> None:
        """Scheduled rules whose time has come. Tried again later when the database cannot be used."""
        if self._ticks < self._begin_tick:
            return
        version = self.version(number)
        try:
            text = await self._log.text(number)
            findings = () if text is None else await self._checks.findings(text)
            if version is None or text is None or any(finding.is_error for finding in findings):
                for finding in findings:
                    log.error("the scheduled rules do not come into force: %s", finding)
                await self._handle(TakenBack("invalid"), BY_NODE)
                return
            await self._go_on_trial(text, version.by, findings, subject=number, is_trial=version.trial_s > 0)
            self._trouble = ""
        except NodeError as trouble:
            if str(trouble) != self._trouble:
                log.error("the scheduled rules could not be adopted: %s", trouble)
            self._trouble = str(trouble)
            self._begin_tick = self._ticks + BEGIN_AGAIN_TICKS

    # --- the log ---

    async def _read_log(self, active: ActiveRuleset) -> None:
        """Reads the log once, and records what became of a trial that a stop of the node has ended. `active`: the rules
        of the file, of which a record is made if there is none. Raises StorageTrouble."""
        if self._log.history is not None:
            return
        history = await self._log.read()
        self._state = history.state
        if self._state.trial is not None:
            is_written = self._log.fingerprint(self._state.trial.number) == active.fingerprint
            await self._handle(Restarted(is_written), BY_NODE)

    async def _settle(self) -> None:
        """After a slow disk: what it stored late waits or is a draft, and what was to go on trial never was. Raises
        StorageTrouble."""
        found = await self._log.settle()
        if found is None:
            return
        self._replaced(found)
        if found.trial is not None and self._state.trial is None:
            log.warning(
                "version %d of the rules was stored too late, and is not in force", found.trial.number
            )
            await self._log.append_later(
                self._record("reverted", BY_NODE, subject=found.trial.number, reason="disk")
            )

    def _replaced(self, newest: AdoptionState) -> None:
        self._state = replace(self._state, active=newest.active, waiting=newest.waiting, drafts=newest.drafts)
