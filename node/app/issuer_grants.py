"""Grants: limits on the vouchers that an issuer may issue. A sign-in link carries one for its session."""

from dataclasses import dataclass
from typing import Any

from node.accounts.vouchers import BATCH_MAX, DEVICES_MAX, LASTS_MAX, LASTS_MIN
from node.characters import is_name
from node.errors import Finding
from node.translator import gettext_lazy, in_a_row, ngettext_lazy
from node.units import Milliseconds, largest_unit, parse_duration

PER_DAY_MAX = 10 * BATCH_MAX
GROUPS_MAX, GROUP_CHARS_MAX = 10, 40
_WEEK = Milliseconds(7 * 86_400_000)


@dataclass(frozen=True, slots=True)
class Grant:
    """Limits for each voucher, and for all vouchers of one day."""

    groups: tuple[str, ...] = ("day-pass",)
    lasts_max: Milliseconds = _WEEK
    devices_max: int = 5
    per_day: int = 100

    @property
    def sentence(self) -> str:
        """Text for admins and the issuer."""
        return in_a_row(
            ngettext_lazy(
                "At most {number} voucher a day.", "At most {number} vouchers a day.", self.per_day
            ),
            gettext_lazy("Groups: {groups}.", groups=", ".join(self.groups)),
            gettext_lazy("Each lasts at most {time}.", time=span_text(self.lasts_max)),
            ngettext_lazy(
                "Each is for {number} device at once.",
                "Each is for at most {number} devices at once.",
                self.devices_max,
            ),
        )


def read_grant(groups: str, lasts: str, devices: str, per_day: str) -> Grant:
    """Parses a grant as typed; empty fields take defaults, groups are separated by commas or spaces. Raises
    ValueError with what to write instead."""
    usual = Grant()
    names = tuple(dict.fromkeys(groups.lower().replace(",", " ").split())) or usual.groups
    if len(names) > GROUPS_MAX or any(not is_name(name) or len(name) > GROUP_CHARS_MAX for name in names):
        raise ValueError(
            gettext_lazy(
                "{text} are not groups; write up to {most} names such as day-pass, separated by commas",
                text=f"{groups!r:.80}",
                most=GROUPS_MAX,
            )
        )
    return Grant(
        names,
        _duration(lasts, usual.lasts_max),
        _whole(devices, usual.devices_max, DEVICES_MAX),
        _whole(per_day, usual.per_day, PER_DAY_MAX),
    )


def beyond(
    grant: Grant, *, group: str, lasts: Milliseconds, devices: int, count: int, issued_today: int
) -> tuple[Finding, ...]:
    """Findings where an order of `count` vouchers exceeds the grant."""
    findings = []
    if group not in grant.groups:
        message = gettext_lazy("You cannot issue vouchers for the group {group}.", group=group)
        groups = ", ".join(grant.groups)
        findings.append(
            Finding("group", 0, message, gettext_lazy("write one of these: {groups}", groups=groups))
        )
    if lasts > grant.lasts_max:
        message = gettext_lazy("Your vouchers last at most {time}.", time=span_text(grant.lasts_max))
        findings.append(Finding("lasts", 0, message, gettext_lazy("choose a shorter time")))
    if not 1 <= devices <= grant.devices_max:
        message = gettext_lazy("Your vouchers are not for that many devices at once.")
        fix = gettext_lazy("write a number from 1 to {most}", most=grant.devices_max)
        findings.append(Finding("devices", 0, message, fix))
    left = max(0, grant.per_day - issued_today)
    if count > left:
        message = gettext_lazy(
            "Your limit of vouchers a day is {most}. Left today: {left}.", most=grant.per_day, left=left
        )
        fix = gettext_lazy("continue tomorrow, or ask an admin")
        if left:
            fix = gettext_lazy("issue {left} or fewer, or ask an admin", left=left)
        findings.append(Finding("count", 0, message, fix))
    return tuple(findings)


def to_list(grant: Grant) -> list[Any]:
    """Serializes for storage."""
    return [list(grant.groups), grant.lasts_max, grant.devices_max, grant.per_day]


def from_list(stored: Any) -> Grant | None:
    """Restores what was stored; None when it is not valid."""
    match stored:
        case [list(groups), int(lasts), int(devices), int(per_day)]:
            texts = [each for each in groups if isinstance(each, str)]
            try:
                return read_grant(" ".join(texts), f"{lasts // 1000} seconds", str(devices), str(per_day))
            except ValueError:
                return None
    return None


def _duration(typed: str, usual: Milliseconds) -> Milliseconds:
    if not typed.strip():
        return usual
    try:
        duration = parse_duration(typed.strip())
    except ValueError:
        duration = Milliseconds(0)
    if not LASTS_MIN <= duration <= LASTS_MAX:
        raise ValueError(
            gettext_lazy(
                "{text} is not a time for vouchers; write one from 10 minutes to 400 days",
                text=f"{typed!r:.40}",
            )
        )
    return duration


def _whole(typed: str, usual: int, most: int) -> int:
    typed = typed.strip()
    if not typed:
        return usual
    if not (typed.isascii() and typed.isdecimal()) or not 1 <= int(typed[:9]) <= most or len(typed) > 9:
        raise ValueError(
            gettext_lazy(
                "{text} does not fit; write a number from 1 to {most}", text=f"{typed!r:.20}", most=most
            )
        )
    return int(typed)


def span_text(duration: Milliseconds) -> str:
    """In the largest unit that is exact; parts of a second are dropped."""
    match largest_unit(duration):
        case number, "day":
            return ngettext_lazy("{number} day", "{number} days", number)
        case number, "hour":
            return ngettext_lazy("{number} hour", "{number} hours", number)
        case number, "minute":
            return ngettext_lazy("{number} minute", "{number} minutes", number)
        case number, _:
            return ngettext_lazy("{number} second", "{number} seconds", number)
