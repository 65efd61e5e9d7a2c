"""Membership cards: signed text for a QR code, which every node of the community can check offline.

A card is ``PROCOMU1.`` + base64url(payload) + ``.`` + base64url(Ed25519 signature), without padding. The
payload is a 16-byte community id, the serial number and the last day (each 32 bits, big-endian), the 32 bytes
of the signing node's public key, and the account name in ASCII. Days are numbered as by
`datetime.date.toordinal`.
"""

import hashlib
import re
import struct
from base64 import b32decode, b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.characters import is_name
from node.identity import SIGNATURE_BYTES, own_node_id, sign, verify
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, NodeId

CARD_CHARS_MAX = 300
SERIAL_MAX = 2**32 - 1
TYPED_CHARS_MAX = 600
"""Including a URL around the card."""
_PREFIX = "PROCOMU1"
_KIND = b"membership card"
_HEAD = struct.Struct(">16sII32s")
_IN_ADDRESS = re.compile(r"[?&]card=([^&#\s]*)", re.IGNORECASE)
_CARD = re.compile(rf"{_PREFIX}\.([A-Za-z0-9_-]{{1,170}})\.([A-Za-z0-9_-]{{86}})")

CardFault = Literal["card-unreadable", "card-foreign", "card-ended"]


@dataclass(frozen=True, slots=True)
class Card:
    """Contents of a card."""

    account: AccountId
    serial: int
    """Of two cards of one account, the newer one has an equal or larger number."""
    last_day: str
    """ISO date, inclusive."""


@dataclass(frozen=True, slots=True)
class CardsVoid:
    """Cards of the account with a serial number below `below_serial` are revoked."""

    account: AccountId
    below_serial: int


def make_card(private: Ed25519PrivateKey, community: str, card: Card) -> str:
    """The card's text, signed with the node's key `private`."""
    assert is_name(card.account), "an account is a plain name"
    last_day = date.fromisoformat(card.last_day).toordinal()
    key = b32decode(own_node_id(private).upper() + "====")
    payload = _HEAD.pack(_mark(community), card.serial, last_day, key) + card.account.encode()
    return f"{_PREFIX}.{_base64(payload)}.{_base64(sign(private, _KIND, payload))}"


def read_card(typed: str, community: str, nodes: Container[NodeId], today: str) -> Card | CardFault:
    """Read a card that was typed, pasted or contained in a URL as ``?card=``, and check that one of `nodes`
    signed it for this community. If `today` is empty (date not known), the last day is not checked."""
    payload, signature = _parts(typed)
    if len(payload) <= _HEAD.size or len(signature) != SIGNATURE_BYTES:
        return "card-unreadable"
    mark, serial, last_day, key = _HEAD.unpack_from(payload)
    account = payload[_HEAD.size :].decode("ascii", "replace")
    if not is_name(account) or not 1 <= last_day <= date.max.toordinal():
        return "card-unreadable"
    node = NodeId(b32encode(key).decode().rstrip("=").lower())
    if mark != _mark(community) or node not in nodes or not verify(node, _KIND, payload, signature):
        return "card-foreign"
    card = Card(AccountId(account), serial, date.fromordinal(last_day).isoformat())
    return "card-ended" if today and card.last_day < today else card


def next_serial(today: str, void_below: int) -> int:
    """Serial number of a card made today, given that those below `void_below` are revoked."""
    return max(date.fromisoformat(today).toordinal(), void_below)


def next_void(today: str, void_below: int) -> int:
    """Bound that revokes every card made until now. The date must be known, as when the cards were made."""
    return next_serial(today, void_below) + 1


def _parts(typed: str) -> tuple[bytes, bytes]:
    """Payload and signature; both empty if `typed` is not a card."""
    if len(typed) > TYPED_CHARS_MAX:
        return b"", b""
    found = _IN_ADDRESS.search(typed)
    match = _CARD.fullmatch("".join((unquote(found[1]) if found else typed).split()))
    if match is None or len(match[0]) > CARD_CHARS_MAX or len(match[1]) % 4 == 1:
        return b"", b""
    return _raw(match[1]), _raw(match[2])


def _mark(community: str) -> bytes:
    return hashlib.sha256(b"procomu card community\0" + community.encode()).digest()[:16]


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# Step-up authentication: a device that recently showed a membership card may set a passphrase without the
# old one.

SHOWN_FOR = Milliseconds(10 * 60_000)
"""Long enough to choose a passphrase; short because a device that copies the MAC address is taken for this
one."""
STEP_UPS_MAX = 1_000
"""Devices; at the limit the oldest entry is dropped, and its card must be shown again."""


class StepUp:
    """In memory only: after a restart the card must be shown again."""

    def __init__(self) -> None:
        self._shown: dict[MacAddress, tuple[AccountId, Monotonic]] = {}

    def __len__(self) -> int:
        return len(self._shown)

    def show(self, mac: MacAddress, account: AccountId, now: Monotonic) -> None:
        """A valid card of `account` was shown on this device."""
        self._shown.pop(mac, None)
        if len(self._shown) >= STEP_UPS_MAX:
            del self._shown[next(iter(self._shown))]
        self._shown[mac] = account, Monotonic(now + SHOWN_FOR)

    def has_shown(self, mac: MacAddress, account: AccountId, now: Monotonic) -> bool:
        """Whether a card of this account was recently shown on this device."""
        whose, until = self._shown.get(mac, ("", now))
        return whose == account and now < until

    def drop(self, account: AccountId) -> None:
        """Forget the cards of this account that were shown until now."""
        self._shown = {mac: shown for mac, shown in self._shown.items() if shown[0] != account}
