"""Resource limits of clients and connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one listener."""

    connections: int = 12_288
    """At this number the longest idle connection is closed for a new one."""
    connections_per_device: int = 32
    at_work_per_device: int = 4
    """Concurrent requests of one device; more of them wait, while other devices are served."""
    head_bytes: int = 8_000
    head_lines: int = 64
    body_bytes: int = 16_384
    """Enough for the longest text field, in any script."""
    buffered_bytes: int = 4_000_000
    """Of all incomplete requests together."""
    request_s: float = 10.0
    """Seconds for a complete request, from the opening of the connection or its first byte."""
    answer_s: float = 30.0
    """Seconds for the response to be produced and read."""
    idle_s: float = 15.0
    requests: int = 1_000
    """On one connection."""
