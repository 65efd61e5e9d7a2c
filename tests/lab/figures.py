"""The figures of the demonstration, the target of each, and how they are computed."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Sample = Sequence[float]
"""(seconds since the start, IP bytes received, IP bytes sent); both byte counts are cumulative."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of the JSON object and its bound; None if it has no target."""

    key: str
    says: str
    met: Callable[[float], bool] | None = None


TARGETS = (
    Target("captured_v4", "every device is captured over IPv4", bool),
    Target("captured_v6", "every device is captured over IPv6", bool),
    Target("leaked_bytes_before_admission", "0 bytes pass before admission", lambda value: value == 0),
    Target("admit_ms_p50", "from accepting to the first packet through, median"),
    Target("admit_ms_p95", "at most 50 ms from accepting to the first packet", lambda value: value <= 50),
    Target("ceiling_error_percent", "a ceiling of 10 Mbit/s within 5 %", lambda value: abs(value) <= 5),
    Target("weighted_jain", "fairness by weight of at least 0.98", lambda value: value >= 0.98),
    Target("uplink_use_percent", "at least 97 % of what is shared out used", lambda value: value >= 97),
    Target("kill9_flow_interrupted_ms", "no silence over 200 ms", lambda value: value <= 200),
    Target("kill9_bytes_lost", "0 bytes lost by the books", lambda value: value == 0),
    Target("peer_discovery_s", "the second router found within 5 s", lambda value: value <= 5),
    Target("peer_allowance_s", "a used up allowance counts elsewhere within 5 s", lambda value: value <= 5),
)


@dataclass
class Figures:
    """The figures of one run; a missing one has a reason."""

    values: dict[str, float | bool] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def took(self, **figures: float | bool) -> None:
        self.values |= figures

    def missed(self, reason: str, *keys: str) -> None:
        """Sets the reason for figures that could not be measured; existing figures stay."""
        self.reasons |= {key: reason for key in keys if key not in self.values}

    def document(self) -> dict[str, object]:
        """The JSON object: every key, null and a reason for each missing figure, and whether all targets are met."""
        made: dict[str, object] = {}
        for target in TARGETS:
            made[target.key] = self.values.get(target.key)
            if target.key not in self.values:
                made[f"{target.key}_reason"] = self.reasons.get(
                    target.key, "the run ended before it was measured"
                )
        made["ok"] = not self.unmet()
        return made

    def unmet(self) -> list[str]:
        """Sentences for the targets that this run did not meet."""
        found = []
        for target in TARGETS:
            value = self.values.get(target.key)
            if value is None:
                found.append(f"{target.key} was not taken (wanted: {target.says})")
            elif target.met is not None and not target.met(value):
                found.append(f"{target.key} is {value} (wanted: {target.says})")
        return found


def bits_per_second(samples: Sequence[Sample], skip_s: float, end_s: float = math.inf) -> float:
    """Mean receive rate between `skip_s` and `end_s`, both in seconds after the start."""
    inside = [sample for sample in samples if skip_s <= sample[0] <= end_s]
    if len(inside) < 2:
        raise ValueError("too few samples to tell a rate")
    first, last = inside[0], inside[-1]
    return (last[1] - first[1]) * 8 / (last[0] - first[0])


def weighted_jain(rates: Mapping[str, float], weights: Mapping[str, int]) -> float:
    """Jain's index of rate over weight: 1 if all have exactly their share."""
    shares = [rate / weights[name] for name, rate in rates.items()]
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def percentile(values: Sequence[float], percent: int) -> float:
    """Percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def settles_below(samples: Sequence[Sample], bound_bits: float, window_s: float = 0.5) -> float | None:
    """Seconds after the start from which no later window exceeds `bound_bits`; None if there is no such time."""
    since: float | None = None
    for begin, sample in enumerate(samples):
        end = next((later for later in samples[begin + 1 :] if later[0] - sample[0] >= window_s), None)
        if end is None:
            break
        rate = (end[1] - sample[1]) * 8 / (end[0] - sample[0])
        if rate > bound_bits:
            since = None
        elif since is None:
            since = sample[0]
    return since
