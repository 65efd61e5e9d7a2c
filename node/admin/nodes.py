"""Nodes of the community: its record and admins, each node with its state, and the invites."""

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.community_state import InviteView
from mesh.membership import NODE_ROLE
from node.admin.fields import ListPage, paginate
from node.admin.link_lines import LinkLine, link_lines
from node.admin.overview import PEER_STATES, heard
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
)
from node.app.admin import AdminService
from node.app.admin_community import CommunityOverview, NodeRow
from node.identity import human_form
from node.translator import gettext_lazy
from node.units import NodeId

FOLLOWED_CHARS = 16
"""Of the id of a record, for people who compare it."""
STATE_WORDS = {
    "active": gettext_lazy("active"),
    "suspended": gettext_lazy("suspended"),
    "removed": gettext_lazy("removed"),
}
REACH_WORDS: Mapping[str, str] = {**PEER_STATES, "trusted": gettext_lazy("connected")}
NOTICES: Mapping[str, str] = {
    "active": gettext_lazy("Signed: the node is active again."),
    "suspended": gettext_lazy("Signed: the node is suspended."),
    "removed": gettext_lazy(
        "Signed: the node is removed. It may still hold copies of what it received. It still knows the "
        "community’s secret: make a new one, at the end of this page."
    ),
    "closed": gettext_lazy("Signed: the invite is closed."),
    "admin": gettext_lazy("Signed: the community has another admin."),
    "no admin": gettext_lazy("Signed: that key is no admin of the community any longer."),
    "replaced": gettext_lazy("Signed: your new key is in force."),
    "secret": gettext_lazy("Signed: the nodes take the new secret from each other."),
}
"""After something was signed."""
INVITE_WORDS = {"open": gettext_lazy("open"), "closed": gettext_lazy("closed")}


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node in the list."""

    row: NodeRow
    state: str
    reach: str
    """Whether this node is connected to it."""
    heard: str
    """Empty if this node does not hear it itself."""

    @property
    def role(self) -> str:
        """Of a newer version, as it is; empty for a node."""
        return "" if self.row.member.role == NODE_ROLE else self.row.member.role

    @property
    def is_odd(self) -> bool:
        return self.row.member.state != "active"


@dataclass(frozen=True, slots=True)
class InviteLine:
    """One invite in the list."""

    view: InviteView
    state: str
    note: str = ""
    """What an admin of this node wrote about it."""

    @property
    def short(self) -> str:
        return human_form(self.view.invite.key)

    @property
    def issuers(self) -> str:
        return ", ".join(self.view.issuers)

    @property
    def is_over(self) -> bool:
        return len(self.view.used_by) > self.view.invite.uses


@dataclass(frozen=True, slots=True)
class AdminLine:
    """One admin of the community."""

    label: str
    id: str
    votes: int

    @property
    def key(self) -> str:
        return human_form(NodeId(self.id))


@dataclass(frozen=True, slots=True)
class NodesPage:
    """The community, as this node holds it."""

    template = "nodes.html"
    frame: PageLayout
    community: CommunityOverview
    admins: tuple[AdminLine, ...]
    nodes: ListPage[NodeLine]
    invites: ListPage[InviteLine]
    notice: str = ""
    """What was just signed, in words; empty if nothing was."""
    links: tuple[LinkLine, ...] = ()
    """Of neighbours whose link is counted."""

    @property
    def followed(self) -> str:
        return self.community.followed[:FOLLOWED_CHARS]

    @property
    def offered(self) -> tuple[str, ...]:
        return tuple(each[:FOLLOWED_CHARS] for each in self.community.offered)


class NodesViews:
    """Views for the nodes of the community."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._community = backend, backend.community

    def routes(self) -> tuple[Route, ...]:
        return (Route("GET", "/nodes", self._show),)

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return await self.page(request)

    async def page(self, request: AdminRequest, notice: str = "") -> AdminResponse:
        """The response to `request`; `notice` is one of `NOTICES`."""
        community = self._community.overview()
        number, invites = number_in(request.query, "page"), number_in(request.query, "invites")
        nodes, notes = paginate(community.nodes, number, "/nodes"), await self._backend.signing.notes()
        graph = self._backend.graph()
        page = NodesPage(
            page_layout(request, self._backend.site(), "/nodes"),
            community,
            tuple(AdminLine(each.label, each.key, each.votes) for each in community.admins),
            nodes.turned(lambda member: node_line(self._community.row(member))),
            paginate(community.invites, invites, "/nodes", name="invites").turned(
                lambda view: invite_line(view, notes.get(view.invite.key, ""))
            ),
            NOTICES.get(notice, ""),
            tuple(link_lines(graph.uses, {each.node: each.name for each in graph.nodes})),
        )
        return AdminResponse(page)


def node_line(row: NodeRow) -> NodeLine:
    member, peer = row.member, row.peer
    reach: str
    said: str
    if row.is_own:
        reach, said = gettext_lazy("this node"), ""
    elif peer is None:
        reach, said = gettext_lazy("not a direct neighbour"), ""
    else:
        reach, said = _words(REACH_WORDS, peer.state), heard(peer.heard_seconds_ago)
    return NodeLine(row, _words(STATE_WORDS, member.state), reach, said)


def invite_line(view: InviteView, note: str = "") -> InviteLine:
    return InviteLine(view, _words(INVITE_WORDS, view.invite.state), note)


def _words(known: Mapping[str, str], name: str) -> str:
    """The name itself if a newer node has one that is not known here."""
    return known.get(name, name)
