"""Idempotency keys: a form that is submitted twice (double click, reload, lost response) has its effect once.

A form carries a key. For SHOWN_MS a repeated submission in the same session returns the first result; after
that the key is only known as used, until it would be too old anyway.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from node.units import Milliseconds, Monotonic

SHOWN_MS = Milliseconds(15 * 60_000)
KEY_LIFETIME = Milliseconds(2 * 3_600_000)
USED_MAX = 512
"""Keys used within KEY_LIFETIME; at this number, submissions are refused until one expires."""
SHOWN_MAX = 12
"""Results kept for repeated submissions; the oldest is dropped first."""
RANDOM_BYTES = 16
_AT_BYTES = 8
_MARK_BYTES = 16
KEY_CHARS = 56

KeyState = Literal["fresh", "used", "stale", "crowded"]
"""``stale``: made too long ago, before a restart, or for another session. ``crowded``: too many keys in
use."""


@dataclass(slots=True)
class _Use[T]:
    ends: Monotonic
    made: T | None
    shown_until: Monotonic


class IdempotencyKeys[T]:
    """For use in the event loop only. `key` is a new secret at each start of the node."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._used: dict[bytes, _Use[T]] = {}

    def idempotency_key(self, cookie: str, random: bytes, now: Monotonic) -> str:
        """A new key for one form in the session of `cookie`; `random` are RANDOM_BYTES bytes."""
        assert len(random) == RANDOM_BYTES, "a key needs 128 bits"
        stated = now.to_bytes(_AT_BYTES, "big") + random
        return urlsafe_b64encode(stated + self._mark(cookie, stated)).decode()

    def state(self, cookie: str, idempotency_key: str, now: Monotonic) -> KeyState:
        """State of a key that a form brings."""
        name = self._read(cookie, idempotency_key)
        made = None if name is None else int.from_bytes(name[:_AT_BYTES], "big")
        if name is None or made is None or not made <= now < made + KEY_LIFETIME:
            return "stale"
        self._forget(now)
        if name in self._used:
            return "used"
        return "fresh" if len(self._used) < USED_MAX else "crowded"

    def keep(self, cookie: str, idempotency_key: str, made: T, now: Monotonic) -> None:
        """Marks the key as used and keeps its result."""
        name = self._read(cookie, idempotency_key)
        assert name is not None, "only a key whose state was checked is used"
        self._used[name] = _Use(Monotonic(now + KEY_LIFETIME), made, Monotonic(now + SHOWN_MS))
        shown = [use for use in self._used.values() if use.made is not None]
        for use in shown[:-SHOWN_MAX]:
            use.made = None

    def shown(self, cookie: str, idempotency_key: str, now: Monotonic) -> T | None:
        """Result of a used key, while it is kept."""
        self._forget(now)
        name = self._read(cookie, idempotency_key)
        use = None if name is None else self._used.get(name)
        return None if use is None else use.made

    def _forget(self, now: Monotonic) -> None:
        for name, use in list(self._used.items()):
            if use.ends <= now:
                del self._used[name]
            elif use.shown_until <= now:
                use.made = None

    def _read(self, cookie: str, idempotency_key: str) -> bytes | None:
        """The signed part of a key; None unless it was made for this session since the node started."""
        if len(idempotency_key) != KEY_CHARS or not idempotency_key.isascii():
            return None
        try:
            whole = urlsafe_b64decode(idempotency_key)
        except ValueError:
            return None
        stated, mark = whole[:-_MARK_BYTES], whole[-_MARK_BYTES:]
        return stated if hmac.compare_digest(mark, self._mark(cookie, stated)) else None

    def _mark(self, cookie: str, stated: bytes) -> bytes:
        owner = hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()
        return hmac.digest(self._key, b"procomu once\0" + owner + stated, "sha256")[:_MARK_BYTES]
