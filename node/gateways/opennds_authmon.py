"""The requests of authmon, with which an openNDS router of the levels 3 and 4 asks its FAS who may pass.

Nothing in the protocol authenticates authmon: everybody behind the router knows the address and the hash. So what comes
is believed only as far as it can be checked (`DeauthedClient.hid` and the device's mark in `custom`), and the queue fills
again from the person's own waiting page.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from node.gateways.opennds_grant import GatewayLimits, authmon_entry

ENTRIES_PER_REPLY = 4
"""At most this the router takes in one cycle."""
REPLY_CHARACTERS_MAX = 1_024
"""After the first two, which are ``* ``. The router cuts off the rest, in the middle of an entry."""
UNACKNOWLEDGED_S = 30
"""The router does not acknowledge a client that it has let in already."""
UNSENT_S = 180
"""The router's poll interval is at most 59 seconds."""
QUEUE_MAX = 512
PAYLOAD_CHARACTERS_MAX = 4_096
BYTES_MAX = 2**63 - 1

Action = Literal["clear", "view", "list", "deauthed", "custom"]
_ACTIONS: dict[str, Action] = {
    "clear": "clear",
    "view": "view",
    "list": "list",
    "deauthed": "deauthed",
    "custom": "custom",
}
_HASH = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(r"\d{1,19}")
_METHOD = re.compile(r"[a-z_]{1,40}")
_TOKEN = re.compile(r"[0-9a-f]{8,64}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class DeauthedClient:
    """A client that left a router, and what it used there. A number that is missing or unreadable is None."""

    method: str
    client_mac: str
    incoming_bytes: int | None
    """To the client."""
    outgoing_bytes: int | None
    session_start: int | None
    session_end: int | None
    token: str
    custom: str
    """What this node gave with the client, in base64."""

    @property
    def hid(self) -> str:
        """Of the client: only the router and the client itself know the token that gives it."""
        return hashlib.sha256(self.token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuthmonRequest:
    """One request of authmon."""

    action: Action
    gateway_hash: str
    payload: str
    """Decoded; empty when it was no base64."""

    @property
    def acknowledged(self) -> frozenset[str]:
        """The clients that the router has let in, by their `rhid`. Authmon joins them by spaces."""
        first, *others = self.payload.split() or [""]
        return frozenset(filter(_HASH.fullmatch, others)) if first == "*" else frozenset()

    @property
    def is_acknowledgement(self) -> bool:
        return self.payload.startswith("*")

    @property
    def deauthed(self) -> DeauthedClient | None:
        """None when it names no client."""
        if self.action != "deauthed":
            return None
        items: dict[str, str] = {}
        for part in self.payload.split(", "):
            name, equals, value = part.partition("=")
            if equals:
                items.setdefault(name.strip(), value.strip())
        token, mac = items.get("token", ""), items.get("clientmac", "").lower()
        method = items.get("method", "")
        if not (_TOKEN.fullmatch(token) and _MAC.fullmatch(mac)):
            return None
        return DeauthedClient(
            method=method if _METHOD.fullmatch(method) else "",
            client_mac=mac,
            incoming_bytes=_count(items, "bytes_incoming"),
            outgoing_bytes=_count(items, "bytes_outgoing"),
            session_start=_count(items, "session_start"),
            session_end=_count(items, "session_end"),
            token=token,
            custom=unquote(items.get("custom", "")),
        )


def _count(items: Mapping[str, str], name: str) -> int | None:
    text = items.get(name, "")
    number = int(text) if _COUNT.fullmatch(text) and text.isascii() else None
    return None if number is None or number > BYTES_MAX else number


def read_authmon(fields: Mapping[str, str]) -> AuthmonRequest | None:
    """The request in the parameters of a POST (level 3) or of a GET (level 4); None when it is none."""
    action = _ACTIONS.get(fields.get("auth_get", ""))
    gateway, payload = fields.get("gatewayhash", ""), fields.get("payload", "")
    if action is None or not _HASH.fullmatch(gateway) or len(payload) > PAYLOAD_CHARACTERS_MAX:
        return None
    return AuthmonRequest(action, gateway, _decoded(payload, twice=action == "deauthed"))


def _decoded(payload: str, *, twice: bool) -> str:
    """Some versions encode a log line twice. Line breaks are those of the router's base64 program."""
    text = _from_base64(payload)
    again = _from_base64(text) if twice and "=" not in text.rstrip("=") else ""
    return again or text


def _from_base64(text: str) -> str:
    joined = text.strip().replace("\r", "").replace("\n", "").replace(" ", "+")
    try:
        raw = base64.b64decode(joined, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.decode("ascii") if raw.isascii() else ""


@dataclass(slots=True)
class _QueuedClient:
    text: str
    added_s: float
    sent_s: float | None = None

    def is_over(self, now_s: float) -> bool:
        if self.sent_s is not None:
            return now_s - self.sent_s >= UNACKNOWLEDGED_S
        return now_s - self.added_s >= UNSENT_S


@dataclass(slots=True)
class AuthmonQueue:
    """Clients that one router has still to let in. `now_s` is monotonic."""

    _entries: dict[str, _QueuedClient] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, rhid: str, limits: GatewayLimits, now_s: float, *, custom: str = "") -> bool:
        """Queues a client; one that waits already keeps its place. False when the queue is full."""
        self._forget(now_s)
        if rhid in self._entries:
            return True
        if len(self._entries) >= QUEUE_MAX:
            return False
        self._entries[rhid] = _QueuedClient(authmon_entry(rhid, limits, custom), now_s)
        return True

    def drop(self, rhid: str) -> None:
        self._entries.pop(rhid, None)

    def is_waiting(self, rhid: str, now_s: float) -> bool:
        self._forget(now_s)
        return rhid in self._entries

    def reply(self, request: AuthmonRequest, now_s: float) -> str:
        """The body for one request of this router."""
        self._forget(now_s)
        if request.action in ("deauthed", "custom"):
            return "ack"
        if request.action == "clear":
            self._entries.clear()
            return ""
        if request.action == "view" and request.is_acknowledgement:
            for rhid in request.acknowledged:
                self._entries.pop(rhid, None)
            return "ack"
        return self._next(now_s, forget=request.action == "list")

    def _next(self, now_s: float, *, forget: bool) -> str:
        """Clients that were sent before go last, so that one that the router refuses delays nobody."""
        chosen: list[str] = []
        for rhid, entry in sorted(
            self._entries.items(), key=lambda each: (each[1].sent_s is not None, each[1].added_s)
        ):
            length = sum(len(self._entries[each].text) + 1 for each in chosen) + len(entry.text)
            if len(chosen) == ENTRIES_PER_REPLY or length > REPLY_CHARACTERS_MAX:
                break
            chosen.append(rhid)
        body = " ".join(["*", *(self._entries[rhid].text for rhid in chosen)])
        for rhid in chosen:
            entry = self._entries[rhid]
            entry.sent_s = now_s if entry.sent_s is None else entry.sent_s
            if forget:
                del self._entries[rhid]
        return body

    def _forget(self, now_s: float) -> None:
        for rhid in [rhid for rhid, entry in self._entries.items() if entry.is_over(now_s)]:
            del self._entries[rhid]
