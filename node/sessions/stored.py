"""A device's stay on the network: which account pays for it, and until when."""

from dataclasses import dataclass, replace
from typing import Literal

from node.accounting.leases import Lease, SavedLease, rebased_lease
from node.units import AccountId, MacAddress, Monotonic

SessionState = Literal["admitted", "expired", "removed"]


@dataclass(frozen=True, slots=True)
class Session:
    """The last stay of one device. Times are this boot's; a stay from an earlier boot is re-based when loaded."""

    mac: MacAddress
    mark: int
    account: AccountId
    state: SessionState
    terms: str
    """Version of the terms that were accepted."""
    since: Monotonic
    ends: Monotonic | None
    """None for never."""
    because: str = ""
    """Why an admin removed it, as the person is told."""


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session as stored: with the boot it belongs to, and its end in civil time where that was known."""

    session: Session
    boot: str
    ends_wall_s: int | None


def rebased(
    saved: SavedSession, *, boot: str, now: Monotonic, wall_s: int | None, saved_at: Monotonic | None
) -> Session:
    """The session in this boot's time. After a reboot the time left is by the clock, or, while the clock is not
    known, what was left when the node last wrote in that boot (None: it never did): an error is in the member's
    favour, but nobody gets more than a whole session."""
    session = saved.session
    if saved.boot == boot or session.ends is None:
        return session
    promised = SavedLease(Lease(session.since, session.ends), saved.boot, saved.ends_wall_s)
    lease = rebased_lease(promised, boot=boot, now=now, wall_s=wall_s, saved_at=saved_at)
    is_over = session.state == "admitted" and lease.ends <= now
    return replace(session, state="expired" if is_over else session.state, since=lease.since, ends=lease.ends)
