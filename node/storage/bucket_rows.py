"""Usage buckets as rows for JSON: in order of node, incarnation and day, each of which is written once."""

from collections.abc import Iterable, Iterator
from typing import Any

from node.accounting.ledger import UsageBucket, UsageKey
from node.units import Bytes, Usage

BYTES_MAX = 2**50
"""For one usage bucket or counter: more than 1 PiB is damage."""

GroupedRows = list[list[Any]]


def rows_of_buckets(buckets: Iterable[tuple[UsageKey, UsageBucket]]) -> GroupedRows:
    groups: dict[tuple[str, str, str], list[list[str | int]]] = {}
    for key, each in buckets:
        group = groups.setdefault((key.node, key.incarnation, key.day), [])
        group.append([key.account, each.uplink.down, each.uplink.up, each.busy.down, each.busy.up])
    return [[*group, found] for group, found in groups.items()]


def buckets_of_rows(rows: GroupedRows) -> Iterator[tuple[UsageKey, UsageBucket]]:
    """Raises ValueError or TypeError for what the table of usage would not take."""
    for node, incarnation, day, found in rows:
        for account, *counts in found:
            key = (node, incarnation, account, day)
            if not all(isinstance(each, str) for each in key):
                raise ValueError("a name is no text")
            if not all(map(is_count, counts)):
                raise ValueError("a count is no number of bytes")
            down, up, busy_down, busy_up = counts
            used, busy = Usage(Bytes(down), Bytes(up)), Usage(Bytes(busy_down), Bytes(busy_up))
            yield UsageKey(*key), UsageBucket(used, busy)


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= BYTES_MAX
