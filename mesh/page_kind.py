"""What a kind of page is: one module for each kind says its content, limits, priority, signers and what it replaces."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from mesh.page_format import PERIOD, Malformed, Page, fits
from node.units import NodeId


class Priority(IntEnum):
    """Order in which frames wait for a neighbour; the lowest number is sent first."""

    SIGN = 0
    """Short signs between two nodes: that one is there, what it holds, that a connection leaves the tree."""
    GOVERNANCE = 1
    """The community record."""
    MEMBERSHIP = 2
    """Nodes of the community, its secrets, and lists of such statements."""
    FILES = 3
    """Versions of its rules and of its members' file."""
    REGISTRY = 4
    """Records about people, and pages about nodes."""
    VOUCHERS = 5
    """The lists of vouchers."""
    TREE = 6
    """Names of pages that others may have, and questions for them."""
    LISTS = 7
    """What a node holds, when two differ."""
    USAGE_NEAR = 8
    """Usage at this node, and at its neighbours."""
    USAGE_FAR = 9
    SUMMARY = 10
    """Summaries of nodes, which somebody looks at, and questions for them."""
    OTHER = 11
    """What this version does not know."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Content of a page that this node keeps and passes on, and does not interpret."""


@dataclass(frozen=True, slots=True)
class PageKind[Content]:
    """One kind of page.

    What is kept and passed on must not depend on whether a node knows the kind, or nodes of two versions would never
    hold the same pages. So only the kinds of the first version refuse a page for its content; every later kind keeps
    what it cannot read, and replaces and limits pages as `OTHER` does.
    """

    name: str
    priority: Priority
    is_period: Callable[[object], bool]
    """Whether a page of this kind may have this period."""
    read: Callable[[Page], Content | Malformed]
    """The content of a page whose signature was verified."""
    may_sign: Callable[[NodeId, frozenset[NodeId]], bool]
    """Whether a page of this author is read, given the nodes of the community."""
    replaces: Literal["in its stream", "of its author"]
    """A page replaces an older one with its label: of the same incarnation, or of any incarnation of its author."""
    limit: Literal["rows", "bytes"]
    """Which limit of its author it counts towards: its rows, or the bytes of `other_pages`."""


NOW = "now"
"""The period of pages that replace each other."""


def is_member(author: NodeId, roster: frozenset[NodeId]) -> bool:
    """The signers of most kinds: every node of the community."""
    return author in roster


def _is_period(value: object) -> bool:
    return fits(value, PERIOD)


def _read(_page: Page) -> Unread | Malformed:
    return Unread()


def later_kind[Content](
    name: str, priority: Priority, read: Callable[[Page], Content | Malformed]
) -> PageKind[Content]:
    """A kind that nodes of the first version do not know: they keep the same pages of it as those that do."""
    return PageKind(name, priority, _is_period, read, is_member, "of its author", "bytes")


OTHER = later_kind("", Priority.OTHER, _read)
"""Stands for every kind that this version does not know: kept and passed on within a limit, never interpreted."""
