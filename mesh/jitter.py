"""Intervals that differ a little, so that not all nodes do the same at once after a power cut."""

import random


def about(seconds: float) -> float:
    """At random between 0.8 and 1.2 times as long."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311
