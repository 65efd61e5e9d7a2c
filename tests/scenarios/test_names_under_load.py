"""Names of the admitted while others ask for nothing but names that no server answers, or hold connections."""

import contextlib
import time

import pytest

from tests.lab.people import Person
from tests.lab.questions import ask, ask_by_tcp, flood, hold_by_tcp, rcode

pytestmark = pytest.mark.kernel
A_ROUND_S = 16.0
"""dnsmasq waits 10 s for an answer: a pool that fills is full for a part of these and has room for another."""
# Names that begin with these four letters are never answered; the others always.
DEAD = """
table inet dead {
  chain arriving {
    type filter hook input priority -400;
    udp dport 53 @th,168,32 0x64656164 drop
  }
}
"""
FAMILIES = pytest.mark.parametrize("server", ["10.77.0.1", "fd77::1"], ids=["IPv4", "IPv6"])


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


def refused(server: str, *people: Person) -> list[tuple[str, int | None]]:
    """Who got which code, or nothing, for names that exist, while a round lasts."""
    ends, found = time.monotonic() + A_ROUND_S, []
    while time.monotonic() < ends:
        for person in people:
            answer = ask(person.place, server, f"name{time.monotonic_ns()}.example")
            if answer is None or rcode(answer):
                found.append((person.name, None if answer is None else rcode(answer)))
        time.sleep(0.3)
    return found


@FAMILIES
def test_six_strangers_who_ask_for_dead_names_leave_a_member_and_a_newcomer_every_name(
    square, strangers, online, server
):
    member, newcomer, *others = online("laptop"), *strangers(7)
    with contextlib.ExitStack() as stack:
        for each in others:
            stack.enter_context(flood(each.place, server, 18))
        assert not refused(server, member, newcomer)


@FAMILIES
def test_a_member_who_asks_for_dead_names_all_the_time_leaves_the_others_every_name(
    square, strangers, online, server
):
    asker, member, newcomer = online("phone"), online("laptop"), *strangers(1)
    with flood(asker.place, server, 600):
        assert not refused(server, member, newcomer)


@FAMILIES
def test_idle_connections_to_the_resolver_take_it_from_nobody_else(square, strangers, online, server):
    holder, member, newcomer, *others = online("phone"), online("laptop"), *strangers(12)
    held = []
    try:
        for each in (holder, *others):
            held += hold_by_tcp(each.place, server, 8)
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


@FAMILIES
def test_both_kinds_of_people_are_told_the_same_names_by_both_protocols(square, strangers, online, server):
    for person in (online("laptop"), *strangers(1)):
        for put in (ask, ask_by_tcp):
            portal, far = (put(person.place, server, name) for name in ("login.procomu.lan", "x.example"))
            assert portal is not None
            assert portal.endswith(bytes([10, 77, 0, 1]))
            assert far is not None
            assert far.endswith(bytes([203, 0, 113, 10]))
