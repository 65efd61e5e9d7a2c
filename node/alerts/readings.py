"""What alerts look at, and what it says about each of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from node.alerts.alert_list import (
    BACKUP_OLD_S,
    BATTERY_FINE_PERMILLE,
    BATTERY_LOW_PERMILLE,
    CERTIFICATE_ENDS_S,
    DISK_FINE_PERMILLE,
    DISK_LOW_PERMILLE,
    FINE_EVENINGS,
    FULL_EVENINGS,
    SILENT_MAX,
    AlertKey,
)
from node.units import NodeId


@dataclass(frozen=True, slots=True)
class AlertReadings:
    """One look at the node. What is not known is None, and says nothing in either direction."""

    line_answers: bool | None = None
    full_evenings: int | None = None
    """Of the last EVENINGS, those on which the line was full."""
    nodes: Mapping[NodeId, bool] | None = None
    """The other nodes of the community, and whether each is online."""
    disk_free_permille: int | None = None
    is_clock_known: bool = True
    has_jumped: bool = False
    """Whether the clock has jumped since the last look."""
    backup_age_s: int | None = None
    """Of the last backup, or of the recovery key where none was made; None without a key or a clock."""
    lifelines_permille: int | None = None
    floors_permille: int | None = None
    battery_permille: int | None = None
    certificate_left_s: int | None = None
    """Until the portal's certificate ends; None without one or without a clock."""
    names: Mapping[NodeId, str] = field(default_factory=dict)
    """How the nodes are called."""


def verdicts(readings: AlertReadings, open_keys: Iterable[AlertKey] = ()) -> dict[AlertKey, bool | None]:
    """Whether each alert is true now; None where that is not known, or where a value is between both of its thresholds.
    `open_keys`: alerts that are raised; one about a node that has left the community is over."""
    dead = None if readings.line_answers is None else not readings.line_answers
    found: dict[AlertKey, bool | None] = {
        ("line_dead", ""): dead,
        ("line_full", ""): _above(readings.full_evenings, FULL_EVENINGS, FINE_EVENINGS),
        ("disk_low", ""): _below(readings.disk_free_permille, DISK_LOW_PERMILLE, DISK_FINE_PERMILLE),
        ("clock_unknown", ""): not readings.is_clock_known,
        ("clock_jumped", ""): readings.has_jumped,
        ("backup_old", ""): _above(readings.backup_age_s, BACKUP_OLD_S + 1, BACKUP_OLD_S),
        ("lifelines_not_kept", ""): _below(readings.lifelines_permille, 1_000, 1_000),
        ("floors_not_kept", ""): _below(readings.floors_permille, 1_000, 1_000),
        ("battery_low", ""): _below(readings.battery_permille, BATTERY_LOW_PERMILLE, BATTERY_FINE_PERMILLE),
        ("certificate_ends", ""): _below(readings.certificate_left_s, CERTIFICATE_ENDS_S, CERTIFICATE_ENDS_S),
    }
    return {**found, **_silent(readings.nodes, open_keys)}


def _silent(
    nodes: Mapping[NodeId, bool] | None, open_keys: Iterable[AlertKey]
) -> Mapping[AlertKey, bool | None]:
    if nodes is None:
        return {}
    told = {NodeId(subject) for name, subject in open_keys if name == "node_silent"}
    gone = [node for node in sorted(nodes) if not nodes[node] and node not in told]
    watched = {*gone[: max(0, SILENT_MAX - len(told))], *(each for each in nodes if nodes[each]), *told}
    return {("node_silent", node): not nodes.get(node, True) for node in watched}


def _below(value: int | None, low: int, fine: int) -> bool | None:
    """True below `low`, False from `fine` on."""
    if value is None or low <= value < fine:
        return None
    return value < low


def _above(value: int | None, high: int, fine: int) -> bool | None:
    """True from `high` on, False down from `fine`."""
    if value is None or fine < value < high:
        return None
    return value >= high
