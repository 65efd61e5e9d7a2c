"""Result of an authentication attempt: accepted with an account, or rejected with a reason."""

from dataclasses import dataclass
from typing import Literal

from node.accounts.changes import Change
from node.units import AccountId

RejectReason = Literal[
    "way-closed",  # the community's rules do not enable this join method
    "code-mistyped",  # wrong check character: a typing error, not a guess
    "code-unknown",
    "code-ended",  # the voucher's time is over
    "code-revoked",
    "code-used",  # a device code that was used or has expired
    "passphrase-wrong",  # also if there is no such account
    "card-unreadable",
    "card-foreign",  # not signed by a node of this community
    "card-ended",
    "card-revoked",
    "card-unknown",  # the account is not in this node's member directory
    "too-many-guesses",  # see `wait_s`
    "too-many-open",  # unanswered requests or objections
    "not-a-member",
    "too-long",
    "not-yours",
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The device belongs to `account` once `changes` are stored."""

    account: AccountId
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The attempt failed; no account state changed."""

    reason: RejectReason
    wait_s: int = 0
    """For ``too-many-guesses``: seconds until the next attempt is allowed, rounded up."""
