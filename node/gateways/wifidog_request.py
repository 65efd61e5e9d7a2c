"""Requests of WiFiDog v1 gateways, in both dialects: the stock gateway's and apfree-wifidog's.

Everything is text from the network: what is not of the expected form is missing, and a request without what it needs is
an `UnreadableRequest`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from node.gateways.counters import COUNTER_MAX, ReportedCounters
from node.gateways.gateway import GatewayKind, is_called
from node.units import MacAddress, parse_mac

QUERY_CHARACTERS_MAX = 4_096
"""The gateway's own request buffer."""
FIELDS_MAX = 64
URL_CHARACTERS_MAX = 1_024
CLIENTS_MAX = 1_024
"""In one body of counters; all gateways of it together."""
GATEWAYS_IN_BODY_MAX = 16
BODY_BYTES_MAX = 512 * 1_024
TOKEN_CHARACTERS_MAX = 64
GATEWAY_PORT = 2060

Stage = Literal["login", "counters", "logout"]
_STAGES: Mapping[str, Stage] = {"login": "login", "counters": "counters", "logout": "logout"}
_PRIVATE = tuple(
    ip_network(each)
    for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
)
"""RFC 1918, RFC 6598, RFC 4193 and RFC 4291."""
_NUMBER = re.compile(r"\d{1,19}")
_TOKEN = re.compile(r"[0-9A-Za-z]{1,64}")
_V1 = ("incoming", "outgoing")
_APFREE = ("incoming_bytes", "outgoing_bytes")

type Fields = Mapping[str, str]


class UnreadableRequest(ValueError):
    """A request that lacks what it needs. In English, because only programs and their logs read it."""


@dataclass(frozen=True, slots=True)
class WifidogPing:
    """A heartbeat. apfree names its device instead of a gateway."""

    kind: GatewayKind
    called: str
    uptime_s: int | None
    """Of the gateway's program."""
    online: int | None
    """Clients that it says are online."""


@dataclass(frozen=True, slots=True)
class WifidogAuth:
    """One client's login, counters or logout."""

    kind: GatewayKind
    stage: Stage
    called: str
    device_id: str
    """apfree's second name, as in its heartbeat; empty for the stock gateway."""
    mac: MacAddress
    ip: str
    """Empty when it is no address."""
    token: str
    counted: ReportedCounters


@dataclass(frozen=True, slots=True)
class ReportedClient:
    """A client in a body of counters."""

    id: int | str
    """The gateway's own number of it, given back in the reply."""
    mac: MacAddress
    token: str
    counted: ReportedCounters


@dataclass(frozen=True, slots=True)
class WifidogReport:
    """The counters of all clients of one gateway (apfree, "counters_v2")."""

    called: str
    clients: tuple[ReportedClient, ...]


@dataclass(frozen=True, slots=True)
class WifidogCounters:
    """A whole body of counters."""

    device_id: str
    reports: tuple[WifidogReport, ...]


@dataclass(frozen=True, slots=True)
class WifidogLogin:
    """A person, sent to the welcome page by the gateway."""

    kind: GatewayKind
    called: str
    device_id: str
    address: str
    """Of the gateway, on its own network."""
    port: int
    mac: MacAddress | None
    """As the browser says it: no proof."""
    original_url: str
    """Where the person wanted to go, http or https; else empty."""


def read_query(query: str) -> Fields:
    """The fields of a query string. Raises UnreadableRequest for one that is too long, or names a field twice."""
    if len(query) > QUERY_CHARACTERS_MAX:
        raise UnreadableRequest("the query is too long")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise UnreadableRequest("the query cannot be read") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise UnreadableRequest("the query names a field twice")
    return fields


def read_ping(fields: Fields) -> WifidogPing:
    """Raises UnreadableRequest without the router's name."""
    is_apfree = "device_id" in fields and "gw_id" not in fields
    called = _called(fields, "device_id" if is_apfree else "gw_id")
    online = _number(fields.get("online_clients")) if is_apfree else None
    return WifidogPing(
        "apfree" if is_apfree else "wifidog", called, _number(fields.get("wifidog_uptime")), online
    )


def read_auth(fields: Fields) -> WifidogAuth:
    """Raises UnreadableRequest without a stage, a gateway, a device or a token."""
    stage = _STAGES.get(fields.get("stage", ""))
    if stage is None:
        raise UnreadableRequest("the stage is login, counters or logout")
    is_apfree = "device_id" in fields or _APFREE[0] in fields
    down, up = _APFREE if is_apfree else _V1
    return WifidogAuth(
        "apfree" if is_apfree else "wifidog",
        stage,
        _called(fields, "gw_id"),
        _called(fields, "device_id") if "device_id" in fields else "",
        _mac(fields.get("mac")),
        _address(fields.get("ip", "")),
        _token(fields.get("token")),
        ReportedCounters(_number(fields.get(down)), _number(fields.get(up))),
    )


def read_login(fields: Fields) -> WifidogLogin:
    """Raises UnreadableRequest when it does not say where the gateway answers. The address must be a private one: otherwise
    anybody could send a person, and a token, to a host of their own."""
    is_apfree = "device_id" in fields
    address = _address(fields.get("gw_address", "").strip("[]"))
    if not address or not _is_private(ip_address(address)):
        raise UnreadableRequest("the router's address must be one of a private network")
    port = _number(fields.get("gw_port"))
    if port is None:
        port = 80 if is_apfree else GATEWAY_PORT
    if not 0 < port < 65_536:
        raise UnreadableRequest("the router's port is not a port")
    try:
        mac = _mac(fields.get("mac"))
    except UnreadableRequest:
        mac = None
    return WifidogLogin(
        "apfree" if is_apfree else "wifidog",
        _called(fields, "gw_id"),
        _called(fields, "device_id") if is_apfree else "",
        address,
        port,
        mac,
        web_url(fields.get("url", "")),
    )


def read_counters(body: bytes) -> WifidogCounters:
    """apfree's body of counters. Clients that cannot be read are left out. Raises UnreadableRequest."""
    if len(body) > BODY_BYTES_MAX:
        raise UnreadableRequest("the body is too long")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableRequest("the body is not JSON") from error
    if not isinstance(said, dict) or not isinstance(said.get("gateway"), list):
        raise UnreadableRequest("the body names no gateways")
    rows = said["gateway"]
    if len(rows) > GATEWAYS_IN_BODY_MAX:
        raise UnreadableRequest("the body names too many gateways")
    left = CLIENTS_MAX
    reports = []
    for row in rows:
        if isinstance(row, dict) and is_called(str(row.get("gw_id", ""))):
            clients = tuple(_clients(row.get("clients"), left))
            left -= len(clients)
            reports.append(WifidogReport(str(row["gw_id"]), clients))
    device_id = str(said.get("device_id", ""))
    return WifidogCounters(device_id if is_called(device_id) else "", tuple(reports))


def web_url(text: str) -> str:
    """The text, when it is an http or https URL that may stand in a page; else empty."""
    if len(text) > URL_CHARACTERS_MAX or not text.isascii() or not text.isprintable() or " " in text:
        return ""
    try:
        found = urlsplit(text)
    except ValueError:
        return ""
    return text if found.scheme in {"http", "https"} and found.hostname else ""


def _clients(rows: Any, most: int) -> Iterable[ReportedClient]:
    for row in (rows if isinstance(rows, list) else [])[:most]:
        client = _client(row) if isinstance(row, dict) else None
        if client is not None:
            yield client


def _client(row: Mapping[str, Any]) -> ReportedClient | None:
    number = row.get("id")
    if (
        not isinstance(number, int | str)
        or isinstance(number, bool)
        or len(str(number)) > TOKEN_CHARACTERS_MAX
    ):
        return None
    try:
        mac, token = _mac(row.get("mac")), _token(row.get("token"))
    except UnreadableRequest:
        return None
    down, up = (_both_families(row, name) for name in _APFREE)
    return ReportedClient(number, mac, token, ReportedCounters(down, up))


def _both_families(row: Mapping[str, Any], name: str) -> int | None:
    """Bytes of IPv4 and IPv6 together; None when IPv4's are missing."""
    four, six = _count(row.get(name)), _count(row.get(f"{name}_v6"))
    return None if four is None else four + (six or 0)


def _count(value: Any) -> int | None:
    if isinstance(value, str):
        return _number(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNTER_MAX
    return value if is_count else None


def _called(fields: Fields, name: str) -> str:
    text = fields.get(name, "")
    if not is_called(text):
        raise UnreadableRequest("the router does not say its name")
    return text


def _mac(text: Any) -> MacAddress:
    if not isinstance(text, str):
        raise UnreadableRequest("the device has no hardware address")
    try:
        return parse_mac(text)
    except ValueError as error:
        raise UnreadableRequest("the device's hardware address cannot be read") from error


def _token(text: Any) -> str:
    if not isinstance(text, str) or _TOKEN.fullmatch(text) is None:
        raise UnreadableRequest("the device has no token")
    return text


def _number(text: str | None) -> int | None:
    if text is None or _NUMBER.fullmatch(text) is None or not text.isascii():
        return None
    number = int(text)
    return number if number <= COUNTER_MAX else None


def _address(text: str) -> str:
    try:
        return str(ip_address(text)) if "%" not in text else ""
    except ValueError:
        return ""


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _PRIVATE)
