"""Replays what accounts used in intervals of five minutes under two rulesets: what other rules would have changed.

What was used says only in part what people wanted: on a full line, or at a ceiling, they may have wanted more. So the
result is a range. At its low end everybody wants what they used; at its high end everybody who was active wants as much
as they can get. The line is divided as a running node does it, by the shares, floors and ceilings of `Evaluator`. Quotas
count what these days show, at each full hour.

Nobody is named, and nothing is shown of fewer than `GROUP_MIN` accounts: also not whether rules for so few would have
changed anything, since a ceiling that is tried again and again would find out what one of them used, and when. What is told
to admins (`replay_alike`) treats no fewer accounts apart either, from one preview to the next.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from node.accounting.intervals import INTERVAL_S, AccountUsage
from node.governance.account_classes import GROUP_MIN, AccountClasses, as_treated, stand_ins
from node.governance.allowance import Moment, Unit
from node.governance.replayed_rights import (
    AccountKind,
    AccountSpeeds,
    InternedRights,
    ReplayedInterval,
    RightsUnder,
    UnitOn,
)
from node.governance.replayed_usage import ReplayedUsage
from node.governance.rules import Ruleset, essence
from node.translator import ENGLISH, Translator
from node.units import AccountId, BitsPerSecond, Rates

LARGEST_SHOWN = 3
NOTICED_PERMILLE = 10
"""A smaller difference of a rate counts as none."""

type Interval = tuple[datetime, AccountUsage]
"""Its beginning in local time."""


@dataclass(frozen=True, slots=True)
class HourUse:
    """Mean rates in one hour in which enough accounts were active."""

    begun: datetime
    before: Rates
    after: Rates | None
    """None where too few of them would have had other rates: the difference would be theirs."""


@dataclass(frozen=True, slots=True)
class DayHour:
    """What an account that was active in this hour of the day could have had on average, download; None where too few were
    active, or would have had another rate."""

    hour: int
    before: BitsPerSecond | None
    after: BitsPerSecond | None


@dataclass(frozen=True, slots=True)
class Effects:
    """One end of the range."""

    affected: int | None
    """How many accounts would have had another rate; None for fewer than `GROUP_MIN`. 0 is only said where the rules do not
    differ, or differ for at least as many."""
    gains: tuple[int, ...]
    """The largest, in permille of what the account had; empty where too few gain."""
    losses: tuple[int, ...]
    limited: int | None = None
    """How many accounts would have had a lower rate; None for few, or where few others would have had another one."""
    limited_s: int = 0
    """For how long, added up over these accounts."""
    are_many_limited: bool = False
    """At least `GROUP_MIN`, also where `limited` is None because there are few others."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What other rules would have changed in these days."""

    first: date
    last: date
    accounts: int
    """Active at all."""
    low: Effects
    """Everybody wants what they used."""
    high: Effects | None
    """Everybody who was active wants as much as they can get; None where a ruleset does not state the line's speed."""
    busiest_before: HourUse | None
    """The hour with the highest mean download; None where too few accounts were active in each."""
    busiest_after: HourUse | None
    margins: tuple[int | None, int | None]
    """Before and after: the lowest rate that anybody could have had, in permille of their lifeline. None as `high`."""
    hours: tuple[HourUse, ...]
    """Without those in which too few accounts were active."""
    day_hours: tuple[DayHour, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nobody would have noticed anything."""
        return self.low.affected == 0 and (self.high is None or self.high.affected == 0)


@dataclass(frozen=True, slots=True)
class AlikeReplay:
    """Replays that may be told to people who can ask for others."""

    replays: tuple[Replay, ...]
    classes: AccountClasses
    """The accounts that they treat alike: to be remembered as told."""
    has_stand_ins: bool
    """Whether some accounts are treated as another one."""


class TooFewAccounts(Exception):
    """So few accounts were active that anything said would be about somebody."""


def why_no_preview(in_force: Ruleset, words: Translator = ENGLISH) -> tuple[str, str]:
    """Why there is nothing to replay, and what to do."""
    if not in_force.preview_by:
        return (
            words.gettext("nothing is kept to preview rules with"),
            words.gettext(
                "let the community decide, and add [preview] with its decision to the rules; then the node keeps what "
                "accounts use in each five minutes, for 14 days"
            ),
        )
    reason = words.gettext(
        "fewer than {number} accounts were active, so that a preview would be about somebody"
    )
    fix = words.gettext("try again in some days; the node must know the time")
    return reason.format(number=GROUP_MIN), fix


# --- the replay ----------------------------------------------------------------------------------


type _Kinds = dict[tuple[AccountKind, AccountKind], list[AccountId]]
"""Accounts by their kinds before and after."""


@dataclass(slots=True)
class _Hour:
    """Sums over the intervals of an hour, in bit/s."""

    before: list[int] = field(default_factory=lambda: [0, 0])
    after: list[int] = field(default_factory=lambda: [0, 0])
    accounts: set[AccountId] = field(default_factory=set)
    differing: set[AccountId] = field(default_factory=set)
    """Those with other rates in it."""

    @property
    def is_shown(self) -> bool:
        return len(self.accounts) >= GROUP_MIN

    @property
    def shows_after(self) -> bool:
        return not _are_few(len(self.differing))


@dataclass(slots=True)
class _Sums:
    """Of one account, down and up: rates summed over its intervals."""

    before: int = 0
    after: int = 0
    intervals: int = 0
    is_affected: bool = False
    limited_intervals: int = 0
    """With a lower rate than before."""


class _TwoSides:
    """What one side would have changed, compared with the other."""

    def __init__(self, before: RightsUnder, after: RightsUnder) -> None:
        self._sides = before, after
        self._moments: dict[tuple[object, ...], Moment] = {}
        """One for all at which the same rules apply."""
        self.low: dict[AccountId, _Sums] = {}
        self.high: dict[AccountId, _Sums] = {}
        self.hours: dict[datetime, _Hour] = {}
        self.day_hours: dict[int, _Hour] = {}
        self.counts = dict.fromkeys(range(24), 0)
        self.is_stated = all(side.capacity is not None for side in self._sides)

    @property
    def margins(self) -> tuple[int | None, int | None]:
        before, after = self._sides
        return (before.margin, after.margin) if self.is_stated else (None, None)

    def take(self, use: ReplayedInterval) -> None:
        """The interval that both sides have taken."""
        if any(side.has_others for side in self._sides):
            key = tuple(side.slice_key for side in self._sides)
            self._moments.setdefault((use.moment.at.date(), *key), use.moment)
        self._compare_low(use, *self._sides)
        if self.is_stated:
            self._compare_high(use, *self._sides)

    def are_few_concerned(self) -> bool:
        """Whether the rules differ for so few accounts, active at that time or not, that nothing can be said of them."""
        if self._sides[0].capacity != self._sides[1].capacity:
            return False
        concerned: set[AccountId] = set()
        for kinds, moments in self._by_day():
            for moment in moments:
                found = self._entitlements(moment, kinds)
                concerned.update(*(kinds[each] for each, (before, after) in found.items() if before != after))
            if len(concerned) >= GROUP_MIN:
                return False
        return _are_few(len(concerned))

    def treatments(self) -> Mapping[AccountId, Hashable]:
        """What each account that was active has before and after, day by day: rules and groups alone decide it, not what
        anybody used. Before, too: rules in force and groups are other ones at the next preview."""
        found: dict[AccountId, list[int]] = {account: [] for account in self.low}
        numbers: dict[Hashable, int] = {}
        for kinds, moments in self._by_day():
            entitled = [self._entitlements(moment, kinds) for moment in moments]
            for each, accounts in kinds.items():
                number = numbers.setdefault(tuple(at_moment[each] for at_moment in entitled), len(numbers))
                for account in accounts:
                    found[account].append(number)
        return {account: tuple(days) for account, days in found.items()}

    def _by_day(self) -> Iterator[tuple[_Kinds, list[Moment]]]:
        for day, moments in groupby(self._moments.values(), key=lambda moment: moment.at.date()):
            kinds: _Kinds = {}
            for account in self.low:
                before, after = (side.kind(account, day, ReplayedUsage()) for side in self._sides)
                kinds.setdefault((before, after), []).append(account)
            yield kinds, list(moments)

    def _entitlements(
        self, moment: Moment, kinds: _Kinds
    ) -> Mapping[tuple[AccountKind, AccountKind], tuple[Hashable, Hashable]]:
        """What accounts of these kinds have before and after at this moment."""
        one, other = self._sides
        one.begin(moment)
        other.begin(moment)
        return {each: (one.entitlement(each[0]), other.entitlement(each[1])) for each in kinds}

    def _compare_low(self, use: ReplayedInterval, one: RightsUnder, other: RightsUnder) -> None:
        sums = self.hours.setdefault(use.hour, _Hour())
        sums.accounts.update(use.accounts)
        before = one.low(use)
        is_same = one.capacity == other.capacity and all(
            a is b for a, b in zip(one.rights, other.rights, strict=True)
        )
        after = before if is_same else other.low(use)
        for direction in (0, 1):
            sums.before[direction] += sum(before[direction])
            sums.after[direction] += sum(after[direction])
        sums.differing |= _add(self.low, use.accounts, before, after)

    def _compare_high(self, use: ReplayedInterval, one: RightsUnder, other: RightsUnder) -> None:
        before, after = one.high(), other.high()
        sums = self.day_hours.setdefault(use.hour.hour, _Hour())
        sums.accounts.update(use.accounts)
        sums.before[0] += sum(before[0])
        sums.after[0] += sum(after[0])
        self.counts[use.hour.hour] += len(use.accounts)
        sums.differing |= _add(self.high, use.accounts, before, after)


class _Replayer:
    """Rulesets and their comparisons, one interval after another. Rulesets by which everybody has the same are one side."""

    def __init__(self, changes: Sequence[tuple[Ruleset, Ruleset]], unit_on: UnitOn, node: str) -> None:
        self._node, self._unit_on = node, unit_on
        self._interned: InternedRights = {}
        self._sides: dict[tuple[object, ...], RightsUnder] = {}
        self.comparisons = [_TwoSides(self._side(before), self._side(after)) for before, after in changes]
        self.first: date | None = None
        self.last: date | None = None
        self._used = ReplayedUsage()
        self._has_quotas = any(side.quotas for side in self._sides.values())
        self._hour_begun: datetime | None = None

    def _side(self, ruleset: Ruleset) -> RightsUnder:
        key = ruleset.shaped, ruleset.charter, ruleset.grace_days, frozenset(map(essence, ruleset.rules))
        if key not in self._sides:
            self._sides[key] = RightsUnder(ruleset, self._unit_on, self._interned)
        return self._sides[key]

    def read(self, intervals: Iterable[Interval]) -> None:
        """Oldest first."""
        for begun, usage in intervals:
            if usage:
                self.first, self.last = self.first or begun.date(), begun.date()
                self._take(begun, usage)

    def results(self) -> tuple[Replay, ...]:
        """Of each comparison. Raises TooFewAccounts."""
        active = next((each.low for each in self.comparisons), {})
        if self.first is None or self.last is None or len(active) < GROUP_MIN:
            raise TooFewAccounts
        return tuple(_result(each, (self.first, self.last)) for each in self.comparisons)

    def classes(self) -> AccountClasses:
        """Accounts are in one class if they have the same before and after each of the changes."""
        treatments = [each.treatments() for each in self.comparisons]
        numbers: dict[Hashable, int] = {}
        return {
            account: numbers.setdefault(tuple(each[account] for each in treatments), len(numbers))
            for account in treatments[0]
        }

    def _take(self, begun: datetime, usage: AccountUsage) -> None:
        """The next interval, in which somebody was active."""
        hour = begun.replace(minute=0, second=0, microsecond=0)
        use = ReplayedInterval(
            Moment(begun, "synced", any(each.is_busy for each in usage.values()), self._node),
            hour,
            hour != self._hour_begun,
            tuple(usage),
            [each.used.down * 8 // INTERVAL_S for each in usage.values()],
            [each.used.up * 8 // INTERVAL_S for each in usage.values()],
        )
        self._hour_begun = hour
        for side in self._sides.values():
            side.take(use, self._used)
        for comparison in self.comparisons:
            comparison.take(use)
        if self._has_quotas:
            self._used.add(begun.date().isoformat(), usage)


def _add(
    sums: dict[AccountId, _Sums],
    accounts: Sequence[AccountId],
    before: AccountSpeeds,
    after: AccountSpeeds,
) -> set[AccountId]:
    """The accounts with other rates."""
    differing: set[AccountId] = set()
    is_same = before is after or before == after
    for account, down, up, new_down, new_up in zip(accounts, *before, *after, strict=True):
        known = sums.get(account)
        if known is None:
            known = sums[account] = _Sums()
        known.before += down + up
        known.after += new_down + new_up
        known.intervals += 1
        if not is_same and (down != new_down or up != new_up):
            differing.add(account)
            in_down, in_up = _is_noticed(down, new_down), _is_noticed(up, new_up)
            known.is_affected |= in_down or in_up
            known.limited_intervals += (in_down and new_down < down) or (in_up and new_up < up)
    return differing


def _are_few(count: int) -> bool:
    return 0 < count < GROUP_MIN


def _is_noticed(before: int, after: int) -> bool:
    return abs(after - before) * 1000 > NOTICED_PERMILLE * max(before, 1)


def replay(
    intervals: Iterable[Interval], before: Ruleset, after: Ruleset, unit_on: UnitOn, node: str = ""
) -> Replay:
    """What `after` would have changed compared with `before` in these intervals of a node, oldest first. Raises
    TooFewAccounts."""
    return replay_each(intervals, ((before, after),), unit_on, node)[0]


def replay_each(
    intervals: Iterable[Interval], changes: Sequence[tuple[Ruleset, Ruleset]], unit_on: UnitOn, node: str = ""
) -> tuple[Replay, ...]:
    """`replay` of several changes, which reads the intervals once. Raises TooFewAccounts."""
    replayer = _Replayer(changes, unit_on, node)
    replayer.read(intervals)
    return replayer.results()


def replay_alike(
    read: Callable[[], Iterable[Interval]],
    changes: Sequence[tuple[Ruleset, Ruleset]],
    unit_on: UnitOn,
    node: str,
    told: AccountClasses,
) -> AlikeReplay:
    """`replay_each`, in which accounts that these rules, after what was told, would treat apart from all but a few others
    have what their stand-ins have, before and after. `read` reads the same intervals each time. Raises TooFewAccounts."""
    replayer = _Replayer(changes, unit_on, node)
    replayer.read(read())
    results = replayer.results()
    found = replayer.classes()
    replaced = stand_ins(told, found)
    if replaced:

        def like_another(account: AccountId, day: date, grace_days: int) -> Unit:
            return unit_on(replaced.get(account, account), day, grace_days)

        replayer = _Replayer(changes, like_another, node)
        replayer.read(read())
        results = replayer.results()
    return AlikeReplay(results, as_treated(found, replaced), bool(replaced))


def _result(compared: _TwoSides, days: tuple[date, date]) -> Replay:
    says_none = not compared.are_few_concerned()
    low = _effects(compared.low, says_none=says_none)
    high = _effects(compared.high, says_none=says_none) if compared.is_stated else None
    # With an after that differs for a few only, the difference of two sums would show what these few used.
    shows_after = low.affected is not None and (high is None or high.affected is not None)
    hours = [
        _hour_use(at, sums, shows_after=shows_after and sums.shows_after)
        for at, sums in sorted(compared.hours.items())
        if sums.is_shown
    ]
    day_hours = [
        _day_hour(hour, compared.day_hours.get(hour), compared.counts[hour], shows_after=shows_after)
        for hour in range(24)
    ]
    return Replay(
        *days,
        len(compared.low),
        low,
        high,
        max(hours, key=lambda hour: hour.before.down, default=None),
        max(
            (hour for hour in hours if hour.after is not None),
            key=lambda hour: hour.after.down if hour.after else 0,
            default=None,
        ),
        compared.margins,
        tuple(hours),
        tuple(day_hours),
    )


@dataclass(frozen=True, slots=True)
class AccountReplay:
    """One account's own line, for its own people only: mean rates while it was active, download and upload together."""

    active_s: int
    used: BitsPerSecond
    used_after: BitsPerSecond
    """With the other rules, if nobody wanted more than they used."""
    could_have: tuple[BitsPerSecond, BitsPerSecond] | None
    """Before and after, if everybody who was active wanted as much as they can get; None where a ruleset does not state the
    line's speed."""


def account_replays(
    intervals: Iterable[Interval], before: Ruleset, after: Ruleset, unit_on: UnitOn, node: str = ""
) -> Mapping[AccountId, AccountReplay]:
    """As `replay`, for each account that was active. Raises TooFewAccounts: one's own rate would tell what the few others
    used."""
    replayer = _Replayer(((before, after),), unit_on, node)
    replayer.read(intervals)
    (compared,) = replayer.comparisons
    if len(compared.low) < GROUP_MIN:
        raise TooFewAccounts
    high = compared.high if compared.is_stated else {}
    return {account: _account_replay(sums, high.get(account)) for account, sums in compared.low.items()}


def _account_replay(low: _Sums, high: _Sums | None) -> AccountReplay:
    could_have = None if high is None else (_mean(high.before, high), _mean(high.after, high))
    return AccountReplay(
        low.intervals * INTERVAL_S, _mean(low.before, low), _mean(low.after, low), could_have
    )


def _mean(total: int, sums: _Sums) -> BitsPerSecond:
    return BitsPerSecond(total // max(1, sums.intervals))


def _effects(sums: Mapping[AccountId, _Sums], *, says_none: bool) -> Effects:
    affected = [each for each in sums.values() if each.is_affected]
    changes = sorted(round((each.after - each.before) * 1000 / max(1, each.before)) for each in affected)
    gains = [change for change in reversed(changes) if change > 0]
    losses = [-change for change in changes if change < 0]
    count = len(affected)
    limited = [each.limited_intervals for each in affected if each.limited_intervals]
    is_told = not (_are_few(len(limited)) or _are_few(count - len(limited))) and (bool(count) or says_none)
    return Effects(
        count if count >= GROUP_MIN or (count == 0 and says_none) else None,
        tuple(gains[:LARGEST_SHOWN]) if len(gains) >= GROUP_MIN else (),
        tuple(losses[:LARGEST_SHOWN]) if len(losses) >= GROUP_MIN else (),
        len(limited) if is_told else None,
        sum(limited) * INTERVAL_S if is_told else 0,
        len(limited) >= GROUP_MIN,
    )


def _hour_use(begun: datetime, sums: _Hour, *, shows_after: bool) -> HourUse:
    parts = 3600 // INTERVAL_S
    before, after = (
        Rates(BitsPerSecond(each[0] // parts), BitsPerSecond(each[1] // parts))
        for each in (sums.before, sums.after)
    )
    return HourUse(begun, before, after if shows_after else None)


def _day_hour(hour: int, sums: _Hour | None, count: int, *, shows_after: bool) -> DayHour:
    if sums is None or not sums.is_shown:
        return DayHour(hour, None, None)
    before, after = (BitsPerSecond(each[0] // count) for each in (sums.before, sums.after))
    return DayHour(hour, before, after if shows_after and sums.shows_after else None)
