"""Admin sessions: one-time sign-in links, and the sessions that they start. Only hashes are stored.

The caller creates tokens and cookies, from a source of randomness with 128 bits or more.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from node.accounts.vouchers import BATCH_MAX, DEVICES_MAX, LASTS_MAX, LASTS_MIN
from node.characters import is_name
from node.errors import Finding
from node.governance.translations import gettext_lazy, in_a_row, ngettext_lazy
from node.units import Milliseconds, Monotonic, parse_duration

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


_DAY_MS = 86_400_000


_WEEK = Milliseconds(7 * _DAY_MS)


@dataclass(frozen=True, slots=True)
class Grant:
    """Limits for each voucher, and for all vouchers of one day."""

    groups: tuple[str, ...] = ("day-pass",)
    lasts_max: Milliseconds = _WEEK
    devices_max: int = 5
    per_day: int = 100

    @property
    def sentence(self) -> str:
        """Text for admins and the issuer."""
        return in_a_row(
            ngettext_lazy(
                "At most {number} voucher a day.", "At most {number} vouchers a day.", self.per_day
            ),
            gettext_lazy("Groups: {groups}.", groups=", ".join(self.groups)),
            gettext_lazy("Each lasts at most {time}.", time=span_text(self.lasts_max)),
            ngettext_lazy(
                "Each is for {number} device at once.",
                "Each is for at most {number} devices at once.",
                self.devices_max,
            ),
        )


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


def label_text(label: str) -> str:
    """`Signed.label`, also one that was stored, as a text for pages."""
    role, _, name = label.partition(" ")
    if role == "admin":
        return gettext_lazy("admin {name}", name=name) if name else gettext_lazy("admin")
    return gettext_lazy("issuer {name}", name=name) if role == "issuer" and name else label


@dataclass(frozen=True, slots=True)
class Pass:
    """Hash of a token, its expiry, and its identity."""

    hash: str
    ends: Monotonic
    signed: Signed = ADMIN


@dataclass(frozen=True, slots=True)
class AdminSession:
    """One session, as other admins see it."""

    mark: str
    """Start of the cookie's hash; it cannot be used to sign in."""
    signed: Signed
    left: Milliseconds
    is_own: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """All valid links and sessions."""

    links: tuple[Pass, ...] = ()
    sessions: tuple[Pass, ...] = ()


def sessions(state: SignIn, cookie: str, now: Monotonic) -> tuple[AdminSession, ...]:
    """All sessions, the newest first; the one of `cookie` has `is_own` set."""
    own = _hash(cookie)
    return tuple(
        AdminSession(each.hash[:MARK_CHARS], each.signed, Milliseconds(each.ends - now), each.hash == own)
        for each in reversed(_living(state.sessions, now))
    )


def read_signed(
    role: str, name: str, *, groups: str = "", lasts: str = "", devices: str = "", per_day: str = ""
) -> Signed:
    """Parses the role, name and grant of a new link (see `grants.read_grant`). Raises ValueError with what to
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
    links = (*_living(state.links, now), Pass(_hash(token), Monotonic(now + LINK_LIFE), signed))
    return replace(state, links=links[-LINKS_MAX:])


def redeem(state: SignIn, token: str, cookie: str, now: Monotonic) -> SignIn | None:
    """Exchanges a link's token for a session with `cookie`; None when the token is used, expired or
    unknown."""
    assert TOKEN_CHARS_MIN <= len(cookie) <= TOKEN_CHARS_MAX, "a cookie needs 128 bits"
    links = _living(state.links, now)
    link = _find(links, token)
    if link is None:
        return None
    session = Pass(_hash(cookie), Monotonic(now + SESSION_LIFE), link.signed)
    sessions = (*_living(state.sessions, now), session)
    return SignIn(_without(links, token), sessions[-SESSIONS_MAX:])


def who(state: SignIn, cookie: str, now: Monotonic) -> Signed | None:
    """Identity of the session of `cookie`; None when there is no such session or it has expired."""
    session = _find(_living(state.sessions, now), cookie)
    return None if session is None else session.signed


def sign_out(state: SignIn, cookie: str) -> SignIn:
    """Ends the session of `cookie`; without such a session nothing changes."""
    return replace(state, sessions=_without(state.sessions, cookie))


def end(state: SignIn, mark: str) -> SignIn:
    """Ends the session with this mark; without such a session nothing changes."""
    if len(mark) != MARK_CHARS:
        return state
    return replace(state, sessions=tuple(each for each in state.sessions if not each.hash.startswith(mark)))


def form_proof(cookie: str) -> str:
    """CSRF token of a session: only the holder of the cookie can compute it."""
    return hmac.new(cookie.encode(), b"procomu admin form", hashlib.sha256).hexdigest()


def is_own_form(cookie: str, proof: str) -> bool:
    """Whether the form carries the CSRF token of the session of `cookie`."""
    return hmac.compare_digest(form_proof(cookie).encode(), proof.encode())


def to_text(state: SignIn, boot: str) -> str:
    """Serializes for storage, with the boot id: monotonic times are meaningless after a reboot."""
    passes = {
        name: [
            [each.hash, each.ends, each.signed.role, each.signed.name]
            + ([to_list(grant)] if (grant := each.signed.may_issue) is not None else [])
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
    return SignIn(_passes(stored.get("links"))[-LINKS_MAX:], _passes(stored.get("sessions"))[-SESSIONS_MAX:])


def _passes(stored: Any) -> tuple[Pass, ...]:
    if not isinstance(stored, list):
        return ()
    return tuple(kept for each in stored if (kept := _pass(each)) is not None)


def _pass(stored: Any) -> Pass | None:
    match stored:
        case [str(mark), int(ends)] if _HASH.fullmatch(mark) and type(ends) is int:
            return Pass(mark, Monotonic(ends))  # stored by a version that had no roles
        case [str(mark), int(ends), str(role), str(name), *limits] if (
            _HASH.fullmatch(mark) and type(ends) is int and len(limits) <= 1
        ):
            # Without limits, or with damaged ones, the default grant applies.
            try:
                signed = read_signed(role, name)
            except ValueError:
                return None
            grant = from_list(limits[0]) if limits and signed.grant is not None else None
            return Pass(mark, Monotonic(ends), replace(signed, grant=grant or signed.grant))
    return None


def _living(passes: Iterable[Pass], now: Monotonic) -> tuple[Pass, ...]:
    return tuple(each for each in passes if now < each.ends)


def _find(passes: Iterable[Pass], token: str) -> Pass | None:
    if len(token) > TOKEN_CHARS_MAX:
        return None
    wanted = _hash(token)
    return next((each for each in passes if hmac.compare_digest(each.hash, wanted)), None)


def _without(passes: Iterable[Pass], token: str) -> tuple[Pass, ...]:
    return tuple(each for each in passes if each.hash != _hash(token))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# Grants: limits on the vouchers that an issuer may issue. A sign-in link carries one for its session.

GROUPS_MAX, GROUP_CHARS_MAX = 10, 40


PER_DAY_MAX = 10 * BATCH_MAX


def read_grant(groups: str, lasts: str, devices: str, per_day: str) -> Grant:
    """Parses a grant as typed; empty fields take defaults, groups are separated by commas or spaces. Raises
    ValueError with what to write instead."""
    usual = Grant()
    names = tuple(dict.fromkeys(groups.lower().replace(",", " ").split())) or usual.groups
    if len(names) > GROUPS_MAX or any(not is_name(name) or len(name) > GROUP_CHARS_MAX for name in names):
        raise ValueError(
            gettext_lazy(
                "{text} are not groups; write up to {most} names such as day-pass, separated by commas",
                text=f"{groups!r:.80}",
                most=GROUPS_MAX,
            )
        )
    return Grant(
        names,
        _duration(lasts, usual.lasts_max),
        _whole(devices, usual.devices_max, DEVICES_MAX),
        _whole(per_day, usual.per_day, PER_DAY_MAX),
    )


def beyond(
    grant: Grant, *, group: str, lasts: Milliseconds, devices: int, count: int, issued_today: int
) -> tuple[Finding, ...]:
    """Findings where an order of `count` vouchers exceeds the grant."""
    findings = []
    if group not in grant.groups:
        message = gettext_lazy("You cannot issue vouchers for the group {group}.", group=group)
        groups = ", ".join(grant.groups)
        findings.append(
            Finding("group", 0, message, gettext_lazy("write one of these: {groups}", groups=groups))
        )
    if lasts > grant.lasts_max:
        message = gettext_lazy("Your vouchers last at most {time}.", time=span_text(grant.lasts_max))
        findings.append(Finding("lasts", 0, message, gettext_lazy("choose a shorter time")))
    if not 1 <= devices <= grant.devices_max:
        message = gettext_lazy("Your vouchers are not for that many devices at once.")
        mend = gettext_lazy("write a number from 1 to {most}", most=grant.devices_max)
        findings.append(Finding("devices", 0, message, mend))
    left = max(0, grant.per_day - issued_today)
    if count > left:
        message = gettext_lazy(
            "Your limit of vouchers a day is {most}. Left today: {left}.", most=grant.per_day, left=left
        )
        mend = gettext_lazy("continue tomorrow, or ask an admin")
        if left:
            mend = gettext_lazy("issue {left} or fewer, or ask an admin", left=left)
        findings.append(Finding("count", 0, message, mend))
    return tuple(findings)


def to_list(grant: Grant) -> list[Any]:
    """Serializes for storage."""
    return [list(grant.groups), grant.lasts_max, grant.devices_max, grant.per_day]


def from_list(stored: Any) -> Grant | None:
    """Restores what was stored; None when it is not valid."""
    match stored:
        case [list(groups), int(lasts), int(devices), int(per_day)]:
            texts = [each for each in groups if isinstance(each, str)]
            try:
                return read_grant(" ".join(texts), f"{lasts // 1000} seconds", str(devices), str(per_day))
            except ValueError:
                return None
    return None


def _duration(typed: str, usual: Milliseconds) -> Milliseconds:
    if not typed.strip():
        return usual
    try:
        duration = parse_duration(typed.strip())
    except ValueError:
        duration = Milliseconds(0)
    if not LASTS_MIN <= duration <= LASTS_MAX:
        raise ValueError(
            gettext_lazy(
                "{text} is not a time for vouchers; write one from 10 minutes to 400 days",
                text=f"{typed!r:.40}",
            )
        )
    return duration


def _whole(typed: str, usual: int, most: int) -> int:
    typed = typed.strip()
    if not typed:
        return usual
    if not (typed.isascii() and typed.isdecimal()) or not 1 <= int(typed[:9]) <= most or len(typed) > 9:
        raise ValueError(
            gettext_lazy(
                "{text} does not fit; write a number from 1 to {most}", text=f"{typed!r:.20}", most=most
            )
        )
    return int(typed)


def span_text(duration: Milliseconds) -> str:
    """In the largest unit that is exact; parts of a second are dropped."""
    if duration % _DAY_MS == 0:
        return ngettext_lazy("{number} day", "{number} days", duration // _DAY_MS)
    if duration % 3_600_000 == 0:
        return ngettext_lazy("{number} hour", "{number} hours", duration // 3_600_000)
    if duration % 60_000 == 0:
        return ngettext_lazy("{number} minute", "{number} minutes", duration // 60_000)
    return ngettext_lazy("{number} second", "{number} seconds", duration // 1000)
