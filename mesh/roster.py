"""The list of the community's nodes, as neighbours compare it."""

import hashlib
from collections.abc import Iterable

from node.units import NodeId


def nodes_digest(nodes: Iterable[NodeId]) -> str:
    """16 hexadecimal digits, equal for two nodes that have the same list."""
    return hashlib.sha256("\n".join(sorted(nodes)).encode()).hexdigest()[:16]
