"""A neighbour that connects again and again is sent at most as much as one that stays."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_budget import BURST_BYTES, RATE_MIN, wire_bytes
from mesh.link_budgets import KEPT_MAX, LinkBudgets
from mesh.messages import FRAME_BYTES_MAX
from node.units import BitsPerSecond, Monotonic, NodeId
from tests.fakes.neighbours import id_of

START = Monotonic(5_000_000)
HILL, VALLEY = id_of("hill"), id_of("valley")
STEPS = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, FRAME_BYTES_MAX), st.booleans(), st.booleans()),
    max_size=60,
)


@given(STEPS)
def test_in_no_time_is_more_spent_on_all_connections_of_a_key_than_on_one(
    steps: list[tuple[int, int, bool, bool]],
) -> None:
    budgets, now = LinkBudgets(), START
    budget, spent = budgets.begin(HILL, now), 0
    for wait_ms, frame, of_share, is_again in steps:
        now = Monotonic(now + wait_ms)
        if is_again:
            budget = budgets.begin(HILL, now)
        size = wire_bytes(frame)
        if budget.take_of_share(size, now) if of_share else budget.take(size, 0, now):
            spent += size
        assert spent * 8_000 <= BURST_BYTES * 8_000 + RATE_MIN * (now - START)


def test_a_key_that_comes_again_at_once_has_nothing_and_another_has_all() -> None:
    budgets = LinkBudgets()
    assert budgets.begin(HILL, START).take(80_000, 0, START)
    assert not budgets.begin(HILL, START).take(80_000, 0, START)
    assert budgets.begin(VALLEY, START).take(80_000, 0, START)
    assert budgets.begin(HILL, Monotonic(START + 60_000)).take(80_000, 0, Monotonic(START + 60_000))


def test_a_new_connection_is_not_measured_yet() -> None:
    budgets = LinkBudgets()
    budgets.begin(HILL, START).measured(BitsPerSecond(10**9), START)
    assert RATE_MIN == budgets.begin(HILL, START).rate


def test_so_many_are_kept() -> None:
    budgets = LinkBudgets()
    for number in range(KEPT_MAX + 5):
        budgets.begin(NodeId(str(number)), START)
    assert KEPT_MAX == len(budgets._last)
