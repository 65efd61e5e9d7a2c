"""Turns ``node.toml`` into a `NodeConfig`, or reports every error at once, each with its line and its fix."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Interface, ip_address
from itertools import islice
from typing import Any

from node.config.model import (
    AdminSection,
    AlertsSection,
    ClockSection,
    CommunitySection,
    GatewaysSection,
    LanSection,
    MembersSection,
    MeshSection,
    NodeConfig,
    NodeSection,
    PortalSection,
    RulesSection,
    ServicesSection,
    StopSection,
    UplinkSection,
)
from node.config.setting import Setting
from node.config.settings import SECTIONS, SETTINGS
from node.errors import Finding
from node.toml_reader import TomlDocument, closest, read_toml, read_value

FILE_BYTES_MAX = 256 * 1024
UNKNOWN_MAX = 100
"""Limit of findings about unknown sections and settings; people fix the first ones and check again."""
_TYPES: Mapping[str, type] = {
    "node": NodeSection,
    "community": CommunitySection,
    "lan": LanSection,
    "uplink": UplinkSection,
    "portal": PortalSection,
    "services": ServicesSection,
    "admin": AdminSection,
    "alerts": AlertsSection,
    "mesh": MeshSection,
    "gateways": GatewaysSection,
    "rules": RulesSection,
    "members": MembersSection,
    "stop": StopSection,
    "clock": ClockSection,
}
_BY_SECTION = {name: {s.key: s for s in SETTINGS if s.section == name} for name in SECTIONS}
_DHCP_SKIPPED = 100


def parse_config(text: str) -> tuple[NodeConfig | None, tuple[Finding, ...]]:
    """The configuration, and findings. None if a finding is an error; the others are warnings."""
    file = read_toml(text, code="config-text", syntax_code="config-syntax", bytes_max=FILE_BYTES_MAX)
    findings = [*file.findings, *islice(_unknown(file), UNKNOWN_MAX)]
    # After a TOML syntax error, any line may be missing, so no setting is reported as missing.
    values = {name: _section(file, name, findings, complete=not file.findings) for name in SECTIONS}
    if not any(finding.is_error for finding in findings):
        _derive(values)
        findings += _together(values, file)
    ordered = tuple(sorted(findings, key=lambda finding: finding.line))
    if any(finding.is_error for finding in ordered):
        return None, ordered
    return NodeConfig(**{name: _TYPES[name](**values[name]) for name in SECTIONS}), ordered


def _unknown(file: TomlDocument) -> Iterable[Finding]:
    for name, section in file.data.items():
        if name not in SECTIONS:
            yield _unknown_section(file, name, is_table=isinstance(section, dict))
        elif not isinstance(section, dict):
            fix = f"write [{name}] on a line of its own, and its settings below it"
            yield Finding(
                "config-section", file.line("", key=name), f"{name} is a section, not a setting.", fix
            )
        else:
            yield from (_unknown_key(file, name, key) for key in section if key not in _BY_SECTION[name])


def _unknown_section(file: TomlDocument, name: str, *, is_table: bool) -> Finding:
    if not is_table:
        homes = [s.section for s in SETTINGS if s.key == name]
        fix = f"move it below [{homes[0]}]" if homes else "remove it, or move it below its section"
        return Finding("config-unknown", file.line("", key=name), f"{name!r} stands in no section.", fix)
    near = closest(name, SECTIONS)
    fix = f"did you mean [{near}]?" if near else f"the sections are {', '.join(SECTIONS)}"
    return Finding("config-unknown", file.line(name), f"there is no section {name!r}.", fix)


def _unknown_key(file: TomlDocument, section: str, key: str) -> Finding:
    fix = f"the settings of [{section}] are {', '.join(_BY_SECTION[section])}"
    if near := closest(key, _BY_SECTION[section]):
        fix = f"did you mean {near}?"
    elif homes := [s.section for s in SETTINGS if s.key == key]:
        fix = f"move it below [{homes[0]}]"
    return Finding("config-unknown", file.line(section, key=key), f"[{section}] has no setting {key!r}.", fix)


def _section(file: TomlDocument, name: str, findings: list[Finding], *, complete: bool) -> dict[str, Any]:
    given = file.data.get(name, {})
    given = given if isinstance(given, dict) else {}
    values: dict[str, Any] = {}
    for setting in _BY_SECTION[name].values():
        if setting.key in given:
            try:
                values[setting.key] = setting.kind.read(given[setting.key])
            except ValueError as error:
                findings.append(_wrong_value(setting, file.line(name, key=setting.key), error))
        elif setting.required and complete:
            fix = f"add {setting.key} = {setting.example} below [{name}]"
            findings.append(Finding("config-missing", file.line(name), f"{setting.name} is missing.", fix))
        else:
            values[setting.key] = None if setting.default is None else _default(setting, setting.default)
    return values


def _wrong_value(setting: Setting, line: int, error: ValueError) -> Finding:
    fix = f"write {setting.kind.name}, for example {setting.key} = {setting.example}"
    return Finding("config-value", line, f"{setting.name}: {error}.", fix)


def _default(setting: Setting, text: str) -> object:
    return setting.kind.read(read_value(text))


def _derive(values: dict[str, dict[str, Any]]) -> None:
    node, lan, portal = values["node"], values["lan"], values["portal"]
    node["key_file"] = node["key_file"] or f"{node['data_dir']}/node.key"
    portal["host"] = portal["host"] or f"login.{lan['domain']}"
    first, last = _dhcp_range(lan["address4"])
    lan["dhcp_first"] = lan["dhcp_first"] or first
    lan["dhcp_last"] = lan["dhcp_last"] or last


def _dhcp_range(address: IPv4Interface) -> tuple[IPv4Address, IPv4Address]:
    """The larger part of the network above or below the node's own address, leaving room for fixed
    addresses."""
    network = address.network
    low, own, high = int(network.network_address) + 1, int(address.ip), int(network.broadcast_address) - 1
    skipped = _DHCP_SKIPPED if network.num_addresses > 2 * _DHCP_SKIPPED else 1
    if high - own >= own - low:
        return IPv4Address(min(own + skipped, high)), IPv4Address(max(own + 1, high - 1))
    return IPv4Address(low), IPv4Address(max(low, own - skipped))


def _together(values: dict[str, dict[str, Any]], file: TomlDocument) -> Iterable[Finding]:
    """Checks that involve more than one setting."""
    yield from _interfaces(values, file)
    yield from _dhcp(values["lan"], file)
    yield from _ports(values, file)
    yield from _services(values, file)
    yield from _certificate(values["portal"], file)
    yield from _alerts(values["alerts"], file)
    yield from _second_node(values["gateways"], file)
    host, domain = values["portal"]["host"], values["lan"]["domain"]
    # With a certificate the host is a public name; the rest of its domain need not be local.
    if not host.endswith(f".{domain}") and values["portal"]["certificate"] is None:
        fix = f'write host = "login.{domain}" below [portal], or another name that ends in .{domain}'
        message = (
            f"portal.host: {host} is not a name below lan.domain {domain}, so nobody here would find it."
        )
        yield Finding("config-host", file.line("portal", key="host"), message, fix)


def _interfaces(values: dict[str, dict[str, Any]], file: TomlDocument) -> Iterable[Finding]:
    lan, uplink, mesh = (
        values["lan"]["interface"],
        values["uplink"]["interface"],
        values["mesh"]["interfaces"],
    )
    fix = "give each side its own interface; 'ip link' lists them"
    if lan == uplink:
        message = f"uplink.interface: {uplink} is the people's side already."
        yield Finding("config-interface", file.line("uplink", key="interface"), message, fix)
    for name in mesh:
        if name in {lan, uplink}:
            side = "people's side" if name == lan else "Internet's side"
            message = f"mesh.interfaces: {name} is the {side} already."
            yield Finding("config-interface", file.line("mesh", key="interfaces"), message, fix)


def _dhcp(lan: dict[str, Any], file: TomlDocument) -> Iterable[Finding]:
    own, first, last = lan["address4"], lan["dhcp_first"], lan["dhcp_last"]
    low, high = own.network.network_address + 1, own.network.broadcast_address - 1
    outside = [
        key for key, address in (("dhcp_first", first), ("dhcp_last", last)) if not low <= address <= high
    ]
    for key in outside:
        message = f"lan.{key}: {lan[key]} is not in {own.network}."
        yield Finding(
            "config-dhcp", file.line("lan", key=key), message, f"write an address from {low} to {high}"
        )
    if outside:
        return
    written = "dhcp_first" if ("lan", 0, "dhcp_first") in file.lines else "dhcp_last"
    if first > last:
        message = f"lan.{written}: {first} comes after {last}, so no address is left to hand out."
        yield Finding(
            "config-dhcp", file.line("lan", key=written), message, "let dhcp_first be the lower address"
        )
    elif first <= own.ip <= last:
        message = f"lan.{written}: the node's own address {own.ip} would be handed out."
        fix = f"let the addresses begin at {own.ip + 1} or end at {own.ip - 1}"
        yield Finding("config-dhcp", file.line("lan", key=written), message, fix)


def _services(values: dict[str, dict[str, Any]], file: TomlDocument) -> Iterable[Finding]:
    """A service must not use one of the node's own ports."""
    lan, portal, admin = values["lan"], values["portal"], values["admin"]
    own = {lan["address4"].ip, *([lan["address6"].ip] if lan["address6"] else [])}
    doors = {53, 80, 443, *(portal[key] for key in ("port", "https_port", "dns_port"))}
    doors |= {admin["port"], admin["https_port"], values["mesh"]["port"], _listen_port(values)}
    for service in values["services"]["offered"]:
        if service.port in doors and own.intersection(service.addresses):
            message = (
                f"services.offered: port {service.port} of this node is a door of its own ({service.name})."
            )
            fix = "give the service another port, such as 8080"
            yield Finding("config-service", file.line("services", key="offered"), message, fix)


def _certificate(portal: dict[str, Any], file: TomlDocument) -> Iterable[Finding]:
    for there, missing in (("certificate", "certificate_key"), ("certificate_key", "certificate")):
        if portal[there] is not None and portal[missing] is None:
            message = f"portal.{there} is of no use without portal.{missing}."
            fix = f'add {missing} = "/etc/procomu/portal.{"key" if missing.endswith("key") else "crt"}" below [portal]'
            yield Finding("config-certificate", file.line("portal", key=there), message, fix)


_USUALLY_FREE = frozenset(range(2_082, 2_100))
"""Ports that no default has, more of them than there are settings of ports."""
_BELONG_TOGETHER = (
    ("mail_to", "mail_from"),
    ("mail_to", "mail_server"),
    ("mail_server", "mail_to"),
    ("mail_user", "mail_password_file"),
    ("mail_password_file", "mail_user"),
    ("matrix_server", "matrix_room"),
    ("matrix_server", "matrix_token_file"),
    ("matrix_room", "matrix_server"),
    ("webhook", "webhook_key_file"),
)


def _alerts(alerts: dict[str, Any], file: TomlDocument) -> Iterable[Finding]:
    examples = {each.key: each.example for each in _BY_SECTION["alerts"].values()}
    for there, missing in _BELONG_TOGETHER:
        if alerts[there] and not alerts[missing]:
            message = f"alerts.{there} is of no use without alerts.{missing}."
            fix = f"add {missing} = {examples[missing]} below [alerts]"
            yield Finding("config-alerts", file.line("alerts", key=there), message, fix)
    if alerts["mail_user"] and alerts["mail_security"] == "none":
        message = "alerts.mail_user: the password would be sent without encryption."
        fix = 'write mail_security = "starttls", or no login'
        yield Finding("config-alerts", file.line("alerts", key="mail_user"), message, fix)


def _second_node(gateways: dict[str, Any], file: TomlDocument) -> Iterable[Finding]:
    examples = {each.key: each.example for each in _BY_SECTION["gateways"].values()}
    for there, missing in (("second", "second_node"), ("second_node", "second")):
        if gateways[there] and not gateways[missing]:
            message = f"gateways.{there} is of no use without gateways.{missing}."
            fix = f"add {missing} = {examples[missing]} below [gateways], as the page Gateways shows it"
            yield Finding("W-config-gateways", file.line("gateways", key=there), message, fix)


_PORTS = (
    ("portal", "port", "the welcoming page"),
    ("portal", "https_port", "the welcoming page by https"),
    ("portal", "dns_port", "names for those who are not online yet"),
    ("admin", "port", "the admins' pages"),
    ("admin", "https_port", "the admins' pages by https"),
    ("mesh", "port", "other nodes"),
    ("gateways", "listen", "gateways"),
    ("gateways", "https_port", "gateways by https"),
)


def _ports(values: dict[str, dict[str, Any]], file: TomlDocument) -> Iterable[Finding]:
    taken = {53: "DNS"}
    ports = {(section, key): values[section][key] for section, key, _ in _PORTS}
    ports["gateways", "listen"] = _listen_port(values)
    for section, key, purpose in _PORTS:
        port = ports[section, key]
        if port is None:
            continue
        if port in taken:
            message = f"{section}.{key}: {port} is the port of {taken[port]} already."
            fix = f"choose another port, such as {min(_USUALLY_FREE.difference(ports.values()))}"
            yield Finding("config-port", file.line(section, key=key), message, fix)
        taken[port] = purpose
    address = ip_address(values["admin"]["address"])
    if address == values["lan"]["address4"].ip or address.is_unspecified:
        message = f"admin.address: {address} shows the admins' sign-in to everybody in the network."
        fix = 'write address = "127.0.0.1", and lan = true to open them by https'
        yield Finding("W-config-admin", file.line("admin", key="address"), message, fix)


def _listen_port(values: dict[str, dict[str, Any]]) -> int | None:
    listen = values["gateways"]["listen"]
    return None if listen is None else listen.port
