"""The community record on the control socket: what this node holds, and statements that admins signed elsewhere."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mesh.community_record import HASH
from mesh.community_service import CommunityService
from mesh.community_state import STATEMENTS_MAX
from mesh.page_format import Malformed, list_of
from mesh.signed_statement import SignedStatement, as_json, read_statement
from node.accounting.link_days import LinkUse, verdict_of
from node.app.shared_registry import SharedRegistry
from node.app.told_records import WHO_CHARS_MAX, told_records
from node.console import Answer
from node.errors import NodeError, StorageTrouble
from node.identity import human_form

FOLLOW_CHARS_MIN = 16
"""Of the id of a record that a person compares before a node follows it: 64 bits."""


class CommunityCommands:
    """Each method answers one query. Raises NodeError when it is refused."""

    def __init__(
        self,
        community: CommunityService,
        shared: SharedRegistry | None = None,
        uses: Callable[[], tuple[LinkUse, ...]] = tuple,
    ) -> None:
        """`shared`: None for a node without neighbours; `uses`: of its links that are counted."""
        self._community, self._shared, self._uses = community, shared, uses

    def all(self) -> Mapping[str, Answer]:
        return {
            "community": self.show,
            "community-follow": self.follow,
            "community-add": self.add,
            "community-secret": self.secret,
            "community-told": self.told,
        }

    def show(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """All statements, for a command that signs; what people are shown follows from them."""
        service, state = self._community, self._community.state
        return {
            "node": service.own,
            "followed": state.id if state else "",
            "listed": service.listed,
            "nodes": service.roster(),
            "offered": service.offered(),
            "warnings": service.warnings(),
            "statements": [as_json(each) for each in state.statements()] if state else [],
            "secret": service.secrets.exchange.number_in_force(),
            "secret_held": service.secrets.exchange.number_held(),
            "secret_lagging": service.secrets.exchange.lagging(),
            "links": [_use(each) for each in self._uses()],
        }

    def told(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """What nodes tell each other about an account, or about all people."""
        who, state = str(question.get("who") or "")[:WHO_CHARS_MAX], self._community.state
        names = {each.node: each.label for each in state.members()} if state is not None else {}
        found: tuple[list[Mapping[str, Any]], int] = [], 0
        if self._shared is not None:
            found = told_records(
                self._shared.records,
                self._shared.kinds,
                who,
                lambda node: names.get(node) or human_form(node),
            )
        return {"records": found[0], "more": found[1]}

    async def secret(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The commitment of a secret that is on this node's disk and in force nowhere; an admin's next version names it. The
        secret itself does not leave the node."""
        if self._community.state is None:
            raise _no_record()
        return {"commitment": await _stored(self._community.secrets.prepared())}

    async def follow(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Follow a record from now on: one that neighbours follow, by the start of its id, or one with its statements."""
        community, statements = str(question.get("community") or ""), _statements(question)
        state = self._community.state
        if not statements:
            offered = self._community.offered() if len(community) >= FOLLOW_CHARS_MIN else ()
            matching = [each for each in offered if each.startswith(community)]
            community = matching[0] if len(matching) == 1 else ""
        if state is not None:
            raise NodeError(
                f"this node follows a community record already: {state.id[:16]}",
                "a node belongs to one community; set up another node for another one",
            )
        if not HASH.fullmatch(community):
            raise NodeError(
                "no neighbour of this node follows such a record",
                "compare the id with 'procomu community show' on an admin's node, and let both nodes connect first",
            )
        await _stored(self._community.follow(community, statements))
        return {"followed": community}

    async def add(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Take in statements; they are stored and told to the neighbours when this returns."""
        if self._community.state is None:
            raise _no_record()
        refusal = await _stored(self._community.take_in(_statements(question)))
        if refusal:
            raise NodeError(
                f"a statement was refused: {refusal}", "look at 'procomu community show', and sign it again"
            )
        return {}


def _use(use: LinkUse) -> dict[str, Any]:
    """One link: in all, and by day."""
    return {
        "node": use.node,
        "sent": use.sent,
        "received": use.received,
        "said_down": use.said_down,
        "said_up": use.said_up,
        "verdict": use.verdict,
        "day": use.worst_day,
        "days": [
            {
                "day": day,
                "sent": each.sent,
                "received": each.received,
                "said_down": each.said_down,
                "said_up": each.said_up,
                "verdict": verdict_of(use.days, day),
            }
            for day, each in sorted(use.days.items())
        ],
    }


def _no_record() -> NodeError:
    return NodeError(
        "this node follows no community record",
        "make one with 'procomu community create', or join one with an invite",
    )


async def _stored[T](work: Awaitable[T]) -> T:
    try:
        return await work
    except StorageTrouble as trouble:
        raise NodeError(
            f"it could not be stored: {trouble}", "look at the node's disk, then try again"
        ) from trouble


def _statements(question: Mapping[str, Any]) -> list[SignedStatement]:
    listed = list_of(question.get("statements", []), STATEMENTS_MAX)
    found = [read_statement(each) for each in listed or ()]
    good = [each for each in found if not isinstance(each, Malformed)]
    if listed is None or len(good) != len(found):
        raise NodeError("a statement cannot be read", "use the commands of 'procomu community'")
    return good
