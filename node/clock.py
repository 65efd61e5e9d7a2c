"""The only module that reads clocks: monotonic time for leases, civil time for periods, and how reliable that is."""

import ctypes
import os
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from node.accounting.periods import day_name
from node.governance.allowance import ClockState
from node.units import Microseconds, Monotonic

# No node was running before this date: a clock that shows less was never set (boards without one start in 1970).
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
STA_UNSYNC = 0x40
_TIMEX_BYTES = 512


def local_zone(root: Path = Path("/")) -> tzinfo:
    """The time zone of this machine, without a `key` if its file is a copy; UTC where none is set. The variable TZ names
    another one."""
    try:
        if name := os.environ.get("TZ", "").lstrip(":"):
            return ZoneInfo(name)
        path = root / "etc/localtime"
        _, _, name = str(path.resolve()).partition("/zoneinfo/")
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, name or None)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return UTC


class _Timex(ctypes.Structure):
    """The first fields of struct timex (adjtimex(2)); the kernel writes more after them."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * _TIMEX_BYTES),
    )


class SystemClock:
    """Implements `node.control.ports.Clock`."""

    def __init__(self, source: Literal["synced", "trusted"] = "synced") -> None:
        self._source = source
        self._libc = ctypes.CDLL(None)
        self._learned: tuple[int, int] | None = None
        """Unix time minus monotonic time in milliseconds as neighbours say, and through how many nodes it came."""
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def monotonic(self) -> Monotonic:
        return Monotonic(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)

    def microseconds(self) -> Microseconds:
        return Microseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000)

    def civil(self) -> datetime:
        if self._learned is not None and self.is_needed:
            return datetime.fromtimestamp((self._learned[0] + self.monotonic()) / 1000, UTC).astimezone()
        return datetime.now(UTC).astimezone()

    @property
    def is_needed(self) -> bool:
        """Whether the system's clock was never set."""
        return datetime.now(UTC) < EARLIEST

    def learn(self, unix_s: int, hops: int) -> None:
        """The time as authenticated neighbours say it; never sets an earlier one. Used while the system's own is not set."""
        offset_ms = unix_s * 1000 - self.monotonic()
        self._learned = (offset_ms if self._learned is None else max(offset_ms, self._learned[0])), hops

    def told(self) -> tuple[int, int] | None:
        """The Unix time for neighbours, and through how many nodes it came; None unless the clock is synchronized or was
        learned."""
        if self._learned is not None and self.is_needed:
            return int(self.civil().timestamp()), self._learned[1]
        return (int(time.time()), 0) if self.state() == "synced" else None

    def state(self) -> ClockState:
        """``unknown`` before the clock was ever set and while no neighbour told the time; ``holdover`` while it is not
        synchronized (adjtimex(2), STA_UNSYNC)."""
        if self.is_needed:
            return "unknown" if self._learned is None else "holdover"
        if self._source == "trusted" or self._kernel_is_synced():
            return "synced"
        return "holdover"

    def today(self) -> str:
        return day_name(None if self.state() == "unknown" else self.civil())

    def _kernel_is_synced(self) -> bool:
        timex = _Timex()
        # A sandbox may forbid the call; the clock then counts as not synchronized.
        may_ask = self._libc.adjtimex(ctypes.byref(timex)) >= 0
        return may_ask and not timex.status & STA_UNSYNC
