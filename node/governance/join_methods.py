"""The methods by which people may join: the part of the rule file that comes before shares and limits."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["terms", "voucher", "passphrase", "card", "introduction"]
"""``terms``: accept the terms, no identity. ``voucher``: a printed code. ``passphrase``: of a member. ``card``: a
signed membership card. ``introduction``: a member approves a guest."""

WAYS: tuple[Way, ...] = ("terms", "voucher", "passphrase", "card", "introduction")
WAYS_OF_MEMBERS: frozenset[Way] = frozenset({"passphrase", "card", "introduction"})
"""Methods that need at least one member in the directory."""

WhenFull = Literal["oldest", "ask"]
"""When an account has reached its number of devices: the longest idle device is removed, or the user is asked."""

WHEN_FULL: tuple[WhenFull, ...] = ("oldest", "ask")


@dataclass(frozen=True, slots=True)
class JoinMethods:
    """The methods of this community, in the order in which the page shows them."""

    ways: tuple[Way, ...] = WAYS
    when_full: WhenFull = "oldest"
    by: str = ""
    """The decision behind it; empty for the default without an entry in the file."""


DEFAULT_JOIN_METHODS = JoinMethods()
