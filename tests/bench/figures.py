"""Figures by name, and the reason for each that could not be taken."""

import statistics
import sys
from collections.abc import Iterable, Sequence

Figure = float | int | None
Figures = dict[str, Figure | str]


def say(text: str) -> None:
    """Progress, for whoever watches."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


def missing(keys: Iterable[str], reason: str) -> Figures:
    """None for each key, with its reason."""
    return {name: value for key in keys for name, value in ((key, None), (f"{key}_reason", reason))}


def median_ratio(ours: Sequence[float], plain: Sequence[float]) -> float:
    """The median over rounds of ours to plain, each round's two taken side by side."""
    return round(statistics.median(a / b for a, b in zip(ours, plain, strict=True)), 3)


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all values stay at or under."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered)) - 1))]


def jain(values: Sequence[float]) -> float:
    """Jain's index: 1 when all are equal, 1/n when one has everything."""
    squares = sum(value * value for value in values)
    return round(sum(values) ** 2 / (len(values) * squares), 4) if squares else 0.0
