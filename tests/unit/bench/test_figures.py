"""The arithmetic of the benches, and that no figure is missing from the report."""

import asyncio

import pytest

from tests.bench import latency_probe, load, opennds, rpm
from tests.bench.__main__ import BENCHES
from tests.bench.bulk_load import BulkLoad
from tests.bench.figures import Figures, jain, missing, of_total, of_tries, quantile, ratios, taken
from tests.bench.forward import turned, worse
from tests.bench.latency import RoundTrips, added, control_packets_lost, lost_percent
from tests.bench.latency_probe import LatencyProbe, bound
from tests.bench.line_trace import LineTrace, TracePoint, read_trace
from tests.bench.load import LoadAnswer, Press
from tests.bench.many_clients import RANGE, ROUTER, device
from tests.bench.opennds import CannotRun
from tests.bench.rpm import ProbeTimes, is_stable, round_trips_per_minute, trimmed_mean
from tests.bench.table import ROWS, markdown
from tests.bench.variable import DEAD_SECONDS, SECONDS, SETTLE_S, recovered


def test_equal_parts_are_fair_and_all_for_one_is_not() -> None:
    assert jain([3.0, 3.0, 3.0, 3.0]) == 1
    assert jain([1.0, 0.0, 0.0, 0.0]) == 0.25
    assert jain([0.0, 0.0]) == 0


def test_a_ratio_compares_what_was_measured_side_by_side() -> None:
    # The machine became three times slower in between; the ratio did not change.
    assert ratios([90, 60, 30], [100, 66.667, 33.333]) == [0.9, 0.9, 0.9]
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_a_quantile_is_a_measured_value() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile([7.0], 0.99) == 7


def test_a_figure_that_could_not_be_taken_says_why() -> None:
    assert missing(["a"], "no root") == {"a": None, "a_reason": "no root"}


def test_a_figure_covers_the_answered_tries_and_the_others_are_counted() -> None:
    assert of_tries("ms", [3.0, None, 1.0, 2.0, None]) == {"ms": 2.0, "ms_failed": 2}
    assert of_tries("ms", [4.0, 3.0, 2.0, 1.0], 1.0) == {"ms": 4.0, "ms_failed": 0}
    assert of_total("per_s", 80.0, 8, 10) == {"per_s": 80.0, "per_s_failed": 2}


def test_a_figure_is_missing_only_when_no_try_was_answered() -> None:
    none = {"x": None, "x_reason": "none of 2 tries was answered", "x_failed": 2}
    assert none == of_tries("x", [None, None])
    assert none == of_total("x", 0.0, 0, 2)
    assert of_tries("x", [])["x"] is None


def test_results_measured_before_the_second_direction_failed_are_kept() -> None:
    def breaks() -> Figures:
        raise RuntimeError("the crowd's program ended")

    def cannot() -> Figures:
        raise CannotRun("not installed: opennds")

    ours: Figures = {"ratio": 0.9}
    assert ours | opennds.beside(["peer"], breaks) == {
        "ratio": 0.9,
        "peer": None,
        "peer_reason": "RuntimeError: the crowd's program ended",
    }
    assert opennds.beside(["peer"], cannot)["peer_reason"] == "not installed: opennds"
    assert opennds.beside(["peer"], lambda: {"peer": 1.0, "peer_failed": 1}) == {
        "peer": 1.0,
        "peer_failed": 1,
    }
    assert taken(["a", "b"], lambda: {"a": 1})["b_reason"] == "this run did not come to it"


def test_a_failed_round_is_counted_and_the_worse_direction_shown() -> None:
    assert worse("ratio", [[0.9, 0.8, 0.7], [0.95, 0.9, None]]) == {"ratio": 0.8, "ratio_failed": 1}
    found = worse("ratio", [[0.9], [None]])
    assert found["ratio"] is None
    assert found["ratio_failed"] == 1
    assert found["ratio_reason"]


PAGE = '<form method="post" action="/join/code"><input name="token" value="t"></form>'


async def answers_some(address: str, *_: object) -> LoadAnswer:
    """No response for b, an unreadable one for c, a page without a form for d, a refusal for e."""
    if address == "b":
        raise TimeoutError
    if address == "c":
        raise IndexError
    if address == "e" and len(_) > 2 and _[2] is not None:
        return LoadAnswer(409, {}, "full")
    status = 303 if len(_) > 2 and _[2] is not None else 200
    return LoadAnswer(status, {"location": "http://login/"}, "" if address == "d" else PAGE)


async def test_people_without_a_response_do_not_take_the_others_responses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "ask", answers_some)
    job = {
        "addresses": list("abcdef"), "far": "far", "to": "node", "port": 80, "probe": "http://probe/",
        "action": "/join/code", "at_once": 3,
    }  # fmt: skip
    came = await load.Ways(job).run()
    assert came["let_in"] == 2
    assert came["first_refusal"] == "409 full"
    came = await load.Arrivals({**job, "codes": list("123456"), "seconds": 0.01, "field": "code"}).run()
    assert [ms is not None for ms in came["ms"]] == [True, False, False, False, False, True]
    came = await load.FirstPacketTimer({**job, "addresses": ["b", "c", "d"], "clicks": 1}).run()
    assert came == {"ms": [None, None, None]}


def test_a_form_without_a_response_has_no_times() -> None:
    job = {"to": "127.0.0.1", "port": 9, "request": "", "wanted": [], "seconds": 1, "addresses": []}
    pressed = load.Pressed(**Press(job)._result(1.0))
    assert (pressed.answered, pressed.p50_ms, pressed.p99_ms) == (0, None, None)


def test_every_figure_of_every_bench_is_in_the_table() -> None:
    shown = {(row.bench, key) for row in ROWS for key in (row.key, row.peer) if key}
    taken = {(name, key) for name, bench in BENCHES.items() for key in bench.KEYS}
    assert taken == shown


def test_the_table_shows_what_is_missing_and_why() -> None:
    text = markdown({"admit": {"seconds_1000": 0.5, **missing(["first_packet_ms_p50"], "nobody came")}})
    assert "| 0.5 s |" in text
    assert "`first_packet_ms_p50` was not taken: nobody came" in text
    text = markdown({"admit": {"seconds_1000": 0.5, "seconds_1000_failed": 3}})
    assert "`seconds_1000`: 3 of its tries had no answer" in text


def test_rounds_start_with_different_states_and_cover_all() -> None:
    names = ["plain", "few", "many"]
    rounds = [turned(names, number) for number in range(6)]
    assert all(sorted(order) == sorted(names) for order in rounds)
    assert {order[0] for order in rounds} == set(names)


def test_ten_thousand_devices_have_distinct_addresses() -> None:
    devices = [device(number) for number in range(1, 10_001)]
    assert len({d.mac for d in devices}) == len({d.address for d in devices}) == 10_000
    assert ROUTER not in {d.address for d in devices}
    assert str(RANGE.network_address) not in {d.address for d in devices}


def test_a_response_is_complete_only_with_its_whole_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    assert not Press._is_whole(bytearray(head + b"abc"))
    assert Press._is_whole(bytearray(head + b"abcd"))
    assert not Press._is_whole(bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))


def test_the_bulk_load_opens_as_many_connections_as_requested() -> None:
    job = {"upwards": False, "seconds": 1, "addresses": ["a", "b"], "fars": ["x", "y"], "flows": [2, 1]}
    assert [("a", "x"), ("a", "x"), ("b", "y")] == list(BulkLoad(job)._waiting)


def test_the_delay_that_is_added_is_the_worst_of_all_ways() -> None:
    idle = RoundTrips(([1.0] * 20, [2.0] * 20), ([1.0] * 20, [1.0] * 20))
    down = RoundTrips(([3.0] * 18 + [9.0] * 2, [3.0] * 20), ([5.0] * 20, [5.0] * 20))
    up = RoundTrips(([2.0] * 20, [2.5] * 20), ([40.0] * 20, [5.0] * 20))
    assert {"ms": 2.0} == added("ms", [down, up], idle, 0.5)
    assert {"ms": 8.0} == added("ms", [down, up], idle, 0.95)
    assert {"ms": 39.0} == added("ms", [down, up], idle, 0.95, own=True)


def test_lost_packets_are_later_than_all_others_and_counted_and_have_no_delay() -> None:
    idle = RoundTrips(([1.0] * 20, [2.0] * 20), ([1.0] * 20, [1.0] * 20))
    loaded = RoundTrips(([2.0] * 20, [2.5] * 18 + [None] * 2), ([None] + [5.0] * 19, [5.0] * 20))
    assert {"ms": 1.0} == added("ms", [idle, loaded], idle, 0.5)
    gone = added("ms", [idle, loaded], idle, 0.95)
    assert gone == missing(["ms"], "more than 5 of 100 packets had no answer")
    assert {"ms": 4.0} == added("ms", [idle, loaded], idle, 0.95, own=True)
    assert [0, 2] == [each.lost() for each in (idle, loaded)]
    assert 2.5 == lost_percent([loaded])
    with pytest.raises(RuntimeError, match="idle"):
        added("ms", [idle], loaded, 0.95)


def test_each_probe_is_answered_once_and_what_came_before_the_measurement_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bound("127.0.0.1", 0) as sink:
        monkeypatch.setattr(latency_probe, "PORT", sink.getsockname()[1])
        monkeypatch.setattr(latency_probe, "PATIENCE_S", 0.05)
        (trips,) = LatencyProbe([("127.0.0.1", "127.0.0.1")]).run(0.05, 0.15)
    assert set(trips) == {None}
    assert 4 <= len(trips) <= 6


FALLS = LineTrace("falls", (TracePoint(0.0, 20, 8), TracePoint(6.0, 10, 4), TracePoint(9.0, 20, 2)))


def test_what_a_line_carried_is_the_mean_of_its_trace_between_two_times() -> None:
    assert 20 == FALLS.capacity(0, 6, upwards=False)
    assert 15 == FALLS.capacity(5, 7, upwards=False)
    assert 3.2 == pytest.approx(FALLS.capacity(5, 15, upwards=True))


@pytest.mark.parametrize("name", ["slow", "hard", "one_way"])
def test_a_changing_trace_changes_until_the_end_of_what_is_measured(name: str) -> None:
    times = [point.at_s for point in read_trace(name).points]
    assert (0, sorted(set(times))) == (times[0], times)
    assert times[-1] >= SETTLE_S + SECONDS


def test_the_outage_begins_and_ends_while_the_line_is_measured() -> None:
    before, outage, after = read_trace("dead").points
    assert SETTLE_S < outage.at_s < after.at_s < SETTLE_S + DEAD_SECONDS
    assert outage.down * 1000 < before.down == after.down


def test_an_outage_is_over_at_the_end_of_the_first_second_that_carried_enough() -> None:
    # Seconds 5 to 12 of a trace that ends its outage at 9; what came before that does not count.
    seconds = [
        [10.0, 10.0],
        [5.0, 5.0],
        [0.0, 0.0],
        [9.0, 9.0],
        [1.0, 2.0],
        [6.0, 7.9],
        [6.0, 8.0],
        [10.0, 10.0],
    ]
    assert {"s": 3.0} == recovered("s", seconds, FALLS)
    assert recovered("s", seconds[:6], FALLS) == missing(
        ["s"], "the line was not used again after the outage"
    )


def test_round_trips_per_minute_weigh_new_connections_and_transfers_equally() -> None:
    times = ProbeTimes([(0.0, 9.0), (5.0, 0.1)], [(5.0, 0.1)], [(5.0, 0.1), (5.0, 0.1)])
    assert round(round_trips_per_minute(times, since=1.0)) == 600
    slow = ProbeTimes([(5.0, 0.1)], [(5.0, 0.1)], [(5.0, 0.3)])
    assert round(round_trips_per_minute(slow, since=1.0)) == 300
    with pytest.raises(ValueError, match="no probe"):
        round_trips_per_minute(times, since=6.0)


def test_the_slowest_probes_of_a_hundred_do_not_count() -> None:
    assert trimmed_mean([0.1] * 95 + [9.0] * 5) == pytest.approx(0.1)
    assert trimmed_mean([2.0]) == 2.0


def test_goodput_is_stable_when_its_moving_averages_are() -> None:
    assert not is_stable([100.0] * 6)
    assert is_stable([100.0] * 7)
    assert not is_stable([10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0])


@pytest.mark.parametrize("upwards", [False, True])
async def test_responsiveness_is_measured_over_multiplexed_connections(
    monkeypatch: pytest.MonkeyPatch, upwards: bool
) -> None:
    monkeypatch.setattr(rpm, "PATIENCE_S", 0.5)
    serving = asyncio.get_running_loop().create_task(rpm.serve("127.0.0.1"))
    await asyncio.sleep(0.1)
    job = {"source": "127.0.0.1", "far": "127.0.0.1", "upwards": upwards, "seconds": 1.5}
    found = await rpm.ResponsivenessClient(job).run()
    serving.cancel()
    await asyncio.wait([serving])
    assert found["rpm"] > 0
    assert found["connections"] >= 1
    assert found["kbit_s"] > 0
    assert all(found[key] for key in ("connect_ms", "request_ms", "on_transfer_ms"))


async def test_a_refused_connection_is_a_probe_without_an_answer() -> None:
    job = {"source": "127.0.0.1", "far": "127.0.0.2", "upwards": False, "seconds": 1}
    client = rpm.ResponsivenessClient(job)
    await client._foreign_probe()
    assert [rpm.PATIENCE_S] == [seconds for _, seconds in client._times.connect]


def test_control_packets_without_an_answer_are_added_up() -> None:
    assert control_packets_lost({"arp": (10, 1), "pages": (5, 0), "mesh keepalives": (20, 2)}) == 3
