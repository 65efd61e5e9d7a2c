"""DNS of admitted devices while others send only queries that no server answers, or hold idle connections."""

import contextlib
import itertools
import time

import pytest

from tests.lab.people import Person
from tests.lab.questions import ask, ask_by_tcp, flood, hold_by_tcp, rcode
from tests.scenarios.conftest import is_captured

pytestmark = [pytest.mark.kernel, pytest.mark.late]
A_ROUND_S = 16.0
"""dnsmasq keeps a query for 10 s: a full query pool is full for part of a round and free for another."""
# Names with this prefix are never answered; all others always are.
DEAD = """
table inet dead {
  chain arriving {
    type filter hook input priority -400;
    udp dport 53 @th,168,32 0x64656164 drop
  }
}
"""
SERVERS = ("10.77.0.1", "fd77::1")


@pytest.fixture
def square(place):
    place.internet.place.run("nft", "-f", "-", stdin=DEAD)
    place.square.start()
    return place.square


@pytest.fixture
def strangers(place):
    def come(number: int) -> list[Person]:
        people = [place.settle(f"stranger{n}", place.square, n) for n in range(50, 50 + number)]
        for n, person in enumerate(people):
            person.place.address("eth0", f"10.77.250.{n + 10}/16", f"fd77::9:{n + 10:x}/64")
            person.place.route("default via 10.77.0.1", "default via fd77::1")
        return people

    return come


def refused(*people: Person) -> list[tuple[str, str, int | None]]:
    """Which code each client got by which family, or None, for existing names, during one round."""
    ends, found = time.monotonic() + A_ROUND_S, []
    while time.monotonic() < ends:
        for person in people:
            for server in SERVERS:
                answer = ask(person.place, server, f"name{time.monotonic_ns()}.example")
                if answer is None or rcode(answer):
                    found.append((person.name, server, None if answer is None else rcode(answer)))
        time.sleep(0.3)
    return found


def test_six_strangers_with_unanswered_queries_cost_a_member_and_a_newcomer_no_name(
    square, strangers, online
):
    member, newcomer, *others = online("laptop"), *strangers(7)
    with contextlib.ExitStack() as stack:
        for number, each in enumerate(others):
            stack.enter_context(flood(each.place, SERVERS[number % 2], 18))
        assert not refused(member, newcomer)


@pytest.mark.thorough
def test_a_member_with_constant_unanswered_queries_costs_the_others_no_name(square, strangers, online):
    asker, member, newcomer = online("phone"), online("laptop"), *strangers(1)
    with flood(asker.place, SERVERS[0], 300), flood(asker.place, SERVERS[1], 300):
        assert not refused(member, newcomer)


@pytest.mark.thorough
def test_idle_connections_to_the_resolver_block_no_other_client(square, strangers, online):
    holder, member, newcomer, *others = online("phone"), online("laptop"), *strangers(12)
    held = []
    try:
        for number, each in enumerate((holder, *others)):
            held += hold_by_tcp(each.place, SERVERS[number % 2], 8)
        for server in SERVERS:
            answer = ask_by_tcp(member.place, server, "name.example")
            assert answer is not None
            assert rcode(answer) == 0
            for person in (member, newcomer):
                answer = ask(person.place, server, "other.example")
                assert answer is not None
                assert rcode(answer) == 0
    finally:
        for sock in held:
            sock.close()


def test_after_an_hour_without_joining_the_page_still_opens_by_itself(square, comes):
    """Also while programs of the device send many other queries. The end of its ten minutes is set in the kernel here."""
    phone = comes("phone")
    assert is_captured(phone)
    with flood(phone.place, phone.resolver, 18, name="app{}.example"):
        square.place.run("nft", "flush", "set", "inet", "procomu", "dns_fresh")
        time.sleep(3)
        for v6 in (False, True):
            began = time.monotonic()
            answer = phone.do("knock", v6=v6, url="http://captive.apple.com/hotspot-detect.html")
            assert (True, 302) == (answer["captured"], answer["status"])
            assert time.monotonic() - began < 1
        assert 200 == phone.do("knock", url="http://login.procomu.lan/")["status"]
    assert phone.do("accept")["first_packet_ms"] is not None


def test_admitted_and_unauthorized_devices_get_the_same_names_over_udp_and_tcp(square, strangers, online):
    for person, server in itertools.product((online("laptop"), *strangers(1)), SERVERS):
        for put in (ask, ask_by_tcp):
            portal, far = (put(person.place, server, name) for name in ("login.procomu.lan", "x.example"))
            assert portal is not None
            assert portal.endswith(bytes([10, 77, 0, 1]))
            assert far is not None
            assert far.endswith(bytes([203, 0, 113, 10]))
