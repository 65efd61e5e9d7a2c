"""Control socket commands about gateways. They use the service of the admins' page."""

from collections.abc import Mapping
from typing import Any

from node.app.admin_gateways import AdminGatewaysService, GatewayRow, ToldGatewayRow
from node.console import Answer
from node.errors import InvalidValue, NodeError
from node.gateways.gateway import NAME_CHARACTERS_MAX, Gateway, GatewayKind

KINDS: tuple[GatewayKind, ...] = ("wifidog", "apfree", "opennds")
TEXT_CHARS_MAX = 4 * NAME_CHARACTERS_MAX


class GatewayCommands:
    """Each method runs one command. Raises NodeError when it is refused."""

    def __init__(self, gateways: AdminGatewaysService) -> None:
        self._gateways, self._registry = gateways, gateways.registry

    def all(self) -> Mapping[str, Answer]:
        return {
            "gateways-list": self.list,
            "gateways-add": self.add,
            "gateways-accept": self.accept,
            "gateways-refuse": self.refuse,
            "gateways-remove": self.remove,
            "gateways-config": self.config,
        }

    def list(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """All gateways, without their secrets."""
        other = self._gateways.other_node()
        return {
            "listens": self._gateways.is_on,
            "second": self._gateways.second,
            "second_node": other or "",
            "second_candidates": list(self._gateways.candidates),
            "gateways": [_row(each) for each in self._gateways.rows()],
            "told": [_told(each) for each in self._gateways.told_rows()],
        }

    async def add(self, question: dict[str, Any]) -> Mapping[str, Any]:
        wanted = _text(question, "kind") or "wifidog"
        kind = next((each for each in KINDS if each == wanted), None)
        if kind is None:
            raise NodeError(f"{wanted!r:.40} is no program of a gateway", f"write one of {', '.join(KINDS)}")
        try:
            made = await self._registry.add(kind, _text(question, "name"))
        except InvalidValue as invalid:
            raise _refused(invalid) from invalid
        return self._with_configuration(made)

    async def accept(self, question: dict[str, Any]) -> Mapping[str, Any]:
        try:
            made = await self._registry.accept(_text(question, "gateway"), _text(question, "name"))
        except InvalidValue as invalid:
            raise _refused(invalid) from invalid
        return self._with_configuration(made)

    async def refuse(self, question: dict[str, Any]) -> Mapping[str, Any]:
        return {"gateway": (await self._registry.refuse(_text(question, "gateway"))).id}

    async def remove(self, question: dict[str, Any]) -> Mapping[str, Any]:
        gateway_id = _text(question, "gateway")
        await self._registry.drop(gateway_id)
        return {"gateway": gateway_id}

    def config(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """With the gateway's secret."""
        gateway = self._registry.get(_text(question, "gateway"))
        if gateway is None or gateway.phase != "accepted":
            raise NodeError("there is no such gateway", "look at the list: procomu gateways list")
        return self._with_configuration(gateway)

    def _with_configuration(self, gateway: Gateway) -> Mapping[str, Any]:
        return {
            "gateway": gateway.id,
            "name": gateway.name,
            "configuration": self._gateways.configuration(gateway),
        }


def _row(row: GatewayRow) -> Mapping[str, Any]:
    gateway, status = row.gateway, row.status
    return {
        "gateway": gateway.id,
        "kind": gateway.kind,
        "state": gateway.phase,
        "name": gateway.name,
        "called": gateway.called,
        "address": status.address,
        "heard_s": status.heard_s,
        "trouble": status.trouble,
        "detail": status.detail,
        "people": row.people,
        "used_bytes": {"down": row.used.down, "up": row.used.up},
        "ignored_reports": row.ignored,
    }


def _told(row: ToldGatewayRow) -> Mapping[str, Any]:
    gateway = row.told.gateway
    return {
        "gateway": gateway.id,
        "node": row.told.node,
        "kind": gateway.kind,
        "name": gateway.name,
        "called": gateway.called,
        "people": row.people,
        "used_bytes": {"down": row.used.down, "up": row.used.up},
    }


def _text(question: dict[str, Any], name: str) -> str:
    return str(question.get(name) or "")[:TEXT_CHARS_MAX].strip()


def _refused(invalid: InvalidValue) -> NodeError:
    return NodeError(str(invalid.message), "write what people call the place, as no other gateway is called")
