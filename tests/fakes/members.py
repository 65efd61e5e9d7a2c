"""A register as the daemon makes it, with chance that repeats itself."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from node.governance.roll import EMPTY_ROLL, Roll
from node.membership.register import Register
from node.units import AccountId, MacAddress, NodeId

if TYPE_CHECKING:
    from collections.abc import Container

COMMUNITY = "c" * 64


def guest_account(mac: MacAddress) -> AccountId:
    return AccountId(f"guest-{mac[-2:]}")


def make_register(
    roll: Callable[[], Roll] = lambda: EMPTY_ROLL,
    *,
    nodes: "Container[NodeId]" = frozenset(),
    guest: Callable[[MacAddress], AccountId] = guest_account,
    seed: int = 1,
) -> Register:
    return Register(
        key=b"k" * 32,
        community=COMMUNITY,
        nodes=lambda: nodes,
        roll=roll,
        guest_account=guest,
        random=random.Random(seed).randbytes,
    )
