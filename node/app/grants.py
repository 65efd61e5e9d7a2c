"""Grants: limits on the vouchers that an issuer may issue. A sign-in link carries one for its session."""

from dataclasses import dataclass
from typing import Any

from node.accounts.vouchers import BATCH_MAX, DEVICES_MAX, LASTS_MAX, LASTS_MIN
from node.errors import Finding
from node.governance.value_syntax import is_name
from node.units import Milliseconds, parse_duration

GROUPS_MAX, GROUP_CHARS_MAX = 10, 40
PER_DAY_MAX = 10 * BATCH_MAX
_DAY_MS = 86_400_000
_WEEK = Milliseconds(7 * _DAY_MS)


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
        groups = " or ".join(self.groups)
        devices = "one device" if self.devices_max == 1 else f"{self.devices_max} devices"
        return (
            f"At most {self.per_day} vouchers a day, in the group {groups}, each for up to "
            f"{_span(self.lasts_max)} and {devices} at once."
        )


def read_grant(groups: str, lasts: str, devices: str, per_day: str) -> Grant:
    """Parses a grant as typed; empty fields take defaults, groups are separated by commas or spaces. Raises
    ValueError with what to write instead."""
    usual = Grant()
    names = tuple(dict.fromkeys(groups.lower().replace(",", " ").split())) or usual.groups
    if len(names) > GROUPS_MAX or any(not is_name(name) or len(name) > GROUP_CHARS_MAX for name in names):
        raise ValueError(
            f"{groups!r:.80} are not groups; write up to {GROUPS_MAX} names such as day-pass, separated by commas"
        )
    duration = parse_duration(lasts.strip()) if lasts.strip() else usual.lasts_max
    if not LASTS_MIN <= duration <= LASTS_MAX:
        raise ValueError(f"{lasts!r:.40} is not a time for vouchers; write one from 10 minutes to 400 days")
    return Grant(
        names,
        duration,
        _whole(devices, usual.devices_max, DEVICES_MAX, "number of devices"),
        _whole(per_day, usual.per_day, PER_DAY_MAX, "number of vouchers a day"),
    )


def beyond(
    grant: Grant, *, group: str, lasts: Milliseconds, devices: int, count: int, issued_today: int
) -> tuple[Finding, ...]:
    """Findings where an order of `count` vouchers exceeds the grant."""
    findings = []
    if group not in grant.groups:
        groups = " or ".join(grant.groups)
        findings.append(
            Finding("group", 0, f"You cannot issue vouchers for the group {group}.", f"write {groups}")
        )
    if lasts > grant.lasts_max:
        most = _span(grant.lasts_max)
        findings.append(Finding("lasts", 0, f"Your vouchers last at most {most}.", f"choose {most} or less"))
    if not 1 <= devices <= grant.devices_max:
        message = f"Your vouchers serve 1 to {grant.devices_max} devices at once."
        findings.append(Finding("devices", 0, message, f"write a number from 1 to {grant.devices_max}"))
    left = max(0, grant.per_day - issued_today)
    if count > left:
        message = f"You can issue {grant.per_day} vouchers a day, and {left} are left today."
        mend = f"issue {left} or fewer, or ask an admin" if left else "continue tomorrow, or ask an admin"
        findings.append(Finding("count", 0, message, mend))
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


def _whole(typed: str, usual: int, most: int, what: str) -> int:
    typed = typed.strip()
    if not typed:
        return usual
    if not (typed.isascii() and typed.isdecimal()) or not 1 <= int(typed[:9]) <= most or len(typed) > 9:
        raise ValueError(f"{typed!r:.20} is not a {what}; write one from 1 to {most}")
    return int(typed)


def _span(duration: Milliseconds) -> str:
    for unit, size in (("day", _DAY_MS), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        if duration % size == 0:
            return f"{duration // size} {unit}{'' if duration == size else 's'}"
    return f"{duration // 1000} seconds"
