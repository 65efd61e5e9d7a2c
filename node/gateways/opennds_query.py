"""The query with which an openNDS router sends a person to its authentication service (FAS, with secure level 0 to 4).

Nothing in it is trusted: at the levels 0, 1 and 4 the person's own browser carries it in clear, and no level has a MAC.
Each failure gives the same None, so that the reply tells nothing about the key (padding oracles included).
"""

import base64
import binascii
import hashlib
import ipaddress
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from node.errors import InvalidValue
from node.translator import gettext_lazy

QUERY_CHARACTERS_MAX = 8_192
TEXT_CHARACTERS_MAX = 4_096
ITEMS_MAX = 64
URL_CHARACTERS_MAX = 1_024
KEY_CHARACTERS_MIN = 32
"""Hexadecimal digits have 4 bits each, and AES takes the first 32 characters: 128 bits."""
KEY_CHARACTERS_MAX = 128
_KEY_VARIETY_MIN = 8
"""Different characters among the first 32. Fewer have a random key of hexadecimal digits less than once in 10^7."""
_KEY_PERIOD_MAX = 16
DEFAULT_AUTHDIR = "opennds_auth"
LEVELS = range(5)

_ABSENT = frozenset({"", "(null)"})
_HID = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[0-9a-f]{8,64}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_IV = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9A-Za-z]+")
_AUTHDIR = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ENCODED_NAME = re.compile(r"[0-9A-Za-z%._~*+()!' -]{1,255}")
_PRINTABLE = re.compile(r"[ -~]*")
_LEVEL_0 = re.compile(r"authaction=http://([^/?&]{1,64})/([^/?&]{1,64})/?\?")


@dataclass(frozen=True, slots=True)
class FasKey:
    """A router's `faskey`. `parse` makes one of a text; the characters are not in its repr."""

    characters: str

    def __repr__(self) -> str:
        return "FasKey(...)"

    @classmethod
    def parse(cls, text: str) -> "FasKey":
        """Raises InvalidValue for a key that can be guessed: less than 128 bits, or an example of a manual."""
        wanted = "faskey '" + "…' (" + str(KEY_CHARACTERS_MIN * 2) + " × 0-9 a-f)"
        if not KEY_CHARACTERS_MIN <= len(text) <= KEY_CHARACTERS_MAX or not _KEY.fullmatch(text):
            raise InvalidValue(
                gettext_lazy("a key of a router has 32 to 128 letters and digits, all random"), wanted=wanted
            )
        if _is_guessable(text[:KEY_CHARACTERS_MIN]):
            raise InvalidValue(gettext_lazy("this key is an example or a pattern"), wanted=wanted)
        return cls(text)

    @property
    def aes_key(self) -> bytes:
        return self.characters.encode()[:32].ljust(32, b"\0")


def _is_guessable(text: str) -> bool:
    """Whether a text has few different characters, repeats itself, or counts upwards."""
    repeats = any(
        text == (text[:period] * len(text))[: len(text)] for period in range(1, _KEY_PERIOD_MAX + 1)
    )
    steps = [ord(after) - ord(before) for before, after in itertools.pairwise(text)]
    most = max(steps.count(step) for step in set(steps))
    return repeats or len(set(text)) < _KEY_VARIETY_MIN or most * 2 > len(steps)


@dataclass(frozen=True, slots=True)
class FasRequest:
    """A person at an openNDS router, as the router's redirect tells it."""

    level_is_secret: bool
    """Encrypted by the router (levels 2 and 3): the person cannot have written it."""
    hid: str
    """SHA-256 of the token of this client at the router, hexadecimal."""
    token: str
    """Level 0 only, otherwise empty."""
    client_ip: str
    client_mac: str
    """Lower case with colons; empty at level 0, where the router does not tell it."""
    gateway_name: str
    """As sent: still URL-encoded."""
    gateway_address: str
    """IPv4 address and port of the router's own server."""
    authdir: str
    origin_url: str
    """An http or https address; empty for everything else."""
    client_interface: str
    version: str
    client_type: str
    query: str
    """What identifies this person again: the parameters ``fas`` and ``iv``, or those of level 0, as they came."""

    @property
    def gateway_hash(self) -> str:
        """What the router calls itself by in the requests of authmon."""
        return gateway_hash(self.gateway_name)


@dataclass(frozen=True, slots=True)
class FasVisit:
    """A decoded query, and whether the router says that this client is online already."""

    request: FasRequest
    is_authenticated: bool


def gateway_hash(encoded_name: str) -> str:
    """SHA-256 of a gateway's name exactly as the router sent it. Decoding it first would give another hash."""
    return hashlib.sha256(encoded_name.encode()).hexdigest()


def return_hash(hid: str, faskey: str) -> str:
    """`rhid`: what lets the client with this `hid` in at its router."""
    return hashlib.sha256((hid.strip() + faskey.strip()).encode()).hexdigest()


def read_query(query: str, key: FasKey, level: int) -> FasVisit | None:
    """The visit in the raw query string of a request to the FAS; None for everything that is not valid at this
    `level`, and nothing says why."""
    assert level in LEVELS
    if len(query) > QUERY_CHARACTERS_MAX or not _PRINTABLE.fullmatch(query):
        return None
    is_authenticated = _says_authenticated(query)
    request = _level_0(query) if level == 0 else _levels_1_to_4(query, key, level)
    return None if request is None else FasVisit(request, is_authenticated)


def _says_authenticated(query: str) -> bool:
    return re.search(r"(?:^|[&?])status=authenticated(?:&|$)", query) is not None


def _level_0(query: str) -> FasRequest | None:
    """The value of `authaction` has a second question mark, which ends it."""
    found = _LEVEL_0.match(query)
    if found is None:
        return None
    address, authdir = found.groups()
    fields = _first_values(query[found.end() :])
    token = fields.get("tok", "")
    items = {
        "hid": hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else "",
        "clientip": fields.get("clientip", ""),
        "gatewayname": _raw_value(query, "gatewayname"),
        "gatewayaddress": address,
        "authdir": authdir,
        "originurl": fields.get("redir", ""),
    }
    return _request(items, query=_without_status(query), token=token, is_secret=False)


def _levels_1_to_4(query: str, key: FasKey, level: int) -> FasRequest | None:
    fas, iv = _raw_value(query, "fas"), _raw_value(query, "iv")
    if not fas:  # a client that is authenticated already: the query is inside the address to return to
        inner = unquote(_raw_value(query, "redir"))
        fas, iv = _raw_value(inner, "fas"), _raw_value(inner, "iv") or iv
    # A + in a query is often read as a space on the way.
    fas = unquote(fas).replace(" ", "+")
    is_secret = level in (2, 3)
    text = _decrypt(fas, iv, key) if is_secret else _from_base64(fas)
    if text is None:
        return None
    items = _items(text)
    if items is None:
        return None
    again = f"fas={fas}&iv={iv}" if is_secret else f"fas={fas}"
    return _request(items, query=again, token="", is_secret=is_secret)


def _from_base64(text: str) -> bytes | None:
    if len(text) > QUERY_CHARACTERS_MAX:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _decrypt(fas: str, iv: str, key: FasKey) -> bytes | None:
    """PHP encrypts to base64, and the router's script encodes that again."""
    once = _from_base64(fas)
    if once is None or not once.isascii() or not _IV.fullmatch(iv):
        return None
    sealed = _from_base64(once.decode("ascii"))
    if not sealed or len(sealed) % 16:
        return None
    decryptor = Cipher(algorithms.AES(key.aes_key), modes.CBC(iv.encode())).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None


def _items(raw: bytes) -> dict[str, str] | None:
    """``name=value`` items joined by a comma and a space. The first of a name counts, as in the reference."""
    if len(raw) > TEXT_CHARACTERS_MAX or not raw.isascii():
        return None
    text = raw.decode("ascii")
    parts = text.split(", ")
    if not _PRINTABLE.fullmatch(text) or len(parts) > ITEMS_MAX:
        return None
    items: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            items.setdefault(name.strip(), "" if value in _ABSENT else value)
    return items


def _request(items: Mapping[str, str], *, query: str, token: str, is_secret: bool) -> FasRequest | None:
    mac = items.get("clientmac", "").lower()
    authdir = items.get("authdir") or DEFAULT_AUTHDIR
    valid = (
        _HID.fullmatch(items.get("hid", ""))
        and _is_ipv4(items.get("clientip", ""))
        and (_MAC.fullmatch(mac) or (token and not mac))
        and _ENCODED_NAME.fullmatch(items.get("gatewayname", ""))
        and _is_router_address(items.get("gatewayaddress", ""))
        and _AUTHDIR.fullmatch(authdir)
    )
    if not valid:
        return None
    return FasRequest(
        level_is_secret=is_secret,
        hid=items["hid"],
        token=token,
        client_ip=items["clientip"],
        client_mac=mac,
        gateway_name=items["gatewayname"].strip(),
        gateway_address=items["gatewayaddress"],
        authdir=authdir,
        origin_url=safe_url(unquote(items.get("originurl", ""))),
        client_interface=items.get("clientif", "")[:64],
        version=items.get("version", "")[:32],
        client_type=items.get("client_type", "")[:32],
        query=query,
    )


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_router_address(text: str) -> bool:
    """An IPv4 address that is not routed in the Internet, with a port. Anything else would be an open redirect."""
    host, _, port = text.partition(":")
    if not _is_ipv4(host) or not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65_535:
        return False
    address = ipaddress.IPv4Address(host)
    return not (address.is_global or address.is_loopback or address.is_unspecified or address.is_multicast)


def safe_url(text: str) -> str:
    """An http or https address to which a browser may be sent on; empty for everything else."""
    if len(text) > URL_CHARACTERS_MAX or not re.fullmatch(r"[!-~]+", text) or "\\" in text:
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and host and "@" not in parts.netloc else ""


def _raw_value(query: str, name: str) -> str:
    """The first value of a parameter, not decoded; empty without one."""
    found = re.search(rf"(?:^|[&?]){name}=([^&]*)", query)
    return found[1] if found else ""


def _first_values(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=ITEMS_MAX)
    except ValueError:
        return {}
    first: dict[str, str] = {}
    for name, value in pairs:
        first.setdefault(name, value)
    return first


def _without_status(query: str) -> str:
    return re.sub(r"&status=authenticated(?=&|$)", "", query)
