"""Registry records of vouchers and batches: what nodes of a community tell each other about a voucher that was used or
revoked. A voucher is named by its account; its code is in no record."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from node.accounts.account_list import account_of_short, short_account
from node.accounts.registry_record import Value, is_iso_day, last_day, value_text
from node.accounts.vouchers import LEASE_MOVES_S, Batch, SavedVoucher
from node.units import AccountId, NodeId

VOUCHER_RECORD, BATCH_RECORD = "voucher", "batch"
"""Kinds of records."""
END_MAX = 7_258_118_400
"""The year 2200, in Unix time."""
LISTED_DAYS, STALE_DAYS = 1, 8
"""How long an ended voucher is in its list, and how old a list can be that a node takes in which did not know it."""
ENDED_DAYS, UNUSED_DAYS = LISTED_DAYS + STALE_DAYS + 1, 401
"""How long a record is kept after the end of its voucher: as long as a node can hear of a list that has it; and after the
issue of one that is not used: one day longer than the rows of any node, whatever its time zone."""


@dataclass(frozen=True, slots=True)
class VoucherFacts:
    """What a record says about one voucher."""

    is_used: bool = False
    ends_s: int = 0
    """Unix time of its end; 0 while the node where it was first used does not know its clock."""
    used_day: str = ""
    is_revoked: bool = False


def voucher_value(facts: VoucherFacts) -> dict[str, Any]:
    """What is not said is left out."""
    value: dict[str, Any] = {"end": facts.ends_s} if facts.is_used else {}
    if facts.is_used and facts.used_day:
        value["used"] = facts.used_day
    if facts.is_revoked:
        value["revoked"] = True
    return value


def voucher_facts(value: Value) -> VoucherFacts | None:
    """None for a value that no node writes."""
    end, day, revoked = value.get("end"), value.get("used", ""), value.get("revoked", False)
    is_end = (end is None and not day) or (type(end) is int and 0 <= end <= END_MAX)
    if not (is_end and (day == "" or is_iso_day(day)) and type(revoked) is bool):
        return None
    facts = VoucherFacts(end is not None, end or 0, day, revoked)
    return facts if voucher_value(facts) == value else None


def join_vouchers(left: Value, right: Value) -> Value:
    """Of two records written at the same time in two parts of a split: the earlier end, and revoked if either is."""
    ours, theirs = voucher_facts(left), voucher_facts(right)
    if ours is None or theirs is None:
        return _of_unread(left, right, is_left=ours is not None, is_right=theirs is not None)
    used = [facts for facts in (ours, theirs) if facts.is_used]
    # A known end first: the other one is only known to begin when it is heard of.
    first = min(used, key=lambda facts: (not facts.ends_s, facts.ends_s, facts.used_day), default=None)
    return voucher_value(replace(first or VoucherFacts(), is_revoked=ours.is_revoked or theirs.is_revoked))


def batch_value(*, is_revoked: bool) -> dict[str, Any]:
    return {"revoked": is_revoked}


def is_batch_revoked(value: Value) -> bool | None:
    """None for a value that no node writes."""
    revoked = value.get("revoked")
    return revoked if type(revoked) is bool and len(value) == 1 else None


def join_batches(left: Value, right: Value) -> Value:
    """Revoked if either is."""
    ours, theirs = is_batch_revoked(left), is_batch_revoked(right)
    if ours is None or theirs is None:
        return _of_unread(left, right, is_left=ours is not None, is_right=theirs is not None)
    return batch_value(is_revoked=ours or theirs)


def batch_key(own: NodeId, batch: Batch) -> str:
    """Names the batch to all nodes: its number at the node that issued it."""
    return f"{batch.origin or own}/{batch.origin_number or batch.number}"


def batch_of_key(key: str) -> tuple[NodeId, int] | None:
    """The node that issued the batch, and its number there."""
    origin, slash, number = key.partition("/")
    if not (slash and origin and number.isascii() and number.isdecimal() and len(number) <= 9):
        return None
    return NodeId(origin), int(number)


def voucher_key(account: AccountId) -> str:
    """Empty for an account that is of no voucher issued by a node."""
    return short_account(account)


def account_of_key(key: str) -> AccountId:
    return account_of_short(key)


def facts_to_tell(saved: SavedVoucher, known: VoucherFacts | None) -> VoucherFacts | None:
    """What this node's row says; `known` is what the record in effect says. None if there is nothing to tell. The end is
    said only by the node where the voucher was first used."""
    voucher, lease = saved.voucher, saved.lease
    if known is not None and known.is_used and (voucher.used_elsewhere or lease is None):
        return replace(known, is_revoked=voucher.is_revoked)
    if lease is None:
        facts = VoucherFacts(is_revoked=voucher.is_revoked)
        return facts if known is not None or facts.is_revoked else None
    ends_s = min(max(lease.ends_wall_s or 0, 0), END_MAX)
    if known is not None and known.ends_s and abs(known.ends_s - ends_s) < LEASE_MOVES_S:
        ends_s = known.ends_s
    return VoucherFacts(True, ends_s, voucher.used_day, voucher.is_revoked)


def voucher_until(facts: VoucherFacts, batch: Batch, today: str) -> str:
    """The last day on which the record is needed; empty while no date is known."""
    if facts.ends_s:
        return last_day(datetime.fromtimestamp(facts.ends_s, UTC).date().isoformat(), ENDED_DAYS)
    return batch_until(batch, today, more_days=-(-batch.lasts_ms // 86_400_000) if facts.is_used else 0)


def batch_until(batch: Batch, today: str, *, more_days: int = 0) -> str:
    """As `voucher_until`, for a batch."""
    return last_day(batch.issued_day or today, UNUSED_DAYS + more_days)


def _of_unread(left: Value, right: Value, *, is_left: bool, is_right: bool) -> Value:
    """One that is understood, else the greater one."""
    if is_left != is_right:
        return left if is_left else right
    return max((left, right), key=value_text)
