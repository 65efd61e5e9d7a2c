"""What comes of a person who stands at the door: they come in, or they read why not."""

from dataclasses import dataclass
from typing import Literal

from node.governance.joining import Way
from node.membership.ports import Change
from node.units import AccountId, Monotonic

DenialReason = Literal[
    "way-closed",
    "code-mistyped",
    "code-unknown",
    "code-ended",
    "code-revoked",
    "code-used",
    "passphrase-wrong",
    "card-unreadable",
    "card-foreign",
    "card-ended",
    "card-revoked",
    "card-unknown",
    "too-many-guesses",
    "too-many-open",
    "not-a-member",
    "too-long",
    "not-yours",
]
"""The words of `captive_portal.ports.RefusalReason` that the register uses, with the same meaning."""


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, in every way that the register needs it."""

    now: Monotonic
    boot: str
    """Name of this boot: `now` means nothing in another one."""
    wall_s: int | None
    """Seconds since 1970; None while the clock is not known."""
    today: str
    """ISO date here; empty while the clock is not known."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """The device belongs to `account` from now on, once `changes` are kept."""

    account: AccountId
    way: Way
    ends: Monotonic | None = None
    """A voucher's end: no session of the account may last longer. None leaves it to the rules."""
    devices_max: int = 0
    """At once, as a voucher says; 0 leaves it to the rules."""
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """It was not done, nothing changed, and why."""

    reason: DenialReason
    wait_s: int = 0
    """For ``too-many-guesses``: seconds until the next try counts, rounded up."""
