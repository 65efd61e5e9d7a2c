"""A person's device behind an openNDS router: how this node names it, and the mark by which it knows it again.

At the levels 0, 1 and 4 the router's query can be written by anybody, so the hardware address in it is no proof. There a
device is its browser: a random name in a cookie, from which a local hardware address is made that no real device has.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from node.gateways.opennds_grant import CUSTOM_MARK, CUSTOM_WORDS
from node.units import MacAddress

BROWSER_BYTES = 16
_BROWSER = re.compile(r"[0-9a-f]{32}")
_CUSTOM = re.compile(r"[0-9A-Za-z+/=]{1,256}")
_HIDDEN = re.compile(r"[0-9a-f]{12}")
_TAG = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class DeviceMark:
    """A device that this node let in at a router. The router gives it back when the device leaves."""

    mac: MacAddress
    hidden: str
    """The device, encrypted for the gateway and the client's `hid`: all who know its name can read its queue."""
    tag: str
    """HMAC of the gateway, the client's `hid` and the device, with the node's own key."""

    @property
    def words(self) -> tuple[str, str]:
        return self.hidden, self.tag


def is_browser(text: str) -> bool:
    """Whether it has the form of a browser's name."""
    return _BROWSER.fullmatch(text) is not None


def browser_mac(key: bytes, gateway: str, browser: str) -> MacAddress:
    """A locally administered unicast address for a browser at one gateway."""
    made = bytearray(hmac.digest(key, f"browser\0{gateway}\0{browser}".encode(), sha256)[:6])
    made[0] = made[0] & 0xFC | 0x02
    return MacAddress(":".join(f"{each:02x}" for each in made))


def device_mark(key: bytes, gateway: str, hid: str, mac: MacAddress) -> DeviceMark:
    """The mark of this device for this client of the router."""
    made = hmac.digest(key, f"opennds\0{gateway}\0{hid}\0{mac}".encode(), sha256)
    hidden = _masked(key, gateway, hid, bytes.fromhex(mac.replace(":", "")))
    return DeviceMark(mac, hidden.hex(), made.hex()[:32])


def read_mark(key: bytes, gateway: str, hid: str, custom: str) -> DeviceMark | None:
    """The mark in what a router gave back; None unless this node made it for the client with this `hid`."""
    words = _words(custom)
    if len(words) not in CUSTOM_WORDS or words[0] != CUSTOM_MARK:
        return None
    hidden, tag = words[CUSTOM_WORDS[len(words)]], words[CUSTOM_WORDS[len(words)] + 1]
    if not (_HIDDEN.fullmatch(hidden) and _TAG.fullmatch(tag)):
        return None
    mac = MacAddress(_masked(key, gateway, hid, bytes.fromhex(hidden)).hex(":"))
    mark = device_mark(key, gateway, hid, mac)
    return mark if hmac.compare_digest(mark.tag, tag) else None


def _masked(key: bytes, gateway: str, hid: str, six: bytes) -> bytes:
    """A device from its hidden form, and back. A client's `hid` is used for one device."""
    mask = hmac.digest(key, f"device behind openNDS\0{gateway}\0{hid}".encode(), sha256)
    return bytes(each ^ other for each, other in zip(six, mask, strict=False))


def _words(custom: str) -> list[str]:
    if not _CUSTOM.fullmatch(custom):
        return []
    try:
        raw = base64.b64decode(custom, validate=True)
    except (binascii.Error, ValueError):
        return []
    return raw.decode("ascii").split(" ") if raw.isascii() else []
