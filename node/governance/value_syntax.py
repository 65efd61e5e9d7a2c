"""Short texts in a rule file: rates, quotas, consequences and selectors are parsed, rates and quotas also written."""

import re
from collections.abc import Iterable, Sequence

from node.accounting.periods import PERIOD_KINDS, SLIDING_DAYS_MAX, SLIDING_DAYS_MIN, Period, SlidingDays
from node.characters import is_name
from node.errors import InvalidValue
from node.governance.rules import LATE_DUES, Ceiling, Consequence, Credit, Share, UsageAlert, Who
from node.translator import LazyText, gettext_lazy
from node.units import (
    Bytes,
    Milliseconds,
    Rates,
    format_rate,
    format_volume,
    parse_duration,
    parse_two_rates,
    parse_volume,
)

NAME_MAX = 40
SHARE_MAX = 10_000
SELECTORS_MAX = 50

RATES_WANTED = gettext_lazy(
    "a speed for each direction, such as {example}", example='"3 Mbit/s down, 1 Mbit/s up"'
)
QUOTA_WANTED = gettext_lazy(
    "a volume for each period, such as {one} (day, week or month) or {other}",
    one='"60 GB per month"',
    other='"10 GB per 7 days"',
)
CREDIT_WANTED = gettext_lazy("what is added to the share, such as {example}", example='"share +50"')
THEN_WANTED = gettext_lazy(
    "{share}, {ceiling}, or {alert} to limit nothing",
    share='"share 50 until reset"',
    ceiling='"ceiling 1 Mbit/s down, 500 kbit/s up until reset"',
    alert='"tell"',
)
WHILE_WANTED = gettext_lazy("{word}, for a rule that holds only while the line is busy", word='"busy"')
BUSY_AFTER_WANTED = gettext_lazy(
    "for how long the line is full before it counts as busy, such as {example}", example='"5 minutes"'
)
BUSY_AFTER_MIN, BUSY_AFTER_MAX = Milliseconds(60_000), Milliseconds(3_600_000)
HOUR_MS, WAITING_MAX = Milliseconds(3_600_000), Milliseconds(30 * 86_400_000)
WAITING_WANTED = gettext_lazy(
    "for how long rules wait that admins adopt, such as {one} or {other}", one='"72 hours"', other='"7 days"'
)
SESSION_WANTED = gettext_lazy(
    "how long a visit lasts, such as {examples} or {last}", examples='"4 hours", "90 minutes"', last='"1 day"'
)
RESERVE_WANTED = gettext_lazy("a part of the line, such as {example}", example='"20 percent"')
AT_WANTED = gettext_lazy(
    "{example}, the name of a node in its {file}", example='"node:library"', file="node.toml"
)
NODE_CHARS_MAX = 64
WHO_WANTED = gettext_lazy(
    "{examples}, or a list of these", examples='"everyone", "tier:member", "group:school", "dues:late"'
)

NAME_WANTED = gettext_lazy(
    "a name of a-z, 0-9 and hyphens, at most {most} characters, such as {example}",
    most=NAME_MAX,
    example='"quiet-hours"',
)
DECISION_WANTED = gettext_lazy("the decision that adopted it, such as {example}", example='"D-2026-014"')

_DECISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_CREDIT = re.compile(r"share \+ ?(\d{1,9})", re.ASCII)
_SLIDING = re.compile(r"(\d{1,9}) days", re.ASCII)
_RESERVE = re.compile(r"(\d{1,3}) percent", re.ASCII)
_THEN = re.compile(r"(share|ceiling) (.{1,80}) until reset")


def _not_wanted(text: str, wanted: LazyText) -> InvalidValue:
    return InvalidValue(gettext_lazy("{text} is not {wanted}", text=repr(text), wanted=wanted))


def parse_name(text: str) -> str:
    """Raises InvalidValue."""
    if not is_name(text):
        raise InvalidValue(
            gettext_lazy("{text} is not a plain name", text=f"{text!r:.60}"), wanted=NAME_WANTED
        )
    return text


def parse_decision(text: str) -> str:
    """Raises InvalidValue."""
    if not _DECISION.fullmatch(text):
        wrong = gettext_lazy("{text} is not the id of a decision", text=f"{text!r:.60}")
        raise InvalidValue(wrong, wanted=DECISION_WANTED)
    return text


def parse_rates(text: str) -> Rates:
    """``"3 Mbit/s down, 1 Mbit/s up"``, in either order. Raises InvalidValue."""
    rates = parse_two_rates(text)
    if rates is None:
        raise _not_wanted(text, RATES_WANTED)
    return rates


def format_rates(rates: Rates) -> str:
    """Text from which `parse_rates` makes the same rates."""
    return f"{format_rate(rates.down)} down, {format_rate(rates.up)} up"


def parse_quota(text: str) -> tuple[Bytes, Period]:
    """``"60 GB per month"`` or ``"10 GB per 7 days"``. Raises InvalidValue."""
    volume, separator, period = text.strip().rpartition(" per ")
    kind: Period | None = next((kind for kind in PERIOD_KINDS if kind == period), None)
    if (sliding := _SLIDING.fullmatch(period)) is not None:
        kind = SlidingDays(int(sliding[1]))
        if not SLIDING_DAYS_MIN <= kind.days <= SLIDING_DAYS_MAX:
            wrong = gettext_lazy(
                "{text} are not from {least} to {most} days",
                text=f"{period!r:.60}",
                least=SLIDING_DAYS_MIN,
                most=SLIDING_DAYS_MAX,
            )
            raise InvalidValue(wrong, wanted=QUOTA_WANTED)
    if not separator or kind is None:
        raise _not_wanted(text, QUOTA_WANTED)
    amount = parse_volume(volume)
    if amount == 0:
        raise InvalidValue(gettext_lazy("{text} is nothing at all", text=repr(text)), wanted=QUOTA_WANTED)
    return amount, kind


def format_quota(volume: Bytes, period: Period) -> str:
    """Text from which `parse_quota` makes the same volume and period."""
    return (
        f"{format_volume(volume)} per {f'{period.days} days' if isinstance(period, SlidingDays) else period}"
    )


def parse_session(text: str) -> Milliseconds:
    """``"4 hours"``, in whole minutes. Raises InvalidValue."""
    length = parse_duration(text)
    if length % 60_000:
        wrong = gettext_lazy("{text} is not in whole minutes", text=repr(text))
        raise InvalidValue(wrong, wanted=SESSION_WANTED)
    return length


def parse_credit(text: str) -> Credit:
    """``"share +50"``. Raises InvalidValue."""
    match = _CREDIT.fullmatch(text.strip())
    if match is None:
        wrong = gettext_lazy("{text} is not a credit", text=f"{text!r:.60}")
        raise InvalidValue(wrong, wanted=CREDIT_WANTED)
    if not 1 <= int(match[1]) <= SHARE_MAX:
        wrong = gettext_lazy("{text} is not from 1 to {most}", text=repr(text), most=SHARE_MAX)
        raise InvalidValue(wrong, wanted=CREDIT_WANTED)
    return Credit(int(match[1]))


def parse_busy_after(text: str) -> Milliseconds:
    """``"5 minutes"``. Raises InvalidValue."""
    length = parse_duration(text)
    if length % 60_000 or not BUSY_AFTER_MIN <= length <= BUSY_AFTER_MAX:
        wrong = gettext_lazy("{text} is not in whole minutes, from 1 minute to 1 hour", text=repr(text))
        raise InvalidValue(wrong, wanted=BUSY_AFTER_WANTED)
    return length


def parse_waiting(text: str) -> Milliseconds:
    """``"72 hours"``; ``"0 hours"`` for none. Raises InvalidValue."""
    length = Milliseconds(0) if text.strip() in {"0 hours", "0 days"} else parse_duration(text)
    if length % HOUR_MS or length > WAITING_MAX:
        wrong = gettext_lazy("{text} is not in whole hours, at most 30 days", text=f"{text!r:.60}")
        raise InvalidValue(wrong, wanted=WAITING_WANTED)
    return length


def parse_while(text: str) -> bool:
    """Whether a rule holds only while the uplink is busy. Raises InvalidValue."""
    if text != "busy":
        raise InvalidValue(gettext_lazy("{text} is not known", text=f"{text!r:.60}"), wanted=WHILE_WANTED)
    return True


def parse_reserve(text: str) -> int:
    """In percent. Raises InvalidValue."""
    match = _RESERVE.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= 100:
        raise InvalidValue(gettext_lazy("{text} is not a part", text=f"{text!r:.60}"), wanted=RESERVE_WANTED)
    return int(match[1])


def parse_at(text: str) -> str:
    """The name of a node. Raises InvalidValue."""
    kind, _, name = text.partition(":")
    name = name.strip()
    if kind != "node" or not name or len(name) > NODE_CHARS_MAX or not name.isprintable() or "," in name:
        raise InvalidValue(gettext_lazy("{text} is not a node", text=f"{text!r:.80}"), wanted=AT_WANTED)
    return name


def parse_then(text: str) -> Consequence:
    """The consequence of an exhausted quota. Raises InvalidValue."""
    if text.strip() == "tell":
        return UsageAlert()
    match = _THEN.fullmatch(text.strip())
    if match is None:
        raise _not_wanted(text, THEN_WANTED)
    if match[1] == "ceiling":
        return Ceiling(parse_rates(match[2]))
    if not (match[2].isascii() and match[2].isdigit() and 1 <= int(match[2]) <= SHARE_MAX):
        wrong = gettext_lazy("{text} is not a share from 1 to {most}", text=repr(match[2]), most=SHARE_MAX)
        raise InvalidValue(wrong, wanted=THEN_WANTED)
    return Share(int(match[2]))


def parse_who(selectors: Sequence[str], excluded: Sequence[str] = ()) -> Who:
    """Parse selectors. Raises InvalidValue."""
    if not selectors:
        raise InvalidValue(gettext_lazy("nobody is named"), wanted=WHO_WANTED)
    if len(selectors) + len(excluded) > SELECTORS_MAX:
        raise InvalidValue(
            gettext_lazy("more than {most} selectors", most=SELECTORS_MAX),
            gettext_lazy("make one group of these people"),
        )
    if "everyone" in excluded:
        raise InvalidValue(
            gettext_lazy("{everyone} cannot be left out", everyone='"everyone"'),
            gettext_lazy("name tiers or groups in {key}", key="except"),
        )
    everyone = "everyone" in selectors
    if everyone and len(selectors) > 1:
        raise InvalidValue(
            gettext_lazy("{everyone} includes all others", everyone='"everyone"'),
            gettext_lazy("write it alone"),
        )
    chosen = [_selector(text) for text in selectors if text != "everyone"]
    left_out = [_selector(text) for text in excluded]
    return Who(everyone, *_by_kind(chosen), *_by_kind(left_out))


def _by_kind(pairs: Iterable[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    pairs = list(pairs)
    tiers = frozenset(name for kind, name in pairs if kind == "tier")
    return tiers, frozenset(name for kind, name in pairs if kind == "group")


def _selector(text: str) -> tuple[str, str]:
    if text == LATE_DUES:
        return "group", text
    kind, separator, name = text.partition(":")
    if separator and kind == "unit":
        wrong = gettext_lazy("{text}: a rule cannot be aimed at one account", text=repr(text))
        raise InvalidValue(wrong, wanted=WHO_WANTED)
    if not separator or kind not in ("tier", "group"):
        wrong = gettext_lazy(
            "{text} is not someone a rule can select. Rules are for people, never for what they do",
            text=repr(text),
        )
        raise InvalidValue(wrong, wanted=WHO_WANTED)
    if not is_name(name):
        raise InvalidValue(
            gettext_lazy(
                "{text} is not a name: lower-case letters a-z, digits and hyphens, at most {most}",
                text=repr(name),
                most=NAME_MAX,
            )
        )
    return kind, name
