"""Who is an admin: links that sign in once, and the sessions they become. Only hashes are kept, never a token.

Tokens and cookies are made by the caller, from a source of randomness with 128 bits or more.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from node.units import Milliseconds, Monotonic

LINK_LIFE = Milliseconds(10 * 60_000)
SESSION_LIFE = Milliseconds(12 * 3_600_000)
LINKS_MAX = 8
"""Links not yet used; a further one takes the place of the oldest."""
SESSIONS_MAX = 32
TOKEN_CHARS_MIN = 22
"""128 bits in base64."""
TOKEN_CHARS_MAX = 128
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pass:
    """The hash of a token, and until when the token counts."""

    hash: str
    ends: Monotonic


@dataclass(frozen=True, slots=True)
class SignIn:
    """All links and sessions that count now."""

    links: tuple[Pass, ...] = ()
    sessions: tuple[Pass, ...] = ()


def offer(state: SignIn, token: str, now: Monotonic) -> SignIn:
    """`token` may be redeemed once, for LINK_LIFE."""
    assert TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX, "a token needs 128 bits"
    links = (*_living(state.links, now), Pass(_hash(token), Monotonic(now + LINK_LIFE)))
    return replace(state, links=links[-LINKS_MAX:])


def redeem(state: SignIn, token: str, cookie: str, now: Monotonic) -> SignIn | None:
    """A link's token becomes the session of `cookie`; None when the token is used, old or unknown."""
    assert TOKEN_CHARS_MIN <= len(cookie) <= TOKEN_CHARS_MAX, "a cookie needs 128 bits"
    links = _living(state.links, now)
    if not _holds(links, token):
        return None
    session = Pass(_hash(cookie), Monotonic(now + SESSION_LIFE))
    sessions = (*_living(state.sessions, now), session)
    return SignIn(_without(links, token), sessions[-SESSIONS_MAX:])


def is_admin(state: SignIn, cookie: str, now: Monotonic) -> bool:
    """Whether `cookie` is a session that has not ended."""
    return _holds(_living(state.sessions, now), cookie)


def sign_out(state: SignIn, cookie: str) -> SignIn:
    """The session of `cookie` ends; without such a session nothing changes."""
    return replace(state, sessions=_without(state.sessions, cookie))


def form_proof(cookie: str) -> str:
    """What every form carries, so that no other site can send one: only who knows the cookie can make it."""
    return hmac.new(cookie.encode(), b"procomu admin form", hashlib.sha256).hexdigest()


def is_own_form(cookie: str, proof: str) -> bool:
    """Whether the form was made for the session of `cookie`."""
    return hmac.compare_digest(form_proof(cookie).encode(), proof.encode())


def to_text(state: SignIn, boot: str) -> str:
    """For storage. Monotonic time means nothing after another boot, so its name belongs to it."""
    passes = {
        name: [[each.hash, each.ends] for each in kept]
        for name, kept in (("links", state.links), ("sessions", state.sessions))
    }
    return json.dumps({"boot": boot, **passes})


def from_text(text: str, boot: str) -> SignIn:
    """What was stored in this boot; nobody is signed in after another boot, nor by a text that is damaged."""
    try:
        stored = json.loads(text)
    except ValueError:
        return SignIn()
    if not isinstance(stored, dict) or stored.get("boot") != boot:
        return SignIn()
    return SignIn(_passes(stored.get("links"))[-LINKS_MAX:], _passes(stored.get("sessions"))[-SESSIONS_MAX:])


def _passes(stored: Any) -> tuple[Pass, ...]:
    if not isinstance(stored, list):
        return ()
    return tuple(
        Pass(each[0], Monotonic(each[1]))
        for each in stored
        if isinstance(each, list)
        and len(each) == 2
        and isinstance(each[0], str)
        and _HASH.fullmatch(each[0])
        and type(each[1]) is int
    )


def _living(passes: Iterable[Pass], now: Monotonic) -> tuple[Pass, ...]:
    return tuple(each for each in passes if now < each.ends)


def _holds(passes: Iterable[Pass], token: str) -> bool:
    if len(token) > TOKEN_CHARS_MAX:
        return False
    wanted = _hash(token)
    return any(hmac.compare_digest(each.hash, wanted) for each in passes)


def _without(passes: Iterable[Pass], token: str) -> tuple[Pass, ...]:
    return tuple(each for each in passes if each.hash != _hash(token))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
