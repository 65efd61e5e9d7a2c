"""Garbage collection and heap trimming for boards with 256 MB, and how much memory this process may use.

What an environment variable can say stands in the unit's Environment (MALLOC_ARENA_MAX and its like).
"""

import asyncio
import ctypes
import gc
import sys
from pathlib import Path

from node.memory_budget import Allowed, allowed_memory

TRIM_EVERY_S = 600
SWITCH_S = 0.001
COLLECT_AFTER = (5_000, 20, 1_000)
"""New objects until the young ones are looked through, and how many such looks until the older ones are."""


def memory_allowed() -> Allowed:
    """What this process may use, as its control groups and the computer's size say."""
    return allowed_memory(_text)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


async def trim_regularly() -> None:
    """Returns memory that only the start needed to the system, and from then on what has become free since. Until
    cancelled."""
    tune_interpreter()
    libc = ctypes.CDLL(None)
    while True:
        await asyncio.sleep(1 if gc.get_freeze_count() == 0 else TRIM_EVERY_S)
        gc.unfreeze()  # or cycles of objects that were frozen while they lived would never be collected
        gc.collect()
        gc.freeze()
        if hasattr(libc, "malloc_trim"):  # glibc; no environment variable trims below a block that is in use
            libc.malloc_trim(0)


def tune_interpreter() -> None:
    """Shorter pauses of the garbage collector and shorter turns of threads: Python has no environment variable for
    either."""
    # A full collection with ten thousand devices takes 50 ms of everybody's time; frozen objects are not looked at.
    gc.set_threshold(*COLLECT_AFTER)
    # The thread that reads counters works in short turns, so that requests to the portal never wait for many of them.
    sys.setswitchinterval(SWITCH_S)
