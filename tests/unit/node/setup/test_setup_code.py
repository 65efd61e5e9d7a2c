"""The set-up code: its form, what is read as it, and how often it can be tried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.setup.setup_code import CODE_CHARS, CodeCheck, make_setup_code, read_setup_code, shown_code
from node.units import Monotonic

CODE = make_setup_code(b"seven")
SECOND = 1_000


def wrong(number: int) -> str:
    code = make_setup_code(number.to_bytes(5, "big"))
    assert code != CODE
    return code


@given(st.binary(min_size=5, max_size=5))
def test_a_code_is_read_as_it_is_shown_and_typed_in_a_hurry(random_bytes: bytes) -> None:
    code = make_setup_code(random_bytes)
    assert CODE_CHARS == len(code)
    assert code == read_setup_code(shown_code(code)) == read_setup_code(f" {shown_code(code).lower()} ")
    assert code == read_setup_code(f"http://10.77.0.1/?code={shown_code(code)}")


def test_what_looks_alike_is_the_same() -> None:
    assert read_setup_code("OIL0-1UVA") == read_setup_code("011o-ivva")


@pytest.mark.parametrize("typed", ["", "7K3M", "7K3M-9Q2W-4", "7K3M-9Q2!", "x" * 10_000, "\0" * 8])
def test_what_cannot_be_a_code_is_a_typing_error_and_counts_as_no_attempt(typed: str) -> None:
    check = CodeCheck(CODE, Monotonic(0))
    assert {"mistyped"} == {check.attempt(typed, "10.77.0.9", Monotonic(0)).result for _ in range(100)}
    assert "right" == check.attempt(CODE, "10.77.0.9", Monotonic(0)).result


def test_a_client_that_is_wrong_five_times_waits_and_others_do_not() -> None:
    check = CodeCheck(CODE, Monotonic(0))
    results = [check.attempt(wrong(number), "10.77.0.9", Monotonic(0)).result for number in range(6)]
    assert ["wrong"] * 5 + ["wait"] == results
    assert 10 == check.attempt(CODE, "10.77.0.9", Monotonic(0)).wait_s
    assert "right" == check.attempt(CODE, "10.77.0.10", Monotonic(0)).result
    assert "right" == check.attempt(CODE, "10.77.0.9", Monotonic(10 * SECOND)).result


def test_a_thousand_wrong_codes_neither_find_it_nor_lock_anyone_out() -> None:
    check = CodeCheck(CODE, Monotonic(0))
    results = [
        check.attempt(wrong(number), f"10.77.{number // 200}.{number % 200}", Monotonic(number * 10)).result
        for number in range(1_000)
    ]
    # In ten seconds: the ten at once, and ten each second.
    assert 109 <= results.count("wrong") <= 110
    check.attempt(wrong(0), "10.77.9.8", Monotonic(10 * SECOND))
    last = check.attempt(CODE, "10.77.9.9", Monotonic(10 * SECOND))
    assert ("wait", 1) == (last.result, last.wait_s)
    assert "right" == check.attempt(CODE, "10.77.9.9", Monotonic(11 * SECOND)).result


def test_a_client_with_all_addresses_of_a_port_uses_them_up_and_the_person_comes_in() -> None:
    check, addresses = CodeCheck(CODE, Monotonic(0)), [f"10.77.0.{number}" for number in range(1, 254)]
    for second in range(1_800):
        now = Monotonic(second * SECOND)
        # Takes every attempt that there is, just before the person.
        for address in addresses:
            check.attempt(wrong(second), address, now)
        if "right" == check.attempt(CODE, "10.77.0.254", now).result:
            break
    else:
        pytest.fail("the person was locked out for half an hour")


def test_one_client_alone_leaves_attempts_to_others() -> None:
    check, tried = CodeCheck(CODE, Monotonic(0)), 0
    for second in range(3_600):
        tried += check.attempt(wrong(second), "10.77.0.9", Monotonic(second * SECOND)).result == "wrong"
        if second % 60 == 59:
            assert "right" == check.attempt(CODE, "10.77.0.10", Monotonic(second * SECOND)).result
    assert tried <= 50
