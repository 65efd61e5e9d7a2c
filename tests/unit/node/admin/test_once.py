"""A form that is sent twice does its work once."""

from hypothesis import given
from hypothesis import strategies as st

from node.admin.once import RANDOM_BYTES, SHOWN_MAX, SHOWN_MS, TICKET_LIFE, USED_MAX, OnceOnly
from node.units import Monotonic

COOKIE, OTHER = "cookie-" + "a" * 20, "cookie-" + "b" * 20
NOW = Monotonic(1_000_000)


def later(milliseconds: int) -> Monotonic:
    return Monotonic(NOW + milliseconds)


def random(number: int) -> bytes:
    return number.to_bytes(RANDOM_BYTES, "big")


def made(number: int = 1) -> tuple[OnceOnly[str], str]:
    once = OnceOnly[str](b"k" * 32)
    return once, once.ticket(COOKIE, random(number), NOW)


def test_a_ticket_is_fresh_once_and_shows_what_came_of_it():
    once, ticket = made()
    assert ("fresh", None) == (once.state(COOKIE, ticket, NOW), once.shown(COOKIE, ticket, NOW))
    once.keep(COOKIE, ticket, "a sheet", NOW)
    assert ("used", "a sheet") == (once.state(COOKIE, ticket, NOW), once.shown(COOKIE, ticket, NOW))


def test_what_came_of_it_is_shown_for_a_quarter_of_an_hour():
    once, ticket = made()
    once.keep(COOKIE, ticket, "a sheet", NOW)
    assert "a sheet" == once.shown(COOKIE, ticket, later(SHOWN_MS - 1))
    assert once.shown(COOKIE, ticket, later(SHOWN_MS)) is None
    assert "used" == once.state(COOKIE, ticket, later(SHOWN_MS))


def test_a_ticket_is_somebodys_own():
    once, ticket = made()
    once.keep(COOKIE, ticket, "a sheet", NOW)
    assert ("stale", None) == (once.state(OTHER, ticket, NOW), once.shown(OTHER, ticket, NOW))


def test_a_ticket_of_before_a_restart_does_nothing():
    _, ticket = made()
    assert "stale" == OnceOnly[str](b"another" * 8).state(COOKIE, ticket, NOW)


def test_a_ticket_that_could_be_forgotten_as_used_is_too_old():
    once, ticket = made()
    assert "fresh" == once.state(COOKIE, ticket, later(TICKET_LIFE - 1))
    once.keep(COOKIE, ticket, "a sheet", later(TICKET_LIFE - 1))
    for after in (TICKET_LIFE, 2 * TICKET_LIFE, 50 * TICKET_LIFE):
        assert "stale" == once.state(COOKIE, ticket, later(after))


def test_another_spelling_of_a_used_ticket_is_the_same_ticket():
    once, ticket = made()
    once.keep(COOKIE, ticket, "a sheet", NOW)
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert "fresh" != once.state(COOKIE, ticket[:-3] + letter + "==", NOW)


def test_few_results_are_kept_however_many_tickets_are_used():
    once, _ = made()
    tickets = [once.ticket(COOKIE, random(number), NOW) for number in range(USED_MAX + 1)]
    for ticket in tickets[:-1]:
        once.keep(COOKIE, ticket, "a sheet", NOW)
    assert SHOWN_MAX == sum(once.shown(COOKIE, ticket, NOW) is not None for ticket in tickets)
    assert "crowded" == once.state(COOKIE, tickets[-1], NOW)
    assert "used" == once.state(COOKIE, tickets[0], NOW)


@given(st.text(max_size=80) | st.text("ABCabc_-=", min_size=56, max_size=56))
def test_what_is_no_ticket_does_nothing(ticket):
    assert "stale" == made()[0].state(COOKIE, ticket, NOW)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, TICKET_LIFE)), max_size=60))
def test_no_ticket_does_its_work_twice_whenever_it_is_sent(sendings):
    once, now, done = OnceOnly[int](b"k" * 32), int(NOW), list[int]()
    tickets = [once.ticket(COOKIE, random(number), NOW) for number in range(6)]
    for number, waited in sendings:
        now += waited
        if once.state(COOKIE, tickets[number], Monotonic(now)) == "fresh":
            once.keep(COOKIE, tickets[number], number, Monotonic(now))
            done.append(number)
    assert len(set(done)) == len(done)
