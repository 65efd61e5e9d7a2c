"""How people may come in: the part of the rule file that a community decides before any share or limit."""

from dataclasses import dataclass
from typing import Literal

Way = Literal["terms", "voucher", "passphrase", "card", "introduction"]
"""``terms``: accept the terms, no identity. ``voucher``: a printed code. ``passphrase``: a member's own words.
``card``: a signed membership card. ``introduction``: a member says yes to a guest."""

WAYS: tuple[Way, ...] = ("terms", "voucher", "passphrase", "card", "introduction")
WAYS_OF_MEMBERS: frozenset[Way] = frozenset({"passphrase", "card", "introduction"})
"""Ways that are open only where somebody is in the roll."""

WhenFull = Literal["oldest", "ask"]
"""When an account has as many devices on as it may: the longest idle one makes room, or the person chooses."""

WHEN_FULL: tuple[WhenFull, ...] = ("oldest", "ask")


@dataclass(frozen=True, slots=True)
class JoinMethods:
    """The ways that this community opens, in the order in which the page shows them."""

    ways: tuple[Way, ...] = WAYS
    when_full: WhenFull = "oldest"
    by: str = ""
    """The decision behind it; empty for what holds when the file says nothing."""


DEFAULT_JOIN_METHODS = JoinMethods()
