"""Login throttling: a device that guesses must wait, and no other device does."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts import login_throttle
from node.accounts.login_throttle import (
    CODE_THROTTLE,
    DEVICES_COUNTED_MAX,
    FORGIVEN_AFTER,
    NAMES_COUNTED_MAX,
    WINDOW,
    AttemptCounter,
    LoginThrottle,
    after_failure,
)
from node.units import Monotonic

ME, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
HOUR_MS = 3_600_000
NOW = Monotonic(1_000)


def at(ms: int) -> Monotonic:
    return Monotonic(ms)


def tries_of_codes(for_ms: int) -> int:
    """How many codes one patient device can try in this time."""
    many, now, tries = LoginThrottle(), 0, 0
    while now < for_ms:
        wait_s = many.code_wait_s(ME, at(now))
        if wait_s:
            now += wait_s * 1000
        else:
            many.wrong_code(ME, at(now))
            tries += 1
    return tries


def test_five_wrong_codes_in_ten_minutes_block_the_device_for_a_minute():
    many = LoginThrottle()
    for _ in range(4):
        many.wrong_code(ME, NOW)
    assert 0 == many.code_wait_s(ME, NOW)
    many.wrong_code(ME, NOW)
    assert 60 == many.code_wait_s(ME, NOW)
    assert 1 == many.code_wait_s(ME, at(NOW + 59_001))
    assert 0 == many.code_wait_s(ME, at(NOW + 60_000))


def test_occasional_mistakes_make_nobody_wait():
    many = LoginThrottle()
    for number in range(40):
        many.wrong_code(ME, at(number * WINDOW // 4))
    assert 0 == many.code_wait_s(ME, at(10 * WINDOW))


def test_waits_get_longer_up_to_an_hour():
    many, now, waits = LoginThrottle(), 0, []
    for _ in range(9):
        for _ in range(CODE_THROTTLE.mistakes):
            many.wrong_code(ME, at(now))
        waits.append(many.code_wait_s(ME, at(now)))
        now += waits[-1] * 1000
    assert [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] == waits


def test_after_six_quiet_hours_all_failures_are_forgotten():
    failures = None
    for _ in range(50):
        failures = after_failure(failures, CODE_THROTTLE, NOW)
    assert 0 == after_failure(failures, CODE_THROTTLE, at(NOW + FORGIVEN_AFTER)).waits


def test_one_devices_rate_of_guesses_is_as_documented():
    """The figures in the docstring, on which the odds there are based."""
    assert 30 == tries_of_codes(HOUR_MS)
    assert 5 >= (tries_of_codes(50 * HOUR_MS) - tries_of_codes(10 * HOUR_MS)) / 40
    assert 30 * 50_000 / 2**55 < 2**-34
    assert (30 + 5 * 24 * 365) * 50_000 / 2**55 < 2**-23
    assert 36_000 * 50_000 / 2**55 < 2**-24
    assert 36_000 * 960 / 2**55 < 2**-29.9


def test_all_strangers_together_try_no_more_passphrases_than_documented():
    many, now, tries, device = LoginThrottle(), 0, 0, 0
    while now < 24 * HOUR_MS:
        wait_s = many.passphrase_wait_s(f"m{device}", "ana", at(now), is_own=False)
        if wait_s and many.passphrase_wait_s(f"m{device}", "ana", at(now), is_own=True):
            device += 1
        elif wait_s:
            now += wait_s * 1000
        else:
            many.wrong_passphrase(f"m{device}", "ana", at(now), is_own=False)
            tries += 1
    assert 500 < tries <= 600


@given(
    st.lists(st.tuples(st.sampled_from(["code", "slip", "passphrase"]), st.integers(0, 60_000)), max_size=200)
)
def test_failures_of_one_device_never_delay_another_ones_code(events):
    many, now = LoginThrottle(), 0
    for kind, passed in events:
        now += passed
        if kind == "code":
            many.wrong_code(OTHER, at(now))
        elif kind == "slip":
            many.mistyped_code(OTHER, at(now))
        else:
            many.wrong_passphrase(OTHER, "ana", at(now), is_own=False)
        assert 0 == many.code_wait_s(ME, at(now))
        assert 0 == many.passphrase_wait_s(ME, "ana", at(now), is_own=True)
        assert 0 == many.passphrase_wait_s(ME, "pere", at(now), is_own=False)


def test_typos_do_not_count_as_guesses():
    many = LoginThrottle()
    for _ in range(29):
        many.mistyped_code(ME, NOW)
    many.wrong_code(ME, NOW)
    assert 0 == many.code_wait_s(ME, NOW)
    many.mistyped_code(ME, NOW)
    assert 60 == many.code_wait_s(ME, NOW)


def test_during_an_attack_on_an_account_its_own_devices_join_as_usual():
    many = LoginThrottle()
    for number in range(20):
        many.wrong_passphrase(f"m{number}", "ana", NOW, is_own=False)
    assert 600 == many.passphrase_wait_s(ME, "ana", NOW, is_own=False)
    assert 0 == many.passphrase_wait_s(ME, "ana", NOW, is_own=True)


def test_own_mistakes_do_not_delay_a_friends_first_attempt():
    many = LoginThrottle()
    for _ in range(30):
        many.wrong_passphrase(ME, "ana", NOW, is_own=True)
    assert many.passphrase_wait_s(ME, "ana", NOW, is_own=True) > 0
    assert 0 == many.passphrase_wait_s(OTHER, "ana", NOW, is_own=False)


def test_the_right_passphrase_clears_failures_of_this_device_only():
    many = LoginThrottle()
    for mac in (ME, OTHER):
        for _ in range(5):
            many.wrong_passphrase(mac, "ana", NOW, is_own=True)
    many.right_passphrase(ME, "ana")
    many.right_passphrase(ME, "pere")
    assert 0 == many.passphrase_wait_s(ME, "ana", NOW, is_own=True)
    assert 60 == many.passphrase_wait_s(OTHER, "ana", NOW, is_own=True)


def test_a_device_that_tries_one_passphrase_on_every_account_waits_too():
    many = LoginThrottle()
    for number in range(login_throttle.DEVICE_THROTTLE.mistakes):
        assert 0 == many.passphrase_wait_s(ME, f"member-{number}", NOW, is_own=False)
        many.wrong_passphrase(ME, f"member-{number}", NOW, is_own=False)
        many.right_passphrase(ME, "mallory")
    assert 60 == many.passphrase_wait_s(ME, "one-more", NOW, is_own=False)
    assert 0 == many.passphrase_wait_s(OTHER, "one-more", NOW, is_own=False)


def test_a_right_passphrase_does_not_speed_up_guessing_others():
    many = LoginThrottle()
    for _ in range(5):
        many.wrong_passphrase(ME, "ana", NOW, is_own=False)
        many.right_passphrase(ME, "mallory")
    assert 60 == many.passphrase_wait_s(ME, "ana", NOW, is_own=False)


def test_memory_is_bounded_and_the_oldest_failures_are_dropped():
    counted = AttemptCounter(CODE_THROTTLE, 3)
    for party in ("a", "b", "a", "c", "d"):
        for _ in range(5):
            counted.add_failure(party, NOW)
    assert 3 == len(counted)
    assert 0 == counted.wait_ms("b", NOW)
    assert 120_000 == counted.wait_ms("a", NOW)


def test_the_counts_of_strangers_outlast_what_one_node_can_check():
    """At twenty checks a second, which is more than scrypt allows when run one at a time."""
    assert 20 * WINDOW // 1000 < NAMES_COUNTED_MAX
    assert DEVICES_COUNTED_MAX >= 10_000
    assert login_throttle.STRANGERS_THROTTLE.mistakes == 20
