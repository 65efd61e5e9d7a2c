"""What a node knows of itself as numbers, at one moment. Nothing in it is about a person or a device."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from node.system_readings import SystemReadings
from node.task_supervision import PartHealth
from node.units import NO_USAGE, NodeId, Rates, Usage


@dataclass(frozen=True, slots=True)
class LineReadings:
    """The line to the Internet. What is not known is None."""

    is_up: bool = True
    """Whether a resolver upstream answers."""
    is_busy: bool = False
    shared: Rates | None = None
    """What is shared among people now."""
    known: str = ""
    """How that is known, as `node.app.views.LineKnowledge`; empty while nothing is shared."""
    reliable: Rates | None = None
    """What the line carried at least in nine tenths of the last 14 days."""
    delays_us: tuple[int, int] | None = None
    """How long the last probe waited, down and up, beyond an empty line."""
    queue_us: int = 0
    """How long packets wait in the line's own queue now."""
    people: Usage = NO_USAGE
    """Counted for people since the node started."""


@dataclass(frozen=True, slots=True)
class PeopleReadings:
    """Devices and accounts by kinds, and what became of those who wanted to join."""

    devices: Mapping[str, int]
    """By the state of their session; one that is not known here only counts as waiting."""
    accounts: Mapping[str, int]
    """With an authorized session, by kind."""
    members: int
    """In the members' file."""
    admitted: int
    """Sessions that began since the node started."""
    ended: Mapping[str, int]
    """Sessions that ended since then, by reason."""
    refused: Mapping[str, int]
    """Attempts to join since then, by reason."""
    lifelines_permille: int = 1_000
    """How much of their lifelines everyone here can have."""
    floors_permille: int = 1_000
    """How much of what floors promise beyond that."""
    connections: int | None = None
    """Tracked by the kernel."""
    connections_max: int | None = None


@dataclass(frozen=True, slots=True)
class LinkReadings:
    """A connection to a neighbour. What was not measured yet is None."""

    node: NodeId
    name: str
    round_trip_ms: int | None = None
    loss_percent: int | None = None


@dataclass(frozen=True, slots=True)
class MeshReadings:
    """The other nodes of the community."""

    links: tuple[LinkReadings, ...] = ()
    """Those that its page names: at most `mesh.node_kind.LINKS_MAX`."""
    online: int = 1
    """Nodes of the community, this one included."""
    offline: int = 0
    node_pages: int = 0
    """Other nodes whose page about themselves is held here."""


@dataclass(frozen=True, slots=True)
class NodeReadings:
    """One look at the whole node."""

    version: str
    started_s: int | None
    """Unix time of its start; None while the node does not know the time."""
    is_clock_known: bool
    people: PeopleReadings
    line: LineReadings = LineReadings()
    mesh: MeshReadings = MeshReadings()
    system: SystemReadings = field(default_factory=SystemReadings)
    parts: tuple[PartHealth, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    """How many there are now, by code; every code is there."""
    booked_ms_ago: int | None = None
    """Since usage was stored last; None before the first time."""
    backup_s_ago: int | None = None
    """Since the last backup; None if none was made, or that is not known."""
    has_backup_key: bool = False
    backup_key_s_ago: int | None = None
    """Since the recovery key was made; None without one, or while the time is not known."""
    certificate_ends_s: int | None = None
    """Unix time at which the portal's certificate ends; None without one."""
    lag_us: int = 0
    """The longest that the event loop kept others waiting in the last minute."""
