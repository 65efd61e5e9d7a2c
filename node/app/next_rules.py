"""What members and guests see of rules that do not bind yet: drafts, those that wait, those on trial, and those that
objections stopped; and the objections of members."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from node.accounting.intervals import kept_times
from node.accounts.objections import OBJECTION_CHARS_MAX
from node.accounts.rule_objections import RuleObjection, are_kept
from node.app.admin_sessions import label_text
from node.app.rule_adoption import RuleAdoption
from node.app.rule_objections import ObjectionOutcome
from node.app.rule_preview import ReadIntervals
from node.app.views import NO_NEXT_RULES, NextRules, Refused
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import StorageTrouble
from node.governance.adoption import BOOT_MS, DRAFTS_MAX
from node.governance.allowance import Unit
from node.governance.change_impact import ChangeImpact, change_impact
from node.governance.change_sentences import ChangeSentence, change_sentences, own_sentences, verdict_sentence
from node.governance.members import MemberDirectory
from node.governance.parse import parse_ruleset
from node.governance.replay import AccountReplay, TooFewAccounts, account_replays
from node.governance.replay_sentences import account_replay_sentences
from node.governance.rule_history import RuleVersion
from node.governance.rules import GUEST_TIER, ActiveRuleset, Ruleset
from node.translator import Translator
from node.units import AccountId, Monotonic

CHANGES_MAX = 100
COMPARED_MAX = DRAFTS_MAX + 1
"""Versions whose comparisons are remembered: all drafts, and what waits or is on trial."""
GUEST_KINDS_MAX = 32
"""Groups of guests whose comparisons are remembered."""
LINES_LAST_MS = 3_600_000
"""For how long what accounts used is not read again."""


@dataclass(frozen=True, slots=True)
class OwnRules:
    """What would change for the account that looks at the page, for its own people only."""

    changes: tuple[str, ...]
    line: tuple[str, ...] = ()
    """What it used against what it could have had; empty where nothing is kept, or too few were active."""
    can_object: bool = False
    """A member, and the rules wait or are a draft."""
    objection: RuleObjection | None = None
    """What it objected with."""


@dataclass(frozen=True, slots=True)
class NextRulesView:
    """The rules that do not bind yet, for one reader."""

    note: NextRules
    by: str = ""
    """The label of an admin."""
    at: str = ""
    """Local time, as an ISO text: when they come into force, were stopped, or were shown as a draft; empty for a trial."""
    minutes_left: int = 0
    """Of a trial."""
    objections: int = 0
    needed: int = 0
    accounts: int = 0
    verdict: str = ""
    """What changes, in one sentence; empty while the text cannot be read."""
    changes: tuple[str, ...] = ()
    more_changes: int = 0
    own: OwnRules | None = None
    """None without a session."""


@dataclass(slots=True)
class _Compared:
    """One version compared with the rules that it replaces; its key is its number, and the fingerprint of these. Each part
    is computed when it is first asked for."""

    before: Ruleset
    after: Ruleset
    for_all: ChangeImpact
    """Without the members: it says nothing about who there is."""
    directory: MemberDirectory | None = None
    sentences: dict[Translator, tuple[ChangeSentence, ...]] = field(default_factory=dict)
    """`for_all` in the languages that were asked for."""
    of_members: ChangeImpact | None = None
    of_guests: dict[frozenset[str], ChangeImpact] = field(default_factory=dict)
    lines: dict[AccountId, AccountReplay] | None = None
    lines_read: Monotonic = BOOT_MS


class NextRulesService:
    """Rules that do not bind yet, as the portal shows them. Compares each version once for all readers."""

    def __init__(
        self,
        reconciler: Reconciler,
        adoption: RuleAdoption,
        clock: Clock,
        *,
        confirmed: Callable[[], ActiveRuleset],
        read_intervals: ReadIntervals,
        node: str,
    ) -> None:
        """`confirmed` returns the rules that a trial would go back to."""
        self._reconciler, self._adoption, self._clock = reconciler, adoption, clock
        self._confirmed, self._read_intervals, self._node = confirmed, read_intervals, node
        self._compared: dict[tuple[int, str], _Compared] = {}
        """By key; the one used last is the last."""
        self._comparing, self._reading, self._erasures = asyncio.Lock(), asyncio.Lock(), 0

    def note(self) -> NextRules:
        """What there is to see, without reading anything."""
        decided, drafts = self._decided(), self._adoption.draft_numbers
        return decided if decided.number or not drafts else NextRules("draft", drafts[0], drafts)

    def _decided(self) -> NextRules:
        """Apart from drafts."""
        drafts = self._adoption.draft_numbers
        waiting, trial = self._adoption.waiting_number, self._adoption.trial()
        if waiting:
            return NextRules("waiting", waiting, drafts)
        if trial is not None:
            return NextRules("trial", trial.number, drafts)
        ended = self._adoption.last_ended()
        today = self._clock.today()
        if ended is not None and ended.reason == "objections" and are_kept(ended.ended, today):
            return NextRules("stopped", ended.number, drafts)
        return NO_NEXT_RULES

    async def view(self, account: AccountId | None, words: Translator, number: int = 0) -> NextRulesView:
        """What `account` may see; None for a reader without a session. `number`: of an open draft; any other one is what
        was decided last."""
        note = self.note()
        if number in note.drafts:
            note = NextRules("draft", number, note.drafts)
        version = self._adoption.version(note.number)
        if version is None:
            return NextRulesView(NO_NEXT_RULES)
        async with self._comparing:  # each comparison can take a second of the processor
            compared = await self._comparison(note)
            shown = () if compared is None else _sentences(compared, words)
            own = None if account is None else await self._own(account, note, compared, words)
        if account is not None and own is not None and compared is not None:
            own = replace(own, line=await self._line(account, compared, words))
        trial = self._adoption.trial()
        objections, needed, accounts = self._objections(note, version)
        times = {"waiting": version.due, "stopped": version.ended, "draft": version.adopted}
        return NextRulesView(
            note,
            by=label_text(version.by),
            at=times.get(note.state, ""),
            minutes_left=trial.minutes_left if note.state == "trial" and trial is not None else 0,
            objections=objections,
            needed=needed,
            accounts=accounts,
            verdict="" if compared is None else verdict_sentence(compared.for_all, words),
            changes=tuple(each.text for each in shown[:CHANGES_MAX]),
            more_changes=max(0, len(shown) - CHANGES_MAX),
            own=own,
        )

    def _objections(self, note: NextRules, version: RuleVersion) -> tuple[int, int, int]:
        """How many object, how many are needed to stop the version (0 if none can), and how many members there are."""
        waiting = self._adoption.waiting()
        if note.state == "waiting" and waiting is not None:
            return waiting.objections, waiting.objections_needed, waiting.accounts
        draft = next((each for each in self._adoption.drafts() if each.number == note.number), None)
        if draft is not None:
            return draft.objections, 0, draft.accounts
        return version.objections, 0, version.accounts

    async def object(self, account: AccountId, number: int, text: str) -> Refused | None:
        """The account objects to the waiting version or the draft with this number; None when that is stored."""
        if not self._reconciler.registry.is_member(account):
            return Refused("not-a-member")
        if len(text) > OBJECTION_CHARS_MAX:
            return Refused("too-long")
        return _refusal(await self._adoption.object(account, number, text.strip()))

    async def take_back(self, account: AccountId, number: int) -> Refused | None:
        """The account no longer objects; None when that is stored."""
        if not self._reconciler.registry.is_member(account):
            return Refused("not-a-member")
        return _refusal(await self._adoption.take_back_objection(account, number))

    def forget_usage(self) -> None:
        """Somebody's data was erased: what was computed from it goes too."""
        self._erasures += 1
        for each in self._compared.values():
            each.lines = None

    # --- what would change ---

    async def _comparison(self, note: NextRules) -> _Compared | None:
        """None while the text cannot be read, or no longer is a valid rule file."""
        before = self._confirmed() if note.state == "trial" else self._reconciler.active_ruleset
        key = note.number, before.fingerprint
        known = self._compared.pop(key, None)
        if known is not None:
            self._compared[key] = known
            return known
        try:
            text = await self._adoption.version_text(note.number)
        except StorageTrouble:
            return None
        found = None if text is None else await asyncio.to_thread(_compare, before.ruleset, text)
        if found is None:
            return None
        while len(self._compared) >= COMPARED_MAX:
            del self._compared[next(iter(self._compared))]
        self._compared[key] = _Compared(before.ruleset, found.after, found)
        return self._compared[key]

    async def _own(
        self, account: AccountId, note: NextRules, compared: _Compared | None, words: Translator
    ) -> OwnRules:
        registry = self._reconciler.registry
        objection = self._adoption.objection(account, note.number)
        can_object = note.state in {"waiting", "draft"} and registry.is_member(account)
        if compared is None:
            return OwnRules((), can_object=can_object, objection=objection)
        unit = self._reconciler.effective_policy.unit(account)
        impact = await self._impact_of(unit, compared)
        changes = own_sentences(impact, unit, words)[:CHANGES_MAX]
        return OwnRules(changes, can_object=can_object, objection=objection)

    async def _impact_of(self, unit: Unit, compared: _Compared) -> ChangeImpact:
        """In the situations of the members who there are; guests of one group are all the same."""
        before, after = compared.before, compared.after
        if unit.tier == GUEST_TIER:
            known = compared.of_guests.get(unit.groups)
            if known is None:
                if len(compared.of_guests) >= GUEST_KINDS_MAX:
                    compared.of_guests.clear()
                known = await asyncio.to_thread(change_impact, before, after, (unit,))
                compared.of_guests[unit.groups] = known
            return known
        directory = self._reconciler.member_directory
        if compared.of_members is None or compared.directory is not directory:
            compared.of_members = await asyncio.to_thread(change_impact, before, after, directory.units)
            compared.directory = directory
        return compared.of_members

    async def _line(self, account: AccountId, compared: _Compared, words: Translator) -> tuple[str, ...]:
        # It can take half a minute of a small board; nobody else's page waits for it.
        async with self._reading:
            line = (await self._lines(compared)).get(account)
        return () if line is None else account_replay_sentences(line, words)

    async def _lines(self, compared: _Compared) -> dict[AccountId, AccountReplay]:
        """Nobody gets any but their own."""
        if not compared.before.preview_by or self._clock.state() == "unknown":
            return {}
        now, erasures = self._clock.monotonic(), self._erasures
        if compared.lines is not None and now - compared.lines_read <= LINES_LAST_MS:
            return compared.lines
        lines = await asyncio.to_thread(self._read_lines, compared)
        if erasures == self._erasures:
            compared.lines, compared.lines_read = lines, now
        return lines

    def _read_lines(self, compared: _Compared) -> dict[AccountId, AccountReplay]:
        days = self._read_intervals(*kept_times(int(self._clock.civil().timestamp())))
        members = self._reconciler.member_directory
        try:
            own = self._reconciler.active_ruleset.uplink_name
            before, after = (each.of_uplink(own) for each in (compared.before, compared.after))
            return dict(account_replays(days, before, after, members.unit_on, self._node))
        except (TooFewAccounts, StorageTrouble):
            return {}


def _compare(before: Ruleset, text: str) -> ChangeImpact | None:
    after, _ = parse_ruleset(text)
    return None if after is None else change_impact(before, after)


def _sentences(compared: _Compared, words: Translator) -> tuple[ChangeSentence, ...]:
    """Written once in each language: a page is asked for by many at once."""
    if words not in compared.sentences:
        compared.sentences[words] = change_sentences(compared.for_all, words)
    return compared.sentences[words]


def _refusal(outcome: ObjectionOutcome) -> Refused | None:
    match outcome:
        case "done":
            return None
        case "over":
            return Refused("rules-over")
        case "unstored":
            return Refused("memory")
