"""The summary of a node: what it was like in its last five minutes, coarse, signed by it, and given to those who ask. See
PROTOCOL.md.

It has no text and nothing about a person. Where fewer than FEW_DEVICES are online it does not say how much is used either,
because that would be what one household does.
"""

import itertools
from dataclasses import astuple, dataclass, fields
from typing import Any

from mesh.page_format import NODE, Malformed, canonical, fits, is_number, list_of, parse_object
from node.identity import SIGNATURE_BYTES, verify
from node.units import NodeId

SUMMARY_KIND = b"summary/1"
"""Context string of the signature."""
SUMMARY_BYTES_MAX = 400
FEW_DEVICES = 5
HOUR_STEPS = 12
"""Of five minutes."""
AGE_S_MAX = 600
VALUES_MAX = 24
"""Also of later versions: those that this one does not know come last, and are ignored."""


@dataclass(frozen=True, slots=True)
class SummaryValues:
    """Means of five minutes, in the order in which they are written. None is not known, and of `used` also not told."""

    devices: int | None = None
    """A multiple of FEW_DEVICES; 0 for fewer."""
    accounts: int | None = None
    """As `devices`."""
    neighbours: int | None = None
    attention: int | None = None
    """How many things there need a person; `mesh.node_kind.ATTENTION_MAX` for more."""
    used_down_percent: int | None = None
    """Of what the line carries."""
    used_up_percent: int | None = None
    carries_down_kbit_per_s: int | None = None
    carries_up_kbit_per_s: int | None = None
    delay_ms: int | None = None
    """Of the line, as `loss_percent`."""
    loss_percent: int | None = None
    lifelines_percent: int | None = None
    """Of the time: in which all were held."""
    processor_percent: int | None = None
    memory_percent: int | None = None
    disk_free_mb: int | None = None


MOST = SummaryValues(9_995, 9_995, 64, 9, 100, 100, 10**8, 10**8, 60_000, 100, 100, 100, 100, 10**8)
"""The greatest value of each."""
_MOST: tuple[int, ...] = astuple(MOST)
VALUES = len(fields(SummaryValues))


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """What one node says of itself."""

    node: NodeId
    values: SummaryValues
    hour_percent: tuple[int | None, ...] = (None,) * HOUR_STEPS
    """Use of the line, download, in each five minutes of the last hour, the newest last. None as in SummaryValues."""
    made_s: int = 0
    """Unix time, for people who read it; 0 while the author does not know it."""


@dataclass(frozen=True, slots=True)
class SignedSummary:
    """A summary as its author signed it, which is forwarded unchanged."""

    summary: NodeSummary
    signed: bytes
    signature: bytes

    def frame(self, age_s: int) -> bytes:
        """As it is sent so long after it was made."""
        return b"\n".join((self.signed, self.signature.hex().encode(), str(min(age_s, AGE_S_MAX)).encode()))


type OwnSummary = tuple[SummaryValues, tuple[int | None, ...]]
"""What a node says of itself: its last five minutes, and `hour_percent`."""


def no_summary() -> OwnSummary:
    """Nothing is known."""
    return SummaryValues(), (None,) * HOUR_STEPS


def summary_text(summary: NodeSummary) -> bytes:
    """What its author signs."""
    return canonical(
        {
            "hour": _numbers(summary.hour_percent),
            "is": "summary",
            "made": summary.made_s,
            "node": summary.node,
            "values": _numbers(astuple(summary.values)),
        }
    )


def read_summary(frame: bytes) -> tuple[SignedSummary, int] | Malformed:
    """A frame with the mark of a summary, and its age in seconds. The signature is not verified yet: `is_genuine`."""
    lines = frame.split(b"\n")
    if len(frame) > SUMMARY_BYTES_MAX or len(lines) != 3:
        return Malformed(f"not three lines of at most {SUMMARY_BYTES_MAX} bytes together")
    said, signature, age_s = _said(lines[0]), _signature(lines[1]), _age_s(lines[2])
    if isinstance(said, Malformed):
        return said
    if signature is None or age_s is None:
        return Malformed("no signature in hexadecimal, or no age in seconds")
    return SignedSummary(said, lines[0], signature), age_s


def is_genuine(signed: SignedSummary) -> bool:
    """Whether the node that it is about signed it."""
    return verify(signed.summary.node, SUMMARY_KIND, signed.signed, signed.signature)


def _said(line: bytes) -> NodeSummary | Malformed:
    said = parse_object(line)
    if isinstance(said, Malformed):
        return said
    node, made = said.get("node"), said.get("made")
    if said.get("is") != "summary" or not fits(node, NODE) or not is_number(made):
        return Malformed("a summary without node and made")
    values, hour = list_of(said.get("values"), VALUES_MAX), list_of(said.get("hour"), HOUR_STEPS)
    if values is None or len(values) < VALUES or not _are_in_range(values, _MOST):
        return Malformed("values that are missing or out of range")
    if any(value > 0 and value % FEW_DEVICES for value in values[:2]):
        return Malformed(f"people who are not counted in steps of {FEW_DEVICES}")
    if hour is None or len(hour) != HOUR_STEPS or not _are_in_range(hour, (100,) * HOUR_STEPS):
        return Malformed(f"an hour that is not {HOUR_STEPS} percentages")
    return NodeSummary(NodeId(node), SummaryValues(*_known(values[:VALUES])), _known(hour), made)


def _are_in_range(numbers: list[Any], most: tuple[int, ...]) -> bool:
    """-1 is what is not known."""
    limits = itertools.chain(most, itertools.repeat(10**9))
    return all(
        type(each) is int and -1 <= each <= limit for each, limit in zip(numbers, limits, strict=False)
    )


def _numbers(values: tuple[int | None, ...]) -> list[int]:
    return [-1 if value is None else value for value in values]


def _known(numbers: list[int]) -> tuple[int | None, ...]:
    return tuple(None if number < 0 else number for number in numbers)


def _signature(line: bytes) -> bytes | None:
    try:
        found = bytes.fromhex(line.decode("ascii"))
    except ValueError:
        return None
    return found if len(found) == SIGNATURE_BYTES and found.hex().encode() == line else None


def _age_s(line: bytes) -> int | None:
    is_written = 0 < len(line) <= 3 and line.isdigit() and (line == b"0" or line[:1] != b"0")
    return int(line) if is_written and int(line) <= AGE_S_MAX else None
