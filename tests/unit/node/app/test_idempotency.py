"""Idempotency keys: a form that is submitted twice does its work once."""

from hypothesis import given
from hypothesis import strategies as st

from node.app.idempotency import KEY_LIFETIME, RANDOM_BYTES, SHOWN_MAX, SHOWN_MS, USED_MAX, IdempotencyKeys
from node.units import Monotonic

COOKIE, OTHER = "cookie-" + "a" * 20, "cookie-" + "b" * 20
NOW = Monotonic(1_000_000)


def later(milliseconds: int) -> Monotonic:
    return Monotonic(NOW + milliseconds)


def random(number: int) -> bytes:
    return number.to_bytes(RANDOM_BYTES, "big")


def made(number: int = 1) -> tuple[IdempotencyKeys[str], str]:
    keys = IdempotencyKeys[str](b"k" * 32)
    return keys, keys.idempotency_key(COOKIE, random(number), NOW)


def test_a_key_is_fresh_once_and_then_shows_its_result():
    keys, idempotency_key = made()
    assert ("fresh", None) == (
        keys.state(COOKIE, idempotency_key, NOW),
        keys.shown(COOKIE, idempotency_key, NOW),
    )
    keys.keep(COOKIE, idempotency_key, "a sheet", NOW)
    assert ("used", "a sheet") == (
        keys.state(COOKIE, idempotency_key, NOW),
        keys.shown(COOKIE, idempotency_key, NOW),
    )


def test_a_result_is_shown_for_fifteen_minutes():
    keys, idempotency_key = made()
    keys.keep(COOKIE, idempotency_key, "a sheet", NOW)
    assert "a sheet" == keys.shown(COOKIE, idempotency_key, later(SHOWN_MS - 1))
    assert keys.shown(COOKIE, idempotency_key, later(SHOWN_MS)) is None
    assert "used" == keys.state(COOKIE, idempotency_key, later(SHOWN_MS))


def test_a_key_belongs_to_one_session():
    keys, idempotency_key = made()
    keys.keep(COOKIE, idempotency_key, "a sheet", NOW)
    assert ("stale", None) == (
        keys.state(OTHER, idempotency_key, NOW),
        keys.shown(OTHER, idempotency_key, NOW),
    )


def test_a_key_from_before_a_restart_does_nothing():
    _, idempotency_key = made()
    assert "stale" == IdempotencyKeys[str](b"another" * 8).state(COOKIE, idempotency_key, NOW)


def test_a_key_older_than_the_memory_of_used_keys_is_expired():
    keys, idempotency_key = made()
    assert "fresh" == keys.state(COOKIE, idempotency_key, later(KEY_LIFETIME - 1))
    keys.keep(COOKIE, idempotency_key, "a sheet", later(KEY_LIFETIME - 1))
    for after in (KEY_LIFETIME, 2 * KEY_LIFETIME, 50 * KEY_LIFETIME):
        assert "stale" == keys.state(COOKIE, idempotency_key, later(after))


def test_another_spelling_of_a_used_key_is_the_same_key():
    keys, idempotency_key = made()
    keys.keep(COOKIE, idempotency_key, "a sheet", NOW)
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert "fresh" != keys.state(COOKIE, idempotency_key[:-3] + letter + "==", NOW)


def test_the_number_of_stored_results_is_limited():
    keys, _ = made()
    tickets = [keys.idempotency_key(COOKIE, random(number), NOW) for number in range(USED_MAX + 1)]
    for idempotency_key in tickets[:-1]:
        keys.keep(COOKIE, idempotency_key, "a sheet", NOW)
    assert SHOWN_MAX == sum(
        keys.shown(COOKIE, idempotency_key, NOW) is not None for idempotency_key in tickets
    )
    assert "crowded" == keys.state(COOKIE, tickets[-1], NOW)
    assert "used" == keys.state(COOKIE, tickets[0], NOW)


@given(st.text(max_size=80) | st.text("ABCabc_-=", min_size=56, max_size=56))
def test_an_invalid_key_does_nothing(idempotency_key):
    assert "stale" == made()[0].state(COOKIE, idempotency_key, NOW)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, KEY_LIFETIME)), max_size=60))
def test_no_key_does_its_work_twice_whenever_it_is_sent(sendings):
    keys, now, done = IdempotencyKeys[int](b"k" * 32), int(NOW), list[int]()
    tickets = [keys.idempotency_key(COOKIE, random(number), NOW) for number in range(6)]
    for number, waited in sendings:
        now += waited
        if keys.state(COOKIE, tickets[number], Monotonic(now)) == "fresh":
            keys.keep(COOKIE, tickets[number], number, Monotonic(now))
            done.append(number)
    assert len(set(done)) == len(done)
