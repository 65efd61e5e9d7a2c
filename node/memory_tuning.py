"""Garbage collection and heap trimming for boards with 256 MB, and the memory limit of this process.

Settings that are environment variables are in the systemd unit (MALLOC_ARENA_MAX and the like).
"""

import asyncio
import ctypes
import gc
import resource
import sys
from itertools import chain, repeat
from pathlib import Path

from node.memory_budget import Allowed, allowed_memory

TRIM_AFTER_S, TRIM_EVERY_S = (1, 10, 60), 600
"""What a start reads from the disk takes long on a slow board."""
FULL_AFTER_TURNS = 144
"""A day of TRIM_EVERY_S."""
GROWN_BYTES = 8_000_000
"""When its peak has risen by so much all objects are looked at earlier: cycles of old objects may have taken it."""
SWITCH_S = 0.001
COLLECT_AFTER = (2_000, 3, 20_000)
"""Thresholds of gc.set_threshold: new objects before a young collection, and collections before an older one. People who
join all at once leave 2,000 objects to the youngest collection, and 10,000 to the next: some milliseconds."""
OLDER = 1
"""The oldest generation that a collection looks at which may happen at any time."""


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
    collect_all()  # what the start left, while nobody is served yet
    before = peak_bytes()
    for turn, wait_s in enumerate(chain(TRIM_AFTER_S, repeat(TRIM_EVERY_S)), 1):
        await asyncio.sleep(wait_s)
        is_settled = turn > len(TRIM_AFTER_S)
        is_full = not turn % FULL_AFTER_TURNS or (is_settled and peak_bytes() - before >= GROWN_BYTES)
        if is_full:
            collect_all()
        else:
            gc.collect(OLDER)
        if hasattr(libc, "malloc_trim"):  # glibc; no environment variable makes it trim below a block in use
            libc.malloc_trim(0)
        if is_full or not is_settled:
            before = peak_bytes()


def peak_bytes() -> int:
    """The most memory that this process has had; unlike what it has now, no file has to be read for it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def collect_all() -> None:
    """Looks at every object, which blocks all threads: 100 ms with ten thousand devices. Only cycles that lived through
    several younger collections need it."""
    gc.unfreeze()  # without this, cycles among objects that were frozen alive would never be collected
    gc.collect()
    gc.freeze()


def tune_interpreter() -> None:
    """Sets shorter pauses of the garbage collector and a shorter switch interval of the GIL; Python has no
    environment variable for either."""
    gc.set_threshold(*COLLECT_AFTER)
    # With a short switch interval the thread that reads counters does not delay requests to the portal.
    sys.setswitchinterval(SWITCH_S)
