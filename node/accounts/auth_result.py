"""What comes of a person who stands at the door: they come in, or they read why not."""

from dataclasses import dataclass
from typing import Literal

from node.accounts.ports import Change
from node.units import AccountId, Monotonic

RejectReason = Literal[
    "way-closed",  # the community's rules do not open this way
    "code-mistyped",  # the check character is wrong: a slip of the finger, not a guess
    "code-unknown",
    "code-ended",  # a voucher whose time has passed
    "code-revoked",
    "code-used",  # a device code that has been used or is too old
    "passphrase-wrong",  # also when there is no such account
    "card-unreadable",
    "card-foreign",  # signed by nobody in this community
    "card-ended",
    "card-revoked",
    "card-unknown",  # the account is not in this node's roll
    "too-many-guesses",  # `wait_s` says how long
    "too-many-open",  # requests or contests without an answer
    "not-a-member",
    "too-long",
    "not-yours",
]


@dataclass(frozen=True, slots=True)
class Now:
    """Now, in every way that the register needs it."""

    now: Monotonic
    boot: str
    """Name of this boot: `now` means nothing in another one."""
    wall_s: int | None
    """Seconds since 1970; None while the clock is not known."""
    today: str
    """ISO date here; empty while the clock is not known."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The device belongs to `account` from now on, once `changes` are kept."""

    account: AccountId
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """It was not done, nothing changed, and why."""

    reason: RejectReason
    wait_s: int = 0
    """For ``too-many-guesses``: seconds until the next try counts, rounded up."""
