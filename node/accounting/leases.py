"""A span of time that somebody was promised, kept so that neither a reboot nor a wrong clock shortens it."""

from dataclasses import dataclass

from node.units import Monotonic


@dataclass(frozen=True, slots=True)
class Lease:
    """Begins and ends in this boot's monotonic time."""

    since: Monotonic
    ends: Monotonic


@dataclass(frozen=True, slots=True)
class SavedLease:
    """A lease as stored: with the boot it belongs to, and its end in civil time where that was known."""

    lease: Lease
    boot: str
    ends_wall_s: int | None


def rebased_lease(
    saved: SavedLease, *, boot: str, now: Monotonic, wall_s: int | None, saved_at: Monotonic | None
) -> Lease:
    """The lease in this boot's time. After a reboot the time left is by the clock, or, while the clock is not known,
    what was left when the node last wrote in that boot (None: it never did): an error is in the member's favour. But
    nobody gets more than was left then, or than the whole lease: a clock that is wrong begins nothing anew."""
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
