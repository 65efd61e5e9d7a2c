"""Invites: the person with the seed may bring a node into the community; any member can verify that without asking.

The invite names a key that is derived from the seed. The joining node signs its use with that key.
"""

import base64
import hashlib
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mesh.announcement import Address
from mesh.community_record import HASH
from mesh.membership import NODE_ROLE, ROLE
from mesh.page_format import Malformed, canonical, fits, is_number, is_text
from mesh.signed_statement import SignedStatement, are_signatures_valid, make_statement
from node.identity import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    is_node_id,
    key_from_raw,
    node_id,
    own_node_id,
    public_key,
)
from node.units import NodeId

SEED_BYTES = 16
USES_MAX = 64
ADDRESSES_MAX = 4
TEXT_CHARS_MAX = 400
PREFIX = "procomu-invite-1-"
STATES = ("open", "closed")


@dataclass(frozen=True, slots=True)
class Invite:
    """A key whose signature brings nodes in, as long as the invite is open."""

    community: str
    key: NodeId
    role: str
    uses: int
    """How many nodes it is meant for. More are shown, not refused: members that are apart cannot count together."""
    state: str
    number: int


@dataclass(frozen=True, slots=True)
class InviteUse:
    """One node that came with an invite."""

    community: str
    invite: NodeId
    node: NodeId
    label: str
    """What the node calls itself; may be empty."""


@dataclass(frozen=True, slots=True)
class InviteText:
    """What an invited person is given, as text or as a QR code."""

    seed: bytes
    statement: SignedStatement
    """The invite, signed by one admin."""
    invite: Invite
    addresses: tuple[Address, ...]
    """Where members listen, without interfaces: those are the joining node's own."""


def invite_key(seed: bytes) -> Ed25519PrivateKey:
    assert len(seed) == SEED_BYTES
    return key_from_raw(hashlib.sha256(b"procomu invite\0" + seed).digest())


def invite_fields(invite: Invite) -> dict[str, Any]:
    """The fields of its statement."""
    return {
        "community": invite.community,
        "key": invite.key,
        "role": invite.role,
        "uses": invite.uses,
        "state": invite.state,
        "number": invite.number,
    }


def read_invite(statement: SignedStatement) -> Invite | Malformed:
    fields = statement.fields()
    community, key, role = fields.get("community"), fields.get("key"), fields.get("role")
    uses, state, number = fields.get("uses"), fields.get("state"), fields.get("number")
    if not (fits(community, HASH) and isinstance(key, str) and is_node_id(key) and fits(role, ROLE)):
        return Malformed("an invite without community, key and role")
    if not (is_number(uses) and 1 <= uses <= USES_MAX and state in STATES and is_number(number)):
        return Malformed(f"an invite without 1 to {USES_MAX} uses, state and number")
    return Invite(community, NodeId(key), role, uses, str(state), number)


def invite_rank(invite: Invite, statement: SignedStatement) -> tuple[int, int, int]:
    """The highest holds: the newest number, then closed, then the lower hash."""
    return invite.number, STATES.index(invite.state), -int(statement.hash, 16)


def make_use(seed: bytes, community: str, node: NodeId, label: str) -> SignedStatement:
    """The use of an invite by this node."""
    key = invite_key(seed)
    fields = {"community": community, "invite": own_node_id(key), "node": node, "label": label}
    return make_statement("use", fields, [key])


def read_use(statement: SignedStatement) -> InviteUse | Malformed:
    fields = statement.fields()
    community, invite, node = fields.get("community"), fields.get("invite"), fields.get("node")
    label = fields.get("label")
    if not (fits(community, HASH) and isinstance(invite, str) and isinstance(node, str)):
        return Malformed("a use without community, invite and node")
    if not (is_node_id(invite) and is_node_id(node) and (label == "" or is_text(label))):
        return Malformed("a use without keys and a readable name")
    return InviteUse(community, NodeId(invite), NodeId(node), str(label))


def invite_text(
    seed: bytes, statement: SignedStatement, invite: Invite, addresses: tuple[Address, ...]
) -> str:
    """The invite as one word. It holds what a new invite of an ordinary node says and its first signature."""
    assert (invite.role, invite.state, invite.number) == (NODE_ROLE, "open", 1)
    issuer, signature = statement.signatures[0]
    head = bytes.fromhex(invite.community) + seed + public_key(issuer).public_bytes_raw() + signature
    packed = head + bytes([invite.uses]) + b"".join(map(_pack, addresses[:ADDRESSES_MAX]))
    return PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_invite_text(text: str) -> InviteText | Malformed:
    """Reads the word, also out of a link that ends with it. Never raises, whatever was typed."""
    _, found, word = "".join(text.split()).rpartition(PREFIX)
    if not found or len(text) > 2 * TEXT_CHARS_MAX:
        return Malformed(f"it does not contain {PREFIX}")
    try:
        packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        return _unpack(packed)
    except (ValueError, IndexError, struct.error):
        return Malformed("it is not complete")


def _unpack(packed: bytes) -> InviteText | Malformed:
    community, rest = packed[:32].hex(), packed[32:]
    seed, rest = rest[:SEED_BYTES], rest[SEED_BYTES:]
    issuer_raw, rest = rest[:KEY_BYTES], rest[KEY_BYTES:]
    signature, rest = rest[:SIGNATURE_BYTES], rest[SIGNATURE_BYTES:]
    uses, rest = rest[0], rest[1:]
    issuer = _key_id(issuer_raw)
    invite = Invite(community, own_node_id(invite_key(seed)), NODE_ROLE, uses, "open", 1)
    text = canonical({**invite_fields(invite), "is": "invite", "v": 1})
    statement = SignedStatement("invite", text, ((issuer, signature),))
    if isinstance(read_invite(statement), Malformed) or not are_signatures_valid(statement):
        return Malformed("a part of it is wrong or missing")
    return InviteText(seed, statement, invite, _addresses(rest))


def _key_id(raw: bytes) -> NodeId:
    return node_id(Ed25519PublicKey.from_public_bytes(raw))


def _pack(address: Address) -> bytes:
    host = ip_address(address.host.partition("%")[0])
    return bytes([host.version]) + host.packed + struct.pack("!H", address.port)


def _addresses(packed: bytes) -> tuple[Address, ...]:
    found: list[Address] = []
    while packed and len(found) < ADDRESSES_MAX:
        size = {4: 4, 6: 16}[packed[0]] if packed[0] in {4, 6} else 0
        if not size or len(packed) < size + 3:
            raise ValueError("an address is not complete")
        raw, (port,) = packed[1 : 1 + size], struct.unpack_from("!H", packed, 1 + size)
        host = IPv4Address(raw) if size == 4 else IPv6Address(raw)
        found.append(Address(str(host), int(port)))
        packed = packed[size + 3 :]
    return tuple(found)
