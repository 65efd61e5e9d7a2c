"""The token of a program that collects metrics: one for the node, stored only as a hash, and throttled like a sign-in.

A program that still has an old token asks again and again with the same one: that is no guess, and counts once.
"""

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from node.accounting.periods import DAY_UNKNOWN
from node.accounts.events import Event, EventKind
from node.accounts.login_throttle import CODE_THROTTLE, AttemptCounter
from node.app.admin_sessions import CONSOLE, TOKEN_CHARS_MAX, Signed, as_token, token_hash
from node.control.ports import Clock, StateArchive
from node.errors import NodeError
from node.units import Monotonic

STATE = "metrics_token"
"""Name in the node state."""
TOKEN_BYTES = 32
PARTIES_MAX = 1_000
_HASH = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TokenState:
    """Whether there is a token, and since when."""

    exists: bool
    since_day: str = ""
    """ISO date; empty while the clock was unknown when it was made."""


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """What is to be said to a request."""

    verdict: Literal["off", "right", "wrong", "wait"]
    """``off``: there is no token."""
    wait_s: int = 0


def bearer_token(header: str) -> str:
    """The token in an Authorization header (RFC 6750, section 2.1); empty without one."""
    found = _BEARER.fullmatch(header) if len(header) <= TOKEN_CHARS_MAX + 16 else None
    return found[1] if found is not None else ""


class MetricsToken:
    """`random` returns so many random bytes. What is made or revoked is in force at once, and stored before it returns."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        event: Callable[[Signed, EventKind], Event] | None = None,
    ) -> None:
        """`event` makes the event that is stored with a change."""
        self._event = event
        self._archive, self._clock, self._random = archive, clock, random
        self._hash, self._since_day = "", ""
        self._changes = 0
        self._wrong: AttemptCounter[str] = AttemptCounter(CODE_THROTTLE, PARTIES_MAX)
        self._last_wrong: dict[str, str] = {}
        """Hash of the last wrong token, by party."""

    async def recall(self) -> None:
        """Restores what an earlier run stored. Raises StorageTrouble."""
        self._hash, self._since_day = _read(await self._archive.state(STATE))

    @property
    def state(self) -> TokenState:
        return TokenState(bool(self._hash), self._since_day)

    async def make(self, by: Signed = CONSOLE) -> str:
        """A new token, which is not stored and cannot be shown again; the one before no longer works. Raises NodeError, and
        then this one does not work."""
        token = as_token(self._random(TOKEN_BYTES))
        day = self._clock.today()
        made = token_hash(token), "" if day == DAY_UNKNOWN else day
        self._changes += 1
        number = self._changes
        text = json.dumps({"hash": made[0], "since": made[1]})
        await self._archive.save_state(STATE, text, self._events(by, "token-made"))
        if self._changes != number:
            raise NodeError(
                "the token was changed by somebody else meanwhile", "look whether another one is needed"
            )
        self._hash, self._since_day = made
        return token

    async def revoke(self, by: Signed = CONSOLE) -> bool:
        """From now on nobody gets metrics. False if there was no token. Raises StorageTrouble: then it works again after a
        restart."""
        self._changes += 1  # also for one that is being made
        had_one, self._hash, self._since_day = bool(self._hash), "", ""
        await self._archive.save_state(STATE, "", self._events(by, "token-revoked") if had_one else ())
        return had_one

    def _events(self, by: Signed, kind: EventKind) -> tuple[Event, ...]:
        return () if self._event is None else (self._event(by, kind),)

    def check(self, token: str, party: str) -> TokenCheck:
        """`party`: the device or network that sends it."""
        if not self._hash:
            return TokenCheck("off")
        now = self._clock.monotonic()
        if wait_s := self._wait_s(party, now):
            return TokenCheck("wait", wait_s)
        given = token_hash(token[: TOKEN_CHARS_MAX + 1])
        if hmac.compare_digest(given, self._hash):
            self._wrong.reset(party)
            self._last_wrong.pop(party, None)
            return TokenCheck("right")
        if token and self._last_wrong.get(party) != given:
            self._note(party, given)
            self._wrong.add_failure(party, now)
        wait_s = self._wait_s(party, now)
        return TokenCheck("wait", wait_s) if wait_s else TokenCheck("wrong")

    def _note(self, party: str, given: str) -> None:
        self._last_wrong.pop(party, None)
        if len(self._last_wrong) >= PARTIES_MAX:
            del self._last_wrong[next(iter(self._last_wrong))]
        self._last_wrong[party] = given

    def _wait_s(self, party: str, now: Monotonic) -> int:
        return -(-self._wrong.wait_ms(party, now) // 1_000)


def _read(text: str) -> tuple[str, str]:
    """Hash and day as stored; both empty where there is none, or it was damaged."""
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        return "", ""
    if not isinstance(kept, dict):
        return "", ""
    found, day = str(kept.get("hash")), str(kept.get("since"))
    if not _HASH.fullmatch(found):
        return "", ""
    return found, day if _DAY.fullmatch(day) else ""
