"""Application service of the admin pages for the community's nodes: what this node holds of its community record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mesh.community_record import CommunityAdmin
from mesh.community_service import CommunityService
from mesh.community_state import CommunityState, InviteView, MemberView
from mesh.membership import NODE_ROLE, STATES
from mesh.ports import PeerView
from node.errors import Finding
from node.identity import human_form
from node.translator import gettext_lazy, ngettext_lazy
from node.units import NodeId

NAMED_MAX = 5
"""Most nodes named in one warning; the rest are only counted."""
_ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node of the community."""

    member: MemberView
    is_own: bool
    peer: PeerView | None
    """What this node sees of it; None for a node that is no direct neighbour."""
    own_name: str = ""
    """What it calls itself; empty if this node does not know."""

    @property
    def name(self) -> str:
        """What people call it; empty if nobody named it."""
        return self.member.label or self.own_name

    @property
    def short(self) -> str:
        return human_form(self.member.node)

    @property
    def invite(self) -> str:
        """The invite that it came with, in short; empty without one."""
        return "" if self.member.invite is None else human_form(self.member.invite)


@dataclass(frozen=True, slots=True)
class CommunityOverview:
    """What this node holds of its community."""

    followed: str
    """Id of the record that it follows; empty while it follows none."""
    offered: tuple[str, ...]
    """Records that neighbours follow while this node follows none."""
    name: str
    version: int
    """0 while the record is not known."""
    threshold: int
    """Votes that a change of the admins needs."""
    admins: tuple[CommunityAdmin, ...]
    recovery_keys: int
    nodes: tuple[MemberView, ...]
    """Active ones first."""
    active: int
    invites: tuple[InviteView, ...]
    """Open ones first."""
    warnings: tuple[str, ...]


class AdminCommunityService:
    """`name`: of this node; `key_copies`: warnings that several machines use one node key."""

    def __init__(
        self,
        community: CommunityService,
        *,
        name: str = "",
        peers: Callable[[], tuple[PeerView, ...]],
        key_copies: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._community, self._name, self._peers, self._key_copies = community, name, peers, key_copies

    def overview(self) -> CommunityOverview:
        service, state = self._community, self._community.state
        head = state.head if state is not None else None
        members = state.members() if state is not None and head is not None else self._listed()
        invites = state.invites() if state is not None else ()
        return CommunityOverview(
            followed=state.id if state is not None else "",
            offered=tuple(sorted(service.offered())),
            name=head.name if head is not None else "",
            version=head.version if head is not None else 0,
            threshold=head.threshold if head is not None else 0,
            admins=head.admins if head is not None else (),
            recovery_keys=len(head.recovery) if head is not None else 0,
            nodes=tuple(sorted(members, key=lambda view: STATES.index(view.state))),
            active=sum(view.state == _ACTIVE for view in members),
            invites=tuple(sorted(invites, key=lambda view: view.invite.state != "open")),
            warnings=tuple(self._warnings()),
        )

    def row(self, member: MemberView) -> NodeRow:
        peer = next((each for each in self._peers() if each.node == member.node), None)
        is_own = member.node == self._community.own
        name = self._name if is_own else "" if peer is None else peer.name
        return NodeRow(member, is_own, peer, name)

    def member(self, node: str) -> MemberView | None:
        """The node of the community with this id."""
        state = self._community.state
        members = state.members() if state is not None else ()
        return next((each for each in members if each.node == node), None)

    def _listed(self) -> tuple[MemberView, ...]:
        """The nodes of the configuration."""
        nodes = sorted(self._community.roster())
        return tuple(MemberView(node, "", NODE_ROLE, _ACTIVE, None) for node in nodes)

    # --- warnings ---

    def _warnings(self) -> Iterator[str]:
        service, state = self._community, self._community.state
        if service.trouble:
            yield service.trouble
        yield from self._key_copies()
        if state is not None and state.head is not None:
            yield from self._of_record(state)
        yield from self._of_secrets()
        yield from self._of_neighbours(state)

    def _of_record(self, state: CommunityState) -> Iterator[str]:
        if not self._community.is_member():
            yield gettext_lazy(
                "This node is no member of its community: an admin suspended or removed it. It has no connections to others."
            )
        unlisted = self._community.listed - state.nodes()
        if unlisted:
            yield gettext_lazy(
                "The settings list nodes that are no members, so they do not count: {nodes}.",
                nodes=_named(unlisted),
            )
        for view in state.invites():
            if len(view.used_by) > view.invite.uses:
                yield ngettext_lazy(
                    "The invite {invite} is for {number} node, and {used} came with it. Look at them in the list.",
                    "The invite {invite} is for {number} nodes, and {used} came with it. Look at them in the list.",
                    view.invite.uses,
                    invite=human_form(view.invite.key),
                    used=len(view.used_by),
                )
        if state.competing():
            yield gettext_lazy(
                "Admins signed competing versions of the community record. All nodes follow the same one; agree, and sign a "
                "next version if it is the wrong one."
            )

    def _of_secrets(self) -> Iterator[str]:
        secrets = self._community.secrets
        if secrets.trouble:
            yield secrets.trouble
        if secrets.lacks_newest():
            yield gettext_lazy(
                "The community has a new secret that this node lacks. It takes it from the first neighbour that has it."
            )
        wrong, lagging = secrets.exchange.wrong(), secrets.exchange.lagging()
        if wrong:
            yield gettext_lazy(
                "They answered with something that is no secret of the community: {nodes}.",
                nodes=_named(wrong),
            )
        if lagging:
            yield gettext_lazy(
                "They lack the newest secret of the community: {nodes}.", nodes=_named(lagging)
            )

    def _of_neighbours(self, state: CommunityState | None) -> Iterator[str]:
        """Lists of nodes that differ are told on both sides."""
        exchange, own = self._community.exchange, state.id if state is not None else ""
        differing = exchange.differing()
        same = [node for node in differing if exchange.follows(node) == own]
        other = [node for node in differing if exchange.follows(node) != own]
        if same:
            yield gettext_lazy("Their list of nodes differs from the one here: {nodes}.", nodes=_named(same))
        if other and state is not None:
            yield gettext_lazy("They do not follow this community record: {nodes}.", nodes=_named(other))


def no_such_node() -> Finding:
    return Finding(
        "node",
        0,
        gettext_lazy("The community has no such node."),
        gettext_lazy("choose one from the list of nodes"),
    )


def _named(nodes: "list[NodeId] | frozenset[NodeId]") -> str:
    """The first of them in short, and how many more there are."""
    shown = [human_form(node) for node in sorted(nodes)]
    more = [f"+{len(shown) - NAMED_MAX}"] if len(shown) > NAMED_MAX else []
    return ", ".join([*shown[:NAMED_MAX], *more])
