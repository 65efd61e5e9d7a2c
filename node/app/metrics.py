"""The metrics of the node for other programs: read at most once a second, however many ask."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from node.app.account import AccountService
from node.app.status import StatusSnapshot
from node.app.views import JoinFailure, line_view
from node.app.warning_codes import WarningCode
from node.backup.ports import BackupState
from node.control.ports import Clock
from node.export.exposition import Exposition, exposition
from node.export.node_graph import NodeGraph
from node.export.node_metrics import samples_of
from node.export.node_readings import (
    LineReadings,
    LinkReadings,
    MeshReadings,
    NodeReadings,
    PeopleReadings,
)
from node.sessions import state as session_state
from node.sessions.table import SessionTable
from node.system_readings import SystemReadings
from node.units import GUEST_PREFIX, VOUCHER_PREFIX, AccountId, Milliseconds, Rates

KEPT_MS = Milliseconds(1_000)
"""For so long one reading is given to all who ask."""
PATIENCE_S = 2.0
"""With the disk."""
STATES: Mapping[type[session_state.DeviceSession], str] = {
    session_state.Authorized: "authorized",
    session_state.Expired: "expired",
    session_state.Blocked: "blocked",
}
ENDS: Mapping[type[session_state.Event], str] = {
    session_state.LoggedOff: "left",
    session_state.Superseded: "superseded",
    session_state.TimedOut: "expired",
    session_state.BlockedByAdmin: "blocked",
}
ACCOUNT_KINDS = ("guest", "member", "voucher")


@dataclass(frozen=True, slots=True)
class MetricSources:
    """What the parts of the node know that the control loop does not."""

    version: str
    app: AccountService
    graph: Callable[[], NodeGraph]
    read_system: Callable[[], SystemReadings]
    read_backups: Callable[[], BackupState] = BackupState
    """Both are called in a thread."""
    certificate_ends: Callable[[], datetime | None] = lambda: None


class MetricsService:
    """Reads the node and writes it as text."""

    def __init__(self, status_snapshot: StatusSnapshot, clock: Clock, sources: MetricSources) -> None:
        self._reconciler, self._status_snapshot = status_snapshot.reconciler, status_snapshot
        self._clock = clock
        self._sources, self._started_ms = sources, clock.monotonic()
        self._reading = asyncio.Lock()
        self._looking: asyncio.Future[tuple[SystemReadings, BackupState]] | None = None
        self._read_ms: int | None = None
        self._texts: dict[Exposition, str] = {}
        """Of the last reading."""
        self._readings: NodeReadings | None = None

    async def text(self, written: Exposition = "text") -> str:
        """All metrics as they were read within KEPT_MS."""
        async with self._reading:
            readings = await self._fresh()
            if written not in self._texts:
                self._texts[written] = exposition(samples_of(readings), written)
            return self._texts[written]

    async def readings(self) -> NodeReadings:
        """The node as it was read within KEPT_MS."""
        async with self._reading:
            return await self._fresh()

    async def _fresh(self) -> NodeReadings:
        now = self._clock.monotonic()
        if self._readings is None or self._read_ms is None or not 0 <= now - self._read_ms < KEPT_MS:
            self._readings, self._read_ms, self._texts = await self.read(), now, {}
        return self._readings

    async def read(self) -> NodeReadings:
        """One look at the node now."""
        sources, clock = self._sources, self._clock
        system, backups = await self._from_disk()
        is_known, civil_s, now = clock.state() != "unknown", int(clock.civil().timestamp()), clock.monotonic()
        stored_ms, ends = self._reconciler.persistence.booked_at, sources.certificate_ends()
        backup_s = int(backups.last.timestamp()) if backups.last is not None else None
        return NodeReadings(
            version=sources.version,
            started_s=civil_s - (now - self._started_ms) // 1_000 if is_known else None,
            is_clock_known=is_known,
            people=self._people(),
            line=self._line(),
            mesh=mesh_readings(sources.graph()),
            system=system,
            parts=tuple(self._status_snapshot.parts.health.values()),
            warnings=self._warnings(),
            booked_ms_ago=max(0, now - stored_ms) if stored_ms else None,
            backup_s_ago=max(0, civil_s - backup_s) if is_known and backup_s is not None else None,
            has_backup_key=bool(backups.recipients),
            backup_key_s_ago=max(0, civil_s - int(backups.since.timestamp()))
            if is_known and backups.since is not None and backups.recipients
            else None,
            certificate_ends_s=int(ends.astimezone(UTC).timestamp()) if ends is not None else None,
            lag_us=self._reconciler.lag.longest_us,
        )

    async def _from_disk(self) -> tuple[SystemReadings, BackupState]:
        """Nothing known while the disk does not answer: then no second thread waits for it."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().run_in_executor(None, self._look)
        await asyncio.wait({self._looking}, timeout=PATIENCE_S)
        if not self._looking.done():
            return SystemReadings(), BackupState()
        looked, self._looking = self._looking, None
        return looked.result()

    def _look(self) -> tuple[SystemReadings, BackupState]:
        return self._sources.read_system(), self._sources.read_backups()

    def _warnings(self) -> dict[str, int]:
        found = Counter(code for code, _ in self._status_snapshot.coded_warnings())
        return {code: found[code] for code in get_args(WarningCode)}

    def _line(self) -> LineReadings:
        policy, control = self._reconciler.effective_policy, self._reconciler.uplink_rate_control
        line, measured, slowest = line_view(policy, control), control.measured_line, control.slowest
        reliable = Rates(slowest["down"], slowest["up"]) if slowest.keys() >= {"down", "up"} else None
        delays = None if measured is None else (measured.down.last.delay_us, measured.up.last.delay_us)
        queue_us = (control.waits_ms or 0) * 1_000
        if measured is not None and measured.waits_since is not None:
            queue_us = measured.waits_us
        return LineReadings(
            is_up=self._sources.app.community().outage is None,
            is_busy=self._reconciler.load.busy,
            shared=line.rates if line is not None else None,
            known=line.known if line is not None else "",
            reliable=reliable,
            delays_us=delays,
            queue_us=queue_us,
            people=policy.counted,
        )

    def _people(self) -> PeopleReadings:
        reconciler = self._reconciler
        table, use = reconciler.session_table, self._status_snapshot.table_use()
        kept, refused = reconciler.effective_policy.kept(), self._sources.app.refused
        return PeopleReadings(
            devices={**device_states(table), "waiting": self._status_snapshot.waiting()},
            accounts=self._accounts(table),
            members=len(reconciler.member_directory.units),
            admitted=sum(n for change, n in table.transitions.items() if _begins(*change)),
            ended=ended_sessions(table),
            refused={reason: refused.get(reason, 0) for reason in get_args(JoinFailure)},
            lifelines_permille=kept.lifelines_permille,
            floors_permille=kept.extras_permille,
            connections=use.entries if use.size else None,
            connections_max=use.size or None,
        )

    def _accounts(self, table: SessionTable) -> dict[str, int]:
        online = {entry.account for mac, entry in table.session_entries.items() if table.is_admitted(mac)}
        found = Counter(map(self._kind, online))
        return {kind: found[kind] for kind in ACCOUNT_KINDS}

    def _kind(self, account: AccountId) -> str:
        if account.startswith(GUEST_PREFIX):
            return "guest"
        return "voucher" if account.startswith(VOUCHER_PREFIX) else "member"


def device_states(table: SessionTable) -> dict[str, int]:
    """Devices by the state of their session."""
    found = Counter(map(type, table.guests.values()))
    return {name: found[state] for state, name in STATES.items()}


def ended_sessions(table: SessionTable) -> dict[str, int]:
    """Sessions that ended since the node started, by reason."""
    found = dict.fromkeys(ENDS.values(), 0)
    for (before, after, event), number in table.transitions.items():
        if before is session_state.Authorized and after is not session_state.Authorized and event in ENDS:
            found[ENDS[event]] += number
    return found


def mesh_readings(graph: NodeGraph) -> MeshReadings:
    """Of this node's own connections, as the graph has them."""
    names = {each.node: each.name for each in graph.nodes}
    links = []
    for link in graph.links:
        if graph.own in (link.source, link.target):
            is_source = link.source == graph.own
            other = link.target if is_source else link.source
            lost = link.source_loss_percent if is_source else link.target_loss_percent
            links.append(LinkReadings(other, names.get(other, ""), link.round_trip_ms, lost))
    online = sum(each.is_online for each in graph.nodes)
    node_pages = sum(each.facts is not None for each in graph.nodes if each.node != graph.own)
    return MeshReadings(tuple(links), online, len(graph.nodes) - online, node_pages)


def _begins(
    before: type[session_state.DeviceSession],
    after: type[session_state.DeviceSession],
    event: type[session_state.Event],
) -> bool:
    is_new = event is not session_state.Restored
    return is_new and after is session_state.Authorized and before is not session_state.Authorized
