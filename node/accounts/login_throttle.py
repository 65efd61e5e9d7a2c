"""Login throttling that cannot be used to lock out other people (NIST SP 800-63B, section 5.2.2).

Codes. Failed attempts are counted for each device alone: five in ten minutes, then the device waits one
minute, and twice as long after each further five, up to an hour. That is 30 attempts in the first hour and 5
in each later hour. With 50,000 vouchers of 55 bits, one device finds a valid code within an hour with
probability 2**-34, within a year with 2**-24. Changing the MAC address for every attempt evades this limit,
but not the size of the code space: ten attempts a second for an hour find one of 50,000 vouchers with
probability 2**-24, one of 960 with 2**-30. Codes with a wrong check character are not counted as attempts,
because they cannot be valid; thirty in ten minutes make the device wait, too.

Passphrases. Failed attempts are counted in the same way for each pair of device and name, and for each name
over all strangers: twenty in ten minutes, then devices that do not belong to the account wait ten minutes,
and twice as long after each further twenty, up to an hour. All strangers together have 600 attempts at one
name on the first day. Names are counted as typed, and an account has at most two, so a wait does not reveal
which names belong to one member. A device that tries many names waits as well: after twenty mistakes in ten
minutes, a minute at first. An account is never locked: its own devices wait only for their own failures.

All counters are in memory. At the limit, the party whose last failure is oldest is dropped; dropping never
causes a wait.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from node.units import MacAddress, Milliseconds, Monotonic

WINDOW = Milliseconds(10 * 60_000)
WAIT_LONGEST = Milliseconds(3_600_000)
FORGIVEN_AFTER = Milliseconds(6 * 3_600_000)
"""After this long without a failure, waits start at the shortest again."""
DEVICES_COUNTED_MAX = 10_000
NAMES_COUNTED_MAX = 20_000
"""More than the passphrases that can be checked in WINDOW, one at a time, so no counter is dropped while it
is needed."""


@dataclass(frozen=True, slots=True)
class FailedAttempts:
    """Failed attempts of one kind by one party."""

    count: int
    since: Monotonic
    """Time of the first failure in the current window."""
    last: Monotonic
    waits: int = 0
    """Number of waits so far."""
    until: Monotonic | None = None
    """End of the current or last wait; None before the first one."""


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """Number of failures in WINDOW that cause a wait, and length of the first wait."""

    mistakes: int
    first_wait: Milliseconds


CODE_THROTTLE = ThrottlePolicy(5, Milliseconds(60_000))
MISTYPED_THROTTLE = ThrottlePolicy(30, Milliseconds(60_000))
PASSPHRASE_THROTTLE = ThrottlePolicy(5, Milliseconds(60_000))
DEVICE_THROTTLE = ThrottlePolicy(20, Milliseconds(60_000))
"""For one device over all names: each check costs CPU time, and others wait for it."""
STRANGERS_THROTTLE = ThrottlePolicy(20, Milliseconds(10 * 60_000))


def after_failure(before: FailedAttempts | None, policy: ThrottlePolicy, now: Monotonic) -> FailedAttempts:
    """State after one more failure."""
    if before is None or now - before.last >= FORGIVEN_AFTER:
        before = FailedAttempts(0, now, now)
    is_new_window = before.count == 0 or now - before.since >= WINDOW
    count = 1 if is_new_window else before.count + 1
    since = now if is_new_window else before.since
    if count < policy.mistakes:
        return FailedAttempts(count, since, now, before.waits, before.until)
    wait = min(policy.first_wait << min(before.waits, 16), WAIT_LONGEST)
    return FailedAttempts(0, now, now, before.waits + 1, Monotonic(now + wait))


class AttemptCounter[Party: Hashable]:
    """Failed attempts of many parties of one kind; at the limit the party whose last failure is oldest is
    dropped."""

    def __init__(self, policy: ThrottlePolicy, parties_max: int) -> None:
        self._policy, self._parties_max = policy, parties_max
        self._failures: dict[Party, FailedAttempts] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def add_failure(self, party: Party, now: Monotonic) -> None:
        failures = after_failure(self._failures.pop(party, None), self._policy, now)
        if len(self._failures) >= self._parties_max:
            del self._failures[next(iter(self._failures))]
        self._failures[party] = failures

    def reset(self, party: Party) -> None:
        self._failures.pop(party, None)

    def wait_ms(self, party: Party, now: Monotonic) -> int:
        """Time until the next attempt is allowed; 0 if it is allowed now."""
        failures = self._failures.get(party)
        until = None if failures is None else failures.until
        return 0 if until is None else max(0, until - now)


class LoginThrottle:
    """Counters and waits for codes, cards and passphrases. Ask before each check, and report its result."""

    def __init__(self) -> None:
        self._codes: AttemptCounter[MacAddress] = AttemptCounter(CODE_THROTTLE, DEVICES_COUNTED_MAX)
        self._slips: AttemptCounter[MacAddress] = AttemptCounter(MISTYPED_THROTTLE, DEVICES_COUNTED_MAX)
        self._pairs: AttemptCounter[tuple[MacAddress, str]] = AttemptCounter(
            PASSPHRASE_THROTTLE, NAMES_COUNTED_MAX
        )
        self._devices: AttemptCounter[MacAddress] = AttemptCounter(DEVICE_THROTTLE, DEVICES_COUNTED_MAX)
        self._strangers: AttemptCounter[str] = AttemptCounter(STRANGERS_THROTTLE, NAMES_COUNTED_MAX)

    def code_wait_s(self, mac: MacAddress, now: Monotonic) -> int:
        """Seconds until this device may try a code or card again, rounded up; 0 if it may now."""
        return _seconds(max(self._codes.wait_ms(mac, now), self._slips.wait_ms(mac, now)))

    def wrong_code(self, mac: MacAddress, now: Monotonic) -> None:
        """A well-formed code was not valid."""
        self._codes.add_failure(mac, now)

    def mistyped_code(self, mac: MacAddress, now: Monotonic) -> None:
        """A code or card was malformed: a typing error, not a guess."""
        self._slips.add_failure(mac, now)

    def passphrase_wait_s(self, mac: MacAddress, called: str, now: Monotonic, *, is_own: bool) -> int:
        """Seconds until this device may try a passphrase for the name `called`, rounded up; 0 if it may now.
        `is_own`: the device belongs to that account, so attempts by strangers do not delay it."""
        own_ms = max(self._pairs.wait_ms((mac, called), now), self._devices.wait_ms(mac, now))
        return _seconds(own_ms if is_own else max(own_ms, self._strangers.wait_ms(called, now)))

    def wrong_passphrase(self, mac: MacAddress, called: str, now: Monotonic, *, is_own: bool) -> None:
        self._pairs.add_failure((mac, called), now)
        self._devices.add_failure(mac, now)
        if not is_own:
            self._strangers.add_failure(called, now)

    def right_passphrase(self, mac: MacAddress, called: str) -> None:
        """Reset this device's failures for this name; those for other names and of other devices stay."""
        self._pairs.reset((mac, called))


def _seconds(wait_ms: int) -> int:
    return -(-wait_ms // 1000)
