"""Which session is evicted for one more device of an account."""

from hypothesis import given
from hypothesis import strategies as st

from node.sessions.device_limit import IDLE_MIN, ActiveDevice, DeviceLimitReached, device_to_evict
from node.units import MacAddress

PHONE, LAPTOP, TABLET = (MacAddress(f"02:00:00:00:00:0{number}") for number in (1, 2, 3))
MINUTE = 60_000


def on(**idle: int | None) -> list[ActiveDevice]:
    macs = {"phone": PHONE, "laptop": LAPTOP, "tablet": TABLET}
    return [ActiveDevice(macs[name], ms) for name, ms in idle.items()]


def test_while_there_is_room_no_device_is_evicted() -> None:
    assert () == device_to_evict(on(phone=0, laptop=60 * MINUTE), 3, "oldest")


def test_the_longest_idle_device_is_evicted() -> None:
    here = on(phone=6 * MINUTE, laptop=60 * MINUTE, tablet=0)
    assert (LAPTOP,) == device_to_evict(here, 3, "oldest")


def test_a_device_in_use_is_not_evicted_by_itself() -> None:
    assert DeviceLimitReached(2) == device_to_evict(on(phone=IDLE_MIN - 1, laptop=None), 2, "oldest")


def test_where_people_are_asked_no_device_is_evicted_without_a_choice() -> None:
    assert DeviceLimitReached(1) == device_to_evict(on(phone=60 * MINUTE), 1, "ask")


def test_the_chosen_device_is_evicted_even_if_it_is_in_use() -> None:
    assert (PHONE,) == device_to_evict(on(phone=0, laptop=60 * MINUTE), 2, "ask", PHONE)


def test_a_device_of_another_account_cannot_be_chosen() -> None:
    assert DeviceLimitReached(1) == device_to_evict(on(phone=0), 1, "ask", TABLET)


def test_when_the_rules_become_stricter_as_many_are_evicted_as_necessary() -> None:
    here = on(phone=7 * MINUTE, laptop=60 * MINUTE, tablet=0)
    assert (LAPTOP, PHONE) == device_to_evict(here, 2, "oldest")


macs = st.integers(0, 9).map(lambda number: MacAddress(f"02:00:00:00:00:0{number}"))
occupants = st.lists(
    st.builds(ActiveDevice, macs, st.none() | st.integers(0, 3_600_000)), unique_by=lambda each: each.mac
)


@given(occupants, st.integers(1, 5), st.sampled_from(["oldest", "ask"]), st.none() | macs)
def test_afterwards_the_account_is_within_its_limit_and_no_more_are_evicted_than_necessary(
    here: list[ActiveDevice], devices_max: int, when_full: str, instead_of: MacAddress | None
) -> None:
    leaving = device_to_evict(here, devices_max, when_full, instead_of)  # type: ignore[arg-type]
    if isinstance(leaving, DeviceLimitReached):
        assert len(here) >= devices_max
    else:
        assert set(leaving) <= {each.mac for each in here}
        assert len(leaving) == len(set(leaving)) == max(0, len(here) + 1 - devices_max)
