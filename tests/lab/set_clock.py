"""A node whose clock is ahead of the machine's: the kernel has one for all namespaces, and tests leave that alone."""

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from node import clock

VARIABLE = "PROCOMU_LAB_CLOCK"
"""Environment variable that names the file."""


def set_clock(file: Path, ahead: timedelta) -> None:
    """The clock of the node that follows this file is so far ahead of the machine's, at once."""
    draft = file.with_suffix(".new")
    draft.write_text(f"{ahead.total_seconds():.0f}\n")
    draft.replace(file)


def follow(file: Path) -> None:
    """For the process of the node; without a file its clock is the machine's."""

    def ahead_s() -> int:
        with contextlib.suppress(FileNotFoundError):
            return int(file.read_text())
        return 0

    move_clock(ahead_s)


def move_clock(ahead_s: Callable[[], int]) -> None:
    """For the process of the node."""

    class MovedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=ahead_s())

    class MovedTime:
        CLOCK_BOOTTIME = time.CLOCK_BOOTTIME
        clock_gettime_ns = staticmethod(time.clock_gettime_ns)

        @staticmethod
        def time() -> float:
            return time.time() + ahead_s()

    clock.datetime = MovedDatetime  # type: ignore[misc]
    clock.time = MovedTime  # type: ignore[assignment]
