"""A clock counts as steady from when it is first seen synchronized, and again from the beginning after each step."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from node.control.steady_clock import CLOCK_STEP, SteadyClock
from tests.fakes.repository import FakeClock

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 10**8)),
        st.tuples(st.just("set"), st.integers(-(10**9), 10**9)),
        st.tuples(st.just("trust"), st.sampled_from([0, 1])),
        st.tuples(st.just("again"), st.just(0)),
    ),
    max_size=20,
)


@given(STEPS)
def test_it_is_the_time_since_it_was_synchronized_or_set_last(steps: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    steady = SteadyClock(clock)
    since, slipped_ms = None, 0
    for what, value in steps:
        match what:
            case "pass":
                clock.pass_time(value)
            case "set":
                clock.wall += timedelta(milliseconds=value)
                slipped_ms += value
            case "trust":
                clock.trust = "synced" if value else "set"
            case "again":
                steady.count_again(clock.now)
                since = clock.now if clock.trust == "synced" else None
                slipped_ms = 0
        if clock.trust != "synced":
            since = None
        elif since is None or abs(slipped_ms) > CLOCK_STEP / timedelta(milliseconds=1):
            since, slipped_ms = clock.now, 0
        assert (0 if since is None else clock.now - since) == steady.steady_ms(clock.now)
