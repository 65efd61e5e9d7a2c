"""What two nodes ask each other about clients of a gateway, and what is stored of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.gateway_kind import CounterAnswer, CounterQuestion
from node.app.gateway_handovers import CLIENTS_MAX, UNBELIEVED_MS, GatewayHandovers, read_handovers
from node.gateways.counters import COUNTER_MAX, LATE_MS, LINE_MAX, ClientCounters
from node.gateways.gateway import Gateway
from node.gateways.handover import FORGOTTEN_MS, PATIENCE_MS, ClientHandover, CountedPart, HandoverQuestion
from node.units import NO_USAGE, AccountId, Bytes, Monotonic, Usage

GATEWAY = Gateway("0123abcd", "wifidog", "accepted", "the bakery", "AA", "")
NAME, TOKEN, CLIENT = "abcdefghijklm/0123abcd", "e" * 16, "d" * 16
BY_NAME = {NAME: GATEWAY}
ANA = AccountId("ana")
NOW = Monotonic(10_000_000)
LATE = int(LINE_MAX) * LATE_MS // 8_000
"""What a line carries between two reports that come at once."""


def usage(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


def nothing_counted(_gateway: Gateway, _client: str) -> ClientCounters:
    return ClientCounters(at=NOW)


def of_two_nodes(name: str = NAME) -> GatewayHandovers:
    made = GatewayHandovers()
    made.connect(lambda _gateway: name, lambda: None)
    return made


def asking() -> GatewayHandovers:
    made = of_two_nodes()
    asked = HandoverQuestion(TOKEN, usage(1_000), None, has_logged_in=True)
    part = CountedPart(TOKEN, usage(1_000), usage(1_500))
    made.keep(GATEWAY, CLIENT, ANA, ClientHandover((part,), (asked,)))
    return made


def test_a_question_is_answered_and_counts_once():
    handovers = asking()
    (question,) = handovers.questions([GATEWAY])
    assert CounterQuestion(NAME, CLIENT, TOKEN, 1_000, 0) == question
    answer = CounterAnswer(question, (900, 0))
    (settled,) = handovers.answered([answer, answer], BY_NAME, nothing_counted, NOW)
    assert (usage(100), ANA, usage(1_500)) == (settled.added, settled.account, settled.end)
    assert [] == list(handovers.questions([GATEWAY]))
    assert [] == list(handovers.answered([answer], BY_NAME, nothing_counted, NOW))


def test_answers_to_what_was_not_asked_add_nothing():
    handovers = asking()
    for each in (
        CounterQuestion(NAME, CLIENT, TOKEN, 999, 0),
        CounterQuestion(NAME, "f" * 16, TOKEN, 1_000, 0),
        CounterQuestion("abcdefghijklm/ffffffff", CLIENT, TOKEN, 1_000, 0),
    ):
        assert [] == list(handovers.answered([CounterAnswer(each, None)], BY_NAME, nothing_counted, NOW))
    assert 1 == len(list(handovers.questions([GATEWAY])))


@pytest.mark.parametrize("booked", [(COUNTER_MAX, 0), (0, COUNTER_MAX), (1_500 + LATE + 1, 0)])
def test_an_answer_that_no_line_carries_is_none_and_frees_nobody(booked):
    handovers = asking()
    (question,) = handovers.questions([GATEWAY])
    assert [] == list(handovers.answered([CounterAnswer(question, booked)], BY_NAME, nothing_counted, NOW))
    assert asking().clients == handovers.clients, "neither what was booked nor what is owed"
    assert 1 == handovers.unbelieved_clients(NOW)
    (settled,) = handovers.answered(
        [CounterAnswer(question, (1_500 + LATE, 0))], BY_NAME, nothing_counted, NOW
    )
    assert usage(1_500 + LATE) == settled.end, "what it may have heard is believed"
    assert 0 == handovers.unbelieved_clients(Monotonic(NOW + UNBELIEVED_MS))


def test_an_answer_below_what_this_node_booked_itself_books_nothing_again():
    handovers = of_two_nodes()
    asked = HandoverQuestion(TOKEN, usage(1_000), usage(900))
    part = CountedPart(TOKEN, usage(1_000), usage(1_500))
    handovers.keep(GATEWAY, CLIENT, ANA, ClientHandover((part,), (asked,)))
    (question,) = handovers.questions([GATEWAY])
    (settled,) = handovers.answered([CounterAnswer(question, (0, 0))], BY_NAME, nothing_counted, NOW)
    assert (usage(100), usage(1_500)) == (settled.added, settled.end)


def test_a_question_that_no_line_carries_takes_no_client_away():
    handovers = of_two_nodes()
    handovers.keep(GATEWAY, CLIENT, ANA, ClientHandover((CountedPart(TOKEN, NO_USAGE, usage(700)),), turn=1))
    for down in (COUNTER_MAX, 700 + LATE + 1):
        question = CounterQuestion(NAME, CLIENT, TOKEN, down, 0)
        assert set() == handovers.asked([question], BY_NAME, nothing_counted, NOW)
        assert () == handovers.answers()
    assert not handovers.clients[GATEWAY.id][CLIENT].handover.is_given
    assert 1 == handovers.unbelieved_clients(NOW)
    question = CounterQuestion(NAME, CLIENT, TOKEN, 700 + LATE, 0)
    assert {GATEWAY.id} == handovers.asked([question], BY_NAME, nothing_counted, NOW)


def test_an_answer_stands_as_long_as_the_question():
    handovers = of_two_nodes()
    question = CounterQuestion(NAME, CLIENT, TOKEN, 1_000, 0)
    counters = ClientCounters(usage(700))
    assert set() == handovers.asked([question], BY_NAME, lambda _gateway, _client: counters, NOW)
    assert (CounterAnswer(question, (700, 0)),) == handovers.answers()
    handovers.asked([question], BY_NAME, lambda _gateway, _client: ClientCounters(usage(900)), NOW)
    assert (CounterAnswer(question, (700, 0)),) == handovers.answers(), "what was said holds"
    handovers.asked([], BY_NAME, lambda _gateway, _client: counters, NOW)
    assert () == handovers.answers()


def test_a_client_that_is_asked_about_is_given_to_the_other_node():
    handovers = of_two_nodes()
    handovers.keep(GATEWAY, CLIENT, ANA, ClientHandover((CountedPart(TOKEN, NO_USAGE, usage(700)),), turn=1))
    question = CounterQuestion(NAME, CLIENT, TOKEN, 1_000, 0)
    assert {GATEWAY.id} == handovers.asked([question], BY_NAME, nothing_counted, NOW)
    assert handovers.clients[GATEWAY.id][CLIENT].handover.is_given


def test_of_a_gateway_that_one_node_serves_nothing_is_asked():
    handovers = asking()
    handovers.connect(lambda _gateway: "", lambda: None)
    assert not handovers.is_shared(GATEWAY)
    assert [] == list(handovers.questions([GATEWAY]))


def test_what_waited_for_long_is_booked_where_the_login_was_made_here():
    handovers = asking()
    assert [] == list(handovers.given_up([GATEWAY], Monotonic(0))), (
        "the time counts from this run of the node"
    )
    assert [] == list(handovers.given_up([GATEWAY], Monotonic(PATIENCE_MS - 1)))
    (settled,) = handovers.given_up([GATEWAY], Monotonic(PATIENCE_MS))
    assert usage(1_000) == settled.added


def test_what_is_stored_is_read_again():
    handovers = asking()
    write = handovers.text(GATEWAY.id)
    handovers.forget(GATEWAY.id)
    handovers.restore(GATEWAY.id, write())
    assert asking().clients == handovers.clients


def test_an_account_is_stored_only_while_something_is_asked():
    handovers = asking()
    assert f'"{ANA}"' in handovers.text(GATEWAY.id)()
    assert [] == list(handovers.given_up([GATEWAY], Monotonic(0)))
    assert [] == list(handovers.forgotten([GATEWAY], Monotonic(FORGOTTEN_MS - 1)))
    assert [GATEWAY] == list(handovers.forgotten([GATEWAY], Monotonic(FORGOTTEN_MS)))
    assert [] == list(handovers.forgotten([GATEWAY], Monotonic(FORGOTTEN_MS)))
    assert f'"{ANA}"' not in handovers.text(GATEWAY.id)()


def test_clients_are_not_kept_without_end():
    handovers = of_two_nodes()
    for number in range(CLIENTS_MAX + 3):
        handovers.keep(GATEWAY, f"{number:016x}", ANA, ClientHandover())
    assert CLIENTS_MAX == len(handovers.clients[GATEWAY.id])
    assert f"{2:016x}" not in handovers.clients[GATEWAY.id]


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_a_text_that_is_none_is_left_out(text):
    assert {} == read_handovers(text)


@pytest.mark.parametrize(
    "row",
    [
        '["x",[["t",-1,0,0,0]],[],[0,0],false]',
        "[1,2,3,4,5]",
        "[]",
        '["x",[],[["t",1,"1",null,null,1]],[0,0],0]',
    ],
)
def test_a_client_that_is_damaged_is_left_out(row):
    assert {} == read_handovers(f'{{"a":{row}}}')
