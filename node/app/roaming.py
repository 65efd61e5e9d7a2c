"""Whether a device that comes from another node of the community is let in here without asking its person. Pure.

It gets what it would get by its own join method here, under this node's rules, members and terms, and until its session ends
at the other node.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from node.accounts.device_bindings import Binding
from node.accounts.vouchers import LASTS_MAX, Voucher, voucher_state
from node.app.roaming_records import (
    NO_END,
    NoBinding,
    NoBlock,
    SessionEnded,
    TheBinding,
    TheBlock,
    TheSession,
)
from node.governance.rules import Way
from node.sessions.state import Authorized, Blocked, DeviceSession, Expired
from node.units import GUEST_PREFIX, VOUCHER_PREFIX, AccountId, MacAddress, Milliseconds, Now

Reason = Literal["here", "unknown", "ended", "over", "terms", "had", "account", "way"]
"""Why it is not let in: it is here already; no node told of a session; the session was ended; is over; was begun under other
terms; this node's own session length has passed; its account is not known or not valid here; its join method is closed."""


@dataclass(frozen=True, slots=True)
class ToldDevice:
    """What the nodes of the community say of a device; None: nothing."""

    session: TheSession | SessionEnded | None = None
    binding: TheBinding | NoBinding | None = None
    block: TheBlock | NoBlock | None = None


@dataclass(frozen=True, slots=True)
class DeviceHere:
    """A device and its account, as far as this node knows them itself."""

    mac: MacAddress
    state: DeviceSession
    owner: AccountId | None
    """The member that the device belongs to in the directory."""
    bound: Binding | None
    guest_account: AccountId
    had: bool = False
    """It was let in for this session before."""


class Accounts(Protocol):
    """The account registry."""

    def is_member(self, account: AccountId) -> bool: ...

    def voucher(self, account: AccountId) -> Voucher | None: ...


@dataclass(frozen=True, slots=True)
class NodeRules:
    """What this node asks of everybody."""

    ways: Collection[Way]
    terms: str
    """The version that people accept."""


@dataclass(frozen=True, slots=True)
class Stays:
    """It stays as it is; without a session its person is asked as ever."""

    because: Reason


@dataclass(frozen=True, slots=True)
class IsBlocked:
    """An admin of another node blocked it."""

    because: str
    lasts_ms: Milliseconds | None = None
    """None: until an admin lifts it."""


@dataclass(frozen=True, slots=True)
class Comes:
    """It is let in."""

    binding: Binding | None
    """To be made first; None: as it is."""
    terms: str
    lasts_ms: Milliseconds | None
    """At most; None: as long as a session lasts here."""


Decision = Stays | IsBlocked | Comes


def decide(told: ToldDevice, here: DeviceHere, rules: NodeRules, accounts: Accounts, at: Now) -> Decision:
    block = told.block
    if isinstance(block, TheBlock) and not block.is_over(at.wall_s) and not isinstance(here.state, Blocked):
        return IsBlocked(block.because, lasts(block, at))
    if isinstance(here.state, Authorized | Blocked):
        return Stays("here")
    session = told.session
    if not isinstance(session, TheSession):
        return Stays("unknown" if session is None else "ended")
    if (reason := _why_not(session, here, rules, at)) is not None:
        return Stays(reason)
    if here.owner is not None:
        return Comes(None, session.terms, lasts(session, at))
    wanted = _wanted(session, told.binding, here)
    if wanted is None or not _is_valid(wanted, accounts, at):
        return Stays("account")
    if not _is_open(wanted, rules):
        return Stays("way")
    return Comes(None if _is_as_it_is(wanted, here) else wanted, session.terms, lasts(session, at))


def _why_not(session: TheSession, here: DeviceHere, rules: NodeRules, at: Now) -> Reason | None:
    if session.is_over(at.wall_s):
        return "over"
    if here.had and isinstance(here.state, Expired):
        return "had"
    return None if session.terms == rules.terms else "terms"


def _wanted(session: TheSession, told: TheBinding | NoBinding | None, here: DeviceHere) -> Binding | None:
    """How the device is to be bound here: as other nodes say, else as it is. None: its account of that session cannot be
    found here."""
    bound = here.bound
    if isinstance(told, TheBinding):
        name = bound.name if bound is not None and bound.account == told.account else ""
        return Binding(here.mac, told.account, told.way, told.day, name, told.host)
    if told is None and bound is not None:
        return bound if bound.account == session.account else None
    if session.account != here.guest_account:
        return None
    return Binding(here.mac, here.guest_account, "terms", "")


def _is_valid(binding: Binding, accounts: Accounts, at: Now) -> bool:
    account = binding.account
    if account.startswith(VOUCHER_PREFIX):
        voucher = accounts.voucher(account)
        return voucher is not None and voucher_state(voucher, at.now) == "used"
    if account.startswith(GUEST_PREFIX):
        return binding.introduced_by is None or accounts.is_member(binding.introduced_by)
    return accounts.is_member(account)


def _is_open(binding: Binding, rules: NodeRules) -> bool:
    """A voucher in use stays valid where no new ones are taken."""
    return binding.account.startswith(VOUCHER_PREFIX) or binding.way in rules.ways


def _is_as_it_is(wanted: Binding, here: DeviceHere) -> bool:
    """A guest's own account needs no binding."""
    is_own = (wanted.account, wanted.way) == (here.guest_account, "terms")
    return wanted == here.bound or (is_own and here.bound is None)


def lasts(told: TheSession | TheBlock, at: Now) -> Milliseconds | None:
    """How long a session or a block that is not over may last here; None: as long as a session lasts here, or until an admin
    lifts the block."""
    if told.end_s == NO_END or at.wall_s is None:
        return None
    return Milliseconds(min((told.end_s - at.wall_s) * 1000, LASTS_MAX))
