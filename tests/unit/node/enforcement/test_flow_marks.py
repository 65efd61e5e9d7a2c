"""Whose a flow is by its mark."""

from node.enforcement.flow_marks import ANSWER_AWAITED, STRANGER_FIRST, STRANGER_NUMBERS, device_mark


def test_a_flow_is_its_devices_also_while_its_answer_is_awaited() -> None:
    assert [0, 1, 70_000] == [device_mark(mark) for mark in (0, 1, 70_000)]
    assert [1, 70_000] == [device_mark(ANSWER_AWAITED | mark) for mark in (1, 70_000)]


def test_questions_of_strangers_are_nobodys_and_never_look_like_an_admission() -> None:
    last = STRANGER_FIRST + STRANGER_NUMBERS - 1
    assert [0, 0] == [device_mark(mark) for mark in (STRANGER_FIRST, last)]
    assert last < ANSWER_AWAITED
