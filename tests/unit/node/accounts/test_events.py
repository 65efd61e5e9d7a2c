"""Events: what is recorded, and what can happen very often is one event with a count."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.events import (
    ABOUT_CHARS_MAX,
    ACCOUNT_KINDS,
    EVENT_KINDS,
    MERGED_MAX,
    MERGED_MS,
    TEXT_CHARS_MAX,
    WRITTEN_EVERY_MS,
    EventLog,
)
from node.units import Monotonic, Now


def log_of_events() -> EventLog:
    numbers = itertools.count()
    return EventLog(lambda size: next(numbers).to_bytes(size))


def at(now_ms: int = 0, *, wall_s: int | None = 1_795_000_000) -> Now:
    return Now(Monotonic(now_ms), "boot-1", wall_s, "2026-11-24" if wall_s is not None else "")


def test_no_kind_is_there_twice_and_those_of_accounts_come_first():
    assert len(EVENT_KINDS) == len(set(EVENT_KINDS))
    assert EVENT_KINDS[: len(ACCOUNT_KINDS)] == ACCOUNT_KINDS


def test_an_event_says_who_did_what_to_which_account_and_why():
    event = log_of_events().record("admin Ana", "blocked", at(), account="guest-02", text="Noise", count=2)
    assert ("admin Ana", "blocked", "guest-02", "Noise", 2) == (
        event.by, event.kind, event.account, event.text, event.count,
    )  # fmt: skip
    assert (1_795_000_000, "2026-11-24") == (event.at_s, event.day)


def test_without_a_clock_an_event_has_no_time():
    event = log_of_events().record("", "blocked", at(wall_s=None))
    assert (0, "") == (event.at_s, event.day)


def test_each_event_has_a_key_of_its_own():
    log = log_of_events()
    assert 20 == len({log.record("admin", "signed-in", at()).key for _ in range(20)})


@given(st.text(), st.text(), st.text())
def test_no_text_is_longer_than_its_limit(by: str, about: str, text: str) -> None:
    event = log_of_events().record(by * 20, "blocked", at(), about=about * 50, text=text * 100)
    assert len(event.about) <= ABOUT_CHARS_MAX
    assert len(event.text) <= TEXT_CHARS_MAX


def test_what_happens_again_within_an_hour_is_one_event():
    log = log_of_events()
    first = log.repeated("", "sign-in-failed", at(0), about="ana")
    assert first is not None
    assert log.repeated("", "sign-in-failed", at(1), about="ANA") is None
    again = log.repeated("", "sign-in-failed", at(WRITTEN_EVERY_MS), about="ana")
    assert again is not None
    assert (first.key, 3) == (again.key, again.count)
    later = log.repeated("", "sign-in-failed", at(MERGED_MS), about="ana")
    assert later is not None
    assert later.key != first.key
    assert 1 == later.count


@given(st.lists(st.tuples(st.sampled_from(["ana", "pere", "x"]), st.integers(0, 5_000)), max_size=300))
def test_however_often_it_happens_little_is_written_and_nothing_counted_twice(
    attempts: list[tuple[str, int]],
) -> None:
    log, now, written, stored = log_of_events(), 0, Counter[str](), dict[str, int]()
    for name, wait_ms in attempts:
        now += wait_ms
        event = log.repeated("", "sign-in-failed", at(now), about=name)
        if event is not None:
            written[name] += 1
            stored[event.key] = event.count
    assert sum(stored.values()) <= len(attempts)
    assert all(count <= 2 + now // WRITTEN_EVERY_MS + now // MERGED_MS for count in written.values())


def test_a_flood_of_names_takes_no_more_memory():
    log = log_of_events()
    for number in range(10 * MERGED_MAX):
        log.repeated("", "sign-in-failed", at(number), about=f"name {number}")
    assert MERGED_MAX == len(log._repeated)
