"""The queue of clients that authmon collects, and what it tells of clients that left."""

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.opennds_authmon import (
    ENTRIES_PER_REPLY,
    QUEUE_MAX,
    REPLY_CHARACTERS_MAX,
    UNACKNOWLEDGED_S,
    UNSENT_S,
    AuthmonQueue,
    AuthmonRequest,
    read_authmon,
)
from node.gateways.opennds_grant import NUMBER_MAX, GatewayLimits
from tests.fakes.opennds_router import FakeRouter

LIMITS = GatewayLimits(60, 500, 5_000, 100_000, 100_000)
ROUTER = FakeRouter("")


def rhid(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def read(fields: dict[str, str]) -> AuthmonRequest:
    request = read_authmon(fields)
    assert request is not None
    return request


class Polled:
    """A queue, and a router that asks it."""

    def __init__(self) -> None:
        self.queue, self.router, self.now_s = AuthmonQueue(), FakeRouter(""), 1_000.0

    def ask(self, fields: dict[str, str]) -> str:
        return self.queue.reply(read(fields), self.now_s)

    def cycle(self) -> str:
        self.now_s += 5
        return self.router.poll(self.ask)


def test_an_empty_queue_is_an_asterisk():
    polled = Polled()
    assert polled.ask(ROUTER.asking("view", "none")) == "*"
    assert polled.cycle() == "ack"


def test_a_client_is_let_in_once_with_its_limits_and_then_forgotten():
    polled = Polled()
    polled.queue.add(rhid(1), LIMITS, polled.now_s)
    assert polled.cycle() == "ack"
    assert polled.router.online == {rhid(1): ["60", "500", "5000", "100000", "100000"]}
    assert len(polled.queue) == 0


@pytest.mark.parametrize("clients", [2, 4, 5, 9])
def test_many_clients_are_let_in_in_cycles_of_four(clients):
    """Acknowledgements come joined by spaces: all of them are taken, not only a single one."""
    polled = Polled()
    for number in range(clients):
        polled.queue.add(rhid(number), LIMITS, polled.now_s)
    for cycle in range(1, clients + 1):
        polled.cycle()
        assert len(polled.router.online) == min(clients, cycle * ENTRIES_PER_REPLY)
        assert len(polled.queue) == clients - len(polled.router.online)


def test_a_client_that_the_router_refuses_delays_nobody_and_ends():
    polled = Polled()
    for number in range(4):
        polled.router.online[rhid(number)] = []
        polled.queue.add(rhid(number), LIMITS, polled.now_s)
    polled.queue.add(rhid(9), LIMITS, polled.now_s)
    polled.cycle()
    polled.cycle()
    assert rhid(9) in polled.router.online
    assert len(polled.queue) == 4
    polled.now_s += UNACKNOWLEDGED_S
    assert not polled.queue.is_waiting(rhid(0), polled.now_s)
    assert len(polled.queue) == 0


def test_a_client_that_no_router_asks_for_ends():
    queue = AuthmonQueue()
    queue.add(rhid(1), LIMITS, 0)
    assert queue.is_waiting(rhid(1), UNSENT_S - 1)
    assert not queue.is_waiting(rhid(1), UNSENT_S)


def test_the_list_is_emptied_by_list_and_by_clear():
    polled = Polled()
    for action, expected in [("list", 0), ("clear", 0), ("view", 1)]:
        polled.queue.add(rhid(1), LIMITS, polled.now_s)
        body = polled.ask(ROUTER.asking(action, "none"))
        assert body.startswith({"list": f"* {rhid(1)}", "clear": "", "view": f"* {rhid(1)}"}[action])
        assert len(polled.queue) == expected


@pytest.mark.parametrize("separator", [" ", "\n", "  ", "\r\n", "\t"])
def test_acknowledgements_are_split_on_any_whitespace(separator):
    queue = AuthmonQueue()
    for number in range(3):
        queue.add(rhid(number), LIMITS, 0)
    payload = separator.join(["*", rhid(0), rhid(2)])
    assert queue.reply(read(ROUTER.asking("view", payload)), 1) == "ack"
    assert [queue.is_waiting(rhid(number), 1) for number in range(3)] == [False, True, False]


def test_the_queue_is_bounded():
    queue = AuthmonQueue()
    assert all(queue.add(rhid(number), LIMITS, 0) for number in range(QUEUE_MAX))
    assert not queue.add(rhid(QUEUE_MAX), LIMITS, 0)
    assert queue.add(rhid(0), LIMITS, 0)
    assert len(queue) == QUEUE_MAX


@given(
    clients=st.lists(
        st.tuples(
            st.integers(0, 20),
            st.builds(GatewayLimits, *[st.integers(0, NUMBER_MAX)] * 5),
            st.binary(max_size=190),
        ),
        max_size=12,
    )
)
def test_a_reply_is_never_longer_than_the_router_reads(clients):
    queue = AuthmonQueue()
    for number, limits, raw in clients:
        queue.add(rhid(number), limits, 0, custom=base64.b64encode(raw).decode())
    body = queue.reply(read(ROUTER.asking("view", "none")), 1)
    assert re.fullmatch(r"\*( [0-9A-Za-z%]+)*", body)
    assert len(body) <= 2 + REPLY_CHARACTERS_MAX
    assert body.count(" ") <= ENTRIES_PER_REPLY
    assert (body == "*") == (not clients)


@pytest.mark.parametrize("times", [1, 2])
def test_a_client_that_left_is_read_however_often_it_is_encoded(times):
    request = read(ROUTER.asking("deauthed", ROUTER.deauthed(1_234, 99), times=times))
    left = request.deauthed
    assert left is not None
    assert (left.method, left.client_mac) == ("client_deauth", ROUTER.client_mac)
    assert (left.incoming_bytes, left.outgoing_bytes) == (1_234, 99)
    assert left.hid == ROUTER.hid
    assert left.custom == "none"
    assert AuthmonQueue().reply(request, 0) == "ack"


@pytest.mark.parametrize("number", ["", "-1", "1e9", "0x10", "1" * 20, "²", "None", str(2**63)])
def test_an_unreadable_number_is_unknown_and_not_zero(number):
    left = read(ROUTER.asking("deauthed", ROUTER.deauthed(number, 5))).deauthed
    assert left is None or (left.incoming_bytes is None and left.outgoing_bytes == 5)


@pytest.mark.parametrize(
    "payload", ["", "none", "method=x", "clientmac=aa:bb:cc:dd:ee:ff, token=", "token=$(id)", "*"]
)
def test_a_message_about_nobody_names_nobody(payload):
    assert read(ROUTER.asking("deauthed", payload)).deauthed is None


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_get": ""},
        {"auth_get": "delete"},
        {"auth_get": "view\n"},
        {"gatewayhash": ""},
        {"gatewayhash": "../../etc/passwd"},
        {"gatewayhash": "A" * 64},
        {"payload": "x" * 5_000},
    ],
)
def test_other_requests_are_none(changes):
    assert read_authmon(ROUTER.asking("view", "none") | changes) is None


@pytest.mark.parametrize("missing", ["auth_get", "gatewayhash"])
def test_a_request_without_a_parameter_is_none(missing):
    fields = ROUTER.asking("view", "none")
    del fields[missing]
    assert read_authmon(fields) is None


@given(
    fields=st.dictionaries(
        st.sampled_from(["auth_get", "gatewayhash", "payload", "x"]), st.text(max_size=99)
    ),
    action=st.sampled_from(["clear", "view", "list", "deauthed", "custom"]),
    raw=st.binary(max_size=200),
)
def test_no_request_raises_or_lets_the_queue_grow(fields, action, raw):
    read_authmon(fields)
    queue = AuthmonQueue()
    queue.add(rhid(1), LIMITS, 0)
    for payload in (base64.b64encode(raw).decode(), raw.decode("latin-1")):
        request = read_authmon({"auth_get": action, "gatewayhash": "0" * 64, "payload": payload})
        assert request is not None
        assert isinstance(queue.reply(request, 1), str)
        assert request.deauthed is None or request.action == "deauthed"
    assert len(queue) <= 1
