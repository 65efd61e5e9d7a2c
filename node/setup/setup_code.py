"""The one-time code that shows that a person has this machine at hand: without it nobody sets the node up.

A code has 40 random bits. All clients together have ten attempts a second: in a day they find it with probability 2**-20.
A client that is wrong five times waits ten seconds, and twice as long after each further five. So a client with all 253
addresses of a port has used them up within half an hour, and the person with the right code comes in; with fewer attempts
for all, it could take them from others for days. The code itself never stops working.

It is stored as it is, readable by root only: it must be shown again after a restart, and of 40 bits a hash hides little.
"""

import hmac
from dataclasses import dataclass
from typing import Literal

from node.accounts.codes import ALPHABET, Mistyped, read_letters
from node.accounts.login_throttle import AttemptCounter, ThrottlePolicy
from node.rate_limit import TokenBucket
from node.units import Milliseconds, Monotonic

CODE_CHARS = 8
CODE_RANDOM_BYTES = 5
ATTEMPTS_AT_ONCE, ATTEMPTS_PER_S = 10, 10
"""Of all clients together."""
CLIENT_THROTTLE = ThrottlePolicy(5, Milliseconds(10_000))
CLIENTS_COUNTED_MAX = 1_000
_GROUP = 4


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """What came of one attempt."""

    result: Literal["right", "wrong", "mistyped", "wait"]
    wait_s: int = 0
    """Until this client may try again."""


def make_setup_code(random_bytes: bytes) -> str:
    """A code from CODE_RANDOM_BYTES random bytes, without the dash."""
    assert len(random_bytes) == CODE_RANDOM_BYTES, "five bits for each character"
    number = int.from_bytes(random_bytes, "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(CODE_CHARS))


def shown_code(code: str) -> str:
    """In two groups, for reading: ``7K3M-9Q2W``."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def read_setup_code(typed: str) -> str | None:
    """A typed, scanned or stored code in canonical spelling; None for a text that cannot be one."""
    letters = read_letters(typed)
    return None if isinstance(letters, Mistyped) or len(letters) != CODE_CHARS else letters


class CodeCheck:
    """Compares attempts with the node's code, within the limits above."""

    def __init__(self, code: str, now: Monotonic) -> None:
        self._code = code
        self._all = TokenBucket(ATTEMPTS_AT_ONCE, ATTEMPTS_PER_S, now / 1_000)
        self._clients: AttemptCounter[str] = AttemptCounter(CLIENT_THROTTLE, CLIENTS_COUNTED_MAX)

    def attempt(self, typed: str, client: str, now: Monotonic) -> CodeAttempt:
        """`client` is an address or network. A text that cannot be a code is a typing error and counts as no attempt."""
        code = read_setup_code(typed)
        if code is None:
            return CodeAttempt("mistyped")
        wait_ms = self._clients.wait_ms(client, now)
        if wait_ms:
            return CodeAttempt("wait", -(-wait_ms // 1_000))
        if not self._all.take(now / 1_000):
            return CodeAttempt("wait", 1)
        if hmac.compare_digest(code, self._code):
            self._clients.reset(client)
            return CodeAttempt("right")
        self._clients.add_failure(client, now)
        return CodeAttempt("wrong")
