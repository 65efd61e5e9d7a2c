"""Membership of a node in a community: signed by admins, numbered, without a date."""

import re
from dataclasses import dataclass
from typing import Any

from mesh.community_record import HASH, CommunityRecord
from mesh.page_format import NAME_CHARS_MAX, Malformed, fits, is_number, is_text
from mesh.signed_statement import SignedStatement
from node.identity import is_node_id
from node.units import NodeId

STATES = ("active", "suspended", "removed")
"""From the mildest to the strictest."""
NODE_ROLE = "node"
ROLE = re.compile(r"[a-z]{1,16}")


@dataclass(frozen=True, slots=True)
class Membership:
    """What admins say of one node."""

    community: str
    node: NodeId
    label: str
    """What people call the node; may be empty."""
    role: str
    state: str
    number: int


def membership_fields(membership: Membership) -> dict[str, Any]:
    """The fields of its statement."""
    return {
        "community": membership.community,
        "node": membership.node,
        "label": membership.label,
        "role": membership.role,
        "state": membership.state,
        "number": membership.number,
    }


def read_membership(statement: SignedStatement) -> Membership | Malformed:
    fields = statement.fields()
    community, node, label = fields.get("community"), fields.get("node"), fields.get("label")
    role, state, number = fields.get("role"), fields.get("state"), fields.get("number")
    if not (fits(community, HASH) and isinstance(node, str) and is_node_id(node)):
        return Malformed("a membership without a community and a node")
    if not (label == "" or is_text(label)):
        return Malformed(f"its label is not a name of at most {NAME_CHARS_MAX} characters")
    if not (fits(role, ROLE) and state in STATES and is_number(number)):
        return Malformed("a membership without role, state and number")
    return Membership(community, NodeId(node), str(label), role, str(state), number)


def membership_rank(membership: Membership, statement: SignedStatement) -> tuple[int, int, int]:
    """The highest holds: the newest number, then the stricter state, then the lower hash."""
    return membership.number, STATES.index(membership.state), -int(statement.hash, 16)


def is_signed_by_enough(role: str, statement: SignedStatement, record: CommunityRecord) -> bool:
    """One admin is enough for an ordinary node; every other role needs the threshold."""
    votes = record.votes_of(statement.signers)
    return votes >= (1 if role == NODE_ROLE else record.threshold)
