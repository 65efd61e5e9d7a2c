"""Tests in the rule file itself: ``given`` says which account and when, ``expect`` what it must get.

given:  WHO [with QUOTA [and QUOTA] used up], DAY [DATE] HH:MM | always [, everyone busy | alone] [, at node:NAME]
        WHO is the name of a tier or a group (``member``, ``tier:member``, ``group:school``), or ``dues:late``; a group
        stands for one of its accounts in the directory; or ``everyone``: each kind of person, see `exhaustive_tests`. DAY
        is mon to sun; without DATE (``2026-12-25``) it is a day on which all rules are within their dates, and that is not
        named in the calendar; ``always``: all times of the week and all kinds of days. ``everyone busy`` (default): all
        other members and the guests want more than they can get, and the uplink is busy; ``alone``: nobody else, and it is
        not. Without ``at`` the node is one that no rule names; with ``always`` it is each that a rule names, and such a one.
expect: CLAIM [and CLAIM]
        down|up >=|<= SPEED            rate on the uplink; for guests and other pools, of the whole pool
        floor|ceiling down|up >=|<=|= SPEED
        burst down|up >=|<=|= SPEED    for the first seconds; without a burst it is the ceiling
        share|devices >=|<=|= NUMBER
        session >=|<=|= DURATION       such as 4 hours
        ceiling|session|devices = none
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Literal

from node.characters import is_name
from node.errors import InvalidValue
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.burst import peak
from node.governance.expressions import duration_words, rate_words, weekday_words
from node.governance.fair_shares import Demand, fair_rates
from node.governance.ladders import ladder_of, step_groups, step_of
from node.governance.rule_evaluation import Direction, Evaluator, rate_in
from node.governance.rules import (
    GUEST_TIER,
    LADDER,
    LATE_DUES,
    MEMBER_TIER,
    ONLY_GUESTS,
    Example,
    Quota,
    Ruleset,
    groups_of_the_roll,
)
from node.governance.times import DAYS, EPOCH, is_among, midnight_of, parse_day
from node.governance.value_syntax import parse_at, parse_session
from node.translator import LazyText, amount_lazy, gettext_lazy, in_a_row, literal
from node.units import AccountId, BitsPerSecond, Bytes, Milliseconds, Rates, parse_rate

GIVEN_WANTED = gettext_lazy(
    "{some} or {last}",
    some='"member, fri 21:00, everyone busy", "member with busy-volume used up, fri 21:00, alone"',
    last='"everyone, always, everyone busy"',
)
DATED_WANTED = '"member, fri 2026-12-25 21:00, everyone busy"'
EXPECT_WANTED = gettext_lazy(
    "{some} or {last}",
    some='"down >= 400 kbit/s", "share = 50", "floor up >= 96 kbit/s", "ceiling = none", "session >= 4 hours"',
    last='"devices = 5"',
)

_WHEN = re.compile(rf"({'|'.join(DAYS)})(?: (\d{{4}}-\d\d-\d\d))? ([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_RATE_CLAIM = re.compile(r"(?:(floor|ceiling|burst) )?(down|up) (>=|<=|=) (.{1,40})")
_SHARE_CLAIM = re.compile(r"share (>=|<=|=) (\d{1,6})", re.ASCII)
_LIMIT_CLAIM = re.compile(r"(session|devices) (>=|<=|=) (.{1,40})")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {">=": operator.ge, "<=": operator.le, "=": operator.eq}

MONDAY = datetime.combine(EPOCH, time(), UTC)
WEEKS_MAX = 530
"""In which an ordinary day is looked for: more than all days of a calendar together."""
TESTED = AccountId("the-one-tested")
_UPLINK = "uplink:"
EVERYONE, ALWAYS_TESTED = "everyone", "always"


@dataclass(frozen=True, slots=True)
class TestSituation:
    """The tested unit, the time, the exhausted quotas; while the uplink is busy, all others use it too."""

    unit: Unit
    moment: Moment
    used: Mapping[str, Bytes]


@dataclass(frozen=True, slots=True)
class Given:
    """The unit that a test is about, when, and the exhausted quotas; one situation or many."""

    unit: Unit | None
    """None: everyone."""
    minute: int | None
    """A civil minute; None: always."""
    used: Mapping[str, Bytes]
    busy: bool
    """Whether all others use the uplink too, so that it is busy."""
    node: str | None
    """The node; empty for one that no rule names, None for each."""
    uplink: str | None = None
    """The line; None for each."""

    def situation(self, unit: Unit, minute: int, node: str) -> TestSituation:
        return TestSituation(unit, moment_at(minute, busy=self.busy, node=node), self.used)


def moment_at(minute: int, *, busy: bool = False, node: str = "") -> Moment:
    """The moment of a civil minute at a node, with a synchronized clock and the uplink busy or not."""
    return Moment(MONDAY + timedelta(minutes=minute), "synced", busy, node)


@dataclass(frozen=True, slots=True)
class ParsedTest:
    """A test that can be read."""

    example: Example
    given: Given
    claims: tuple["Expectation", ...]


def parse_test(
    example: Example, ruleset: Ruleset, units: Sequence[Unit]
) -> ParsedTest | tuple[LazyText, LazyText]:
    """The test, or why it cannot be read and the fix."""
    try:
        given = parse_given(example.given, ruleset, units)
        claims = tuple(_claim(text.strip()) for text in example.expect.split(" and "))
    except InvalidValue as error:
        message = gettext_lazy("This test cannot be read: {problem}.", problem=error.message)
        fix = gettext_lazy("write {given}, {expect}", given=GIVEN_WANTED, expect=EXPECT_WANTED)
        return message, error.fix or fix
    return ParsedTest(example, given, claims)


def broken_claims(
    situation: TestSituation, claims: Iterable["Expectation"], evaluator: Evaluator, units: Sequence[Unit]
) -> tuple[LazyText, LazyText] | None:
    """What the unit gets instead of what is claimed, and the fix; None when it gets that."""
    allowance = evaluator.evaluate(situation.unit, situation.moment, situation.used)
    rates = _rates(situation, allowance, evaluator, units)
    broken = [words for claim in claims if (words := claim.broken(allowance, rates)) is not None]
    if not broken:
        return None
    fix = gettext_lazy(
        "change the rules ({one}, {other} apply then), or what the test expects",
        one=allowance.share.rule,
        other=allowance.floor.rule,
    )
    return in_a_row(*broken, between=", "), fix


def parse_given(text: str, ruleset: Ruleset, units: Sequence[Unit]) -> Given:
    """Raises InvalidValue."""
    parts = [part.strip() for part in text.split(",")]
    lines = [part for part in parts[2:] if part.startswith(_UPLINK)]
    parts = [*parts[:2], *(part for part in parts[2:] if part not in lines[:1])]
    uplink = _uplink(lines[0], ruleset) if lines else None
    at = parts.pop() if parts[-1].startswith("at ") else None
    if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] not in ("everyone busy", "alone")):
        raise InvalidValue(gettext_lazy("{text} is not who and when", text=repr(text)), wanted=GIVEN_WANTED)
    minute = None if parts[1] == ALWAYS_TESTED else _minute(parts[1], ruleset)
    who, _, quotas = parts[0].partition(" with ")
    used = _used(quotas, ruleset) if quotas else {}
    unit = None if who.strip() == EVERYONE else _unit(who.strip(), ruleset, units)
    node = _node(at.removeprefix("at "), ruleset) if at is not None else None if minute is None else ""
    return Given(unit, minute, used, parts[-1] != "alone", node, uplink)


def _uplink(text: str, ruleset: Ruleset) -> str:
    name, names = text.removeprefix(_UPLINK).strip(), ruleset.uplink_names
    if name not in names:
        known = in_a_row(*(f"{_UPLINK}{each}" for each in names), between=", ")
        raise InvalidValue(gettext_lazy("there is no line {name}", name=f"{name!r:.60}"), wanted=known)
    return name


def _node(text: str, ruleset: Ruleset) -> str:
    name = parse_at(text)
    if name not in ruleset.nodes:
        known = in_a_row(*(f"node:{each}" for each in ruleset.nodes), between=", ")
        raise InvalidValue(gettext_lazy("no rule is for {node}", node=f"{text!r:.80}"), wanted=known)
    return name


def _minute(text: str, ruleset: Ruleset) -> int:
    match = _WHEN.fullmatch(text)
    if match is None:
        raise InvalidValue(
            gettext_lazy("{text} is not a day and an hour", text=repr(text)), wanted=GIVEN_WANTED
        )
    of_day = int(match[3]) * 60 + int(match[4])
    if match[2] is None:
        day = ordinary_day(ruleset, DAYS.index(match[1]))
        if day is None:
            raise InvalidValue(
                gettext_lazy("not all rules hold on one {day}", day=partial(weekday_words, match[1])),
                gettext_lazy("write the date, as {example}", example=DATED_WANTED),
            )
        return midnight_of(day) + of_day
    day = parse_day(match[2])
    if (name := DAYS[day.weekday()]) != match[1]:
        wrong = gettext_lazy("{date} is a {day}", date=match[2], day=partial(weekday_words, name))
        raise InvalidValue(wrong, wanted=f"{name} {match[2]}")
    return midnight_of(day) + of_day


def ordinary_day(ruleset: Ruleset, weekday: int) -> date | None:
    """A day on which all rules are within their dates, and that is not named in the calendar, nor is the day before; None
    where there is none. The nearest to `EPOCH`, for a file without dates in its week."""
    times = [rule.when for rule in ruleset.rules if rule.when is not None]
    first = max((when.first for when in times if when.first is not None), default=EPOCH)
    last = min((when.last for when in times if when.last is not None), default=EPOCH)
    start, step = (last, -7) if last < EPOCH else (max(first, EPOCH), 7)
    away = (weekday - start.weekday()) % 7 if step > 0 else -((start.weekday() - weekday) % 7)
    named = {days for when in times for windows in when.windows for days in windows.left_out}
    day = start + timedelta(days=away)
    for _ in range(WEEKS_MAX):
        if not all(when.is_within(day) for when in times):
            return None
        if not is_among(named, day) and not is_among(named, day - timedelta(days=1)):
            return day
        day += timedelta(days=step)
    return None


def _unit(text: str, ruleset: Ruleset, units: Sequence[Unit]) -> Unit:
    if text == LATE_DUES:
        member = _unit(f"tier:{MEMBER_TIER}", ruleset, units)
        return replace(member, groups=member.groups | {LATE_DUES})
    if text.startswith(f"{LADDER}:"):
        return _unit_in_step(text, ruleset, units)
    kind, separator, name = text.rpartition(":")
    if not is_name(name) or kind not in ("", "tier", "group") or (separator and not kind):
        raise InvalidValue(
            gettext_lazy("{text} is not a tier or a group", text=repr(text)), wanted=GIVEN_WANTED
        )
    tiers = {
        GUEST_TIER,
        MEMBER_TIER,
        *(u.tier for u in units),
        *(t for r in ruleset.rules for t in r.who.tiers),
    }
    groups = {group for u in units for group in u.groups} | {g for r in ruleset.rules for g in r.who.groups}
    if kind != "group" and name in tiers:
        plain = [u for u in units if u.tier == name]
        found = min(plain, key=lambda u: (len(u.groups), sorted(u.groups), u.account), default=None)
        return Unit(TESTED, name, found.groups if found else frozenset())
    if kind != "tier" and name in groups:
        fits = [u for u in units if name in u.groups]
        found = min(fits, key=lambda u: (len(u.groups), sorted(u.groups), u.account), default=None)
        return Unit(
            TESTED, found.tier if found else MEMBER_TIER, found.groups if found else frozenset({name})
        )
    wrong = gettext_lazy("there is no tier or group {name}", name=repr(name))
    raise InvalidValue(wrong, gettext_lazy("write one of {names}", names=", ".join(sorted(tiers | groups))))


def _unit_in_step(text: str, ruleset: Ruleset, units: Sequence[Unit]) -> Unit:
    """A member, as are most people of a ladder; of a ladder for guests alone a guest."""
    found, known = step_of(text), step_groups(ruleset)
    if found is None or text not in known:
        wrong = gettext_lazy("there is no step {text}", text=f"{text!r:.80}")
        raise InvalidValue(
            wrong, gettext_lazy("write one of {names}", names=", ".join(known) or "tier:member")
        )
    ladder = ladder_of(ruleset, found[0])
    tier = GUEST_TIER if ladder is not None and ladder.who == ONLY_GUESTS else MEMBER_TIER
    unit = _unit(f"tier:{tier}", ruleset, units)
    return replace(unit, groups=unit.groups | {text})


def _used(text: str, ruleset: Ruleset) -> dict[str, Bytes]:
    quotas = {rule.id: rule.effect.volume for rule in ruleset.rules if isinstance(rule.effect, Quota)}
    names = text.removesuffix(" used up").split(" and ")
    if not text.endswith(" used up") or any(name.strip() not in quotas for name in names):
        known = gettext_lazy("none yet") if not quotas else literal(", ".join(sorted(quotas)))
        raise InvalidValue(
            gettext_lazy("{text} names no quota", text=repr(text)),
            gettext_lazy("write for example {example} (quotas: {names})", example=GIVEN_WANTED, names=known),
        )
    return {name.strip(): quotas[name.strip()] for name in names}


def _rates(
    situation: TestSituation, tested: Allowance, evaluator: Evaluator, units: Sequence[Unit]
) -> Rates | None:
    """The rate of the tested unit, or of its whole pool; None when the uplink's speed is not stated."""
    shaped = evaluator.ruleset.shaped
    if shaped is None:
        return None
    allowances = {tested.pool or TESTED: [tested]}
    if situation.moment.busy:
        for unit in _others(situation.unit, units):
            allowance = evaluator.policy_for(unit, situation.moment, {})
            allowances.setdefault(allowance.pool or unit.account, []).append(allowance)
    both = list(allowances.values())
    down = fair_rates([_demand(a, "down") for a in both], shaped.down)
    up = fair_rates([_demand(a, "up") for a in both], shaped.up)
    return Rates(down[0], up[0])


def _others(tested: Unit, units: Sequence[Unit]) -> list[Unit]:
    """All other units of the directory, and guests; the tested unit represents one of its kind."""
    others = list(units)
    paid = groups_of_the_roll(tested.groups)
    same = [u for u in others if (u.tier, u.groups) == (tested.tier, paid)]
    if same:
        others.remove(same[0])
    return [*others, Unit(AccountId("some-guest"), GUEST_TIER)]


def _demand(together: Sequence[Allowance], direction: Direction) -> Demand:
    """Of one unit, or of those that are in one pool."""
    allowance = together[0]
    top = allowance.ceiling if allowance.pool is None else allowance.pool_ceiling
    ceiling = None if top is None else rate_in(direction, top.value)
    floor, lifeline = (rate_in(direction, each) for each in (allowance.floor.value, allowance.lifeline))
    own = sum(rate_in(direction, each.own_floor.value) for each in together if each.own_floor is not None)
    return Demand(allowance.share.value, floor, ceiling, lifeline).with_lifelines(own)


Tested = Literal["rate", "floor", "ceiling", "burst", "share", "session", "devices"]


_OF_RATES: tuple[Tested, ...] = ("floor", "ceiling", "burst")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects of one value."""

    what: Tested
    direction: Direction | None
    """Of rates."""
    sign: str
    wanted: int | None
    """None: no limit."""

    def is_met(self, value: int | None) -> bool:
        """`value`: None where nothing limits it."""
        if value is None:
            return self.wanted is None or self.sign == ">="
        return self.wanted is not None and _COMPARE[self.sign](value, self.wanted)

    def broken(self, allowance: Allowance, rates: Rates | None) -> LazyText | None:
        """None when the claim is true, otherwise the actual value."""
        if self.what == "rate" and rates is None:
            return gettext_lazy("the speed of the line is not stated in {table}", table="[uplink.main]")
        value = self._value(allowance, rates)
        return None if self.is_met(value) else self._words(value, allowance)

    def _value(self, allowance: Allowance, rates: Rates | None) -> int | None:
        if self.what == "share":
            return allowance.share.value
        if self.what in ("session", "devices"):
            bound = allowance.session if self.what == "session" else allowance.devices
            return None if bound is None else bound.value
        ceiling = None if allowance.ceiling is None else allowance.ceiling.value
        most = None if ceiling is None else peak(ceiling, allowance.burst)
        found = {"rate": rates, "floor": allowance.floor.value, "ceiling": ceiling, "burst": most}[self.what]
        return None if found is None else rate_in(self.direction or "down", found)

    def _words(self, value: int | None, allowance: Allowance) -> LazyText:
        if self.what == "share":
            return gettext_lazy("the share is {number}", number=value)
        if self.what in ("session", "devices"):
            bound = allowance.session if self.what == "session" else allowance.devices
            if bound is None:
                return gettext_lazy("no rule limits {key}", key=self.what)
            length = partial(duration_words, Milliseconds(bound.value))
            shown = length if self.what == "session" else bound.value
            return gettext_lazy("{key} is {value} by {rule}", key=self.what, value=shown, rule=bound.rule)
        if value is None:
            return gettext_lazy("there is no ceiling")
        if self.wanted is None and allowance.ceiling is not None:
            return gettext_lazy("there is a ceiling by {rule}", rule=allowance.ceiling.rule)
        rate = amount_lazy(rate_words(BitsPerSecond(value)))
        return gettext_lazy("{key} is {value}", key=self.direction, value=rate)


def _claim(text: str) -> Expectation:
    if text == "ceiling = none":
        return Expectation("ceiling", "down", "=", None)
    if (match := _SHARE_CLAIM.fullmatch(text)) is not None:
        return Expectation("share", None, match[1], int(match[2]))
    if (match := _LIMIT_CLAIM.fullmatch(text)) is not None:
        return _limit_claim("session" if match[1] == "session" else "devices", match[2], match[3])
    match = _RATE_CLAIM.fullmatch(text)
    if match is None or (match[1] is None and match[3] == "="):
        raise InvalidValue(gettext_lazy("{text} cannot be tested", text=repr(text)), wanted=EXPECT_WANTED)
    what: Tested = next((each for each in _OF_RATES if each == match[1]), "rate")
    return Expectation(what, "down" if match[2] == "down" else "up", match[3], parse_rate(match[4]))


def _limit_claim(what: Literal["session", "devices"], sign: str, text: str) -> Expectation:
    """A claim about ``session`` (a duration) or ``devices`` (a number); ``= none`` means that no rule limits it."""
    if sign == "=" and text == "none":
        return Expectation(what, None, sign, None)
    if what == "session":
        return Expectation(what, None, sign, parse_session(text))
    if not (text.isascii() and text.isdigit()):
        wrong = gettext_lazy("{text} is not a number of devices", text=repr(text))
        raise InvalidValue(wrong, wanted=EXPECT_WANTED)
    return Expectation(what, None, sign, int(text))
