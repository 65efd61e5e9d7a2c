"""What alerts look at."""

from datetime import UTC, timedelta

import pytest

from node.alerts.alert_list import EVENINGS
from node.app.alert_sources import EVENINGS_EVERY_MS, AlertSources, backup_age_s
from node.errors import StorageSlow
from node.export.node_graph import GraphNode, NodeGraph
from node.export.node_readings import LineReadings, NodeReadings, PeopleReadings
from node.history.series import BY_NAME
from node.history.window import HistoryWindow, Point
from node.system_readings import SystemReadings
from node.units import NodeId
from tests.fakes.repository import FakeClock

PEOPLE = PeopleReadings({}, {}, 0, 0, {}, {}, lifelines_permille=800, floors_permille=900)
HOURS = EVENINGS * 24


class EveningHistory:
    """Implements `WindowReader`: an hour of each of the last evenings was full, at a rate of 100."""

    def __init__(self, clock: FakeClock, full: int) -> None:
        self.clock, self.full, self.reads, self.is_slow = clock, full, 0, False

    async def last(self, name: str, seconds: int) -> HistoryWindow:
        self.reads += 1
        if self.is_slow:
            raise StorageSlow("the disk has not answered", "try again")
        begin = self.clock.civil() - timedelta(seconds=seconds)
        points: list[Point | None] = []
        for number in range(HOURS):
            at, evening = begin + timedelta(hours=number), number // 24
            is_full = at.hour == 20 and evening < self.full and name == "line_down"
            use = 100 if "rate" in name or is_full else 10
            points.append(Point(use, use, use))
        return HistoryWindow(name, BY_NAME[name].unit, int(begin.timestamp()), 3_600, tuple(points))


def sources(
    clock: FakeClock, found: NodeReadings, history: EveningHistory, graph: NodeGraph | None, *later: NodeGraph
) -> AlertSources:
    async def read() -> NodeReadings:
        return found

    return AlertSources(
        readings=read,
        graph=None if graph is None else iter((graph, *later)).__next__,
        history=history,
        clock=clock,
        zone=UTC,
    )


async def test_readings_of_metrics_the_graph_and_the_history_come_together() -> None:
    clock = FakeClock()
    ends = int((clock.civil() + timedelta(days=3)).timestamp())
    found = NodeReadings(
        "",
        None,
        True,
        PEOPLE,
        LineReadings(is_up=False),
        system=SystemReadings(disk_bytes=1_000, disk_free_bytes=30, battery_permille=120),
        backup_s_ago=7,
        has_backup_key=True,
        certificate_ends_s=ends,
    )
    nodes = tuple(GraphNode(NodeId(name), name.upper(), name != "c") for name in "abc")
    read = await sources(
        clock, found, EveningHistory(clock, 4), NodeGraph("Vall", NodeId("a"), nodes, (), clock.civil())
    ).read()
    assert (False, 4, 30, 120) == (
        read.line_answers,
        read.full_evenings,
        read.disk_free_permille,
        read.battery_permille,
    )
    assert (800, 900, 7, 3 * 86_400) == (
        read.lifelines_permille,
        read.floors_permille,
        read.backup_age_s,
        read.certificate_left_s,
    )
    assert {"b": True, "c": False} == read.nodes, "not the node itself"
    assert {"b": "B", "c": "C"} == read.names


async def test_what_a_board_does_not_have_is_not_known() -> None:
    clock = FakeClock()
    read = await sources(clock, NodeReadings("", None, False, PEOPLE), EveningHistory(clock, 0), None).read()
    assert (None, None, None, None, None) == (
        read.nodes,
        read.disk_free_permille,
        read.battery_permille,
        read.backup_age_s,
        read.certificate_left_s,
    )
    assert not read.is_clock_known


async def test_the_history_is_read_once_an_hour_and_a_slow_disk_leaves_it_unknown() -> None:
    clock = FakeClock()
    history = EveningHistory(clock, 3)
    found = sources(clock, NodeReadings("", None, True, PEOPLE), history, None)
    for _ in range(10):
        assert 3 == (await found.read()).full_evenings
    assert 4 == history.reads
    history.is_slow = True
    clock.pass_time(EVENINGS_EVERY_MS)
    assert None is (await found.read()).full_evenings


@pytest.mark.parametrize(
    ("has_key", "made", "key", "age"),
    [(False, 9, 9, None), (True, 9, 99, 9), (True, None, 99, 99), (True, None, None, None)],
)
def test_without_a_backup_the_age_of_the_key_counts(
    has_key: bool, made: int | None, key: int | None, age: int | None
) -> None:
    found = NodeReadings(
        "", None, True, PEOPLE, backup_s_ago=made, has_backup_key=has_key, backup_key_s_ago=key
    )
    assert age == backup_age_s(found)


async def test_a_node_that_is_gone_keeps_the_name_that_it_had() -> None:
    clock = FakeClock()
    graphs = [
        NodeGraph("Vall", NodeId("a"), (GraphNode(NodeId("b"), name, is_online),), (), clock.civil())
        for name, is_online in (("hills", True), ("bbbb-bbbb", False), ("hills 2", True))
    ]
    found = sources(clock, NodeReadings("", None, True, PEOPLE), EveningHistory(clock, 0), *graphs)
    names = [(await found.read()).names for _ in graphs]
    assert [{"b": "hills"}, {"b": "hills"}, {"b": "hills 2"}] == names


async def test_a_name_that_another_node_gives_itself_stays_on_one_line() -> None:
    clock, odd = FakeClock(), "a\r\nBcc: eve@evil.example\u202e\ud800" + "x" * 500
    graph = NodeGraph("Vall", NodeId("a"), (GraphNode(NodeId("b"), odd, False),), (), clock.civil())
    found = sources(clock, NodeReadings("", None, True, PEOPLE), EveningHistory(clock, 0), graph)
    name = (await found.read()).names[NodeId("b")]
    assert name.isprintable()
    assert len(name) <= 64
