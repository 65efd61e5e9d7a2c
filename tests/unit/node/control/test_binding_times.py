"""Since when a rule binds an account."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.control.binding_times import BindingTimes
from node.governance.allowance import Allowance, Bound
from node.units import NO_RATES, AccountId, Monotonic

ANA = AccountId("ana")
FREE = Allowance(
    Bound(100, "equal-share", "built in", "Equal."), Bound(NO_RATES, "lifeline", "built in", "Floor."), None
)


def limited(rule: str) -> Allowance:
    return replace(FREE, ceiling=Bound(NO_RATES, rule, "D-1", "Slow."))


@given(st.lists(st.tuples(st.integers(1, 9_000), st.sampled_from(("night", "top", "")))))
def test_it_is_the_first_moment_of_the_last_run_of_one_rule(steps):
    times, now, began, last = BindingTimes(), 0, None, None
    for later, rule in steps:
        now += later
        times.observe({ANA: limited(rule) if rule else FREE}, Monotonic(now))
        name = rule or "equal-share"
        began = began if name == last else now
        last = name
        assert times.since(ANA, name) == began
        assert times.since(ANA, "another") is None


def test_an_account_that_left_begins_again():
    times = BindingTimes()
    times.observe({ANA: limited("night")}, Monotonic(5))
    times.observe({ANA: limited("night")}, Monotonic(9))
    assert times.since(ANA, "night") == 5
    times.observe({}, Monotonic(10))
    assert times.since(ANA, "night") is None
