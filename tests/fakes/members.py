"""An account registry as the daemon makes it, with repeatable randomness."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from node.accounts.registry import AccountRegistry
from node.governance.members import NO_MEMBERS, MemberDirectory
from node.units import AccountId, MacAddress, NodeId

if TYPE_CHECKING:
    from collections.abc import Container

COMMUNITY = "c" * 64


def guest_account(mac: MacAddress) -> AccountId:
    return AccountId(f"guest-{mac[-2:]}")


def make_registry(
    member_directory: Callable[[], MemberDirectory] = lambda: NO_MEMBERS,
    *,
    nodes: "Container[NodeId]" = frozenset(),
    guest: Callable[[MacAddress], AccountId] = guest_account,
    seed: int = 1,
) -> AccountRegistry:
    return AccountRegistry(
        keys=lambda: (b"k" * 32,),
        community=COMMUNITY,
        nodes=lambda: nodes,
        member_directory=member_directory,
        guest_account=guest,
        random=random.Random(seed).randbytes,
    )
