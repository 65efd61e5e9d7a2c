"""A session as stored: the device, its account, and its end."""

from dataclasses import dataclass, replace
from typing import Literal

from node.accounting.session_leases import Lease, SavedLease, rebased_lease
from node.enforcement.plan import KernelState
from node.units import AccountId, MacAddress, Monotonic

LEASE_TOLERANCE_MS = 5_000
SessionState = Literal["admitted", "expired", "removed"]


@dataclass(frozen=True, slots=True)
class Session:
    """The last session of one device. Times are of this boot; a session from an earlier boot is rebased when loaded."""

    mac: MacAddress
    mark: int
    account: AccountId
    state: SessionState
    terms: str
    """Version of the terms that were accepted."""
    since: Monotonic
    ends: Monotonic | None
    """Of a blocked device the end of the block. None for no end."""
    because: str = ""
    """The reason an admin gave for blocking it, as shown to the person."""


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session in the database: with its boot id, and its end in civil time where that was known."""

    session: Session
    boot: str
    ends_wall_s: int | None


def rebased(
    saved: SavedSession, *, boot: str, now: Monotonic, wall_s: int | None, saved_at: Monotonic | None
) -> Session:
    """The session in this boot's time. After a reboot the remaining time is computed from the clock or, while that
    is not known, from the last write of that boot (None: there was none): an error favours the member, but never
    by more than a whole session."""
    session = saved.session
    if saved.boot == boot or session.ends is None:
        return session
    promised = SavedLease(Lease(session.since, session.ends), saved.boot, saved.ends_wall_s)
    lease = rebased_lease(promised, boot=boot, now=now, wall_s=wall_s, saved_at=saved_at)
    is_over = session.state == "admitted" and lease.ends <= now
    return replace(session, state="expired" if is_over else session.state, since=lease.since, ends=lease.ends)


def prolonged(session: Session, standing: KernelState | None) -> Session:
    """The session with the end that the kernel has, if the terms were accepted again while nothing could be stored."""
    held = standing.admitted.get(session.mac) if standing is not None else None
    if held is None or held.mark != session.mark or session.state != "admitted" or session.ends is None:
        return session
    longer = held.ends is None or held.ends > session.ends + LEASE_TOLERANCE_MS
    return replace(session, ends=held.ends) if longer else session
