"""The version that waits: what it still needs, and how it is shown."""

from contextlib import nullcontext, suppress
from datetime import datetime, timedelta

from node.app.adoption_checks import AdoptionChecks, Conditions
from node.app.adoption_log import AdoptionLog
from node.app.adoption_views import WaitingView
from node.app.due_time import due_text
from node.app.rule_objections import ObjectionCounter
from node.app.waited_time import WaitedTime
from node.control.active_ruleset import fingerprint
from node.control.ports import Clock
from node.errors import StorageTrouble
from node.governance.adoption import Reason, Schedule, TimePassed
from node.governance.approvals import missing_approvals
from node.units import Milliseconds


class WaitingRules:
    """The caller makes one change at a time."""

    def __init__(
        self,
        log: AdoptionLog,
        objections: ObjectionCounter,
        checks: AdoptionChecks,
        waited: WaitedTime,
        clock: Clock,
    ) -> None:
        self._log, self._objections, self._checks = log, objections, checks
        self._waited, self._clock = waited, clock
        self._conditions, self._conditions_of = Conditions(), (0, "", "")
        """And which rules these are for: their number, the fingerprint of the rules that they would replace, and the day."""

    async def count_time(self, number: int) -> None:
        version = self._log.version(number)
        if version is not None and version.waits_s:
            await self._waited.count(version)

    async def count_needed(self, number: int) -> None:
        """What the rules that wait need, from the rules that they would replace. Raises StorageTrouble."""
        key = number, self._checks.confirmed_fingerprint, self._clock.today()
        if self._conditions_of == key:
            return
        is_new_day = self._conditions_of[:2] == key[:2]
        with suppress(StorageTrouble) if is_new_day else nullcontext():  # those of the day before still hold
            text = await self._log.text(number)
            self._conditions = await self.conditions(text or "")
            self._conditions_of = key

    async def conditions(self, text: str, *, is_return: bool = False) -> Conditions:
        """What this text needs to come into force."""
        return await self._checks.conditions(
            text, self._log.versions(), self._clock.today(), is_return=is_return
        )

    def due(self, asked: datetime | None, waiting: Milliseconds) -> datetime | None:
        """The local time at which rules start that were asked for `asked`, and wait at least for so long. None while the
        node does not know the time, or for as soon as they can."""
        if not waiting or self._clock.state() == "unknown":
            return asked
        earliest = self._clock.civil().replace(tzinfo=None) + timedelta(milliseconds=waiting)
        rounded = earliest.replace(second=0, microsecond=0)
        rounded += timedelta(minutes=1) if rounded < earliest else timedelta()
        return rounded if asked is None else max(asked, rounded)

    def passed(self, waiting: Schedule, failing: frozenset[Reason]) -> TimePassed:
        """The event of this moment."""
        knows_time, version = self._clock.state() != "unknown", self._log.version(waiting.number)
        civil = self._clock.civil().replace(tzinfo=None) if knows_time else None
        waited_s = 0 if version is None else self._waited.seconds(version)
        return TimePassed(civil, failing, self._conditions.approvals, waited_s)

    def has(
        self, waiting: Schedule | None, text: str, by: str, asked: datetime | None, *, is_trial: bool
    ) -> bool:
        """Whether the same admin sent the same rules before, for the same time, and they wait."""
        version = None if waiting is None else self._log.version(waiting.number)
        if waiting is None or version is None:
            return False
        is_same_time = asked == waiting.due or (asked is None and version.waits_s > 0)
        wanted = by, fingerprint(text), is_trial
        return is_same_time and wanted == (version.by, version.fingerprint, version.trial_s > 0)

    def view(self, waiting: Schedule | None) -> WaitingView | None:
        if waiting is None:
            return None
        version = self._log.version(waiting.number)
        count = self._objections.count(version)
        waited_s = 0 if version is None else self._waited.seconds(version)
        return WaitingView(
            waiting.number,
            self._log.by(waiting.number),
            "" if waiting.due is None else due_text(waiting.due),
            tuple(sorted(waiting.approved)),
            missing_approvals(waiting.approved, self._conditions.approvals),
            count.objections,
            count.needed,
            count.accounts,
            waits_s=waiting.waits_s,
            left_s=max(0, waiting.waits_s - waited_s),
        )
