"""Parsing of the kernel's messages about new processes."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.process_count import is_fork


def message(what: int, parent: int, child: int, child_group: int) -> bytes:
    return b"\0" * 36 + struct.pack("=IIQiiii", what, 0, 0, parent, parent, child, child_group)


def test_a_child_process_is_counted_and_a_thread_is_not() -> None:
    assert is_fork(message(1, 7, 8, 8), 7)
    assert not is_fork(message(1, 7, 8, 7), 7)


def test_processes_of_other_parents_and_other_events_are_not_counted() -> None:
    assert not is_fork(message(1, 9, 8, 8), 7)
    assert not is_fork(message(2, 7, 8, 8), 7)


@given(st.binary(max_size=80))
def test_no_message_breaks_the_count(noise: bytes) -> None:
    assert not is_fork(noise, -7)
