"""Messages that wait."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from node.alerts.message import AlertMessage
from node.alerts.outbox import PAUSES_S, WAITING_MAX, WAYS, Outbox, pause_s, ways_for


def message(number: int, **more: Any) -> AlertMessage:
    return AlertMessage(f"id{number}", "subject", "text", **{"kind": "raised", **more})


@given(st.lists(st.integers(0, 30), max_size=80))
def test_each_waits_once_and_in_its_order_until_it_was_sent(numbers: list[int]) -> None:
    outbox = Outbox()
    for number in numbers:
        outbox = outbox.put(message(number), ("mail", "file"))
    wanted = list(dict.fromkeys(numbers))
    sent = []
    while first := outbox.first("mail"):
        sent.append(first)
        outbox = outbox.sent("mail", first.id)
    assert [message(number) for number in wanted] == sent
    assert len(wanted) == len(outbox.waiting.get("file", ())), "the other way still has them"


def test_the_newest_stay_when_too_many_wait_and_the_others_are_counted() -> None:
    outbox = Outbox()
    for number in range(WAITING_MAX + 7):
        outbox = outbox.put(message(number), ("webhook",))
    assert WAITING_MAX == len(outbox.waiting["webhook"])
    assert message(7) == outbox.first("webhook")
    assert {"webhook": 7} == outbox.left_out
    assert {} == outbox.sent("webhook", "id7").left_out


def test_one_that_was_left_out_while_it_was_being_sent_is_no_error() -> None:
    outbox = Outbox().put(message(1), ("mail",))
    assert message(1) == outbox.sent("mail", "id9").first("mail")


def test_what_waits_for_a_way_that_is_no_longer_set_is_dropped() -> None:
    outbox = Outbox().put(message(1), ("mail", "file")).only(("file",))
    assert (None, message(1)) == (outbox.first("mail"), outbox.first("file"))


def test_people_are_woken_by_urgent_ones_only_and_programs_get_everything_but_the_digest() -> None:
    assert WAYS == ways_for(message(1, is_urgent=True), WAYS)
    assert ("webhook", "file") == ways_for(message(1), WAYS)
    assert ("mail", "matrix") == ways_for(message(1, kind="digest"), WAYS)
    assert () == ways_for(message(1, is_urgent=True), ())


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [pause_s(number) for number in range(1, 20)]
    assert sorted(pauses) == pauses
    assert (PAUSES_S[0], 3_600, PAUSES_S[0]) == (pauses[0], pauses[-1], pause_s(0))
