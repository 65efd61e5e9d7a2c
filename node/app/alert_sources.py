"""What alerts look at, from the readings that metrics show too, from the graph of the nodes and from the history."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Protocol

from node.alerts.alert_list import DAY_S, EVENINGS
from node.alerts.message import AlertMessage, MessageOrigin, document_of
from node.alerts.outbox import WayName
from node.alerts.readings import AlertReadings
from node.alerts.way import AlertWay
from node.app.account import AccountService
from node.app.alert_service import AlertService
from node.app.outage_note import OutageNote, OutageNotes
from node.config import NodeConfig
from node.config.model import AlertsSection
from node.control.ports import Clock, StateArchive
from node.errors import NodeError
from node.export.node_graph import NodeGraph
from node.export.node_readings import NodeReadings
from node.history.evenings import full_evenings
from node.history.series import LINE_RATES
from node.history.window import HistoryWindow, Point
from node.translator import Translator
from node.units import Monotonic, NodeId

Document = Callable[[AlertMessage], Mapping[str, object]]
"""What programs get of a message."""
NAME_CHARS_MAX = 64
EVENINGS_EVERY_MS = 3_600_000
"""How often the history is read."""


class WindowReader(Protocol):
    """Reads the history."""

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        """Raises NodeError."""


class AlertSources:
    """Reads the node for the alerts."""

    def __init__(
        self,
        *,
        readings: Callable[[], Awaitable[NodeReadings]],
        graph: Callable[[], NodeGraph] | None,
        history: WindowReader,
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        """`graph`: None for a node without a mesh."""
        self._readings, self._graph, self._history = readings, graph, history
        self._clock, self.zone = clock, zone
        self._names: dict[NodeId, str] = {}
        """Of a node that is gone, that of before: without its page only its id may be left."""
        self._evenings: int | None = None
        self._evenings_read: Monotonic | None = None

    async def read(self) -> AlertReadings:
        found, now = await self._readings(), self._clock.monotonic()
        if self._evenings_read is None or now - self._evenings_read >= EVENINGS_EVERY_MS:
            self._evenings_read, self._evenings = now, await self._full_evenings()
        graph = None if self._graph is None else self._graph()
        others = () if graph is None else tuple(each for each in graph.nodes if each.node != graph.own)
        self._names = {
            each.node: _plain(each.name) if each.is_online else self._names.get(each.node, _plain(each.name))
            for each in others
        }
        left_s = None
        if found.certificate_ends_s is not None and found.is_clock_known:
            left_s = found.certificate_ends_s - int(self._clock.civil().timestamp())
        return AlertReadings(
            line_answers=found.line.is_up,
            full_evenings=self._evenings,
            nodes=None if graph is None else {each.node: each.is_online for each in others},
            disk_free_permille=_permille(found.system.disk_free_bytes, found.system.disk_bytes),
            is_clock_known=found.is_clock_known,
            backup_age_s=backup_age_s(found),
            lifelines_permille=found.people.lifelines_permille,
            floors_permille=found.people.floors_permille,
            battery_permille=found.system.battery_permille,
            certificate_left_s=left_s,
            names=self._names,
        )

    async def _full_evenings(self) -> int | None:
        """Of the last seven, in the busier direction; None while that is not known."""
        seconds, found = EVENINGS * DAY_S, list[int]()
        try:
            for use, rate in LINE_RATES.items():
                carried = (await self._history.last(rate, seconds)).mean
                window = await self._history.last(use, seconds)
                if carried:
                    full, known = full_evenings(_local(window, self.zone), carried)
                    found += [full] if known else []
        except NodeError:
            return None
        return max(found, default=None)


def backup_age_s(found: NodeReadings) -> int | None:
    """Of the last backup, or of the recovery key where none was made; None without a key or a clock."""
    if not found.has_backup_key:
        return None
    return found.backup_key_s_ago if found.backup_s_ago is None else found.backup_s_ago


def _plain(name: str) -> str:
    """What another node calls itself, on one line and without characters that cannot be seen."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())[:NAME_CHARS_MAX]


def _local(window: HistoryWindow, zone: tzinfo) -> Iterator[tuple[datetime, Point]]:
    for number, point in enumerate(window.points):
        if point is not None:
            yield datetime.fromtimestamp(window.begin_s + number * window.step_s, zone), point


def _permille(part: int | None, whole: int | None) -> int | None:
    return None if part is None or not whole else part * 1_000 // whole


def node_alerts(
    config: NodeConfig,
    archive: StateArchive,
    clock: Clock,
    *,
    sources: AlertSources,
    app: AccountService,
    ways: Callable[[AlertsSection, Document], Mapping[WayName, AlertWay]],
    translations: Callable[[str], Translator],
    random: Callable[[int], bytes],
) -> AlertService:
    """The alerts of one node. `ways` makes the ways out that the settings name; `translations` finds a language."""

    def origin() -> MessageOrigin:
        words = translations(config.portal.language)
        return MessageOrigin(config.community.name, config.node.name, words, sources.zone)

    def tell(note: OutageNote | None) -> None:
        app.outage_note = ("", None) if note is None else (note.known_to, note.until)

    return AlertService(
        archive,
        clock,
        read=sources.read,
        ways=ways(config.alerts, lambda message: document_of(message, origin())),
        outages=OutageNotes(archive, clock, lambda: app.community().outage, tell),
        origin=origin,
        digest_minute=config.alerts.digest,
        random=random,
    )
