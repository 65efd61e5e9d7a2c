"""The only module that reads clocks: monotonic time for leases, civil time for periods, and how reliable that is."""

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from node.accounting.periods import day_name
from node.governance.allowance import ClockState
from node.units import Microseconds, Monotonic

# No node was running before this date: a clock that shows less was never set (boards without one start in 1970).
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
STA_UNSYNC = 0x40
_TIMEX_BYTES = 512


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
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def monotonic(self) -> Monotonic:
        return Monotonic(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)

    def microseconds(self) -> Microseconds:
        return Microseconds(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000)

    def civil(self) -> datetime:
        return datetime.now(UTC).astimezone()

    def state(self) -> ClockState:
        """``unknown`` before the clock was ever set; ``holdover`` while it is not
        synchronized (adjtimex(2), STA_UNSYNC)."""
        if datetime.now(UTC) < EARLIEST:
            return "unknown"
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
