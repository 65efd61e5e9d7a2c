"""Meaning of a flow's conntrack mark: 32 bits in three ranges.

- below `STRANGER_FIRST`: the device of an admission (`Admission.mark`); 0 means no device;
- from `STRANGER_FIRST` to `STRANGER_FIRST + STRANGER_NUMBERS - 1`: DNS queries of an unauthorized device, a hash of
  its hardware address (`dns_limits`);
- `ANSWER_AWAITED` added to the first range: a TCP flow whose SYN has not been answered yet (`segment_size`).
"""

STRANGER_FIRST, STRANGER_NUMBERS = 0x4000_0000, 0x3FFF_FFFF
ANSWER_AWAITED = 0x8000_0000
DEVICE_BITS = ANSWER_AWAITED - 1
"""All bits except `ANSWER_AWAITED`."""


def device_mark(mark: int) -> int:
    """The admission mark of a flow; 0 when the flow does not belong to an admitted device."""
    own = mark & DEVICE_BITS
    return own if own < STRANGER_FIRST else 0
