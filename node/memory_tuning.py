"""Garbage collection and heap trimming for boards with 256 MB, and the memory limit of this process.

Settings that are environment variables are in the systemd unit (MALLOC_ARENA_MAX and the like).
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
    """Returns free heap memory to the system, first after the start and then every TRIM_EVERY_S
    seconds. Runs until cancelled."""
    tune_interpreter()
    libc = ctypes.CDLL(None)
    while True:
        await asyncio.sleep(1 if gc.get_freeze_count() == 0 else TRIM_EVERY_S)
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
