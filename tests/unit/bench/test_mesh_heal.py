"""The simulated mesh comes together again, and the bench would notice if it did not."""

import pytest

from tests.bench import mesh_heal
from tests.bench.mesh_heal import heal_cost, heals


def test_all_nodes_hold_the_same_after_any_history() -> None:
    assert heals(3)
    assert heals(4)


def test_nodes_that_had_no_time_to_agree_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_heal, "HEAL_S", 0.0)
    assert not all(heals(seed) for seed in (1, 2, 3))


def test_two_nodes_need_few_round_trips_and_at_least_the_missing_bytes() -> None:
    trips, ratio = heal_cost()
    assert 1 <= trips <= 3
    assert ratio > 1
