"""Intervals differ, within a fifth."""

from mesh.jitter import about


def test_intervals_differ_and_are_a_fifth_shorter_or_longer_at_most() -> None:
    found = {about(30.0) for _ in range(100)}
    assert len(found) > 1
    assert all(24.0 <= each <= 36.0 for each in found)
