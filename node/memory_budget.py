"""Memory budget: how much memory the node may use, and how many connections and devices fit into it.

The figures were measured with ``deploy/bench`` on 64 bits: an idle connection needs 2.9 kB here and 3.7 kB in the
kernel (which counts in a control group too); a device needs 3 kB here, 1.3 kB of packet filter elements, and the
working memory of a control cycle.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

CONNECTION_BYTES, DEVICE_BYTES = 7_000, 5_500
IDLE_BYTES = 63_200_000
"""Of an idle node: its own pages, the pages of its code in use, and kernel memory charged to it."""
PASSPHRASE_BYTES = 17_000_000
"""One passphrase check; they run one at a time."""
HTTPS_BYTES = 10_000_000
"""128 HTTPS connections."""
HARD_LIMIT_PERCENT = 92
"""Of a hard limit (where the kernel kills) that is planned with; the unit's MemoryHigh is as far below its MemoryMax."""
CONNECTIONS_MIN, CONNECTIONS_MAX = 256, 12_288
DEVICES_MIN, DEVICES_MAX = 500, 0xFFEF * 3 // 4
"""At most three quarters of the traffic classes of one node."""
UNFINISHED_MIN, UNFINISHED_MAX = 256_000, 4_000_000
_GROUP_V2 = re.compile(r"^0::(/.*)$", re.MULTILINE)
_GROUP_V1 = re.compile(r"^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(/.*)$", re.MULTILINE)
_HIERARCHICAL = re.compile(r"^hierarchical_memory_limit (\d+)$", re.MULTILINE)
_TOTAL = re.compile(r"^MemTotal: +(\d+) kB$", re.MULTILINE)

Read = Callable[[str], str | None]
"""Returns the text of a file by its path; None when there is no such file."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The memory that the node may use, in bytes, and what sets the limit."""

    bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What fits into the allowed memory."""

    allowed: Allowed
    devices: int
    """Limit of guest devices with a session; members' devices are not counted."""
    unfinished_bytes: int
    """Limit of buffered bytes of all incomplete requests."""
    room_bytes: int
    """For connections, devices and incomplete requests together."""

    @property
    def sentence(self) -> str:
        """Text for the log and for `status`."""
        return (
            f"{self.allowed.bytes // 1_000_000} MB of memory may be used ({self.allowed.source}): room for "
            f"{self.connections(0)} connections to the portal, or {self.connections(1_000)} beside 1000 devices; "
            f"{self.devices} guests' devices at most"
        )

    def connections(self, devices: int) -> int:
        """Limit of portal connections while so many devices have a session; between
        CONNECTIONS_MIN and CONNECTIONS_MAX."""
        left = self.room_bytes - self.unfinished_bytes - devices * DEVICE_BYTES
        return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, left // CONNECTION_BYTES))


def budget(allowed: Allowed, *, has_https: bool = False) -> Budget:
    """Divides the allowed memory. `has_https`: the portal has a certificate, and memory is reserved for HTTPS."""
    room = max(0, allowed.bytes - IDLE_BYTES - PASSPHRASE_BYTES - (HTTPS_BYTES if has_https else 0))
    unfinished = max(UNFINISHED_MIN, min(UNFINISHED_MAX, room // 8))
    left = room - unfinished - CONNECTIONS_MIN * CONNECTION_BYTES
    return Budget(allowed, max(DEVICES_MIN, min(DEVICES_MAX, left // DEVICE_BYTES)), unfinished, room)


def allowed_memory(read: Read) -> Allowed:
    """The lowest of half of the computer's memory and the limits of all control groups around this process; of cgroup
    v2 ``memory.high`` counts too, above which the kernel slows the process down."""
    found = [*_by_control_group(read), *_by_computer(read)]
    return min(found, key=lambda each: each.bytes, default=Allowed(IDLE_BYTES + PASSPHRASE_BYTES, "unknown"))


def _by_computer(read: Read) -> list[Allowed]:
    total = _TOTAL.search(read("/proc/meminfo") or "")
    return [] if total is None else [Allowed(int(total[1]) * 1024 // 2, "half of this computer's memory")]


def _by_control_group(read: Read) -> list[Allowed]:
    groups = read("/proc/self/cgroup") or ""
    found: list[Allowed] = []
    if (v1 := _GROUP_V1.search(groups)) is not None:
        root = "/sys/fs/cgroup/memory"
        # In a container the path may be the host's; then the visible root is the container's own group.
        stat = read(f"{root}{v1[1].rstrip('/')}/memory.stat") or read(f"{root}/memory.stat") or ""
        if (limit := _HIERARCHICAL.search(stat)) is not None:
            found.append(Allowed(_below(int(limit[1])), "memory.limit_in_bytes of its control group"))
    if (v2 := _GROUP_V2.search(groups)) is not None:
        for name in ("memory.high", "memory.max"):
            limits = [read(f"/sys/fs/cgroup{each}/{name}") or "" for each in _ancestry(v2[1])]
            found += [
                Allowed(
                    int(limit) if name == "memory.high" else _below(int(limit)),
                    f"{name} of its control group",
                )
                for limit in limits
                if limit.strip().isdigit()
            ]
    return found


def _below(limit: int) -> int:
    return limit * HARD_LIMIT_PERCENT // 100


def _ancestry(path: str) -> list[str]:
    """``/a/b`` to ``/a/b``, ``/a`` and the root itself."""
    parts = [part for part in path.split("/") if part]
    return ["".join(f"/{part}" for part in parts[:length]) for length in range(len(parts), -1, -1)]
