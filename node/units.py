"""Quantities with units: bytes, bits per second, milliseconds, and their text form. Integers only."""

import re
from dataclasses import dataclass
from typing import NewType

from node.errors import InvalidValue
from node.translator import LazyText, gettext_lazy

Bytes = NewType("Bytes", int)
BitsPerSecond = NewType("BitsPerSecond", int)
Monotonic = NewType("Monotonic", int)
"""Milliseconds of CLOCK_BOOTTIME: never steps, starts at zero with each boot."""
Milliseconds = NewType("Milliseconds", int)
Microseconds = NewType("Microseconds", int)
"""Of CLOCK_BOOTTIME, as an instant."""
BOOT = Microseconds(0)
MacAddress = NewType("MacAddress", str)
"""Six lower-case hexadecimal octets joined by colons."""
AccountId = NewType("AccountId", str)
"""A person or a household, as ``ana`` or ``guest-7k3m9q2w4x1z``; allowances belong to accounts."""
NodeId = NewType("NodeId", str)
"""Base32 of a node's raw Ed25519 public key: 52 lower-case characters, no padding."""

KILO, MEGA, GIGA, TERA = 10**3, 10**6, 10**9, 10**12
RATE_MAX = BitsPerSecond(100 * GIGA)
VOLUME_MAX = Bytes(1000 * TERA)

_RATE_UNITS = {"bit/s": 1, "kbit/s": KILO, "Mbit/s": MEGA, "Gbit/s": GIGA}
_VOLUME_UNITS = {"B": 1, "kB": KILO, "MB": MEGA, "GB": GIGA, "TB": TERA}
_DURATION_UNITS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_RATE_WANTED = gettext_lazy("a speed such as {one} or {other}", one='"5 Mbit/s"', other='"256 kbit/s"')
_VOLUME_WANTED = gettext_lazy("a volume such as {one} or {other}", one='"60 GB"', other='"500 MB"')
_DURATION_WANTED = gettext_lazy("a duration such as {one} or {other}", one='"30 minutes"', other='"4 hours"')
_QUANTITY = re.compile(r"(\d{1,15})(?:\.(\d{1,6}))? ?([A-Za-z/]{1,8})")
_TWO_RATES = re.compile(r"(.{1,30}?) +(down|up) ?(?:,|and) ?(.{1,30}?) +(down|up)")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Rates:
    """A rate for each direction; `down` is towards the client."""

    down: BitsPerSecond
    up: BitsPerSecond


NO_RATES = Rates(BitsPerSecond(0), BitsPerSecond(0))


def highest(a: Rates, b: Rates) -> Rates:
    """Of each direction the higher rate."""
    return Rates(max(a.down, b.down), max(a.up, b.up))


def lowest(a: Rates, b: Rates) -> Rates:
    """Of each direction the lower rate."""
    return Rates(min(a.down, b.down), min(a.up, b.up))


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes at the IP layer for each direction; `down` is towards the client."""

    down: Bytes
    up: Bytes

    @property
    def total(self) -> Bytes:
        return Bytes(self.down + self.up)

    def __add__(self, other: "Usage") -> "Usage":
        # Most additions are to or of nothing, and thousands of equal objects would be kept.
        if not (other.down or other.up):
            return self
        if not (self.down or self.up):
            return other
        return Usage(Bytes(self.down + other.down), Bytes(self.up + other.up))


NO_USAGE = Usage(Bytes(0), Bytes(0))


def parse_rate(text: str) -> BitsPerSecond:
    """``"5 Mbit/s"`` to bits per second (decimal). Raises InvalidValue."""
    return BitsPerSecond(_parse(text, _RATE_UNITS, RATE_MAX, _RATE_WANTED))


def parse_two_rates(text: str) -> Rates | None:
    """``"3 Mbit/s down, 1 Mbit/s up"``, in either order; None for a text that is not a rate for each direction. Raises
    InvalidValue for a rate in it."""
    match = _TWO_RATES.fullmatch(text.strip())
    if match is None or match[2] == match[4]:
        return None
    by_direction = {match[2]: parse_rate(match[1]), match[4]: parse_rate(match[3])}
    return Rates(by_direction["down"], by_direction["up"])


def parse_one_or_two_rates(text: str) -> Rates:
    """As `parse_two_rates`, or one rate for both directions. Raises InvalidValue."""
    two = parse_two_rates(text)
    if two is not None:
        return two
    both = parse_rate(text)
    return Rates(both, both)


def parse_volume(text: str) -> Bytes:
    """``"60 GB"`` to bytes (decimal). Raises InvalidValue."""
    return Bytes(_parse(text, _VOLUME_UNITS, VOLUME_MAX, _VOLUME_WANTED))


def parse_duration(text: str) -> Milliseconds:
    """``"4 hours"`` to milliseconds. Raises InvalidValue."""
    singular = text.removesuffix("s")
    return Milliseconds(_parse(singular, _DURATION_UNITS, 10_000 * 86_400_000, _DURATION_WANTED))


def largest_unit(duration: Milliseconds) -> tuple[int, str]:
    """The duration as a whole number of its largest exact unit, as (90, "minute"); parts of a second are dropped."""
    units = reversed(_DURATION_UNITS.items())
    return next((duration // each, name) for name, each in units if duration % each == 0 or name == "second")


def parse_mac(text: str) -> MacAddress:
    """Any usual spelling of a MAC address to the canonical one. Raises InvalidValue."""
    mac = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        example = "02:11:22:33:44:55"
        raise InvalidValue(
            gettext_lazy(
                "{text} is not a hardware address such as {example}", text=repr(text), example=example
            )
        )
    return MacAddress(mac)


def format_rate(rate: BitsPerSecond) -> str:
    """The shortest exact text that `parse_rate` reads back to the same integer."""
    return _format(rate, _RATE_UNITS)


def format_volume(volume: Bytes) -> str:
    """The shortest exact text that `parse_volume` reads back to the same integer."""
    return _format(volume, _VOLUME_UNITS)


def show_rate(rate: BitsPerSecond) -> str:
    """For display: at most one decimal, as ``9.6 Mbit/s``."""
    return _show(rate, _RATE_UNITS)


def show_volume(volume: Bytes) -> str:
    """For display: at most one decimal, as ``1.4 GB``."""
    return _show(volume, _VOLUME_UNITS)


def _parse(text: str, units: dict[str, int], most: int, wanted: LazyText) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match[3] not in units:
        raise InvalidValue(gettext_lazy("{text} is not {wanted}", text=repr(text), wanted=wanted))
    scale = units[match[3]]
    fraction = (match[2] or "").rstrip("0")
    if fraction and scale % 10 ** len(fraction):
        finer = gettext_lazy("{text} is finer than one {unit}", text=repr(text), unit=next(iter(units)))
        raise InvalidValue(finer, wanted=wanted)
    value = int(match[1]) * scale + (int(fraction) * (scale // 10 ** len(fraction)) if fraction else 0)
    if value > most:
        raise InvalidValue(gettext_lazy("{text} is too large", text=repr(text)), wanted=wanted)
    return value


def _format(value: int, units: dict[str, int]) -> str:
    name, scale = next(
        (n, s) for n, s in reversed(units.items()) if value % s == 0 and (value >= s or s == 1)
    )
    return f"{value // scale} {name}"


def _show(value: int, units: dict[str, int]) -> str:
    name, scale = next((n, s) for n, s in reversed(units.items()) if value >= s or s == 1)
    tenths = value * 10 // scale
    return (
        f"{tenths // 10} {name}"
        if tenths % 10 == 0 or tenths >= 1000
        else f"{tenths // 10}.{tenths % 10} {name}"
    )


@dataclass(frozen=True, slots=True)
class Now:
    """Current time on every clock that the account registry needs."""

    now: Monotonic
    boot: str
    """Boot id: `now` is not comparable between boots."""
    wall_s: int | None
    """Unix time in seconds; None while the clock is not known."""
    today: str
    """Local ISO date; empty while the clock is not known."""


GUEST_PREFIX = "guest-"
"""Prefix of account ids that the node assigns to guests."""
VOUCHER_PREFIX = "voucher-"
"""Prefix of account ids that come from vouchers."""
POOL_PREFIX = "pool:"
"""Prefix of account ids that stand for the pool of a rule."""
