"""Counts of rules that are only observed: replayed in a thread, at most once an hour for the same rules and members."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from node.app.told_classes import PreviousClasses, ToldClasses
from node.control.ports import Clock
from node.errors import NodeError, StorageTrouble
from node.governance.account_classes import AccountClasses
from node.governance.members import MemberDirectory
from node.governance.observed_sentences import observed_sentence
from node.governance.replay import TooFewAccounts, why_no_preview
from node.governance.rule_effects import ObservedCount, ReadAgain, count_observed_alike
from node.governance.rules import Ruleset
from node.governance.sentences import sentence
from node.translator import ENGLISH, N_, Translator, as_sentence, gettext_lazy, translate

log = logging.getLogger(__name__)

WAIT_S = 2.0
"""A page waits so long for a count; then it says that it is not ready."""
COUNT_EVERY_S = 3600
_LATER = N_("This is being counted. Open this page again in a minute.")


@dataclass(frozen=True, slots=True)
class CountResult:
    """The counts, or why there are none."""

    counts: tuple[ObservedCount, ...] = ()
    trouble: NodeError | TooFewAccounts | None = None
    classes: AccountClasses = field(default_factory=dict)
    """The accounts that the counts treat alike."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is counted: the observed rules of a ruleset, beside those in force, for these members."""

    ruleset: Ruleset
    members: MemberDirectory


class ObservedCounts:
    """What observed rules would have limited. Use from one event loop."""

    def __init__(self, told: ToldClasses, clock: Clock, node: str, wait_s: float = WAIT_S) -> None:
        self._told, self._clock, self._node, self._wait_s = told, clock, node, wait_s
        self._counting: asyncio.Future[CountResult] | None = None
        self._changing = asyncio.Lock()
        self._after = PreviousClasses({}, 0)
        """What was told before the count began."""
        self._of: tuple[_Subject, int] | None = None
        """The subject that is being counted or was counted last, and the hour."""
        self._known: tuple[_Subject, CountResult] | None = None

    async def notes(
        self,
        ruleset: Ruleset,
        members: MemberDirectory,
        words: Translator = ENGLISH,
        *,
        whole: Ruleset | None = None,
    ) -> Mapping[str, str]:
        """What to say of each observed rule, by its sentence; empty without such rules. A count that takes longer than a
        page waits goes on, and is there the next time. `whole`: the rules of all lines, if there are several."""
        whole = whole or ruleset
        others = [rule for rule in whole.observed if all(rule.id != each.id for each in ruleset.observed)]
        elsewhere = words.gettext("Not counted here: it is for another line.")
        notes = {sentence(rule, whole, words): elsewhere for rule in others}
        if not ruleset.observed:
            return notes
        known: CountResult | None = CountResult(trouble=TooFewAccounts())
        if ruleset.preview_by:
            known = await self._count(_Subject(ruleset, members))
        counted = [rule for rule in whole.observed if rule not in others]
        return notes | {
            sentence(rule, whole, words): _note(rule.id, known, ruleset, words) for rule in counted
        }

    async def _count(self, subject: _Subject) -> CountResult | None:
        """The last count of this subject, after a new one if that is ready in time; None without any."""
        now_s = int(self._clock.civil().timestamp())
        of = subject, now_s // COUNT_EVERY_S
        if self._of != of:
            await self._wait()  # one count at a time
        async with self._changing:
            if self._counting is None and self._of != of:
                try:
                    self._after = await self._told.until_now()
                except StorageTrouble as trouble:
                    return CountResult(trouble=trouble)
                run, read = asyncio.get_running_loop().run_in_executor, self._told.reader()
                self._of, self._counting = of, run(None, self._replay, subject, read, self._after)
        await self._wait()
        return self._known[1] if self._known is not None and self._known[0] == subject else None

    async def _wait(self) -> None:
        """Keeps the result of a count that is ready."""
        if self._counting is None or self._of is None:
            return
        await asyncio.wait({self._counting}, timeout=self._wait_s)
        async with self._changing:
            # Another request may have kept it meanwhile.
            if self._counting is not None and self._counting.done():
                found = await self._remembered(_result(self._counting), self._after)
                if found is not None:
                    self._known = self._of[0], found
                if found is None or found.trouble is not None:
                    self._of = None  # to be tried again
                self._counting = None

    async def _remembered(self, found: CountResult, told: PreviousClasses) -> CountResult | None:
        """The counts that may be told; None if a preview told something else meanwhile."""
        try:
            may_tell = not found.classes or await self._told.remember(found.classes, told)
        except StorageTrouble as trouble:
            return CountResult(trouble=trouble)
        return found if may_tell else None

    def _replay(self, subject: _Subject, read: ReadAgain, told: PreviousClasses) -> CountResult:
        rules, unit_on = subject.ruleset, subject.members.unit_on
        try:
            counts, classes = count_observed_alike(read, rules, unit_on, self._node, told.classes)
            return CountResult(counts, classes=classes)
        except (StorageTrouble, TooFewAccounts) as trouble:
            return CountResult(trouble=trouble)


def _result(counting: asyncio.Future[CountResult]) -> CountResult:
    """Of a count that is ready. The page on which admins change rules opens even after a bug here."""
    error = counting.exception()
    if error is None:
        return counting.result()
    log.error("observed rules could not be counted", exc_info=error)
    reason, fix = gettext_lazy("counting failed"), gettext_lazy("look into the log of the node")
    return CountResult(trouble=NodeError(reason, fix))


def _note(rule: str, known: CountResult | None, ruleset: Ruleset, words: Translator) -> str:
    if known is None:
        return words.gettext(_LATER)
    if known.trouble is not None:
        return _why_not(known.trouble, ruleset, words)
    count = next(each for each in known.counts if rule in each.rules)
    if rule != count.rules[0]:
        return words.gettext("Counted together with {rule}.").format(rule=count.rules[0])
    return observed_sentence(count, words)


def _why_not(trouble: NodeError | TooFewAccounts, ruleset: Ruleset, words: Translator) -> str:
    reason, fix = why_no_preview(ruleset, words)
    if isinstance(trouble, NodeError):
        reason, fix = translate(trouble.message, words), translate(trouble.fix, words)
    text = words.gettext("Not counted. {reason} {fix}")
    return text.format(reason=as_sentence(reason), fix=as_sentence(fix))
