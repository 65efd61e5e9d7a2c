"""Paces a number of events per second, in small portions, until the time is over."""

import time
from collections.abc import Iterator

TURN_S = 0.02
BEHIND_S = 0.5
"""Of a longer delay only this much is made up for."""


def portions(per_second: float, seconds: float) -> Iterator[int]:
    """The number of events due now; sleeps between portions. The sum is at most `per_second` times `seconds`."""
    began = then = time.monotonic()
    owed = 0.0
    while (now := time.monotonic()) < began + seconds:
        owed += per_second * min(now - then, BEHIND_S)
        then = now
        yield int(owed)
        owed -= int(owed)
        time.sleep(max(0.0, min(TURN_S, began + seconds - time.monotonic())))
