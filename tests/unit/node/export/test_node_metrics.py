"""The list of metrics: names that the field expects, values in base units, and a number of series that is bounded."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesh.node_kind import LINKS_MAX
from node.export.exposition import exposition
from node.export.node_metrics import NODE_METRICS, reference, samples_of
from node.export.node_readings import (
    LineReadings,
    LinkReadings,
    MeshReadings,
    NodeReadings,
    PeopleReadings,
)
from node.system_readings import SystemReadings
from node.task_supervision import PartHealth
from node.units import BitsPerSecond, Bytes, NodeId, Rates, Usage
from tests.fakes.exposition_text import read_exposition

PEOPLE = PeopleReadings(
    devices={"authorized": 3, "waiting": 1},
    accounts={"guest": 2},
    members=7,
    admitted=5,
    ended={"left": 2},
    refused={"code-unknown": 4},
    lifelines_permille=250,
    connections=10,
    connections_max=65_536,
)
NOTHING_KNOWN = NodeReadings("", None, is_clock_known=False, people=PEOPLE)
LINK = LinkReadings(NodeId("h" * 52), 'hills "\\\n', 20, 3)
EVERYTHING = NodeReadings(
    "1.2.0",
    1_800_000_000,
    is_clock_known=True,
    people=PEOPLE,
    line=LineReadings(
        shared=Rates(BitsPerSecond(8_000_000), BitsPerSecond(800_000)),
        known="known",
        reliable=Rates(BitsPerSecond(4_000_000), BitsPerSecond(400_000)),
        delays_us=(1_500, 0),
        queue_us=250_000,
        people=Usage(Bytes(10), Bytes(20)),
    ),
    mesh=MeshReadings((LINK,), 2, 1, 1),
    system=SystemReadings(1_500, *[1_000] * 12),
    parts=(PartHealth("mesh", running=True, restarts=2),),
    warnings={"clock": 0, "dns": 1},
    booked_ms_ago=1_500,
    backup_s_ago=86_400,
    has_backup_key=True,
    certificate_ends_s=1_900_000_000,
    lag_us=2_000,
)


def test_names_are_as_the_field_writes_them() -> None:
    names = [each.metric.name for each in NODE_METRICS]
    assert len(set(names)) == len(names)
    for each in (every.metric for every in NODE_METRICS):
        assert re.fullmatch(r"procomu_[a-z]+(_[a-z]+)*", each.name), each.name
        assert (each.kind == "counter") == each.name.endswith("_total"), each.name
        assert not re.search(r"_(ms|us|kb|mb|bits|percent|permille|count|sum|bucket)(_|$)", each.name), (
            each.name
        )
        assert each.help[0].isupper(), each.name
        assert not each.help.endswith("."), each.name
        assert set(each.help).isdisjoint("\\\n"), each.name
        assert len(set(each.labels)) == len(each.labels)


def test_values_are_in_base_units() -> None:
    read = read_exposition(exposition(samples_of(EVERYTHING)))
    assert len(NODE_METRICS) == len(read.kinds), "each has a sample"
    assert 1_000_000 == read.value("procomu_uplink_shared_bytes_per_second", direction="down")
    assert 0.0015 == read.value("procomu_uplink_delay_seconds", direction="down")
    assert 0.25 == read.value("procomu_uplink_queue_seconds")
    assert 0.25 == read.value("procomu_lifelines_kept_ratio")
    assert 1.5 == read.value("procomu_process_cpu_seconds_total")
    assert 1.5 == read.value("procomu_booking_age_seconds")
    assert (0, 1) == tuple(read.value("procomu_uplink_rate_known", how=how) for how in ("blind", "known"))
    assert 2 == read.value("procomu_part_restarts_total", part="mesh")
    assert 4 == read.value("procomu_admissions_refused_total", reason="code-unknown")
    (loss,) = (value for (name, _), value in read.series.items() if name == "procomu_mesh_loss_ratio")
    assert 0.03 == loss


def test_what_is_not_known_is_left_out_and_never_a_zero() -> None:
    read = read_exposition(exposition(samples_of(NOTHING_KNOWN)))
    for name in ("start_time_seconds", "backup_age_seconds", "booking_age_seconds", "disk_free_bytes"):
        assert f"procomu_{name}" not in read.kinds
    assert 0 == read.value("procomu_clock_known")


@given(st.integers(0, 100), st.text(max_size=40))
def test_neighbours_have_at_most_as_many_series_as_a_node_has_connections(number: int, name: str) -> None:
    links = tuple(LinkReadings(NodeId(f"{n:052}"[::-1]), name, n, n) for n in range(number))
    read = read_exposition(exposition(samples_of(replace(EVERYTHING, mesh=MeshReadings(links)))))
    series = [each for each, _ in read.series if each == "procomu_mesh_loss_ratio"]
    assert min(number, LINKS_MAX) == len(series)


def test_the_reference_names_each_metric_once() -> None:
    text = reference()
    for each in NODE_METRICS:
        assert 1 == text.count(f"| `{each.metric.name}` |")
