"""A device is named by a keyed hash: the same on every node of the community, and nothing without the key."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.device_names import KEYS_MAX, DeviceNames
from node.keyring import derived_key

MAC, OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
KEY, LATER = derived_key(b"first", "device names"), derived_key(b"later", "device names")


def test_all_nodes_with_the_key_name_a_device_alike():
    assert "09a7726e2c3eba1527998214bf976a66" == DeviceNames(lambda: (KEY,)).newest(MAC)
    assert DeviceNames(lambda: (KEY,)).newest(MAC) != DeviceNames(lambda: (KEY,)).newest(OTHER)


def test_after_a_new_secret_the_former_names_are_still_known():
    before, after = DeviceNames(lambda: (KEY,)), DeviceNames(lambda: (LATER, KEY))
    assert before.newest(MAC) != after.newest(MAC)
    assert (after.newest(MAC), before.newest(MAC)) == after.every(MAC)


@given(st.integers(1, 3 * KEYS_MAX))
def test_a_look_up_costs_a_limited_number_of_hashes(number: int):
    keys = tuple(bytes([each]) * 32 for each in range(number))
    assert min(number, KEYS_MAX) == len(DeviceNames(lambda: keys).every(MAC))
