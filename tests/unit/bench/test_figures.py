"""The arithmetic of the benches, and that no figure is forgotten on the way to the reader."""

import pytest

from tests.bench.__main__ import BENCHES
from tests.bench.crowd import RANGE, ROUTER, device
from tests.bench.figures import jain, median_ratio, missing, quantile
from tests.bench.forward import turned
from tests.bench.greed import Greed
from tests.bench.load import Press
from tests.bench.table import ROWS, markdown


def test_equal_parts_are_fair_and_all_for_one_is_not() -> None:
    assert jain([3.0, 3.0, 3.0, 3.0]) == 1
    assert jain([1.0, 0.0, 0.0, 0.0]) == 0.25
    assert jain([0.0, 0.0]) == 0


def test_a_ratio_compares_what_was_measured_side_by_side() -> None:
    # The machine became three times slower on the way; the ratio did not change.
    assert median_ratio([90, 60, 30], [100, 66.667, 33.333]) == 0.9
    with pytest.raises(ValueError, match="zip"):
        median_ratio([1.0], [1.0, 2.0])


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert quantile(values, 0.5) == 50
    assert quantile(values, 0.99) == 99
    assert quantile([7.0], 0.99) == 7


def test_what_could_not_be_taken_says_why() -> None:
    assert missing(["a"], "no root") == {"a": None, "a_reason": "no root"}


def test_every_figure_of_every_bench_is_in_the_table() -> None:
    shown = {(row.bench, key) for row in ROWS for key in (row.key, row.peer) if key}
    taken = {(name, key) for name, bench in BENCHES.items() for key in bench.KEYS}
    assert taken == shown


def test_the_table_shows_what_is_missing_and_why() -> None:
    text = markdown({"admit": {"seconds_1000": 0.5, **missing(["first_packet_ms_p50"], "nobody came")}})
    assert "| 0.5 s |" in text
    assert "`first_packet_ms_p50` was not taken: nobody came" in text


def test_every_round_begins_with_another_state_and_goes_through_all() -> None:
    names = ["plain", "few", "many"]
    rounds = [turned(names, number) for number in range(6)]
    assert all(sorted(order) == sorted(names) for order in rounds)
    assert {order[0] for order in rounds} == set(names)


def test_ten_thousand_devices_have_addresses_of_their_own() -> None:
    devices = [device(number) for number in range(1, 10_001)]
    assert len({d.mac for d in devices}) == len({d.address for d in devices}) == 10_000
    assert ROUTER not in {d.address for d in devices}
    assert str(RANGE.network_address) not in {d.address for d in devices}


def test_an_answer_is_whole_only_with_its_whole_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    assert not Press._is_whole(bytearray(head + b"abc"))
    assert Press._is_whole(bytearray(head + b"abcd"))
    assert not Press._is_whole(bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))


def test_the_greedy_open_as_many_connections_as_they_were_told() -> None:
    job = {"upwards": False, "seconds": 1, "addresses": ["a", "b"], "fars": ["x", "y"], "flows": [2, 1]}
    assert [("a", "x"), ("a", "x"), ("b", "y")] == list(Greed(job)._waiting)
