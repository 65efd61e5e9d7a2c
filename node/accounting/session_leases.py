"""Leases: granted time that is not shortened by a reboot or a wrong clock."""

from dataclasses import dataclass

from node.units import Monotonic


@dataclass(frozen=True, slots=True)
class Lease:
    """Start and end in monotonic time of this boot."""

    since: Monotonic
    ends: Monotonic


@dataclass(frozen=True, slots=True)
class SavedLease:
    """A lease as stored: with its boot id, and its end in civil time if that was known."""

    lease: Lease
    boot: str
    ends_wall_s: int | None


def rebased_lease(
    saved: SavedLease, *, boot: str, now: Monotonic, wall_s: int | None, saved_at: Monotonic | None
) -> Lease:
    """The lease in monotonic time of this boot.

    After a reboot, the remaining time is computed from civil time. While the clock is not known, it is the
    time that remained at the last write of that boot (`saved_at`; None if there was none), so an error is in
    the member's favour. It is never more than what remained then, nor than the whole lease, so a wrong clock
    cannot restart a lease.
    """
    lease = saved.lease
    if saved.boot == boot:
        return lease
    most_ms = lease.ends - lease.since
    if saved_at is not None:
        most_ms = min(most_ms, lease.ends - saved_at)
    left_ms = most_ms
    if wall_s is not None and saved.ends_wall_s is not None:
        left_ms = min((saved.ends_wall_s - wall_s) * 1000, most_ms)
    return Lease(now, Monotonic(now + max(0, left_ms)))
