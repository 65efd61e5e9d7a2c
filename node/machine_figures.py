"""What the machine itself measures: time since its start, load, memory and disk."""

from collections.abc import Iterable
from dataclasses import dataclass

MEMORY_KEYS = {
    "MemTotal": "total",
    "MemFree": "free",
    "MemAvailable": "available",
    "Buffers": "buffers",
    "Cached": "cached",
}
"""Names in /proc/meminfo, and here."""
DIGITS_MAX = 20


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """A figure that is not known is None, or missing in `memory_kb`."""

    uptime_s: float = 0.0
    load: float | None = None
    """Average number of processes that wanted a processor in the last minute."""
    processors: int = 1
    memory_kb: tuple[tuple[str, int], ...] = ()
    """By the names of MEMORY_KEYS, in its order."""
    root_used: float | None = None
    """The used part of the root file system, 0 to 1."""


def memory_kb(lines: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """From the lines of /proc/meminfo; what cannot be read is left out."""
    found: dict[str, int] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        number, *_ = rest.split() or [""]
        if name in MEMORY_KEYS and _is_number(number):
            found[MEMORY_KEYS[name]] = int(number)
    return tuple((key, found[key]) for key in MEMORY_KEYS.values() if key in found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
