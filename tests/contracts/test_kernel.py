"""One suite for the fake kernel and the real one: everything that the control loop relies on."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.enforcement.plan import NO_LIMIT, Admission, FirewallConfig, Kernel, ShapedClass, TrafficPlan
from node.units import BitsPerSecond, MacAddress, Monotonic, Rates
from tests.fakes.kernel import FakeKernel
from tests.lab.router import real_kernel_in_namespace

FIREWALL = FirewallConfig("lan0", "wan0", 2080, mesh_interfaces=("mesh0",), mesh_port=7400)
ANA, BEN = MacAddress("02:00:00:00:00:0a"), MacAddress("02:00:00:00:00:0b")
NOW = Monotonic(1_000_000)
UPLINK = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.kernel)])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    if request.param == "fake":
        yield FakeKernel()
        return
    with real_kernel_in_namespace() as real:
        yield real


def plan_of(*admissions: Admission, **others: object) -> TrafficPlan:
    return replace(TrafficPlan(FIREWALL, {a.mac: a for a in admissions}), **others)


def ana(ends: int | None = None) -> Admission:
    return Admission(ANA, 1, 0x11, None if ends is None else Monotonic(ends))


def test_an_empty_kernel_reports_no_applied_state(kernel: Kernel) -> None:
    assert not kernel.observe(NOW).stands


def test_admitted_devices_are_read_back_by_a_daemon_without_memory(kernel: Kernel) -> None:
    kernel.apply(plan_of(ana(NOW + 60_000), Admission(BEN, 2, 0x12, None)), NOW)
    state = kernel.observe(NOW)
    assert {ANA: 1, BEN: 2} == {mac: a.mark for mac, a in state.admitted.items()}
    assert {1: 0x11, 2: 0x12} == state.marks
    assert state.admitted[BEN].ends is None
    left = state.admitted[ANA].ends
    assert left is not None
    assert abs(left - (NOW + 60_000)) <= 2_000


def test_applying_a_plan_twice_changes_nothing(kernel: Kernel) -> None:
    plan = plan_of(ana(), uplink=UPLINK, classes={0x11: ShapedClass(0x11, None, UPLINK, UPLINK, 100)})
    kernel.apply(plan, NOW)
    before = kernel.observe(NOW)
    kernel.apply(plan, NOW)
    assert before == kernel.observe(NOW)


def test_a_measured_rate_touches_no_device_and_stays_with_later_plans(kernel: Kernel) -> None:
    plan = plan_of(ana(), uplink=UPLINK, classes={0x11: ShapedClass(0x11, None, UPLINK, UPLINK, 100)})
    kernel.apply(plan, NOW)
    before = kernel.observe(NOW)
    kernel.apply(plan, NOW)
    kernel.set_uplink_rate(Rates(BitsPerSecond(5_000_000), BitsPerSecond(700_000)))
    assert before == kernel.observe(NOW)
    kernel.apply(plan, NOW)
    kernel.set_uplink_rate(None)
    assert before == kernel.observe(NOW)


def test_a_rate_that_is_measured_before_the_first_plan_is_kept_for_it(kernel: Kernel) -> None:
    kernel.set_uplink_rate(Rates(BitsPerSecond(5_000_000), BitsPerSecond(700_000)))
    assert not kernel.observe(NOW).stands
    kernel.apply(plan_of(ana(), uplink=UPLINK), NOW)
    assert kernel.observe(NOW).stands


def test_a_session_that_has_ended_is_not_admitted(kernel: Kernel) -> None:
    kernel.apply(plan_of(ana(NOW - 1)), NOW)
    assert {} == dict(kernel.observe(NOW).admitted)


def test_counters_begin_at_zero_and_outlive_the_session(kernel: Kernel) -> None:
    """Usage can be booked after a device has left; only then is the mark deleted."""
    kernel.apply(plan_of(ana()), NOW)
    assert {1} == set(kernel.read().counted)
    assert 0 == kernel.read().counted[1].total
    kernel.apply(plan_of(retiring={1: 0x11}), NOW)
    assert {1} == set(kernel.read().counted)
    assert {} == dict(kernel.observe(NOW).admitted)
    kernel.apply(plan_of(), NOW)
    assert {} == dict(kernel.read().counted)


def test_a_longer_lease_replaces_the_shorter_one(kernel: Kernel) -> None:
    kernel.apply(plan_of(ana(NOW + 5_000)), NOW)
    kernel.apply(plan_of(ana(NOW + 500_000)), NOW)
    ends = kernel.observe(NOW).admitted[ANA].ends
    assert ends is not None
    assert ends > NOW + 490_000


def test_counters_keep_their_name_until_the_table_is_removed(kernel: Kernel) -> None:
    kernel.apply(plan_of(ana()), NOW)
    first = kernel.read().counters_id
    kernel.apply(plan_of(), NOW)
    assert first == kernel.read().counters_id
    kernel.remove()
    kernel.apply(plan_of(), NOW)
    assert first != kernel.read().counters_id


def test_removal_leaves_nothing_of_ours_and_can_be_repeated(kernel: Kernel) -> None:
    kernel.apply(
        plan_of(ana(), uplink=UPLINK, classes={0x11: ShapedClass(0x11, None, UPLINK, UPLINK, 100)}), NOW
    )
    kernel.remove()
    kernel.remove()
    assert not kernel.observe(NOW).stands


def test_classes_can_move_into_a_pool_and_out_of_it(kernel: Kernel) -> None:
    """A class that gets another parent is recreated, children before parents."""
    floor = Rates(BitsPerSecond(0), BitsPerSecond(0))
    top = Rates(NO_LIMIT, NO_LIMIT)
    pooled = {
        0x20: ShapedClass(0x20, None, floor, top, 200),
        0x11: ShapedClass(0x11, 0x20, floor, top, 100),
    }
    alone = {0x11: ShapedClass(0x11, None, floor, top, 100)}
    for classes in (alone, pooled, alone, {}, pooled, {}):
        kernel.apply(plan_of(ana(), uplink=UPLINK, classes=classes), NOW)
    kernel.apply(plan_of(ana(), uplink=None, classes={}), NOW)
    assert {ANA} == set(kernel.observe(NOW).admitted)
