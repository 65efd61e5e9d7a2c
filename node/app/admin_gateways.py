"""Application service of the admin pages and commands for gateways."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from node.app.gateway_registry import GatewayRegistry, GatewayStatus
from node.app.gateway_service import GatewayService
from node.config import GatewaysSection
from node.export.node_graph import GraphGateway
from node.gateways.capability import FEATURES, Ability, Feature, abilities
from node.gateways.gateway import Gateway
from node.gateways.opennds_config import opennds_configuration
from node.gateways.told_gateway import ToldGateway
from node.gateways.wifidog_config import wifidog_config
from node.units import MacAddress, NodeId, Usage

HOST_NOT_SET = "NODE"
"""In a configuration, until the settings say under which name or address routers reach the node."""

CANDIDATES_MAX = 8
"""Nodes that are shown; each node of the community can say that it is the second one."""


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as admins see it."""

    status: GatewayStatus
    people: int | None
    """Devices that passed at their last check; None while the gateway is silent, so that nobody knows."""
    used: Usage
    """Since the node started."""
    ignored: int
    """Reports that were ignored or cut."""

    @property
    def gateway(self) -> Gateway:
        return self.status.gateway


@dataclass(frozen=True, slots=True)
class ToldGatewayRow:
    """A gateway of another node that this one serves too."""

    told: ToldGateway
    people: int
    """Devices that passed here at their last check."""
    used: Usage
    """Here, since the node started."""


class AdminGatewaysService:
    """What admins see of gateways, and decide."""

    def __init__(
        self,
        gateways: GatewayService,
        settings: GatewaysSection,
        has_certificate: Callable[[], bool] = lambda: False,
        *,
        other_node: Callable[[], NodeId | None] = lambda: None,
        candidates: Callable[[], Sequence[NodeId]] = tuple,
        own: NodeId | None = None,
        scripts: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`other_node`: the one that serves these gateways too; `candidates`: those that say that they are at its place,
        which is no proof; `own`: the id of this node; `scripts`: those for openNDS routers, each with its SHA-256."""
        self._scripts = scripts
        self.other_node, self._candidates, self._own = other_node, candidates, own
        self._gateways, self._settings, self._has_certificate = gateways, settings, has_certificate

    @property
    def registry(self) -> GatewayRegistry:
        return self._gateways.registry

    @property
    def is_on(self) -> bool:
        """Whether the settings let routers reach this node."""
        return self._settings.listen is not None

    @property
    def has_host(self) -> bool:
        return bool(self._host())

    def rows(self) -> tuple[GatewayRow, ...]:
        """Accepted ones first."""
        return tuple(map(self._row, self.registry.all))

    def on_map(self) -> tuple[GraphGateway, ...]:
        """Accepted gateways, for the graph of the nodes."""
        rows = (each for each in self.rows() if each.gateway.phase == "accepted")
        return tuple(
            GraphGateway(each.gateway.id, each.gateway.title, each.status.trouble == "silent", each.people)
            for each in rows
        )

    def name_at(self, mac: MacAddress) -> str:
        """Of the gateway behind which a device is; empty for none."""
        found = self._gateways.gateway_of(mac)
        return "" if found is None else found.title

    def told_rows(self) -> tuple[ToldGatewayRow, ...]:
        """Of other nodes, by name."""
        found = ((each, self._gateways.people(each.gateway)) for each in self.registry.told)
        return tuple(ToldGatewayRow(each, len(people.devices), people.added) for each, people in found)

    @property
    def second(self) -> str:
        """Host and port of the node that is to serve these gateways too; empty for none."""
        return self._settings.second

    @property
    def candidates(self) -> Sequence[NodeId]:
        """Nodes that say that they are the second one, while the settings name none."""
        return () if self._settings.second_node is not None else tuple(self._candidates())[:CANDIDATES_MAX]

    def settings_for_second(self) -> str:
        """For the settings of the node that is to serve these gateways too; empty where this node does not know its own."""
        if self._own is None or not self._settings.serves:
            return ""
        return second_settings(self._settings.serves, self._own)

    def settings_for(self, candidate: NodeId) -> str:
        """For the settings of this node, once an admin knows that this is the second one."""
        return second_settings(self._settings.second, candidate)

    def row(self, gateway_id: str) -> GatewayRow | None:
        gateway = self.registry.get(gateway_id)
        return None if gateway is None else self._row(self.registry.status(gateway))

    def configuration(self, gateway: Gateway) -> str:
        """To paste into the router; with its secret."""
        port = self._settings.listen.port if self._settings.listen is not None else 2082
        host = self._host() or HOST_NOT_SET
        if gateway.kind == "opennds":
            return opennds_configuration(
                gateway,
                host,
                self.registry.fas_key(gateway),
                port=port,
                https_port=self._settings.https_port,
                has_certificate=self._has_certificate(),
                scripts=self._scripts(),
            )
        return wifidog_config(gateway, self.registry.secret(gateway), host, port, self._settings.second)

    def abilities(self, gateway: Gateway) -> tuple[tuple[Feature, Ability], ...]:
        """What the router can do now of what the rules say."""
        found = abilities(
            gateway.kind,
            reports=self.registry.reports(gateway),
            has_long_sessions=self._gateways.has_long_sessions(gateway),
        )
        return tuple((each, found.by_feature[each]) for each in FEATURES)

    def _row(self, status: GatewayStatus) -> GatewayRow:
        people = self._gateways.people(status.gateway)
        ignored = sum(n for finding, n in people.findings.items() if finding != "restarted")
        present = None if status.trouble == "silent" else len(people.devices)
        return GatewayRow(status, present, people.added, ignored + people.of_nobody)

    def _host(self) -> str:
        return self._settings.host or self._settings.serves.rpartition(":")[0]


def second_settings(place: str, node: NodeId) -> str:
    """The lines of a node's settings that name its second node."""
    return f'[gateways]\nsecond = "{place}"\nsecond_node = "{node}"\n'
