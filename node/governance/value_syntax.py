"""Short texts in a rule file, parsed and formatted: rates, quotas, consequences, selectors."""

import re
from collections.abc import Iterable, Sequence

from node.accounting.periods import PERIOD_KINDS, PeriodKind
from node.characters import is_name
from node.governance.rules import Ceiling, Share, Who
from node.units import (
    Bytes,
    Milliseconds,
    Rates,
    format_rate,
    format_volume,
    parse_duration,
    parse_rate,
    parse_volume,
)

NAME_MAX = 40
SHARE_MAX = 10_000
SELECTORS_MAX = 50

RATES_WANTED = 'a speed for each direction, such as "3 Mbit/s down, 1 Mbit/s up"'
QUOTA_WANTED = 'a volume for each period, such as "60 GB per month" (day, week or month)'
THEN_WANTED = '"share 50 until reset" or "ceiling 1 Mbit/s down, 500 kbit/s up until reset"'
SESSION_WANTED = 'how long a visit lasts, such as "4 hours", "90 minutes" or "1 day"'
WHO_WANTED = '"everyone", "tier:member", "group:school", or a list of these'

NAME_WANTED = f'a name of a-z, 0-9 and hyphens, at most {NAME_MAX} characters, such as "quiet-hours"'
DECISION_WANTED = 'the decision that adopted it, such as "D-2026-014"'

_DECISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_RATES = re.compile(r"(.{1,30}?) +(down|up) ?(?:,|and) ?(.{1,30}?) +(down|up)")
_THEN = re.compile(r"(share|ceiling) (.{1,80}) until reset")


def parse_name(text: str) -> str:
    """Raises ValueError with what to write instead."""
    if not is_name(text):
        raise ValueError(f"{text!r:.60} is not a plain name; write {NAME_WANTED}")
    return text


def parse_decision(text: str) -> str:
    """Raises ValueError with what to write instead."""
    if not _DECISION.fullmatch(text):
        raise ValueError(f"{text!r:.60} is not the id of a decision; write {DECISION_WANTED}")
    return text


def parse_rates(text: str) -> Rates:
    """``"3 Mbit/s down, 1 Mbit/s up"``, in either order. Raises ValueError with what to write instead."""
    match = _RATES.fullmatch(text.strip())
    if match is None or match[2] == match[4]:
        raise ValueError(f"{text!r} is not {RATES_WANTED}")
    by_direction = {match[2]: parse_rate(match[1]), match[4]: parse_rate(match[3])}
    return Rates(by_direction["down"], by_direction["up"])


def format_rates(rates: Rates) -> str:
    """Text from which `parse_rates` makes the same rates."""
    return f"{format_rate(rates.down)} down, {format_rate(rates.up)} up"


def parse_quota(text: str) -> tuple[Bytes, PeriodKind]:
    """``"60 GB per month"``. Raises ValueError with what to write instead."""
    volume, separator, period = text.strip().rpartition(" per ")
    kind = next((kind for kind in PERIOD_KINDS if kind == period), None)
    if not separator or kind is None:
        raise ValueError(f"{text!r} is not {QUOTA_WANTED}")
    amount = parse_volume(volume)
    if amount == 0:
        raise ValueError(f"{text!r} is nothing at all; write {QUOTA_WANTED}")
    return amount, kind


def format_quota(volume: Bytes, period: PeriodKind) -> str:
    return f"{format_volume(volume)} per {period}"


def parse_session(text: str) -> Milliseconds:
    """``"4 hours"``, in whole minutes. Raises ValueError with what to write instead."""
    length = parse_duration(text)
    if length % 60_000:
        raise ValueError(f"{text!r} is not in whole minutes; write {SESSION_WANTED}")
    return length


def parse_then(text: str) -> Share | Ceiling:
    """The consequence of an exhausted quota. Raises ValueError with what to write instead."""
    match = _THEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not {THEN_WANTED}")
    if match[1] == "ceiling":
        return Ceiling(parse_rates(match[2]))
    if not (match[2].isascii() and match[2].isdigit() and 1 <= int(match[2]) <= SHARE_MAX):
        raise ValueError(f"{match[2]!r} is not a share from 1 to {SHARE_MAX}; write {THEN_WANTED}")
    return Share(int(match[2]))


def format_then(then: Share | Ceiling) -> str:
    if isinstance(then, Share):
        return f"share {then.weight} until reset"
    assert then.rates is not None, "a consequence lifts nothing"
    return f"ceiling {format_rates(then.rates)} until reset"


def parse_who(selectors: Sequence[str], excluded: Sequence[str] = ()) -> Who:
    """Parse selectors. Raises ValueError with what to write instead."""
    if not selectors:
        raise ValueError(f"nobody is named; write {WHO_WANTED}")
    if len(selectors) + len(excluded) > SELECTORS_MAX:
        raise ValueError(f"more than {SELECTORS_MAX} selectors; make one group of these people")
    if "everyone" in excluded:
        raise ValueError('"everyone" cannot be left out; name tiers or groups in except')
    everyone = "everyone" in selectors
    if everyone and len(selectors) > 1:
        raise ValueError('"everyone" includes all others; write it alone')
    chosen = [_selector(text) for text in selectors if text != "everyone"]
    left_out = [_selector(text) for text in excluded]
    return Who(everyone, *_by_kind(chosen), *_by_kind(left_out))


def selectors_of(who: Who) -> tuple[list[str], list[str]]:
    """The selectors and exceptions from which `parse_who` makes the same `who`."""
    chosen = ["everyone"] if who.everyone else _named(who.tiers, who.groups)
    return chosen, _named(who.excluded_tiers, who.excluded_groups)


def _named(tiers: Iterable[str], groups: Iterable[str]) -> list[str]:
    return [f"tier:{name}" for name in sorted(tiers)] + [f"group:{name}" for name in sorted(groups)]


def _by_kind(pairs: Iterable[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    pairs = list(pairs)
    tiers = frozenset(name for kind, name in pairs if kind == "tier")
    return tiers, frozenset(name for kind, name in pairs if kind == "group")


def _selector(text: str) -> tuple[str, str]:
    kind, separator, name = text.partition(":")
    if separator and kind == "unit":
        raise ValueError(f"{text!r}: a rule cannot be aimed at one account; write {WHO_WANTED}")
    if not separator or kind not in ("tier", "group"):
        raise ValueError(
            f"{text!r} is not someone a rule can select. Rules are for people, never for what they do; "
            f"write {WHO_WANTED}"
        )
    if not is_name(name):
        raise ValueError(
            f"{name!r} is not a name: lower-case letters a-z, digits and hyphens, at most {NAME_MAX}"
        )
    return kind, name
