"""A new node joins a community with an invite: asks the members that the invite names, and checks what they answer."""

import asyncio
import socket
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.announcement import Address
from mesh.community_secret import commitment_of
from mesh.community_state import CommunityState
from mesh.invite import InviteText
from mesh.lobby import JoinAnswer, join_request, joined_state, read_join_answer
from mesh.tls_transport import Dialer, DialFailed, contexts
from node.errors import NodeError
from node.identity import own_node_id
from node.units import NodeId

LINK_LOCAL = "fe80:"
ADDRESSES_MAX = 32
"""Tried at once; a link-local address counts once for each interface."""
ATTEMPT_S = 12.0


@dataclass(frozen=True, slots=True)
class JoinedCommunity:
    """What a new node keeps after it was let in."""

    state: CommunityState
    secret: bytes
    member: NodeId
    """The node that let it in."""
    address: Address
    later: tuple[bytes, ...] = ()
    """Secrets after the first that the record names."""


async def join_community(
    key: Ed25519PrivateKey, invited: InviteText, label: str, also: tuple[Address, ...] = ()
) -> JoinedCommunity:
    """Ask all addresses at once, `also` those that are not in the invite; the first member that lets this node in counts.
    Raises NodeError with what to do."""
    addresses = _with_interfaces((*also, *invited.addresses))
    if not addresses:
        raise NodeError("the invite names no address", "give the address of a member's node with --address")
    own, refusals = own_node_id(key), dict[str, None]()
    request = join_request(invited, own, label)
    _, client = contexts(key)
    async with Dialer(client) as dialer, asyncio.TaskGroup() as tasks:
        asking = {tasks.create_task(_ask(dialer, address, request)): address for address in addresses}
        while asking:
            done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                address, answer = asking.pop(task), task.result()
                joined = answer if isinstance(answer, str) else _joined(invited, own, address, answer)
                if isinstance(joined, JoinedCommunity):
                    for other in asking:
                        other.cancel()
                    return joined
                refusals[joined] = None
    raise NodeError(
        "; ".join(list(refusals)[:4]),
        "check that this node can reach a node of the community, or ask an admin for another invite",
    )


def _joined(
    invited: InviteText, own: NodeId, address: Address, answered: tuple[NodeId, JoinAnswer]
) -> JoinedCommunity | str:
    member, answer = answered
    state = joined_state(invited, answer, member, own)
    if isinstance(state, str):
        return state
    later = tuple(each for each in answer.later if commitment_of(each) in state.commitments())
    return JoinedCommunity(state, answer.secret, member, address, later)


async def _ask(dialer: Dialer, address: Address, request: bytes) -> tuple[NodeId, JoinAnswer] | str:
    try:
        async with asyncio.timeout(ATTEMPT_S):
            member, body = await dialer.ask_lobby(address, request)
    except (DialFailed, TimeoutError):
        return "no member answers"
    answer = read_join_answer(body)
    if not isinstance(answer, JoinAnswer):
        return "a member answers what this version cannot read"
    return answer.refusal or (member, answer)


def _with_interfaces(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """A link-local address of another node is tried on each interface of this one."""
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    found: dict[Address, None] = {}
    for address in addresses:
        if address.host.startswith(LINK_LOCAL) and "%" not in address.host:
            found |= {replace(address, host=f"{address.host}%{name}"): None for name in names}
        else:
            found[address] = None
    return tuple(found)[:ADDRESSES_MAX]
