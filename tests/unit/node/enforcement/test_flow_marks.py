"""Which device a flow belongs to, by its mark."""

from node.enforcement.flows import ANSWER_AWAITED, STRANGER_FIRST, STRANGER_NUMBERS, device_mark


def test_a_flow_belongs_to_its_device_also_while_its_reply_is_awaited() -> None:
    assert [0, 1, 70_000] == [device_mark(mark) for mark in (0, 1, 70_000)]
    assert [1, 70_000] == [device_mark(ANSWER_AWAITED | mark) for mark in (1, 70_000)]


def test_queries_of_strangers_belong_to_nobody_and_never_look_like_an_admission() -> None:
    last = STRANGER_FIRST + STRANGER_NUMBERS - 1
    assert [0, 0] == [device_mark(mark) for mark in (STRANGER_FIRST, last)]
    assert last < ANSWER_AWAITED
