"""How often somebody may guess before they wait: limits that nobody can turn against somebody else.

Codes. Wrong ones are counted for each device alone: five in ten minutes, then the device waits one minute, and twice
as long after each further five, up to an hour. So one device guesses 30 times in its first hour and 5 times in each
later one: with 50,000 vouchers of 55 bits it finds one within an hour with probability 2**-34, within a year with
2**-24. Who changes the hardware address with every guess is bound by no such limit, only by the code: ten guesses a
second for an hour find one of 50,000 vouchers with probability 2**-24, one of 960 with 2**-30. Codes that only fail
their check character cost nobody a guess, as they cannot be right; thirty in ten minutes make the device wait, too.

Passphrases. Wrong ones are counted for each pair of device and name in the same way, and for each name over all
strangers: twenty in ten minutes, then devices that do not belong to the account wait ten minutes, and twice as long
after each further twenty, up to an hour: strangers together try 600 passphrases of a name on the first day. Names count
as they were typed, and an account has two at most: nobody learns from a wait which names mean one member. A device that
tries many names waits as well: after twenty mistakes in ten minutes, a minute at first. An account is never locked: its
own devices wait only for their own mistakes.

Everything is counted in memory, by typed events. What is dropped for lack of room is always whoever failed longest
ago, and dropping makes nobody wait.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from node.units import MacAddress, Milliseconds, Monotonic

WINDOW = Milliseconds(10 * 60_000)
WAIT_LONGEST = Milliseconds(3_600_000)
FORGIVEN_AFTER = Milliseconds(6 * 3_600_000)
"""Without a mistake; then waits begin with the shortest again."""
DEVICES_COUNTED_MAX = 10_000
NAMES_COUNTED_MAX = 20_000
"""More than passphrases can be checked in WINDOW, one at a time: no count is pushed out while it matters."""


@dataclass(frozen=True, slots=True)
class FailedAttempts:
    """Mistakes of one kind by one party."""

    count: int
    since: Monotonic
    """When the first of them was made."""
    last: Monotonic
    waits: int = 0
    """How many waits there were."""
    until: Monotonic | None = None
    """None before the first wait."""


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """How many mistakes in WINDOW make one wait, and how long the first wait is."""

    mistakes: int
    first_wait: Milliseconds


CODE_THROTTLE = ThrottlePolicy(5, Milliseconds(60_000))
MISTYPED_THROTTLE = ThrottlePolicy(30, Milliseconds(60_000))
PASSPHRASE_THROTTLE = ThrottlePolicy(5, Milliseconds(60_000))
DEVICE_THROTTLE = ThrottlePolicy(20, Milliseconds(60_000))
"""Of one device over all names: each check takes the node's time, and others wait for it."""
STRANGERS_THROTTLE = ThrottlePolicy(20, Milliseconds(10 * 60_000))


def after_failure(before: FailedAttempts | None, policy: ThrottlePolicy, now: Monotonic) -> FailedAttempts:
    """After one more mistake."""
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
    """Mistakes of many parties of one kind; whoever failed longest ago is dropped first."""

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
        """Until the next try counts; 0 for at once."""
        failures = self._failures.get(party)
        until = None if failures is None else failures.until
        return 0 if until is None else max(0, until - now)


class LoginThrottle:
    """What the register asks before it looks at a code or a passphrase, and tells when it was wrong."""

    def __init__(self) -> None:
        self._codes: AttemptCounter[MacAddress] = AttemptCounter(CODE_THROTTLE, DEVICES_COUNTED_MAX)
        self._slips: AttemptCounter[MacAddress] = AttemptCounter(MISTYPED_THROTTLE, DEVICES_COUNTED_MAX)
        self._pairs: AttemptCounter[tuple[MacAddress, str]] = AttemptCounter(
            PASSPHRASE_THROTTLE, NAMES_COUNTED_MAX
        )
        self._devices: AttemptCounter[MacAddress] = AttemptCounter(DEVICE_THROTTLE, DEVICES_COUNTED_MAX)
        self._strangers: AttemptCounter[str] = AttemptCounter(STRANGERS_THROTTLE, NAMES_COUNTED_MAX)

    def code_wait_s(self, mac: MacAddress, now: Monotonic) -> int:
        """Seconds until this device may try a code or card again, rounded up; 0 for at once."""
        return _seconds(max(self._codes.wait_ms(mac, now), self._slips.wait_ms(mac, now)))

    def wrong_code(self, mac: MacAddress, now: Monotonic) -> None:
        """A code that could be right was not."""
        self._codes.add_failure(mac, now)

    def mistyped_code(self, mac: MacAddress, now: Monotonic) -> None:
        """A code or card that nobody can have meant as a guess."""
        self._slips.add_failure(mac, now)

    def passphrase_wait_s(self, mac: MacAddress, called: str, now: Monotonic, *, is_own: bool) -> int:
        """Seconds until a passphrase of who is `called` so may be tried from this device, rounded up; 0 for at once.
        `is_own`: the device belongs to that account, and so does not wait for what strangers did."""
        own_ms = max(self._pairs.wait_ms((mac, called), now), self._devices.wait_ms(mac, now))
        return _seconds(own_ms if is_own else max(own_ms, self._strangers.wait_ms(called, now)))

    def wrong_passphrase(self, mac: MacAddress, called: str, now: Monotonic, *, is_own: bool) -> None:
        self._pairs.add_failure((mac, called), now)
        self._devices.add_failure(mac, now)
        if not is_own:
            self._strangers.add_failure(called, now)

    def right_passphrase(self, mac: MacAddress, called: str) -> None:
        """This device's mistakes at this name are forgiven; those at other names, and of others, are not."""
        self._pairs.reset((mac, called))


def _seconds(wait_ms: int) -> int:
    return -(-wait_ms // 1000)
