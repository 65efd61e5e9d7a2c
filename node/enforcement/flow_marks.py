"""What the mark of a flow in connection tracking means: 32 bits, in three ranges.

- below `STRANGER_FIRST`: the device of an admission (`Admission.mark`); 0 is nobody's;
- from there to `STRANGER_FIRST + STRANGER_NUMBERS - 1`: questions for names of a device that is not admitted, a hash of
  its hardware address (`dns_limits`);
- `ANSWER_AWAITED` added to the first: a TCP flow whose SYN has had no answer yet (`segment_size`).
"""

STRANGER_FIRST, STRANGER_NUMBERS = 0x4000_0000, 0x3FFF_FFFF
ANSWER_AWAITED = 0x8000_0000
DEVICE_BITS = ANSWER_AWAITED - 1
"""All but `ANSWER_AWAITED`."""


def device_mark(mark: int) -> int:
    """The mark of the admission that a flow belongs to; 0 for flows of nobody who is admitted."""
    own = mark & DEVICE_BITS
    return own if own < STRANGER_FIRST else 0
