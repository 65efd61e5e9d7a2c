"""Tests in the rule file itself: ``given`` says which account and when, ``expect`` what it must get.

given:  WHO [with QUOTA [and QUOTA] used up], DAY HH:MM [, everyone busy | alone]
        WHO is the name of a tier or a group (``member``, ``tier:member``, ``group:school``); a group stands for
        one of its accounts in the directory. DAY is mon to sun. ``everyone busy`` (default): all other members and
        the guests want more than they can get; ``alone``: nobody else.
expect: CLAIM [and CLAIM]
        down|up >=|<= SPEED            rate on the uplink; for guests and other pools, of the whole pool
        floor|ceiling down|up >=|<=|= SPEED
        share|devices >=|<=|= NUMBER
        session >=|<=|= DURATION       such as 4 hours
        ceiling|session|devices = none
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from node.characters import is_name
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.fair_shares import Demand, fair_rates
from node.governance.rule_evaluation import Direction, Evaluator, rate_in
from node.governance.rules import GUEST_TIER, MEMBER_TIER, Example, Quota, Ruleset
from node.governance.sentences import duration_words, rate_words
from node.governance.times import DAYS
from node.governance.value_syntax import parse_session
from node.units import AccountId, Bytes, Milliseconds, Rates, parse_rate

GIVEN_WANTED = '"member, fri 21:00, everyone busy" or "member with busy-volume used up, fri 21:00, alone"'
EXPECT_WANTED = (
    '"down >= 400 kbit/s", "share = 50", "floor up >= 96 kbit/s", "ceiling = none", '
    '"session >= 4 hours" or "devices = 5"'
)

_WHEN = re.compile(rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):([0-5]\d)")
_RATE_CLAIM = re.compile(r"(?:(floor|ceiling) )?(down|up) (>=|<=|=) (.{1,40})")
_SHARE_CLAIM = re.compile(r"share (>=|<=|=) (\d{1,6})", re.ASCII)
_LIMIT_CLAIM = re.compile(r"(session|devices) (>=|<=|=) (.{1,40})")
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {">=": operator.ge, "<=": operator.le, "=": operator.eq}

MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
"""A week without a clock change, in the middle of a monthly quota period."""
TESTED = AccountId("the-one-tested")


@dataclass(frozen=True, slots=True)
class TestSituation:
    """The tested unit, the time, the exhausted quotas, and whether all others use the uplink too."""

    unit: Unit
    moment: Moment
    used: Mapping[str, Bytes]
    busy: bool


def moment_at(minute_of_week: int) -> Moment:
    """A moment at that minute of a week, with a synchronized clock."""
    return Moment(MONDAY + timedelta(minutes=minute_of_week), "synced")


def failure(example: Example, evaluator: Evaluator, units: Sequence[Unit]) -> tuple[str, str] | None:
    """Why the test fails, and the fix; None when it passes."""
    try:
        situation = parse_given(example.given, evaluator.ruleset, units)
        claims = [_claim(text.strip()) for text in example.expect.split(" and ")]
    except ValueError as error:
        message, _, fix = str(error).partition("; ")
        return f"This test cannot be read: {message}.", fix or f"write {GIVEN_WANTED}, {EXPECT_WANTED}"
    allowance = evaluator.evaluate(situation.unit, situation.moment, situation.used)
    rates = _rates(situation, allowance, evaluator, units)
    broken = [words for claim in claims if (words := claim(allowance, rates)) is not None]
    if not broken:
        return None
    fix = f"change the rules ({allowance.share.rule}, {allowance.floor.rule} apply then), or what the test expects"
    return f"{example.given!r} does not get {example.expect!r}: {', '.join(broken)}.", fix


def parse_given(text: str, ruleset: Ruleset, units: Sequence[Unit]) -> TestSituation:
    """Raises ValueError with what to write instead."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] not in ("everyone busy", "alone")):
        raise ValueError(f"{text!r} is not who and when; write {GIVEN_WANTED}")
    match = _WHEN.fullmatch(parts[1])
    if match is None:
        raise ValueError(f"{parts[1]!r} is not a day and an hour; write {GIVEN_WANTED}")
    minute = DAYS.index(match[1]) * 1440 + int(match[2]) * 60 + int(match[3])
    who, _, quotas = parts[0].partition(" with ")
    used = _used(quotas, ruleset) if quotas else {}
    return TestSituation(_unit(who.strip(), ruleset, units), moment_at(minute), used, parts[-1] != "alone")


def _unit(text: str, ruleset: Ruleset, units: Sequence[Unit]) -> Unit:
    kind, separator, name = text.rpartition(":")
    if not is_name(name) or kind not in ("", "tier", "group") or (separator and not kind):
        raise ValueError(f"{text!r} is not a tier or a group; write {GIVEN_WANTED}")
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
    known = ", ".join(sorted(tiers | groups))
    raise ValueError(f"there is no tier or group {name!r}; write one of {known}")


def _used(text: str, ruleset: Ruleset) -> dict[str, Bytes]:
    quotas = {rule.id: rule.effect.volume for rule in ruleset.rules if isinstance(rule.effect, Quota)}
    names = text.removesuffix(" used up").split(" and ")
    if not text.endswith(" used up") or any(name.strip() not in quotas for name in names):
        known = ", ".join(sorted(quotas)) or "none yet"
        raise ValueError(f"{text!r} names no quota; write for example {GIVEN_WANTED} (quotas: {known})")
    return {name.strip(): quotas[name.strip()] for name in names}


def _rates(
    situation: TestSituation, tested: Allowance, evaluator: Evaluator, units: Sequence[Unit]
) -> Rates | None:
    """The rate of the tested unit, or of its whole pool; None when the uplink's speed is not stated."""
    shaped = evaluator.ruleset.shaped
    if shaped is None:
        return None
    allowances = {tested.pool or TESTED: tested}
    if situation.busy:
        for unit in _others(situation.unit, units):
            allowance = evaluator.evaluate(unit, situation.moment, {})
            allowances.setdefault(allowance.pool or unit.account, allowance)
    both = list(allowances.values())
    down = fair_rates([_demand(a, "down") for a in both], shaped.down)
    up = fair_rates([_demand(a, "up") for a in both], shaped.up)
    return Rates(down[0], up[0])


def _others(tested: Unit, units: Sequence[Unit]) -> list[Unit]:
    """All other units of the directory, and guests; the tested unit represents one of its kind."""
    others = list(units)
    same = [u for u in others if (u.tier, u.groups) == (tested.tier, tested.groups)]
    if same:
        others.remove(same[0])
    return [*others, Unit(AccountId("some-guest"), GUEST_TIER)]


def _demand(allowance: Allowance, direction: Direction) -> Demand:
    top = allowance.ceiling if allowance.pool is None else allowance.pool_ceiling
    ceiling = None if top is None else rate_in(direction, top.value)
    return Demand(allowance.share.value, rate_in(direction, allowance.floor.value), ceiling)


Claim = Callable[[Allowance, Rates | None], str | None]
"""None when the claim is true, otherwise the actual value."""


def _claim(text: str) -> Claim:
    if text == "ceiling = none":
        return lambda allowance, _: (
            None if allowance.ceiling is None else f"there is a ceiling by {allowance.ceiling.rule}"
        )
    if (match := _SHARE_CLAIM.fullmatch(text)) is not None:
        compare, weight = _COMPARE[match[1]], int(match[2])
        return lambda allowance, _: (
            None if compare(allowance.share.value, weight) else f"the share is {allowance.share.value}"
        )
    if (match := _LIMIT_CLAIM.fullmatch(text)) is not None:
        return _limit_claim(match[1], match[2], match[3])
    match = _RATE_CLAIM.fullmatch(text)
    if match is None or (match[1] is None and match[3] == "="):
        raise ValueError(f"{text!r} cannot be tested; write {EXPECT_WANTED}")
    what, sign, rate = match[1], match[3], parse_rate(match[4])
    direction: Direction = "down" if match[2] == "down" else "up"
    return lambda allowance, rates: _compare_rate(
        _rate_source(what, allowance, rates), what, direction, sign, rate
    )


def _limit_claim(what: str, sign: str, text: str) -> Claim:
    """A claim about ``session`` (a duration) or ``devices`` (a number); ``= none`` means that no rule limits it."""
    is_session = what == "session"
    if sign == "=" and text == "none":
        wanted = None
    elif not is_session and not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a number of devices; write {EXPECT_WANTED}")
    else:
        wanted = parse_session(text) if is_session else int(text)

    def claim(allowance: Allowance, _: Rates | None) -> str | None:
        bound = allowance.session if is_session else allowance.devices
        if bound is None:
            return None if wanted is None or sign == ">=" else f"no rule limits {what}"
        if wanted is not None and _COMPARE[sign](bound.value, wanted):
            return None
        shown = duration_words(Milliseconds(bound.value)) if is_session else str(bound.value)
        return f"{what} is {shown} by {bound.rule}"

    return claim


def _rate_source(what: str | None, allowance: Allowance, rates: Rates | None) -> Rates | None:
    if what == "floor":
        return allowance.floor.value
    if what == "ceiling":
        return None if allowance.ceiling is None else allowance.ceiling.value
    return rates


def _compare_rate(
    found: Rates | None, what: str | None, direction: Direction, sign: str, rate: int
) -> str | None:
    if found is None:
        if what == "ceiling":
            return None if sign == ">=" else "there is no ceiling"
        return "the speed of the line is not stated in [uplink.main]"
    value = rate_in(direction, found)
    return None if _COMPARE[sign](value, rate) else f"{direction} is {rate_words(value)}"
