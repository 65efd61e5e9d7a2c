"""What is known of the pages of one author without their content, as objects and packed: about 25 bytes a page."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

from mesh.page_format import canonical
from mesh.usage_kind import Cover


@dataclass(frozen=True, slots=True)
class HeldUsage:
    """One page about usage, without its content."""

    seq: int
    digest: str
    day: str
    rows: int
    """How much it counts towards the limits of its author."""
    covers: tuple[Cover, ...] = ()
    """The pages of earlier incarnations that it says are merged."""


type Streams = dict[str, dict[str, HeldUsage]]
"""By incarnation and label."""


def pack(streams: Streams) -> bytes:
    """The inverse of `unpack`."""
    plain = canonical(
        {
            incarnation: [
                [label, held.seq, held.digest, held.rows, *map(list, held.covers)]
                for label, held in pages.items()
            ]
            for incarnation, pages in streams.items()
        }
    )
    return zlib.compress(plain, 1)


def unpack(packed: bytes) -> Streams:
    """The streams that were packed."""
    return {
        incarnation: dict(map(_page, pages))
        for incarnation, pages in json.loads(zlib.decompress(packed)).items()
    }


def _page(fields: list[Any]) -> tuple[str, HeldUsage]:
    label, seq, digest, rows, *covers = fields
    return label, HeldUsage(
        seq, digest, day_of(label), rows, tuple((i, name, upto) for i, name, upto in covers)
    )


def day_of(label: str) -> str:
    """The period of a page with this label."""
    return label.split("/")[1]
