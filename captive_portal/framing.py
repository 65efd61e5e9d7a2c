"""What a stranger may take up of the portal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger may take up."""

    connections: int = 12_288
    """When so many stand, the one that has been silent for longest makes room for a new one."""
    connections_per_device: int = 32
    at_work_per_device: int = 4
    """Requests of one device that are worked on in one turn; its others wait, and those of other people go between."""
    head_bytes: int = 8_000
    head_lines: int = 64
    body_bytes: int = 16_384
    """Room for the longest text that a form may bring, in any alphabet."""
    buffered_bytes: int = 4_000_000
    """Of all unfinished requests together."""
    request_s: float = 10.0
    """For the whole request to arrive, from the opening of the connection or its first byte."""
    answer_s: float = 30.0
    """For the answer to be made and taken."""
    idle_s: float = 15.0
    requests: int = 1_000
    """On one connection."""
