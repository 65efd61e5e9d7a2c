"""Two nodes on one link find and trust each other without configured addresses; an unknown node gets no data."""

import time

import pytest

from tests.lab import eventually
from tests.lab.agreement import ALLOWANCE_BYTES, MACS
from tests.lab.figures import bits_per_second

pytestmark = pytest.mark.kernel


def state(router, node: str) -> str | None:
    return next((peer["state"] for peer in router.peers() if peer["node"] == node), None)


def test_an_allowance_used_up_on_the_square_counts_in_the_hills(place, online):
    square, hills = place.square, place.hills
    square.start()
    hills.start()
    assert eventually(lambda: state(square, hills.node_id) == state(hills, square.node_id) == "trusted")
    near = online("bea")
    far = place.settle("bea-hills", hills, 25, MACS["bea-hills"])
    far.join()
    far.do("accept")
    near.do("download", seconds=15, bytes=ALLOWANCE_BYTES + 400_000)
    assert eventually(lambda: "daily-allowance" == hills.ask("why", who="bea")["binding_rule"], 5)
    rate = bits_per_second(far.do("download", seconds=2.5)["samples"], 1.0)
    assert rate == pytest.approx(2e6, rel=0.1)


def test_a_node_that_is_not_in_the_node_list_is_not_trusted_and_gets_no_data(place, online):
    square, hills = place.square, place.hills
    square.furnish([square.node_id], square.settings.community_key_file)
    square.start()
    hills.start()
    near = online("bea")
    near.do("download", seconds=3, bytes=2_000_000)
    assert eventually(lambda: state(square, hills.node_id) == "stranger"), square.peers()
    time.sleep(2)
    assert "trusted" != state(hills, square.node_id)
    assert 0 == sum(quota["used"] for quota in hills.ask("why", who="bea")["allowance"]["quotas"])


def test_the_link_recovers_after_one_node_was_killed(place):
    square, hills = place.square, place.hills
    square.start()
    hills.start()
    assert eventually(lambda: state(square, hills.node_id) == "trusted")
    hills.daemon.kill9()
    hills.start()
    assert eventually(lambda: state(hills, square.node_id) == state(square, hills.node_id) == "trusted", 10)
