"""Gateways that two nodes of a community serve: what this node tells the other one, and what the other one tells it.

Each of the two names the other in its settings, by its place and by its key. So no node can make another one serve its
routers, or take the place of the second one; and of all who can open the key for the people behind a gateway, only a router
with the secret that its own node gave it reaches the second node.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mesh.gateway_kind import (
    ANSWERS_MAX,
    HANDOVER_PART,
    LIST_PARTS,
    NODE_CHARS,
    QUESTIONS_MAX,
    GatewaySaid,
    GatewaysContent,
    gateways_by_part,
)
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import GatewayService
from node.config import GatewaysSection
from node.gateways.gateway import Gateway, GatewayKind
from node.gateways.told_gateway import ToldGateway, opened_key, sealed_key, secret_hash
from node.identity import human_form
from node.translator import gettext_lazy, ngettext_lazy
from node.units import NodeId

_KINDS: Mapping[str, GatewayKind] = {"wifidog": "wifidog", "apfree": "apfree"}
"""What a second node can serve; openNDS has one authentication service only."""


class SharedGatewaysService:
    """Implements `mesh.ports.SharedGateways`. Used only from the event loop's thread."""

    def __init__(
        self, own: NodeId, settings: GatewaysSection, secrets: Callable[[], Sequence[bytes]]
    ) -> None:
        """`secrets`: of the community, the newest first."""
        self._own, self._settings, self._secrets = own, settings, secrets
        self._service: GatewayService | None = None
        self._said: dict[NodeId, dict[int, GatewaysContent]] = {}
        self._sealed: dict[tuple[str, bytes], tuple[str, str]] = {}
        self._left_out = 0
        self.woken: Callable[[], None] = lambda: None

    def connect(self, service: GatewayService) -> None:
        """`service` is that of this node."""
        self._service = service
        service.handovers.connect(self._named, self._woken)

    # --- for the mesh ---------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        return self._service is not None and self._service.recalled

    def own(self) -> Mapping[int, GatewaysContent]:
        service, told = self._service, dict.fromkeys(range(LIST_PARTS + 1), GatewaysContent())
        if service is None or not self._settings.second:
            return told
        parts, self._left_out = gateways_by_part(self._gateways(service.registry))
        if self._may_be_served():
            told |= {part: GatewaysContent(gateways=listed) for part, listed in parts.items()}
        asked = sorted(service.handovers.questions(self._shared(service)), key=lambda each: each.row)
        answered = sorted(service.handovers.answers(), key=lambda each: each.row)
        told[HANDOVER_PART] = GatewaysContent(
            serves=self._settings.serves,
            second=self._settings.second,
            second_node=self._settings.second_node or "",
            questions=tuple(asked[:QUESTIONS_MAX]),
            answers=tuple(answered[:ANSWERS_MAX]),
        )
        return told

    def settle_overdue(self) -> None:
        service = self._service
        if service is None or not service.recalled:
            return
        # Of every gateway: what waits for a second node that is not named any longer ends too.
        every, now = _served(service), service.now()
        for each in service.handovers.given_up(every, now):
            service.settled(each)
        for gateway in service.handovers.forgotten(every, now):
            service.noted(gateway)

    def take(self, pages: Sequence[tuple[NodeId, int, GatewaysContent]]) -> None:
        for author, part, content in pages:
            self._said.setdefault(author, {})[part] = content
        self._tell()
        for author, part, content in pages:
            if part == HANDOVER_PART and author == self.other:
                self._hear(content)

    def drop(self, author: NodeId) -> None:
        self._said.pop(author, None)
        self._tell()

    def warnings(self) -> Iterator[str]:
        if self._left_out:
            yield ngettext_lazy(
                "{number} gateway is not told to the second node, because a node tells as many as it may",
                "{number} gateways are not told to the second node, because a node tells as many as it may",
                self._left_out,
            )
        if self._settings.second and self._service is not None:
            yield from self._pairing_warnings(self._settings.second, self._settings.second_node)
            if unbelieved := self._service.handovers.unbelieved_clients(self._service.now()):
                yield ngettext_lazy(
                    "the second node says of {number} device more than a line carries, and is not believed: look whether "
                    "it is yours",
                    "the second node says of {number} devices more than a line carries, and is not believed: look whether "
                    "it is yours",
                    unbelieved,
                )

    def _pairing_warnings(self, place: str, named: NodeId | None) -> Iterator[str]:
        if named is None:
            yield gettext_lazy(
                "gateways.second_node is missing, so no node serves the gateways of this one: the page Gateways shows what "
                "to write"
            )
        elif self.other is None:
            yield gettext_lazy(
                "the node {node} does not say that it serves gateways at {place} and that this one is its second: look at "
                "gateways.second and gateways.second_node there and here",
                node=human_form(named),
                place=place,
            )
        others = [node for node in self.candidates() if node != named]
        if others and named is not None:
            yield gettext_lazy(
                "other nodes say too that routers reach them at {place}, and are not believed: {nodes}",
                place=place,
                nodes=", ".join(map(human_form, others)),
            )

    # --- for admins -----------------------------------------------------------------------------

    @property
    def other(self) -> NodeId | None:
        """The node that this one names, and that names this one: each the place and the key of the other."""
        named = self._settings.second_node
        # For each report of a router: without a look at what all the others say.
        is_other = named is not None and self._is_candidate(named) and self._names_this_one(named)
        return named if is_other else None

    def candidates(self) -> list[NodeId]:
        """The nodes that say that they are at the place of the second one, and that this one is theirs. That is no proof:
        any node of the community can say it."""
        return sorted(filter(self._is_candidate, self._said))

    # --- ---

    def _is_candidate(self, node: NodeId) -> bool:
        own, second = self._settings.serves, self._settings.second
        said = self._handover(node)
        return said is not None and bool(own and second) and (said.serves, said.second) == (second, own)

    def _names_this_one(self, node: NodeId) -> bool:
        said = self._handover(node)
        return said is not None and said.second_node == self._own

    def _may_be_served(self) -> bool:
        """Whether the gateways are told: not to a node that names no key. One with an earlier version would serve them, and
        book beside this node. One that has said nothing yet, as after a start, is told."""
        named = self._settings.second_node
        return named is not None and (self._handover(named) is None or self._names_this_one(named))

    def _handover(self, node: NodeId) -> GatewaysContent | None:
        return self._said.get(node, {}).get(HANDOVER_PART)

    def _tell(self) -> None:
        """Which gateways of the other node are served here."""
        if self._service is None:
            return
        other = self.other
        parts = self._said.get(other, {}) if other is not None else {}
        told = (
            self._told(other, each) for part in parts for each in parts[part].gateways if other is not None
        )
        self._service.registry.tell(each for each in told if each is not None)
        self._service.forget_gone()

    def _told(self, node: NodeId, said: GatewaySaid) -> ToldGateway | None:
        kind = _KINDS.get(said.kind)
        key = opened_key(said.key, said.check, node, said.id, self._secrets())
        if kind is None or key is None:
            return None
        gateway = Gateway(said.id, kind, "accepted", said.name, said.called, "", said.sources, said.serial)
        return ToldGateway(gateway, node, said.secret_hash, key)

    def _gateways(self, registry: GatewayRegistry) -> Iterator[GatewaySaid]:
        secret = self._secrets()[0]
        for each in registry.accepted():
            if each.kind not in _KINDS:
                continue
            name = (each.id, secret)
            if name not in self._sealed:
                self._sealed[name] = sealed_key(registry.people_key(each), self._own, each.id, secret)
            key, check = self._sealed[name]
            hashed = secret_hash(registry.secret(each))
            yield GatewaySaid(
                each.id, each.kind, each.name, each.called, each.serial, hashed, key, check, each.sources
            )

    def _named(self, gateway: Gateway) -> str:
        """How both nodes call a gateway that both serve. One of this node's is shared as soon as the settings say so:
        after a start the other node may have booked what this one has not heard of yet."""
        if self._service is None or gateway.kind not in _KINDS:
            return ""
        if self._service.registry.is_told(gateway):
            node = self.other
        else:
            node = self._own if self._settings.second and self._settings.second_node else None
        return f"{node[:NODE_CHARS]}/{gateway.id}" if node is not None else ""

    def _shared(self, service: GatewayService) -> list[Gateway]:
        return [each for each in _served(service) if self._named(each)]

    def _hear(self, said: GatewaysContent) -> None:
        """Questions and answers of the other node."""
        service = self._service
        if service is None or not service.recalled:
            return
        gateways = {self._named(each): each for each in self._shared(service)}
        now = service.now()
        for each in service.handovers.answered(said.answers, gateways, service.counters, now):
            service.settled(each)
            self._woken()
        for gateway_id in service.handovers.asked(said.questions, gateways, service.counters, now):
            gateway = service.registry.get(gateway_id)
            if gateway is not None:
                service.noted(gateway)

    def _woken(self) -> None:
        self.woken()


def _served(service: GatewayService) -> tuple[Gateway, ...]:
    """All gateways that this node serves."""
    return (*service.registry.accepted(), *(each.gateway for each in service.registry.told))
