"""Token bucket: a burst, and a steady rate after it (RFC 2697)."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """At most `at_once` tokens; `per_s` more come each second. `since` is when `left` was right, in seconds of the
    caller's clock."""

    at_once: float
    per_s: float
    left: float
    since: float

    @classmethod
    def full(cls, at_once: float, per_s: float, now: float) -> "TokenBucket":
        return cls(at_once, per_s, at_once, now)

    def take(self, now: float, tokens: float = 1) -> bool:
        """Takes `tokens` at `now`; False, and nothing is taken, when fewer are left."""
        self.left = min(self.at_once, self.left + (now - self.since) * self.per_s)
        self.since = now
        may = self.left >= tokens
        if may:
            self.left -= tokens
        return may
