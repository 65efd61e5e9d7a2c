"""Status of connection tracking: how full the table is, which device has the most flows, which were refused more."""

from collections.abc import Iterator

from node.accounts.registry import AccountRegistry
from node.admin.ports import FlowsRow
from node.enforcement.plan import TableUse
from node.sessions.table import SessionTable
from node.units import MacAddress

FULL_PERCENT = 75
"""Guest and unauthorized devices together cannot fill more than this; above it, devices of
other accounts use the rest."""
NAMED_MAX = 5
"""Most devices named in warnings; the rest are only counted."""


def flows_row(
    use: TableUse, per_device: int, session_table: SessionTable, registry: AccountRegistry
) -> FlowsRow:
    mark, flows = use.heaviest or (0, 0)
    session_entry = session_table.by_mark.get(mark)
    name = shown(session_entry.mac, session_table, registry) if session_entry is not None else ""
    refused = tuple(shown(mac, session_table, registry) for mac in use.refused)
    warnings = tuple(_warnings(use, per_device, refused))
    return FlowsRow(use.entries, use.size, per_device, name, flows if name else 0, warnings)


def shown(mac: MacAddress, session_table: SessionTable, registry: AccountRegistry) -> str:
    """A device as admins see it: its name if it has one, its MAC address and its account."""
    session_entry, name = session_table.session_entries.get(mac), registry.bindings.name_of(mac)
    device = f"{name} ({mac})" if name else mac
    return f"{device} of {session_entry.account}" if session_entry is not None else device


def _warnings(use: TableUse, per_device: int, refused: tuple[str, ...]) -> Iterator[str]:
    for device in refused[:NAMED_MAX]:
        yield (
            f"{device} wants more than {per_device:,} connections at once, or opens them too fast: it is refused more. "
            "Ask its owner what runs on it. The limit is lan.flows_per_device."
        )
    if len(refused) > NAMED_MAX:
        yield f"{len(refused) - NAMED_MAX} other devices want too many connections as well."
    percent = 100 * use.entries // use.size if use.size else 0
    if percent >= FULL_PERCENT:
        yield (
            f"The kernel tracks {use.entries:,} connections, {percent} % of what it can. When it is full, new ones "
            "fail for everyone: lower lan.flows_per_device, or raise net.netfilter.nf_conntrack_max."
        )
