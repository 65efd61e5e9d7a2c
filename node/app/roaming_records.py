"""What nodes of a community tell each other about devices: their sessions, their accounts, and which are blocked.

Each is the value of a registry record (PROTOCOL.md), whose key is the device's name (`DeviceNames`). `read_...` returns None
for a value that this version does not understand.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mesh.page_format import NUMBER_MAX, is_account, is_day, is_number, is_text
from node.accounts.registry_record import Value, displayable, value_text
from node.governance.rules import WAYS, Way
from node.sessions.state import BECAUSE_CHARS_MAX
from node.units import AccountId, NodeId

SESSION, BINDING, BLOCKED = "session", "binding", "blocked"
"""Kinds of records."""
NO_END = 0
END_TOLERANCE_S = 60
"""A session that ends so little later is not told again."""
ENDLESS_DAYS = 30
"""How long a session without an end is known at other nodes."""
NODE_CHARS = 13
"""Of a node's id, as written in a session: 65 bits."""

_MARK = re.compile(rf"[a-z2-7]{{0,{NODE_CHARS}}}")


@dataclass(frozen=True, slots=True)
class TheSession:
    """A device's session: its account, how it signed in, the terms it accepted, its end in Unix time, and the node."""

    account: AccountId
    way: Way
    terms: str
    end_s: int
    """NO_END: none."""
    node: str
    """The first characters of the id of the node that let it in."""

    @property
    def value(self) -> Value:
        return {
            "account": self.account,
            "way": self.way,
            "terms": self.terms,
            "end": self.end_s,
            "node": self.node,
        }

    def is_over(self, wall_s: int | None) -> bool:
        """False while the time is not known."""
        return self.end_s != NO_END and wall_s is not None and self.end_s <= wall_s


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session ended before its time: by leaving, blocking or erasing. A session that only lapses needs no record."""

    @property
    def value(self) -> Value:
        return {"ended": True}


@dataclass(frozen=True, slots=True)
class TheBinding:
    """The device belongs to this account; without the name that its owner gave it."""

    account: AccountId
    way: Way
    day: str
    host: AccountId | None = None
    """The member who sponsors the guest."""

    @property
    def value(self) -> Value:
        sponsored = {} if self.host is None else {"host": self.host}
        return {"account": self.account, "way": self.way, "day": self.day, **sponsored}


@dataclass(frozen=True, slots=True)
class NoBinding:
    """The device belongs to no account."""

    @property
    def value(self) -> Value:
        return {"gone": True}


@dataclass(frozen=True, slots=True)
class TheBlock:
    """An admin blocked the device; the person sees the reason."""

    because: str
    end_s: int = NO_END
    """Of a pause, as Unix time; NO_END for a block that an admin has to lift."""

    @property
    def value(self) -> Value:
        said: Value = {"because": _line(self.because[:BECAUSE_CHARS_MAX])}
        return said if self.end_s == NO_END else {**said, "end": self.end_s}

    def is_over(self, wall_s: int | None) -> bool:
        """False while the time is not known."""
        return self.end_s != NO_END and wall_s is not None and self.end_s <= wall_s

    def is_same(self, other: "TheBlock") -> bool:
        """Whether others need not be told of `other`."""
        if NO_END in {self.end_s, other.end_s}:
            return self == other
        return self.because == other.because and abs(self.end_s - other.end_s) <= END_TOLERANCE_S


@dataclass(frozen=True, slots=True)
class NoBlock:
    """An admin unblocked the device."""

    @property
    def value(self) -> Value:
        return {"gone": True}


def read_session(value: Value) -> TheSession | SessionEnded | None:
    match value:
        case {"ended": True}:
            return SessionEnded()
        case {"account": account, "way": way, "terms": terms, "end": end, "node": str(node)}:
            is_right = is_account(account) and way in WAYS and (terms == "" or is_text(terms))
            if is_right and is_number(end) and _MARK.fullmatch(node):
                return TheSession(AccountId(account), way, terms, end, node)
    return None


def read_binding(value: Value) -> TheBinding | NoBinding | None:
    match value:
        case {"gone": True}:
            return NoBinding()
        case {"account": account, "way": way, "day": day}:
            host = value.get("host")
            is_right = is_account(account) and way in WAYS and (host is None or is_account(host))
            if is_right and (day == "" or is_day(day)):
                return TheBinding(AccountId(account), way, day, None if host is None else AccountId(host))
    return None


def read_block(value: Value) -> TheBlock | NoBlock | None:
    match value:
        case {"gone": True}:
            return NoBlock()
        case {"because": str(because)} if len(because) <= BECAUSE_CHARS_MAX:
            end_s = value.get("end", NO_END)
            return TheBlock(_line(because), end_s if is_number(end_s) else NO_END)
    return None


def join_sessions(one: Value, other: Value) -> Value:
    """Two changes in a split: a session that was ended is over, of two that run the one with the later end holds."""
    return _greatest(one, other, lambda value: ("ended" in value, _end_of(value)))


def join_bindings(one: Value, other: Value) -> Value:
    """Two changes in a split: a device that was removed from its account is in none; of two accounts the later."""
    return _greatest(one, other, lambda value: ("gone" in value, str(value.get("day", ""))))


def join_blocks(one: Value, other: Value) -> Value:
    """Two changes in a split: the device is blocked; of two pauses until the later end."""
    return _greatest(one, other, lambda value: ("because" in value, _end_of({"end": NO_END, **value})))


def node_mark(node: NodeId) -> str:
    """How a session names the node that let its device in."""
    return node[:NODE_CHARS]


def is_later(session: TheSession, known: TheSession) -> bool:
    """Whether others are to be told of `session`, where they know `known`."""
    if (session.account, session.way, session.terms) != (known.account, known.way, known.terms):
        return True
    if NO_END in {session.end_s, known.end_s}:
        return session.end_s == NO_END != known.end_s
    return session.end_s > known.end_s + END_TOLERANCE_S


def _line(text: str) -> str:
    return " ".join(displayable(text).split())


def _end_of(value: Value) -> int:
    end = value.get("end", -1)
    if not is_number(end):
        return -1
    return NUMBER_MAX + 1 if end == NO_END else end


def _greatest(one: Value, other: Value, rank: Callable[[Value], tuple[bool, Any]]) -> Value:
    return max(one, other, key=lambda value: (*rank(value), value_text(value)))
