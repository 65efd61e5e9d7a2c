"""Types of settings: how to read a value, and what is wrong with one that cannot be read."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address

from node.characters import is_name
from node.config.model import ListenAddress, PeerAddress
from node.units import Milliseconds, NodeId, parse_duration

NAME_CHARS_MAX = 64
LANGUAGE_CHARS_MAX = 35
"""RFC 5646 section 4.4.1."""
TEXT_CHARS_MAX = 2_000
PATH_CHARS_MAX = 200
LIST_ITEMS_MAX = 5_000
FLOWS_MIN, FLOWS_MAX = 128, 65_536
"""Fewer break ordinary web pages, and the limit is reached slightly early."""
EVENTS_DAYS_MIN, EVENTS_DAYS_MAX = 7, 400
MTU_MIN, MTU_MAX = 1_280, 9_216
"""The minimum link MTU of IPv6 (RFC 8200 section 5), and the largest Ethernet frames."""
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_DOMAIN = re.compile(
    r"(?=.{1,200}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
# 32 bytes in base32: the last of the 52 characters carries one bit only.
_NODE_ID = re.compile(r"[a-z2-7]{51}[aq]")
_DIGITS = re.compile(r"[0-9]{1,5}")
# The path of a Unix socket has at most 107 bytes.
_PATH = re.compile(r"/[^\x00-\x1f\x7f]*")


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type of setting. `read` returns the value, or raises ValueError with what is wrong."""

    name: str
    """For the reference: ``a port``."""
    read: Callable[[object], object]


def _string(value: object, chars_max: int) -> str:
    if not isinstance(value, str):
        raise ValueError("text in quotation marks is needed here")
    if len(value) > chars_max:
        raise ValueError(f"this has {len(value)} characters; {chars_max} are allowed")
    return value


def _name(value: object) -> str:
    # Editors write é as one character or as two; other nodes accept the first alone.
    name = _string(unicodedata.normalize("NFC", _string(value, NAME_CHARS_MAX)), NAME_CHARS_MAX).strip()
    if not name or not name.isprintable():
        raise ValueError("a name needs at least one character and stands on one line")
    return name


def _line_name(value: object) -> str:
    name = _string(value, NAME_CHARS_MAX)
    if name and not is_name(name):
        raise ValueError("a line is named with a-z, 0-9 and hyphens, as in the rule file")
    return name


def _text(value: object) -> str:
    text = _string(value, TEXT_CHARS_MAX).strip()
    if not text.replace("\n", " ").isprintable():
        raise ValueError("the text holds characters that cannot be shown")
    return text


def _path(value: object) -> str:
    path = _string(value, PATH_CHARS_MAX)
    if not _PATH.fullmatch(path):
        raise ValueError(f"{path!r} is not a full path beginning with /")
    return path.rstrip("/") or "/"


def _path_or_none(value: object) -> str | None:
    return None if value == "none" else _path(value)


def _interface(value: object) -> str:
    name = _string(value, PATH_CHARS_MAX)
    if not _INTERFACE.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a network interface ('ip link' lists them)")
    return name


def _domain(value: object) -> str:
    name = _string(value, 255).lower().rstrip(".")
    if not _DOMAIN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name in the DNS")
    return name


def _address(value: object) -> str:
    text = _string(value, NAME_CHARS_MAX)
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None


def _address4(value: object) -> IPv4Address:
    text = _string(value, NAME_CHARS_MAX)
    try:
        return IPv4Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _network4(value: object) -> IPv4Interface:
    text = _string(value, NAME_CHARS_MAX)
    try:
        address = IPv4Interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address with its network's size") from None
    network = address.network
    if not 8 <= network.prefixlen <= 29:
        raise ValueError(f"a network of size /{network.prefixlen} cannot be used here; /8 to /29 can")
    if address.ip in {network.network_address, network.broadcast_address}:
        raise ValueError(f"{address.ip} is the network itself, not an address in it")
    return address


def _network6(value: object) -> IPv6Interface | None:
    text = _string(value, NAME_CHARS_MAX)
    if text == "none":
        return None
    try:
        address = IPv6Interface(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 address with its network's size") from None
    # RFC 4862 section 5.5.3: devices form their own addresses only in /64 networks.
    if address.network.prefixlen != 64:
        raise ValueError("the network's size must be /64, or devices cannot form addresses in it")
    if address.ip.is_link_local or address.ip.is_multicast or address.ip == address.network.network_address:
        raise ValueError(f"{address.ip} cannot be this node's address in its network")
    return address


def _language(value: object) -> str:
    tag = _string(value, LANGUAGE_CHARS_MAX)
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"{tag!r} is not the short name of a language such as ca or pt-BR")
    return tag


def _whole(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{what} without quotation marks")
    return value


def _port(value: object) -> int:
    value = _whole(value, "a port is a whole number")
    if not 1 <= value <= 65_535:
        raise ValueError(f"{value} is not a port; ports go from 1 to 65535")
    return value


def _listen(value: object) -> ListenAddress | None:
    text = _string(value, NAME_CHARS_MAX)
    if text == "none":
        return None
    host, mark, port = text.rpartition(":")
    if not mark or not _DIGITS.fullmatch(port):
        raise ValueError(f"{text!r} is not an address with a port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("an IPv6 address stands in brackets before its port")
    return ListenAddress(_address(host.strip("[]")), _port(int(port)))


def _host_or_none(value: object) -> str:
    text = _string(value, 255)
    if text == "none":
        return ""
    try:
        return _address(text)
    except ValueError:
        return _domain(text)


def _place_or_none(value: object) -> str:
    text = _string(value, 260)
    if text == "none":
        return ""
    host, mark, port = text.rpartition(":")
    if not mark or not _DIGITS.fullmatch(port) or ":" in host:
        raise ValueError(f"{text!r} is not a name or an IPv4 address with a port")
    return f"{_host_or_none(host).lower()}:{_port(int(port))}"


def _mtu(value: object) -> int:
    value = _whole(value, "a packet's size is a whole number of bytes")
    if value and not MTU_MIN <= value <= MTU_MAX:
        raise ValueError(f"{value} is no packet's size; write {MTU_MIN} to {MTU_MAX}, or 0")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("only true and false, without quotation marks, can stand here")
    return value


def _duration(value: object) -> Milliseconds:
    duration = parse_duration(_string(value, NAME_CHARS_MAX))
    if duration < 60_000:
        raise ValueError("less than one minute is too short")
    return duration


def _short_duration(value: object) -> Milliseconds:
    duration = parse_duration(_string(value, NAME_CHARS_MAX))
    if not 5_000 <= duration <= 86_400_000:
        raise ValueError("it must be between 5 seconds and a day")
    return duration


def _duration_or_never(value: object) -> Milliseconds | None:
    return None if value == "none" else _duration(value)


def _node_id(value: object) -> NodeId:
    text = _string(value, NAME_CHARS_MAX)
    if not _NODE_ID.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a node id: 52 letters a-z and digits 2-7, as 'procomu status' shows it"
        )
    return NodeId(text)


def _node_id_or_none(value: object) -> NodeId | None:
    return None if value == "none" else _node_id(value)


def _peer(value: object) -> PeerAddress:
    words = _string(value, PATH_CHARS_MAX).split()
    if len(words) != 3 or not words[1].isdecimal():
        raise ValueError("a peer is its address, its port and its node id, with spaces between them")
    address = _address(words[0])
    _, percent, scope = address.partition("%")
    if percent:
        _interface(scope)
    elif ":" in address and ip_address(address).is_link_local:
        raise ValueError(
            f"{address} may be behind any interface; name the one that leads there, as in {address}%mesh0"
        )
    return PeerAddress(address, _port(int(words[1])), _node_id(words[2]))


def list_of(item: FieldType, plural: str, most: int = LIST_ITEMS_MAX) -> FieldType:
    """A list of distinct values of one type."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise ValueError("a list in square brackets is needed here")
        if len(value) > most:
            raise ValueError(f"this list has {len(value)} entries; {most} are allowed")
        items = tuple(item.read(each) for each in value)
        repeated = next((each for at, each in enumerate(items) if each in items[:at]), None)
        if repeated is not None:
            raise ValueError(f"{repeated} is listed twice")
        return items

    return FieldType(plural, read)


def _flows(value: object) -> int:
    value = _whole(value, "a number of connections is a whole number")
    if not FLOWS_MIN <= value <= FLOWS_MAX:
        raise ValueError(f"{value} connections: from {FLOWS_MIN} to {FLOWS_MAX} can be allowed")
    return value


def _event_days(value: object) -> int:
    value = _whole(value, "a number of days is a whole number")
    if not EVENTS_DAYS_MIN <= value <= EVENTS_DAYS_MAX:
        raise ValueError(f"{value} days: events can be kept from {EVENTS_DAYS_MIN} to {EVENTS_DAYS_MAX} days")
    return value


def one_of(*choices: str) -> FieldType:
    """A type with a fixed set of words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"only {' or '.join(repr(choice) for choice in choices)} can stand here")
        return value

    return FieldType(" or ".join(f'"{choice}"' for choice in choices), read)


NAME = FieldType("a name", _name)
LINE_NAME = FieldType("the name of a line", _line_name)
TEXT = FieldType("text", _text)
PATH = FieldType("a full path", _path)
PATH_OR_NONE = FieldType('a full path, or "none"', _path_or_none)
INTERFACE = FieldType("an interface", _interface)
DOMAIN = FieldType("a DNS name", _domain)
ADDRESS = FieldType("an address", _address)
ADDRESS4 = FieldType("an IPv4 address", _address4)
NETWORK4 = FieldType("an IPv4 address with its network's size", _network4)
NETWORK6 = FieldType('an IPv6 address with its network\'s size, or "none"', _network6)
PORT = FieldType("a port", _port)
HOST_OR_NONE = FieldType('a DNS name or an address, or "none"', _host_or_none)
PLACE_OR_NONE = FieldType('a name or an IPv4 address with a port, or "none"', _place_or_none)
LISTEN = FieldType('an address with a port, or "none"', _listen)
FLOWS = FieldType("a number of connections", _flows)
EVENT_DAYS = FieldType("a number of days", _event_days)
MTU = FieldType("a size in bytes", _mtu)
FLAG = FieldType("true or false", _flag)
DURATION = FieldType("a duration", _duration)
SHORT_DURATION = FieldType("a duration between 5 seconds and a day", _short_duration)
DURATION_OR_NEVER = FieldType('a duration, or "none"', _duration_or_never)
LANGUAGE = FieldType("a language", _language)
LANGUAGES = list_of(LANGUAGE, "a list of languages")
INTERFACES = list_of(INTERFACE, "a list of interfaces")
ADDRESSES = list_of(ADDRESS, "a list of addresses")
NODE_IDS = list_of(FieldType("a node id", _node_id), "a list of node ids")
NODE_ID_OR_NONE = FieldType('a node id, or "none"', _node_id_or_none)
PEERS = list_of(FieldType("a peer", _peer), "a list of peers")
