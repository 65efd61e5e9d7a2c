"""Garbage collection and heap trimming for boards with 256 MB, and the memory limit of this process.

Settings that are environment variables are in the systemd unit (MALLOC_ARENA_MAX and the like).
"""

import asyncio
import ctypes
import gc
import resource
import sys
from collections.abc import Collection
from dataclasses import FrozenInstanceError, fields
from itertools import chain, repeat
from pathlib import Path
from reprlib import recursive_repr

from node.memory_budget import Allowed, allowed_memory

TRIM_AFTER_S, TRIM_EVERY_S = (1, 10, 60), 600
"""What a start reads from the disk takes long on a slow board."""
FULL_AFTER_TURNS = 144
"""A day of TRIM_EVERY_S."""
GROWN_BYTES = 8_000_000
"""When its peak has risen by so much all objects are looked at earlier: cycles of old objects may have taken it."""
OWN_PACKAGES = ("node", "mesh", "captive_portal")
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


def prepare() -> None:
    """For when all is imported and nothing is made yet: what follows uses the memory of what the imports left."""
    share_methods(OWN_PACKAGES)
    gc.collect()


def share_methods(packages: Collection[str]) -> None:
    """Gives all dataclasses of these packages the same `__repr__`, and the frozen ones the same two methods that refuse
    changes.

    Of the latter, those that `dataclasses` writes for a class with slots refer to the class that it was made from, so
    that each class is in memory twice: with 700 of them 2 MB. Each `__repr__` takes 1.4 kB.
    """
    for each in gc.get_objects():
        if not isinstance(each, type) or _package(each) not in packages:
            continue
        if _is_written(each, "__setattr__"):
            each.__setattr__ = _refuse_assignment  # type: ignore[assignment,method-assign]
            each.__delattr__ = _refuse_deletion  # type: ignore[assignment,method-assign]
        if _is_written(each, "__repr__"):
            each.__repr__ = _represent  # type: ignore[assignment,method-assign]


def _package(each: type) -> str:
    """Empty where the class hides its module."""
    module = vars(each).get("__module__")
    return module.partition(".")[0] if isinstance(module, str) else ""


def _is_written(each: type, name: str) -> bool:
    """Whether `dataclasses` wrote this method of the class; one that was written by hand stays."""
    method = vars(each).get(name)
    code = getattr(getattr(method, "__wrapped__", method), "__code__", None)
    return code is not None and code.co_filename == "<string>" and "__dataclass_params__" in vars(each)


def _is_kept(self: object, name: str) -> bool:
    return "__dataclass_params__" in type(self).__dict__ or name in type(self).__dataclass_fields__  # type: ignore[attr-defined]


def _refuse_assignment(self: object, name: str, value: object) -> None:
    if _is_kept(self, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_deletion(self: object, name: str) -> None:
    if _is_kept(self, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


@recursive_repr()
def _represent(self: object) -> str:
    shown = (each.name for each in fields(self) if each.repr)  # type: ignore[arg-type]
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
