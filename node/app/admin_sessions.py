"""Admin sessions: one-time sign-in links, and the sessions that they start. Only hashes are stored.

The caller creates tokens and cookies, from a source of randomness with 128 bits or more.
"""

import hashlib
import hmac
import json
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from node.app.issuer_grants import Grant, from_list, read_grant, to_list
from node.translator import gettext_lazy
from node.units import Milliseconds, Monotonic

LINK_LIFE = Milliseconds(10 * 60_000)
SESSION_LIFE = Milliseconds(12 * 3_600_000)
LINKS_MAX = 8
"""Unused links; a further one replaces the oldest."""
SESSIONS_MAX = 32
TOKEN_CHARS_MIN = 22
"""128 bits in base64."""
TOKEN_CHARS_MAX = 128
NAME_CHARS_MAX = 40
MARK_CHARS = 16
_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"[^\W_][\w .'-]{{0,{NAME_CHARS_MAX - 1}}}")

Role = Literal["admin", "issuer"]
"""An ``issuer`` can only issue vouchers, and see those issued under the same name."""

ROLES: tuple[Role, ...] = ("admin", "issuer")


@dataclass(frozen=True, slots=True)
class Signed:
    """Identity of a signed-in person."""

    role: Role
    name: str = ""
    """As given for the link; an issuer always has one."""
    grant: Grant | None = None
    """What an issuer may issue; None for an admin."""

    @property
    def label(self) -> str:
        """As shown beside actions: ``admin``, ``admin Ana``, ``issuer library``."""
        return f"{self.role} {self.name}".strip()

    @property
    def may_issue(self) -> Grant | None:
        """None for an admin, who may issue any voucher within the node's limits."""
        return None if self.role == "admin" else self.grant or Grant()


ADMIN = Signed("admin")
CONSOLE = Signed("admin", "console")
"""Somebody at the node's console."""


def label_text(label: str) -> str:
    """`Signed.label`, also one that was stored, as a text for pages."""
    role, _, name = label.partition(" ")
    if role == "admin":
        return gettext_lazy("admin {name}", name=name) if name else gettext_lazy("admin")
    return gettext_lazy("issuer {name}", name=name) if role == "issuer" and name else label


@dataclass(frozen=True, slots=True)
class StoredToken:
    """Hash of a token, its expiry, and its identity."""

    hash: str
    ends: Monotonic
    signed: Signed = ADMIN
    is_by_link: bool = True
    """False for a session that began with a passphrase."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """All valid links and sessions."""

    links: tuple[StoredToken, ...] = ()
    sessions: tuple[StoredToken, ...] = ()


def valid_sessions(state: SignIn, now: Monotonic) -> tuple[StoredToken, ...]:
    """Sessions that have not expired, the newest first."""
    return tuple(reversed(_valid(state.sessions, now)))


def read_signed(
    role: str, name: str, *, groups: str = "", lasts: str = "", devices: str = "", per_day: str = ""
) -> Signed:
    """Parses the role, name and grant of a new link (see `issuer_grants.read_grant`). Raises ValueError with what to
    write instead."""
    for each in ROLES:
        if role == each:
            break
    else:
        raise ValueError(f"{role!r:.40} is not a role; write admin or issuer")
    name = " ".join(name.split())
    if name and not _NAME.fullmatch(name):
        raise ValueError(
            gettext_lazy(
                "{text} is not a name; write letters, digits and spaces, at most {most}, such as library",
                text=f"{name!r:.60}",
                most=NAME_CHARS_MAX,
            )
        )
    if each == "issuer" and not name:
        raise ValueError(
            gettext_lazy("an issuer needs a name to find their vouchers again; give one such as library")
        )
    if each == "issuer":
        return Signed(each, name, read_grant(groups, lasts, devices, per_day))
    if any(text.strip() for text in (groups, lasts, devices, per_day)):
        raise ValueError("an admin has no limits; leave the limits out, or make the link for an issuer")
    return Signed(each, name)


def offer(state: SignIn, token: str, now: Monotonic, signed: Signed = ADMIN) -> SignIn:
    """Adds a link: `token` can be redeemed once within LINK_LIFE, to sign in as `signed`."""
    assert TOKEN_CHARS_MIN <= len(token) <= TOKEN_CHARS_MAX, "a token needs 128 bits"
    links = (*_valid(state.links, now), StoredToken(token_hash(token), Monotonic(now + LINK_LIFE), signed))
    return replace(state, links=links[-LINKS_MAX:])


def redeem(state: SignIn, token: str, cookie: str, now: Monotonic) -> SignIn | None:
    """Exchanges a link's token for a session with `cookie`; None when the token is used, expired or
    unknown."""
    assert TOKEN_CHARS_MIN <= len(cookie) <= TOKEN_CHARS_MAX, "a cookie needs 128 bits"
    links = _valid(state.links, now)
    link = _find(links, token)
    if link is None:
        return None
    session = StoredToken(token_hash(cookie), Monotonic(now + SESSION_LIFE), link.signed)
    sessions = (*_valid(state.sessions, now), session)
    return SignIn(_without(links, token), sessions[-SESSIONS_MAX:])


def begin(state: SignIn, cookie: str, signed: Signed, now: Monotonic) -> SignIn:
    """Adds a session with `cookie`, for a person who typed the right passphrase."""
    assert TOKEN_CHARS_MIN <= len(cookie) <= TOKEN_CHARS_MAX, "a cookie needs 128 bits"
    session = StoredToken(token_hash(cookie), Monotonic(now + SESSION_LIFE), signed, is_by_link=False)
    return replace(state, sessions=(*_valid(state.sessions, now), session)[-SESSIONS_MAX:])


def session_of(state: SignIn, cookie: str, now: Monotonic) -> StoredToken | None:
    """The session of `cookie`; None when there is no such session or it has expired."""
    return _find(_valid(state.sessions, now), cookie)


def who(state: SignIn, cookie: str, now: Monotonic) -> Signed | None:
    """Identity of the session of `cookie`; None when there is no such session or it has expired."""
    session = session_of(state, cookie, now)
    return None if session is None else session.signed


def sign_out(state: SignIn, cookie: str) -> SignIn:
    """Ends the session of `cookie`; without such a session nothing changes."""
    return replace(state, sessions=_without(state.sessions, cookie))


def end(state: SignIn, mark: str) -> SignIn:
    """Ends the session with this mark; without such a session nothing changes."""
    if len(mark) != MARK_CHARS:
        return state
    return replace(state, sessions=tuple(each for each in state.sessions if not each.hash.startswith(mark)))


def end_of(state: SignIn, name: str) -> SignIn:
    """Ends all links and sessions of this name."""

    def others(tokens: Iterable[StoredToken]) -> tuple[StoredToken, ...]:
        return tuple(each for each in tokens if name_key(each.signed.name) != name_key(name))

    return SignIn(others(state.links), others(state.sessions))


def name_key(name: str) -> str:
    """What two spellings of one name have in common."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def csrf_token_for(cookie: str) -> str:
    """CSRF token of a session: only the holder of the cookie can compute it."""
    return hmac.new(cookie.encode(), b"procomu admin form", hashlib.sha256).hexdigest()


def is_csrf_token(cookie: str, csrf_token: str) -> bool:
    """Whether the form carries the CSRF token of the session of `cookie`."""
    return hmac.compare_digest(csrf_token_for(cookie).encode(), csrf_token.encode())


def to_text(state: SignIn, boot: str) -> str:
    """Serializes for storage, with the boot id: monotonic times are meaningless after a reboot."""
    passes = {
        name: [
            {
                "hash": each.hash,
                "ends": each.ends,
                "role": each.signed.role,
                "name": each.signed.name,
                "grant": None if each.signed.may_issue is None else to_list(each.signed.may_issue),
                "is_by_link": each.is_by_link,
            }
            for each in kept
        ]
        for name, kept in (("links", state.links), ("sessions", state.sessions))
    }
    return json.dumps({"boot": boot, **passes})


def from_text(text: str, boot: str) -> SignIn:
    """Restores what was stored in this boot; empty after another boot or when the text is damaged."""
    try:
        stored = json.loads(text)
    except ValueError:
        return SignIn()
    if not isinstance(stored, dict) or stored.get("boot") != boot:
        return SignIn()
    return SignIn(
        _stored_tokens(stored.get("links"))[-LINKS_MAX:],
        _stored_tokens(stored.get("sessions"))[-SESSIONS_MAX:],
    )


def _stored_tokens(stored: Any) -> tuple[StoredToken, ...]:
    if not isinstance(stored, list):
        return ()
    return tuple(kept for each in stored if (kept := _stored_token(each)) is not None)


def _stored_token(stored: Any) -> StoredToken | None:
    match stored:
        case {
            "hash": str(mark),
            "ends": int(ends),
            "role": str(role),
            "name": str(name),
            "grant": grant,
            "is_by_link": bool(is_by_link),
        } if _HASH.fullmatch(mark) and type(ends) is int:
            # Without limits, or with damaged ones, the default grant applies.
            try:
                signed = read_signed(role, name)
            except ValueError:
                return None
            limits = from_list(grant) if signed.grant is not None else None
            return StoredToken(
                mark, Monotonic(ends), replace(signed, grant=limits or signed.grant), is_by_link
            )
    return None


def _valid(passes: Iterable[StoredToken], now: Monotonic) -> tuple[StoredToken, ...]:
    return tuple(each for each in passes if now < each.ends)


def _find(passes: Iterable[StoredToken], token: str) -> StoredToken | None:
    if len(token) > TOKEN_CHARS_MAX:
        return None
    wanted = token_hash(token)
    return next((each for each in passes if hmac.compare_digest(each.hash, wanted)), None)


def _without(passes: Iterable[StoredToken], token: str) -> tuple[StoredToken, ...]:
    return tuple(each for each in passes if each.hash != token_hash(token))


def as_token(secret: bytes) -> str:
    """Random bytes as a token or cookie."""
    return urlsafe_b64encode(secret).decode().rstrip("=")


def token_hash(token: str) -> str:
    """Hash by which a token or cookie is stored."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
