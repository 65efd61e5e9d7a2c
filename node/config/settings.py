"""The list of all settings. Validation, the example file and the reference are generated from it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from node.config.alert_settings import ALERT_SETTINGS
from node.config.field_types import (
    ADDRESS,
    ADDRESS4,
    ADDRESSES,
    DOMAIN,
    DURATION,
    DURATION_OR_NEVER,
    EVENT_DAYS,
    FLAG,
    FLOWS,
    HOST_OR_NONE,
    INTERFACE,
    INTERFACES,
    LANGUAGE,
    LANGUAGES,
    LINE_NAME,
    LISTEN,
    MTU,
    NAME,
    NETWORK4,
    NETWORK6,
    NODE_ID_OR_NONE,
    NODE_IDS,
    PATH,
    PATH_OR_NONE,
    PEERS,
    PLACE_OR_NONE,
    PORT,
    SHORT_DURATION,
    TEXT,
    one_of,
)
from node.config.offered_services import SERVICES
from node.config.setting import Setting, derived_from, may, must

SECTIONS = {
    "node": "This node itself.",
    "community": "The community that the node belongs to.",
    "lan": "The side where people are.",
    "uplink": "The side where the Internet is.",
    "portal": "The page that welcomes people.",
    "services": "Local services for everyone, even before they join: a wiki, a radio, pages for emergencies.",
    "admin": "The admin pages; 'procomu admin link' prints a link that signs in once.",
    "alerts": "Where the node tells that something is wrong: by mail, in a room of Matrix, to a webhook, into a file.",
    "mesh": "The links to other nodes.",
    "gateways": "Routers with WiFiDog or openNDS that send their people to this node; see GATEWAYS.md.",
    "rules": "The rules the community agreed on.",
    "members": "The members and their devices.",
    "stop": "What a stopped node leaves in place.",
    "clock": "How far the clock can be trusted.",
}
_EXAMPLE_HEAD = """\
# A node's settings. Lines that begin with "# " and a name show the default value.
# Generated from the list of settings in the code; 'procomu doctor' checks a written file.
"""
_REFERENCE_HEAD = """\
# Settings

Everything that `node.toml` may hold. Generated from the list of settings in the code.
A setting or a section that is not listed here is an error, so a typing mistake never goes unnoticed.
Durations are written as `"30 minutes"` or `"4 hours"`. `node.example.toml` is this list as a file.
"""
_TABLE_HEAD = "| setting | value | when not written | meaning |\n|---|---|---|---|\n"
_COMMENT_COLUMNS = 100


TERMS = (
    "Be kind to each other. The line is shared by everyone here. "
    "The node counts how much you use, never what for."
)
"""Default terms; the catalogues have their translations."""
TERMS_LANGUAGE = "en"
"""Of the default terms."""
_PEER = '["fd42::7 7400 abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsq"]'

SETTINGS: tuple[Setting, ...] = (
    must("node", "name", NAME, "What people call this node.", example='"library"'),
    may(
        "node",
        "data_dir",
        PATH,
        '"/var/lib/procomu"',
        "Where the node keeps its database, the copy and the journal that it comes back from, and its own key.",
    ),
    may("node", "run_dir", PATH, '"/run/procomu"', "Where the console's socket is while the node runs."),
    derived_from(
        "node",
        "key_file",
        PATH,
        "The node's own secret key; it never leaves the node.",
        derived="node.key in data_dir",
        example='"/var/lib/procomu/node.key"',
    ),
    may(
        "node",
        "contact",
        TEXT,
        '""',
        "Who to ask for help; every page shows it.",
        example='"Maria, every Monday at six in the library"',
    ),
    may(
        "node",
        "help",
        TEXT,
        '""',
        "How people can help the network; the page about it shows it.",
        example='"We meet every first Monday. A new roof for an antenna is always welcome."',
    ),
    may(
        "node",
        "zone",
        TEXT,
        '""',
        "The part of the network that this node is in, so that notices can be for that part alone.",
        example='"old-town"',
    ),
    may(
        "node",
        "terms",
        TEXT,
        f'"{TERMS}"',
        "What people agree to when they join. Keep it short, so that people read it.",
    ),
    may("node", "terms_version", NAME, '"1"', "Raise it when the terms change: everyone is asked again."),
    must(
        "community", "name", NAME, "The community's name, the same on all its nodes.", example='"Vall Alta"'
    ),
    may(
        "community",
        "key_file",
        PATH,
        '"/etc/procomu/community.key"',
        "32 random bytes in hexadecimal, the same file on all nodes of the community: it turns devices into "
        "pseudonyms. Keep it secret.",
    ),
    may(
        "community",
        "nodes",
        NODE_IDS,
        "[]",
        "The ids of the community's nodes. A node that is not listed is a stranger and learns nothing. Where the "
        "node follows a community record ('procomu community show'), the record decides instead.",
    ),
    must(
        "lan",
        "interface",
        INTERFACE,
        "The interface, or bridge, that people's devices reach.",
        example='"br-lan"',
    ),
    may(
        "lan",
        "address4",
        NETWORK4,
        '"10.77.0.1/16"',
        "The node's IPv4 address there, with the network's size.",
    ),
    may(
        "lan",
        "address6",
        NETWORK6,
        '"fd77::1/64"',
        'The node\'s IPv6 address there; "none" for a network without IPv6.',
    ),
    may(
        "lan",
        "dhcp",
        one_of("managed", "external"),
        '"managed"',
        '"managed": the node runs dnsmasq, which hands out addresses and answers DNS. "external": something '
        "else does.",
    ),
    derived_from(
        "lan",
        "dhcp_first",
        ADDRESS4,
        "First address handed out.",
        derived="a hundred above the node's own",
        example='"10.77.0.101"',
    ),
    derived_from(
        "lan",
        "dhcp_last",
        ADDRESS4,
        "Last address handed out.",
        derived="the last but one of the network",
        example='"10.77.255.253"',
    ),
    may("lan", "dhcp_lease", DURATION, '"1 hour"', "How long a device keeps its address."),
    may(
        "lan",
        "dns_upstream",
        ADDRESSES,
        "[]",
        "Resolvers to ask. Empty: those that the system itself uses.",
        example='["9.9.9.9", "2620:fe::fe"]',
    ),
    may(
        "lan",
        "domain",
        DOMAIN,
        '"procomu.lan"',
        "Domain of the names that exist only here.",
        example='"vall.lan"',
    ),
    may(
        "lan",
        "flows_per_device",
        FLOWS,
        "1024",
        "How many connections (TCP, UDP and others, both families) one device may have at once. One more is refused, "
        "so that no device takes the kernel's connection tracking from the others.",
    ),
    must(
        "uplink",
        "interface",
        INTERFACE,
        "The interface towards the Internet. A node has one only. With two lines of its own, routing between them is the "
        "work of the kernel or of mwan3, in a router of its own before the node; the node sees them as one line.",
        example='"eth0"',
    ),
    may(
        "uplink",
        "name",
        LINE_NAME,
        '""',
        'The line of which this node is the gateway, as the rules name it: "mill" for [uplink.mill]. Nodes at the same '
        'line have the same name. Empty: the only line of the rules, or "main" where they have several.',
        example='"mill"',
    ),
    may(
        "uplink",
        "masquerade",
        FLAG,
        "true",
        "Share the uplink's one address. false where the next router knows the way back.",
    ),
    may(
        "uplink",
        "mtu",
        MTU,
        "0",
        "Bytes that the line carries in one packet, where it is less than the interface tells: 1492 behind a modem "
        "that speaks PPPoE. 0: what the interface tells.",
        example="1492",
    ),
    may(
        "uplink",
        "flow_offload",
        FLAG,
        "false",
        "true: let the packets of running connections pass beside the rules where the kernel can do that (flowtables). They "
        "are counted and shaped all the same, and a slow processor forwards more of them. It is off until it has met more "
        "routers.",
    ),
    may(
        "uplink",
        "probe",
        ADDRESSES,
        "[]",
        "Addresses beyond the line that the node may probe for its delay, with at most 2 kbit/s. Without any only the next "
        "hop is probed; name others where it does not answer, or where it is your own modem, in front of the line.",
        example='["192.0.2.1"]',
    ),
    may("portal", "port", PORT, "2080", "Port of the welcoming page on the LAN side."),
    derived_from(
        "portal",
        "host",
        DOMAIN,
        "Name of the welcoming page.",
        derived='"login." and lan.domain',
        example='"login.procomu.lan"',
    ),
    may(
        "portal",
        "session",
        DURATION_OR_NEVER,
        '"4 hours"',
        'How long people stay online before they are asked again; "none" for no limit.',
    ),
    may(
        "portal",
        "language",
        LANGUAGE,
        '"en"',
        "The community's own language: used when a browser asks for no language that is available.",
        example='"ca"',
    ),
    may(
        "portal",
        "languages",
        LANGUAGES,
        "[]",
        "The languages to choose from, besides the community's own. Empty: all available ones.",
        example='["ca", "es", "ar"]',
    ),
    may(
        "portal",
        "certificate",
        PATH_OR_NONE,
        '"none"',
        "The portal's certificate and those of the authorities between, as PEM: the page is then served by https too. "
        "A new file is used without a restart (see CERTIFICATES.md).",
        example='"/etc/procomu/portal.crt"',
    ),
    may(
        "portal",
        "certificate_key",
        PATH_OR_NONE,
        '"none"',
        "The certificate's secret key, as PEM without a passphrase.",
        example='"/etc/procomu/portal.key"',
    ),
    may(
        "portal",
        "https_port",
        PORT,
        "2443",
        "Port of the welcoming page by https; people use 443 and are sent here.",
    ),
    may(
        "portal",
        "dns_port",
        PORT,
        "2053",
        "Port of the resolver for people who are not online yet; they use 53 and are sent here.",
    ),
    may(
        "portal",
        "advertise",
        FLAG,
        "true",
        "Tell devices by DHCP and router advertisements where the portal is, while its certificate is one that they "
        "trust. false where devices keep a stale address.",
    ),
    may(
        "services",
        "offered",
        SERVICES,
        "[]",
        "Name, URL and what it is, with | between them; where the URL has a name, its addresses too. Names below "
        "lan.domain are then found here. Only that address and port is opened, for everyone.",
        example='["Wiki | http://wiki.procomu.lan:8080/ | What we know about the valley | 10.77.0.9 fd77::9"]',
    ),
    may(
        "services",
        "found",
        FLAG,
        "true",
        "Show what announces itself on the people's side (zeroconf, _http._tcp and _https._tcp).",
    ),
    may(
        "admin",
        "address",
        ADDRESS,
        '"127.0.0.1"',
        "Address of the admins' pages. Keep it away from the people's side.",
    ),
    may("admin", "port", PORT, "2081", "Port of the admins' pages."),
    may(
        "admin",
        "lan",
        FLAG,
        "false",
        "true: the admin pages are also open to the people's side, by https, for those who have an account. They are never "
        "open to the Internet. The certificate is the portal's, or one that the node makes: compare its fingerprint once.",
    ),
    may("admin", "https_port", PORT, "2444", "Port of the admin pages by https, on the people's side."),
    may(
        "admin",
        "open_plots",
        FLAG,
        "false",
        "true: pictures of the node's history, such as /history/plot.svg?series=line_down&last=30d, need no sign-in, for a "
        "notice board or another system: of the line, the lifelines and the links to other nodes, and not of how many "
        "people are online. At a node of one household the use of the line tells when somebody is at home.",
    ),
    may(
        "admin",
        "events_days",
        EVENT_DAYS,
        "90",
        'For how many days the node keeps what admins did and when, shown on the page "Events": from 7 to 400. The last '
        "20,000 events at most.",
    ),
    *ALERT_SETTINGS,
    may(
        "mesh",
        "interfaces",
        INTERFACES,
        "[]",
        "Interfaces on which other nodes are. Empty: the node stands alone.",
        example='["mesh0"]',
    ),
    may("mesh", "port", PORT, "7400", "Port on which nodes talk to each other."),
    may(
        "mesh",
        "peers",
        PEERS,
        "[]",
        "Nodes that no announcement reaches: address, port and node id, with spaces between them. A link-local address "
        "names its interface, as in fe80::7%mesh0.",
        example=_PEER,
    ),
    may(
        "mesh",
        "transit",
        FLAG,
        "false",
        "Let people of neighbouring nodes use this uplink: they are counted and limited at their own node. Only on "
        "links that strangers cannot join.",
    ),
    may(
        "mesh",
        "respondd",
        FLAG,
        "false",
        "true: answer collectors of respondd (UDP port 1001), so that maps of Freifunk communities show it. Anybody on "
        "the mesh interfaces and on the people's side learns its name, addresses, load and links; no hardware address, no "
        "contact and no place.",
    ),
    may(
        "gateways",
        "listen",
        LISTEN,
        '"none"',
        "Where routers with WiFiDog or openNDS reach this node. They are accepted one by one on the admin pages.",
        example='"0.0.0.0:2082"',
    ),
    may(
        "gateways",
        "host",
        HOST_OR_NONE,
        '"none"',
        "Name or address under which routers reach this node, for the configuration that is made for them.",
        example='"vall.example.org"',
    ),
    may(
        "gateways",
        "https_port",
        PORT,
        "2445",
        "Port for openNDS routers of the levels 3 and 4, by https with the portal's certificate. Used while listen names an "
        "address and there is a certificate.",
    ),
    may(
        "gateways",
        "opennds_level_0",
        FLAG,
        "false",
        "true: openNDS routers with fas_secure_enabled 0 are served too. Everybody in radio range can read there what lets "
        "a person in.",
    ),
    may(
        "gateways",
        "second",
        PLACE_OR_NONE,
        '"none"',
        "Host and port of another node of the community, as its gateways.host and gateways.listen say, that serves these "
        "gateways when this node does not answer. Each of the two names the other. WiFiDog only.",
        example='"berg.example.org:2082"',
    ),
    may(
        "gateways",
        "second_node",
        NODE_ID_OR_NONE,
        '"none"',
        "The id of that node, as 'procomu status' shows it there. Without it no other node serves these gateways: any node "
        "of the community can say that it is reached there.",
        example='"mbkmuvwglwbeebq24rphj4hhwxvb2kfsm5cgsxd3h6f3mz3jbzoa"',
    ),
    may(
        "rules",
        "file",
        PATH,
        '"/etc/procomu/rules.toml"',
        "The community's rules. 'procomu rules check FILE' checks a draft.",
    ),
    may(
        "rules",
        "confirm_timeout",
        SHORT_DURATION,
        '"10 minutes"',
        "How long rules that an admin adopts are on trial: unless they are confirmed meanwhile, those from before come "
        "back.",
    ),
    may("members", "file", PATH, '"/etc/procomu/members.toml"', "Members, their tiers, groups and devices."),
    may(
        "stop",
        "sessions",
        one_of("keep", "close"),
        '"keep"',
        '"keep": people who are online stay online while the node is stopped. "close": nobody passes until '
        "it runs again.",
    ),
    may(
        "clock",
        "source",
        one_of("synced", "trusted"),
        '"synced"',
        '"synced": trust the clock once the system has set it from the network. "trusted": the machine has a '
        "good clock of its own.",
    ),
)


def default_of(name: str) -> Any:
    """Value of a setting that a file does not have, for settings with a fixed default."""
    (default,) = (each.default for each in SETTINGS if each.name == name)
    assert default is not None
    return json.loads(default)  # defaults are written alike in TOML and JSON


def example(written: Mapping[str, str] | None = None) -> str:
    """A commented ``node.toml`` that is valid as generated; `written` maps names of settings to TOML
    values."""
    parts = [_EXAMPLE_HEAD]
    for section, says in SECTIONS.items():
        parts.append(f"\n# {says}\n[{section}]\n")
        parts += [
            _example_lines(setting, written or {}) for setting in SETTINGS if setting.section == section
        ]
    return "".join(parts)


def reference() -> str:
    """Every setting as a Markdown table: type, default and meaning."""
    parts = [_REFERENCE_HEAD]
    for section, says in SECTIONS.items():
        parts.append(f"\n## [{section}]\n\n{says}\n\n{_TABLE_HEAD}")
        parts += [_reference_row(setting) for setting in SETTINGS if setting.section == section]
    return "".join(parts)


def _example_lines(setting: Setting, written: Mapping[str, str]) -> str:
    comment = "".join(f"# {line}\n" for line in _wrapped(_help_with_default(setting)))
    if setting.name in written:
        return f"\n{comment}{setting.key} = {written[setting.name]}\n"
    hidden = "" if setting.required else "# "
    return f"\n{comment}{hidden}{setting.key} = {_shown(setting)}\n"


def _shown(setting: Setting) -> str:
    return setting.example if setting.required or setting.derived else str(setting.default)


def _help_with_default(setting: Setting) -> str:
    text = setting.help
    if setting.derived:
        text += f" When not written: {setting.derived}."
    elif not setting.required and setting.example != setting.default:
        text += f" For example {setting.example}"
    return text


def _reference_row(setting: Setting) -> str:
    default = "must be written" if setting.required else setting.derived or f"`{setting.default}`"
    # "|" would end the table cell.
    meaning = _help_with_example(setting).replace("|", "\\|")
    return f"| `{setting.key}` | {setting.kind.name} | {default} | {meaning} |\n"


def _help_with_example(setting: Setting) -> str:
    shown = setting.example if setting.example != setting.default else ""
    return f"{setting.help} Example: `{shown}`" if shown else setting.help


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > _COMMENT_COLUMNS:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
