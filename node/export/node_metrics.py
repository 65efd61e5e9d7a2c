"""The metrics of a node: the closed list, and how each is read. The number of samples of each has a limit that people,
devices and codes do not change."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mesh.node_kind import LINKS_MAX
from node.export.exposition import Metric, MetricSample
from node.export.node_readings import LinkReadings, NodeReadings
from node.identity import human_form
from node.units import Rates

Read = Callable[[NodeReadings], Iterable[MetricSample]]
DIRECTIONS = ("down", "up")
KNOWN = ("stated", "less", "known", "guess", "blind")
"""Values of `node.app.views.LineKnowledge`."""


@dataclass(frozen=True, slots=True)
class NodeMetric:
    """A metric and how it is read. While its value is not known it has no sample."""

    metric: Metric
    read: Read


def samples_of(readings: NodeReadings) -> Iterator[tuple[Metric, Iterable[MetricSample]]]:
    """Every metric with what it is now."""
    return ((each.metric, each.read(readings)) for each in NODE_METRICS)


def reference() -> str:
    """All metrics in Markdown."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{name}`' for name in each.labels)} | {each.help} |\n"
        for each in (every.metric for every in NODE_METRICS)
    ]
    return _REFERENCE_HEAD + "".join(rows)


_REFERENCE_HEAD = """\
# Metrics

Everything that `/metrics` of the admin pages and `procomu export prometheus` say. Generated from the list in the code.

Units are seconds, bytes, and parts of 1. Rates are bytes per second. `down` is towards people. A metric whose value is not
known is left out. No label has the name of a person, a device or a code, and the number of series does not grow with them. A
counter starts at zero when the node starts, except the bytes of the uplink's interface: the kernel counts them from its own
start on.

| name | type | labels | meaning |
|---|---|---|---|
"""


def _gauge(name: str, help_: str, read: Read, *labels: str) -> NodeMetric:
    return NodeMetric(Metric(name, "gauge", help_, labels), read)


def _counter(name: str, help_: str, read: Read, *labels: str) -> NodeMetric:
    return NodeMetric(Metric(name, "counter", help_, labels), read)


def _known(value: float | None, divisor: int = 1) -> tuple[MetricSample, ...]:
    """A whole unit from a smaller one; nothing while it is not known."""
    if value is None:
        return ()
    return (MetricSample(value if divisor == 1 else value / divisor),)


def _one(value: Callable[[NodeReadings], float | None], divisor: int = 1) -> Read:
    return lambda readings: _known(value(readings), divisor)


def _each(values: Callable[[NodeReadings], Mapping[str, int]]) -> Read:
    return lambda readings: [MetricSample(number, (label,)) for label, number in values(readings).items()]


def _rates(rates: Callable[[NodeReadings], Rates | None]) -> Read:
    def read(readings: NodeReadings) -> Iterator[MetricSample]:
        found = rates(readings)
        if found is not None:
            yield from (
                MetricSample(rate / 8, (way,))
                for way, rate in zip(DIRECTIONS, (found.down, found.up), strict=True)
            )

    return read


def _two(values: Callable[[NodeReadings], tuple[int | None, int | None] | None], divisor: int = 1) -> Read:
    """Down and up."""

    def read(readings: NodeReadings) -> Iterator[MetricSample]:
        for way, value in zip(DIRECTIONS, values(readings) or (None, None), strict=True):
            if value is not None:
                yield MetricSample(value if divisor == 1 else value / divisor, (way,))

    return read


def _links(value: Callable[[LinkReadings], int | None], divisor: int) -> Read:
    def read(readings: NodeReadings) -> Iterator[MetricSample]:
        for link in readings.mesh.links[:LINKS_MAX]:
            known = value(link)
            if known is not None:
                yield MetricSample(known / divisor, (human_form(link.node), link.name))

    return read


NODE_METRICS: tuple[NodeMetric, ...] = (
    _gauge(
        "procomu_build_info",
        "The version of the node; always 1",
        lambda it: [MetricSample(1, (it.version,))],
        "version",
    ),
    _gauge(
        "procomu_start_time_seconds", "Unix time at which the node started", _one(lambda it: it.started_s)
    ),
    _gauge("procomu_clock_known", "Whether the node knows the time", _one(lambda it: int(it.is_clock_known))),
    _gauge("procomu_warnings", "Warnings that the overview shows now", _each(lambda it: it.warnings), "code"),
    _gauge(
        "procomu_part_running",
        "Whether this part of the node runs",
        lambda it: [MetricSample(int(part.running), (part.name,)) for part in it.parts],
        "part",
    ),
    _counter(
        "procomu_part_restarts_total",
        "How often this part of the node failed and was started again",
        lambda it: [MetricSample(part.restarts, (part.name,)) for part in it.parts],
        "part",
    ),
    # --- the line ---
    _gauge(
        "procomu_uplink_up", "Whether a resolver beyond the line answers", _one(lambda it: int(it.line.is_up))
    ),
    _counter(
        "procomu_uplink_bytes_total",
        "What passed the interface of the line, with what is the node's own",
        _two(lambda it: (it.system.uplink_down_bytes, it.system.uplink_up_bytes)),
        "direction",
    ),
    _counter(
        "procomu_people_bytes_total",
        "What was counted for people on the line",
        _two(lambda it: (it.line.people.down, it.line.people.up)),
        "direction",
    ),
    _gauge(
        "procomu_uplink_shared_bytes_per_second",
        "What is shared among people now",
        _rates(lambda it: it.line.shared),
        "direction",
    ),
    _gauge(
        "procomu_uplink_reliable_bytes_per_second",
        "What the line carried at least in nine tenths of the last 14 days",
        _rates(lambda it: it.line.reliable),
        "direction",
    ),
    _gauge(
        "procomu_uplink_rate_known",
        "How the shared rate is known: 1 for one of the values",
        _each(lambda it: {known: int(known == it.line.known) for known in KNOWN}),
        "how",
    ),
    _gauge(
        "procomu_uplink_busy", "Whether people use most of the line", _one(lambda it: int(it.line.is_busy))
    ),
    _gauge(
        "procomu_uplink_delay_seconds",
        "How long the last probe waited, beyond an empty line",
        _two(lambda it: it.line.delays_us, 1_000_000),
        "direction",
    ),
    _gauge(
        "procomu_uplink_queue_seconds",
        "How long packets wait in the line's own queue",
        _one(lambda it: it.line.queue_us, 1_000_000),
    ),
    # --- people ---
    _gauge(
        "procomu_devices",
        "Devices by the state of their session",
        _each(lambda it: it.people.devices),
        "state",
    ),
    _gauge(
        "procomu_accounts",
        "Accounts with an authorized session",
        _each(lambda it: it.people.accounts),
        "kind",
    ),
    _gauge("procomu_members", "Accounts in the members' file", _one(lambda it: it.people.members)),
    _counter("procomu_sessions_admitted_total", "Sessions that began", _one(lambda it: it.people.admitted)),
    _counter(
        "procomu_sessions_ended_total",
        "Sessions that ended, by reason",
        _each(lambda it: it.people.ended),
        "reason",
    ),
    _counter(
        "procomu_admissions_refused_total",
        "Attempts to join that were refused, by reason",
        _each(lambda it: it.people.refused),
        "reason",
    ),
    _gauge(
        "procomu_lifelines_kept_ratio",
        "How much of their lifelines everyone here can have at once",
        _one(lambda it: it.people.lifelines_permille, 1_000),
    ),
    _gauge(
        "procomu_floors_kept_ratio",
        "How much of what floors promise beyond lifelines can be had at once",
        _one(lambda it: it.people.floors_permille, 1_000),
    ),
    _gauge(
        "procomu_connections", "Connections that the kernel tracks", _one(lambda it: it.people.connections)
    ),
    _gauge(
        "procomu_connections_limit",
        "How many the kernel can track",
        _one(lambda it: it.people.connections_max),
    ),
    # --- the mesh ---
    _gauge(
        "procomu_mesh_nodes",
        "Nodes of the community, this one included",
        _each(lambda it: {"online": it.mesh.online, "offline": it.mesh.offline}),
        "state",
    ),
    _gauge("procomu_mesh_links", "Connections to neighbours", _one(lambda it: len(it.mesh.links))),
    _gauge(
        "procomu_mesh_round_trip_seconds",
        "Round trip to a neighbour",
        _links(lambda link: link.round_trip_ms, 1_000),
        "node",
        "name",
    ),
    _gauge(
        "procomu_mesh_loss_ratio",
        "What of the packets to a neighbour is lost",
        _links(lambda link: link.loss_percent, 100),
        "node",
        "name",
    ),
    _gauge(
        "procomu_mesh_node_pages",
        "Other nodes of the community whose own page is held here",
        _one(lambda it: it.mesh.node_pages),
    ),
    # --- what is kept ---
    _gauge(
        "procomu_booking_age_seconds", "Since usage was stored last", _one(lambda it: it.booked_ms_ago, 1_000)
    ),
    _gauge("procomu_backup_age_seconds", "Since the last backup was made", _one(lambda it: it.backup_s_ago)),
    _gauge(
        "procomu_backup_key",
        "Whether there is a recovery key for backups",
        _one(lambda it: int(it.has_backup_key)),
    ),
    _gauge(
        "procomu_certificate_end_time_seconds",
        "Unix time at which the portal's certificate ends",
        _one(lambda it: it.certificate_ends_s),
    ),
    _gauge("procomu_database_bytes", "Size of the database", _one(lambda it: it.system.database_bytes)),
    _gauge(
        "procomu_disk_bytes",
        "Size of the file system of the data folder",
        _one(lambda it: it.system.disk_bytes),
    ),
    _gauge("procomu_disk_free_bytes", "What is free there", _one(lambda it: it.system.disk_free_bytes)),
    # --- the machine ---
    _counter(
        "procomu_process_cpu_seconds_total",
        "Time of the processors that the node has used",
        _one(lambda it: it.system.cpu_ms, 1_000),
    ),
    _gauge("procomu_process_resident_bytes", "Memory of the node", _one(lambda it: it.system.resident_bytes)),
    _gauge(
        "procomu_process_open_files",
        "Files and connections of the node",
        _one(lambda it: it.system.open_files),
    ),
    _gauge(
        "procomu_event_loop_lag_seconds",
        "How late the node was woken at most in the last minute, because one thing kept all others waiting",
        _one(lambda it: it.lag_us, 1_000_000),
    ),
    _gauge(
        "procomu_machine_load_ratio",
        "What ran or wanted to run in the last minute, of what the processors can do",
        _one(lambda it: it.system.load_permille, 1_000),
    ),
    _gauge("procomu_machine_memory_bytes", "Memory of the machine", _one(lambda it: it.system.memory_bytes)),
    _gauge(
        "procomu_machine_memory_available_bytes",
        "What programs could still get of it",
        _one(lambda it: it.system.memory_available_bytes),
    ),
    _gauge(
        "procomu_machine_temperature_celsius",
        "Temperature of the warmest sensor",
        _one(lambda it: it.system.temperature_millicelsius, 1_000),
    ),
    _gauge(
        "procomu_machine_battery_ratio",
        "Charge of the battery with the least",
        _one(lambda it: it.system.battery_permille, 1_000),
    ),
)
