"""Clock synchronization status: what the kernel reports, and what is assumed when it may not be asked."""

from typing import Any

import pytest

from node.clock import STA_UNSYNC, SystemClock


class FakeClockKernel:
    """Answers adjtimex(2); a negative `result` is an error."""

    def __init__(self, result: int, status: int = 0) -> None:
        self.result, self.status = result, status

    def adjtimex(self, reference: Any) -> int:
        if self.result >= 0:
            reference._obj.status = self.status
        return self.result


@pytest.mark.parametrize(
    ("kernel", "state"),
    [
        (FakeClockKernel(0), "synced"),
        (FakeClockKernel(5, STA_UNSYNC), "holdover"),
        (FakeClockKernel(-1), "holdover"),
    ],
    ids=["kept right", "kept right by nobody", "may not be asked"],
)
def test_only_a_clock_that_the_kernel_calls_synchronized_is_synchronized(
    kernel: FakeClockKernel, state: str
) -> None:
    clock = SystemClock()
    clock._libc = kernel
    assert state == clock.state()


def test_a_clock_configured_as_trusted_is_not_checked() -> None:
    clock = SystemClock("trusted")
    clock._libc = FakeClockKernel(-1)
    assert "synced" == clock.state()
