"""Garbage collection and heap trimming for boards with 256 MB, and the memory limit of this process.

Settings that are environment variables are in the systemd unit (MALLOC_ARENA_MAX and the like).
"""

import asyncio
import ctypes
import gc
import sys
from itertools import chain, repeat
from pathlib import Path

from node.memory_budget import Allowed, allowed_memory

TRIM_AFTER_S, TRIM_EVERY_S = (1, 5, 25, 125), 600
"""What a start reads from the disk takes long on a slow board."""
SWITCH_S = 0.001
COLLECT_AFTER = (5_000, 20, 1_000)
"""Thresholds of gc.set_threshold: new objects before a young collection, and collections before an older one."""


def memory_allowed() -> Allowed:
    """The memory limit of this process, from its control groups and the computer's memory."""
    return allowed_memory(_text)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


async def trim_regularly() -> None:
    """Returns free heap memory to the system, some times after the start and then every TRIM_EVERY_S seconds. Runs until
    cancelled."""
    tune_interpreter()
    libc = ctypes.CDLL(None)
    for wait_s in chain(TRIM_AFTER_S, repeat(TRIM_EVERY_S)):
        await asyncio.sleep(wait_s)
        gc.unfreeze()  # without this, cycles among objects that were frozen alive would never be collected
        gc.collect()
        gc.freeze()
        if hasattr(libc, "malloc_trim"):  # glibc; no environment variable makes it trim below a block in use
            libc.malloc_trim(0)


def tune_interpreter() -> None:
    """Sets shorter pauses of the garbage collector and a shorter switch interval of the GIL; Python has no
    environment variable for either."""
    # A full collection with ten thousand devices blocks all threads for 50 ms; frozen objects are skipped.
    gc.set_threshold(*COLLECT_AFTER)
    # With a short switch interval the thread that reads counters does not delay requests to the portal.
    sys.setswitchinterval(SWITCH_S)
