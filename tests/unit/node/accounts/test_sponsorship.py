"""A guest sends a request, a member answers, and no guest learns from it who is a member."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts import sponsorship
from node.accounts.sponsorship import (
    ASKS_REMEMBERED,
    MUTED,
    MUTED_DEVICES_MAX,
    OPEN_PER_NAME_MAX,
    REQUEST_LIFETIME,
    TURN,
    Approved,
    Cancelled,
    Declined,
    RequestTimer,
    SponsorRequest,
    Sponsorship,
    step,
)
from node.units import Monotonic

NOW = Monotonic(1_000)
LATE = Monotonic(NOW + REQUEST_LIFETIME)


def asked(host: str | None = "ana", **changes) -> SponsorRequest:
    values = {"number": 1, "mac": "m1", "host": host, "asked_for": "Ana", "name": "Pau", "sign": "0042"}
    return SponsorRequest(**{**values, "ends": LATE, **changes})


def box() -> Sponsorship:
    return Sponsorship(Random(3).randbytes)


@pytest.mark.parametrize(
    ("state", "event", "now", "after"),
    [
        ("asked", Approved(), NOW, "granted"),
        ("asked", Declined(), NOW, "refused"),
        ("asked", Cancelled(), NOW, "withdrawn"),
        ("asked", RequestTimer(), NOW, "asked"),
        ("asked", Approved(), LATE, "timed out"),
        ("asked", RequestTimer(), LATE, "timed out"),
        ("refused", Approved(), NOW, "refused"),
        ("refused", Cancelled(), NOW, "withdrawn"),
        ("refused", RequestTimer(), LATE, "timed out"),
        ("granted", Declined(), NOW, "granted"),
        ("granted", RequestTimer(), LATE, "granted"),
        ("withdrawn", Approved(), NOW, "withdrawn"),
        ("timed out", Approved(), NOW, "timed out"),
    ],
)
def test_the_states_of_a_request(state, event, now, after):
    assert after == step(asked(state=state), event, now).state


@pytest.mark.parametrize("event", [Approved(), Declined()])
def test_a_request_to_an_unknown_member_stays_unanswered(event):
    assert "asked" == step(asked(None), event, NOW).state


def test_member_and_guest_see_the_same_sign():
    many = box()
    question = many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert (question,) == many.of_host("ana", NOW)
    assert question == many.of_device("m1", NOW)
    assert 4 == len(question.sign)
    assert question.sign.isdecimal()


def test_approval_is_reported_once_to_the_right_guest():
    many = box()
    question = many.ask("m1", "ana", "Ana", "Pau", NOW)
    granted = many.answer("ana", question.number, yes=True, now=NOW)
    assert ("granted", "m1") == (granted.state, granted.mac)
    assert many.answer("ana", question.number, yes=True, now=NOW) is None
    assert many.of_device("m1", NOW) is None
    assert 0 == len(many)


def test_a_member_cannot_answer_another_members_request():
    many = box()
    question = many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert many.answer("pere", question.number, yes=True, now=NOW) is None
    assert many.of_device("m1", NOW) == question


def test_refusal_silence_and_an_unknown_name_look_the_same_to_the_guest():
    def seen(host: str | None, *, says_no: bool) -> list[object]:
        many = box()
        question = many.ask("m1", host, "Ana", "Pau", NOW)
        if says_no:
            many.answer("ana", question.number, yes=False, now=NOW)
        views = [many.of_device("m1", Monotonic(now)) for now in (NOW, LATE - 1, LATE)]
        return [view and (view.asked_for, view.name, view.sign, view.ends) for view in views]

    assert seen("ana", says_no=True) == seen("ana", says_no=False) == seen(None, says_no=False)


def test_after_a_refusal_the_same_request_does_not_reach_the_member_again():
    many = box()
    question = many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert "refused" == many.answer("ana", question.number, yes=False, now=NOW).state
    assert () == many.of_host("ana", NOW)
    assert many.answer("ana", question.number, yes=True, now=NOW) is None


def test_a_request_expires_after_ten_minutes():
    many = box()
    question = many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert many.answer("ana", question.number, yes=True, now=LATE) is None
    assert many.of_device("m1", LATE) is None
    assert 0 == len(many)


@pytest.mark.parametrize(
    "look",
    [
        lambda many: many.of_host("ana", LATE),
        lambda many: many.of_device("m1", LATE),
        lambda many: many.answer("ana", 1, yes=True, now=LATE),
    ],
)
def test_expired_requests_are_shown_to_nobody(look):
    many = box()
    many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert not look(many)
    assert 0 == len(many)


@pytest.mark.parametrize("host", ["ana", None])
def test_after_a_minute_a_full_queue_prefers_devices_with_fewer_requests(host):
    """Five devices that repeat their requests had blocked one name without end."""
    many = box()
    for number in range(OPEN_PER_NAME_MAX):
        many.ask(f"m{number}", host, "Ana", "Pau", NOW)
    now = Monotonic(NOW + TURN - 1)
    assert many.ask("m9", host, "Ana", "Pau", now) is None
    for number in range(OPEN_PER_NAME_MAX):  # a repeated request does not start a new turn
        assert many.ask(f"m{number}", host, "Ana", "Pau", now) is not None
    later = Monotonic(NOW + TURN)
    honest = many.ask("m8", host, "Ana", "Mar", later)
    assert honest is not None
    # An evicted device reads what every other one reads, and cannot evict another by repeating its request.
    gone = [n for n in range(OPEN_PER_NAME_MAX) if many.of_device(f"m{n}", later) is None]
    assert 1 == len(gone)
    assert many.went_unanswered(f"m{gone[0]}", later)
    much_later = Monotonic(later + TURN)
    for _ in range(3):
        many.ask(f"m{gone[0]}", host, "Ana", "Pau", much_later)
    assert honest == many.of_device("m8", much_later)


def test_a_devices_requests_are_forgotten_after_an_hour():
    many = box()
    for _ in range(9):
        many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert 9 == many._asks("m1", NOW)
    assert 0 == many._asks("m1", Monotonic(NOW + ASKS_REMEMBERED))


def test_a_muted_device_does_not_reach_the_member_and_its_person_cannot_tell():
    many = box()
    first = many.ask("m1", "ana", "Ana", "Pau", NOW)
    assert many.mute("ana", first.number, NOW)
    assert not many.mute("pere", first.number, NOW)
    assert first == replace(many.of_device("m1", NOW), state="asked")
    again, other = (many.ask(mac, "ana", "Ana", "Pau", NOW) for mac in ("m1", "m2"))
    assert (other,) == many.of_host("ana", NOW)
    assert (again.asked_for, again.name) == ("Ana", "Pau")
    assert many.of_device("m1", NOW) == again
    assert many.answer("ana", again.number, yes=True, now=NOW) is None
    much_later = Monotonic(NOW + MUTED)
    heard = many.ask("m1", "ana", "Ana", "Pau", much_later)
    assert (heard,) == many.of_host("ana", much_later)


def test_a_member_can_mute_all_requests_for_a_day_or_until_unmuted():
    many = box()
    many.ask("m1", "ana", "Ana", "Pau", NOW)
    many.mute_all("ana", NOW)
    assert () == many.of_host("ana", NOW)
    assert NOW + MUTED == many.muted_until("ana", NOW)
    many.ask("m2", "ana", "Ana", "Pau", NOW)
    many.ask("m3", "pere", "Pere", "Pau", NOW)
    assert () == many.of_host("ana", NOW)
    assert 1 == len(many.of_host("pere", NOW))
    many.unmute("ana")
    assert many.muted_until("ana", NOW) is None
    heard = many.ask("m2", "ana", "Ana", "Pau", NOW)
    assert (heard,) == many.of_host("ana", NOW)
    assert many.muted_until("ana", Monotonic(NOW + MUTED)) is None


def test_the_number_of_muted_devices_is_limited():
    many = box()
    for number in range(MUTED_DEVICES_MAX + 5):
        question = many.ask(f"m{number}", "ana", "Ana", "Pau", NOW)
        many.mute("ana", question.number, NOW)
        many.withdraw(f"m{number}", NOW)
    assert MUTED_DEVICES_MAX == len(many._muted["ana"])


def test_a_guest_has_one_request_at_a_time():
    many = box()
    many.ask("m1", "ana", "Ana", "Pau", NOW)
    second = many.ask("m1", "pere", "Pere", "Pau", NOW)
    assert () == many.of_host("ana", NOW)
    assert (second,) == many.of_host("pere", NOW)
    assert "withdrawn" == many.withdraw("m1", NOW).state
    assert many.withdraw("m1", NOW) is None


@pytest.mark.parametrize("host", ["ana", None])
def test_the_queue_for_one_name_has_the_same_limit_for_any_name(host):
    many = box()
    questions = [many.ask(f"m{n}", host, "Ana", "Pau", NOW) for n in range(OPEN_PER_NAME_MAX + 1)]
    assert [False] * OPEN_PER_NAME_MAX + [True] == [question is None for question in questions]
    assert many.ask("m9", "pere", "Pere", "Pau", NOW) is not None
    assert many.ask("m1", host, "Ana", "Pau", NOW) is not None


@pytest.mark.parametrize("host", ["ana", None])
@pytest.mark.parametrize("spelling", ["ANA  PUIG", " Ana Puig", "\uff21na Puig"])
def test_another_spelling_is_no_second_queue_for_known_and_unknown_names(host, spelling):
    """Otherwise the sixth request would reveal whether there is such a member."""
    many = box()
    for number in range(OPEN_PER_NAME_MAX):
        many.ask(f"m{number}", host, "Ana Puig", "Pau", NOW)
    assert many.ask("m9", host, spelling, "Pau", NOW) is None


def test_nothing_reveals_whether_two_names_mean_one_member():
    many = box()
    for number in range(OPEN_PER_NAME_MAX):
        many.ask(f"m{number}", "ana", "ana", "Pau", NOW)
    assert many.ask("m8", "ana", "Ana Puig", "Pau", NOW) is not None
    assert many.ask("m9", None, "Nobody", "Pau", NOW) is not None


def test_requested_names_are_forgotten_with_the_requests():
    many = box()
    for number in range(200):
        many.ask("m1", None, f"name {number}", "Pau", NOW)
    assert many.ask("m1", None, "name 0", "Pau", LATE) is not None
    assert 1 == len(many._by_name)


def test_the_signs_shown_to_one_member_are_all_different():
    draws = iter([1, 1, 1, 2])
    many = Sponsorship(lambda count: next(draws).to_bytes(count, "big"))
    signs = [many.ask(f"m{n}", "ana", "Ana", "Pau", NOW).sign for n in range(2)]
    assert ["0001", "0002"] == signs


@pytest.mark.parametrize("host", ["ana", None])
def test_over_the_total_limit_the_oldest_request_is_dropped_for_known_and_unknown_names(monkeypatch, host):
    monkeypatch.setattr(sponsorship, "OPEN_MAX", 3)
    many = box()
    many.ask("m1", host, "Ana", "Pau", NOW)
    many.ask("m2", None, "Nobody", "Pau", NOW)
    many.ask("m3", "pere", "Pere", "Pau", NOW)
    assert many.ask("m4", "ana", "Ana", "Pau", NOW) is not None
    assert many.of_device("m1", NOW) is None
    assert many.went_unanswered("m1", NOW)
    assert many.of_device("m2", NOW) is not None
    assert 3 == len(many)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "yes", "no", "withdraw"]),
            st.integers(1, 9),
            st.sampled_from(["ana", "pere", None]),
            st.integers(0, REQUEST_LIFETIME // 2),
        ),
        max_size=40,
    )
)
def test_a_guest_is_admitted_only_by_the_requested_member_and_during_the_request(events):
    many, now = box(), 0
    waiting: dict[str, tuple[int, str | None, int]] = {}
    for kind, number, host, passed in events:
        now += passed
        mac = f"m{number}"
        if kind == "ask":
            question = many.ask(mac, host, host or "nobody", "Pau", Monotonic(now))
            waiting.pop(mac, None)
            if question is not None:
                waiting[mac] = (question.number, host, now)
        elif kind == "withdraw":
            many.withdraw(mac, Monotonic(now))
            waiting.pop(mac, None)
        elif host is not None:
            done = many.answer(host, number, yes=kind == "yes", now=Monotonic(now))
            if done is not None:
                sent, asked_host, since = waiting[done.mac]
                assert (sent, asked_host) == (number, host)
                assert now < since + REQUEST_LIFETIME
                if done.state == "granted":
                    del waiting[done.mac]
    assert len(many) <= len(waiting)
    for host in ("ana", "pere"):
        assert len(many.of_host(host, Monotonic(now))) <= OPEN_PER_NAME_MAX
