"""The page kind `node`: what a node says of itself and of its links. See PROTOCOL.md.

No hardware address, no contact and no place: what a page says goes to every node of the community.
"""

import itertools
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Literal

from mesh.announcement import Address
from mesh.page_format import (
    NODE,
    Malformed,
    Page,
    canonical,
    fits,
    is_number,
    is_text,
    list_of,
    parse_object,
)
from mesh.page_kind import NOW, Priority, later_kind
from node.units import NodeId

ADDRESSES_MAX = 4
LINKS_MAX = 16
VERSION_CHARS_MAX = 32
ROUND_TRIP_MS_MAX = 60_000
LOAD_PERCENT_MAX = 1_000
ATTENTION_MAX = 9
"""More things that need a person count as so many, so that their number changes seldom."""
NODE_LABEL = f"node/{NOW}/0000"

type UplinkState = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A connection of the page's author to another node. A measured value is None while it is not known."""

    node: NodeId
    round_trip_ms: int | None = None
    loss_percent: int | None = None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What one node says of itself."""

    name: str
    version: str = ""
    addresses: tuple[Address, ...] = ()
    """Where nodes more than one hop away can call it."""
    uplink: tuple[str, UplinkState] | None = None
    """The name of its line, and whether it reaches the Internet."""
    load_percent: int | None = None
    """Of its processors."""
    links: tuple[NodeLink, ...] = ()
    """Sorted by node, each once."""
    made_s: int = 0
    """Unix time of the page, for people who read it; 0 while the author does not know it."""
    attention: int = 0
    """How many things there need a person; what they are is said there only."""
    through: tuple[NodeId, int] | None = None
    """The node over whose line everything goes that its usage pages count, and the Unix time since when it was never seen
    otherwise; None with a line of its own, with gateways, which may have other lines, or while that is not known."""


def node_body(facts: NodeFacts) -> bytes:
    """The second line of a node page. Values that are not known are left out."""
    said: dict[str, Any] = {
        "addresses": [[each.host, each.port] for each in facts.addresses],
        "links": [[each.node, *_measured(each)] for each in facts.links],
        "name": facts.name,
        "version": facts.version,
    }
    if facts.uplink is not None:
        said["uplink"] = list(facts.uplink)
    if facts.load_percent is not None:
        said["load"] = facts.load_percent
    if facts.attention:
        said["attention"] = facts.attention
    if facts.through is not None:
        said["through"] = list(facts.through)
    if facts.made_s:
        said["made"] = facts.made_s
    return canonical(said)


def node_facts(body: bytes) -> NodeFacts | Malformed:
    """What a node page says. Fields that this version does not know are ignored."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    name, version, made = fields.get("name"), fields.get("version", ""), fields.get("made", 0)
    if not is_text(name) or not (version == "" or (is_text(version) and len(version) <= VERSION_CHARS_MAX)):
        return Malformed("a node page without a name, or with a version that is no short text")
    addresses = list_of(fields.get("addresses", []), ADDRESSES_MAX)
    links = list_of(fields.get("links", []), LINKS_MAX)
    if addresses is None or not all(map(_is_address, addresses)):
        return Malformed(f"addresses are not at most {ADDRESSES_MAX} of [numeric address, port]")
    if links is None or not all(map(_is_link, links)) or not _each_once(links):
        return Malformed(
            f"links are not at most {LINKS_MAX} of [node, round trip, loss], in order, each once"
        )
    uplink, load, attention = fields.get("uplink"), fields.get("load"), fields.get("attention", 0)
    if not (_is_uplink(uplink) and _is_at_most(load, LOAD_PERCENT_MAX) and is_number(made)):
        return Malformed("uplink is not [name, up or down], load is no percentage, or made is no time")
    through = fields.get("through")
    if not (is_number(attention) and attention <= ATTENTION_MAX and _is_through(through)):
        return Malformed(f"attention is not a number up to {ATTENTION_MAX}, or through is not [node, time]")
    return NodeFacts(
        name,
        version,
        tuple(Address(host, port) for host, port in addresses),
        (uplink[0], uplink[1]) if uplink is not None else None,
        load,
        tuple(_link(each) for each in links),
        made,
        attention,
        (NodeId(through[0]), through[1]) if through is not None else None,
    )


def _measured(link: NodeLink) -> list[int]:
    """-1 for what is not known."""
    return [-1 if value is None else value for value in (link.round_trip_ms, link.loss_percent)]


def _link(entry: list[Any]) -> NodeLink:
    node, round_trip_ms, loss_percent = entry
    return NodeLink(
        NodeId(node),
        round_trip_ms if round_trip_ms >= 0 else None,
        loss_percent if loss_percent >= 0 else None,
    )


def _is_through(value: object) -> bool:
    if value is None:
        return True
    entry = list_of(value, 2)
    return entry is not None and len(entry) == 2 and fits(entry[0], NODE) and is_number(entry[1])


def _is_address(entry: object) -> bool:
    if not (isinstance(entry, list) and len(entry) == 2):
        return False
    host, port = entry
    if not (isinstance(host, str) and type(port) is int and 1 <= port <= 65_535 and "%" not in host):
        return False
    try:
        return str(ip_address(host)) == host
    except ValueError:
        return False


def _is_link(entry: object) -> bool:
    if not (isinstance(entry, list) and len(entry) == 3 and fits(entry[0], NODE)):
        return False
    return _is_measured(entry[1], ROUND_TRIP_MS_MAX) and _is_measured(entry[2], 100)


def _is_measured(value: object, most: int) -> bool:
    return type(value) is int and -1 <= value <= most


def _is_at_most(value: object, most: int) -> bool:
    return value is None or (is_number(value) and value <= most)


def _is_uplink(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and len(value) == 2 and is_text(value[0]) and value[1] in ("up", "down")


def _each_once(links: list[Any]) -> bool:
    return all(left[0] < right[0] for left, right in itertools.pairwise(links))


def _read(page: Page) -> NodeFacts | Malformed:
    return node_facts(page.body) if (page.period, page.part) == (NOW, 0) else Malformed("not the page of now")


NODE_KIND = later_kind("node", Priority.REGISTRY, _read)
