"""The TXT record of a node's mDNS service. It is unauthenticated: a hint, not a proof."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mesh.messages import Malformed
from mesh.trust import community_mark
from node.identity import SHORT_CHARS, is_node_id
from node.units import NodeId

SERVICE_TYPE = "_procomu._tcp.local."
VERSION = b"1"
TXT_BYTES_MAX = 200

_MARK = re.compile(rb"[0-9a-f]{8}")
_PORT = re.compile(rb"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """An unproven claim: this node, of a community with this mark, listens on this port."""

    mark: str
    node: NodeId
    port: int


def instance_name(node: NodeId) -> str:
    """The full service instance name of a node: the start of its id, so that the names of two nodes do not collide."""
    return f"{node[:SHORT_CHARS]}.{SERVICE_TYPE}"


def announce(*, community: str, node: NodeId, port: int, boot: str) -> dict[str, str]:
    """TXT items; under TXT_BYTES_MAX bytes."""
    return {"v": VERSION.decode(), "c": community_mark(community), "id": node, "p": str(port), "e": boot}


def read_announcement(name: str, items: Mapping[bytes, bytes | None]) -> Announcement | Malformed:
    """Parse the TXT items of the service called `name`. Never raises, whatever was received."""
    if (
        len(items) > 16
        or sum(len(key) + len(value or b"") + 2 for key, value in items.items()) > TXT_BYTES_MAX
    ):
        return Malformed(f"more than {TXT_BYTES_MAX} bytes")
    mark, node, port = items.get(b"c") or b"", items.get(b"id") or b"", items.get(b"p") or b""
    if items.get(b"v") != VERSION or not (_MARK.fullmatch(mark) and _PORT.fullmatch(port)):
        return Malformed("not an announcement of this version")
    claimed = node.decode("ascii", "replace")
    if not is_node_id(claimed) or name.lower() != instance_name(NodeId(claimed)):
        return Malformed("name and node id disagree")
    if int(port) > 65535:
        return Malformed("no such port")
    return Announcement(mark.decode(), NodeId(claimed), int(port))
