"""A small board's memory and turns: what only starting needed is given back, and nobody waits for many turns."""

import asyncio
import ctypes
import gc
import sys
from pathlib import Path

from node.memory_budget import Allowed, allowed_memory

SETTLE_EVERY_S = 600
SWITCH_S = 0.001
COLLECT_AFTER = (5_000, 20, 1_000)
"""New objects until the young ones are looked through, and how many such looks until the older ones are."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Of mallopt(3)."""
LARGE_BYTES = 320 * 1024
"""More than asyncio makes room for at each reading (256 KiB): that must not go to the system and back each time."""


def begin_thriftily() -> None:
    """Before anything large is made: what is large goes back to the system when it is done with, and threads share one
    heap. A thousand devices then need 5 MB less. Where the C library is another than glibc nothing changes."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * LARGE_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def memory_allowed() -> Allowed:
    """What this process may use, as its control groups and the computer's size say."""
    return allowed_memory(_text)


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


async def settle() -> None:
    """Give back what only starting needed: on a small board each megabyte is somebody's."""
    libc = ctypes.CDLL(None)
    # A whole collection with ten thousand devices holds everybody up for 50 ms; what is frozen is not looked at again.
    gc.set_threshold(*COLLECT_AFTER)
    # The reading thread works in short turns, so that whoever waits at the portal never waits for many of them.
    sys.setswitchinterval(SWITCH_S)
    while True:
        await asyncio.sleep(1 if gc.get_freeze_count() == 0 else SETTLE_EVERY_S)
        gc.unfreeze()  # or rings of objects that were frozen while they lived would stay for ever
        gc.collect()
        gc.freeze()
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
