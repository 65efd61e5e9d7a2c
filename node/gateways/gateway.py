"""A gateway: a router with a captive portal program of its own, as this node knows it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any, Literal, get_args
from unicodedata import normalize

from node.errors import InvalidValue
from node.translator import gettext_lazy

GatewayKind = Literal["wifidog", "apfree", "opennds"]
GatewayPhase = Literal["asked", "accepted", "refused"]

GATEWAYS_MAX = 600
ASKED_MAX = 32
"""Routers that wait for an admin's decision; everybody who reaches the port can add one."""
NAME_CHARACTERS_MAX = 60
CALLED_CHARACTERS_MAX = 200
"""An openNDS gateway name is percent-encoded, with a suffix."""
SOURCES_MAX = 8
ID_BYTES = 4
_ID = re.compile(r"[0-9a-f]{8}")
_CALLED = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway. Its secret is derived from the node's key, `id` and `serial`, so that it is stored nowhere."""

    id: str
    """Made by this node: eight hexadecimal digits."""
    kind: GatewayKind
    phase: GatewayPhase
    name: str
    """As an admin named it; empty until it is accepted."""
    called: str
    """How the router calls itself (gw_id, device_id, gatewayname): no proof. Empty until it has."""
    address: str
    """From which it asked, or spoke first."""
    sources: tuple[str, ...] = ()
    """Networks from which alone it may speak; empty for all."""
    serial: int = 1
    """Counts its secrets."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.called or self.id

    def may_speak_from(self, address: str) -> bool:
        """Whether the source limits allow this IP address."""
        if not self.sources:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in ip_network(each) for each in self.sources)


def is_called(text: str) -> bool:
    """Whether a router may call itself so: visible ASCII."""
    return _CALLED.fullmatch(text) is not None


def parse_sources(text: str) -> tuple[str, ...]:
    """Addresses or networks between commas, spaces or line ends; none for no limit. Raises InvalidValue."""
    parts = text.replace(",", " ").split()
    if len(parts) > SOURCES_MAX:
        raise InvalidValue(gettext_lazy("write at most {most} addresses", most=str(SOURCES_MAX)))
    try:
        return tuple(str(ip_network(each, strict=False)) for each in parts)
    except ValueError as error:
        raise InvalidValue(
            gettext_lazy("write addresses or networks, such as {one}", one="10.1.2.0/24")
        ) from error


def gateways_text(gateways: Iterable[Gateway]) -> str:
    """As JSON, for storage."""
    return json.dumps([asdict(each) for each in gateways], separators=(",", ":"), sort_keys=True)


def read_gateways(text: str) -> tuple[Gateway, ...]:
    """What `gateways_text` wrote; what cannot be read is left out."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return ()
    found = (_read(row) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    kept = {each.id: each for each in found if each is not None}
    return tuple(kept.values())[:GATEWAYS_MAX]


def _read(row: Mapping[str, Any]) -> Gateway | None:
    try:
        read = Gateway(**{**row, "sources": parse_sources(" ".join(row.get("sources", ())))})
    except (TypeError, ValueError, InvalidValue):
        return None
    texts = (read.id, read.name, read.called, read.address)
    is_valid = (
        all(isinstance(each, str) for each in texts)
        and _ID.fullmatch(read.id) is not None
        and read.kind in get_args(GatewayKind)
        and read.phase in get_args(GatewayPhase)
        and isinstance(read.serial, int)
        and read.serial > 0
    )
    return replace(read, name=normalize("NFC", read.name)[:NAME_CHARACTERS_MAX]) if is_valid else None
