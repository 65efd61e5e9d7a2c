"""What two nodes ask each other about clients of a gateway, and what is stored of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.gateway_kind import CounterAnswer, CounterQuestion
from node.app.gateway_handovers import CLIENTS_MAX, GatewayHandovers, read_handovers
from node.gateways.counters import ClientCounters
from node.gateways.gateway import Gateway
from node.gateways.handover import FORGOTTEN_MS, PATIENCE_MS, ClientHandover, CountedPart, HandoverQuestion
from node.units import NO_USAGE, AccountId, Bytes, Monotonic, Usage

GATEWAY = Gateway("0123abcd", "wifidog", "accepted", "the bakery", "AA", "")
NAME, TOKEN, CLIENT = "abcdefghijklm/0123abcd", "e" * 16, "d" * 16
BY_NAME = {NAME: GATEWAY}
ANA = AccountId("ana")


def usage(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


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
    (settled,) = handovers.answered([answer, answer], BY_NAME)
    assert (usage(100), ANA, usage(1_500)) == (settled.added, settled.account, settled.end)
    assert [] == list(handovers.questions([GATEWAY]))
    assert [] == list(handovers.answered([answer], BY_NAME))


def test_answers_to_what_was_not_asked_add_nothing():
    handovers = asking()
    for each in (
        CounterQuestion(NAME, CLIENT, TOKEN, 999, 0),
        CounterQuestion(NAME, "f" * 16, TOKEN, 1_000, 0),
        CounterQuestion("abcdefghijklm/ffffffff", CLIENT, TOKEN, 1_000, 0),
    ):
        assert [] == list(handovers.answered([CounterAnswer(each, None)], BY_NAME))
    assert 1 == len(list(handovers.questions([GATEWAY])))


def test_an_answer_stands_as_long_as_the_question():
    handovers = of_two_nodes()
    question = CounterQuestion(NAME, CLIENT, TOKEN, 1_000, 0)
    counters = ClientCounters(usage(700))
    assert set() == handovers.asked([question], BY_NAME, lambda _gateway, _client: counters)
    assert (CounterAnswer(question, (700, 0)),) == handovers.answers()
    handovers.asked([question], BY_NAME, lambda _gateway, _client: ClientCounters(usage(900)))
    assert (CounterAnswer(question, (700, 0)),) == handovers.answers(), "what was said holds"
    handovers.asked([], BY_NAME, lambda _gateway, _client: counters)
    assert () == handovers.answers()


def test_a_client_that_is_asked_about_is_given_to_the_other_node():
    handovers = of_two_nodes()
    handovers.keep(GATEWAY, CLIENT, ANA, ClientHandover((CountedPart(TOKEN, NO_USAGE, usage(700)),), turn=1))
    question = CounterQuestion(NAME, CLIENT, TOKEN, 1_000, 0)
    assert {GATEWAY.id} == handovers.asked([question], BY_NAME, lambda _gateway, _client: ClientCounters())
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
