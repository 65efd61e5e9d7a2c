"""Clock synchronization status: what the kernel reports, and what is assumed when it may not be asked."""

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from node import clock as clock_module
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


class NeverSet(datetime):
    """The date that a board without a clock shows after it was switched on."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "NeverSet":
        return cls(1970, 1, 1, 0, 5, tzinfo=tz)


NOON_S = 1_795_608_000


def test_a_clock_that_was_never_set_takes_the_time_of_neighbours_and_never_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "datetime", NeverSet)
    clock = SystemClock()
    assert ("unknown", None, "unknown") == (clock.state(), clock.told(), clock.today())
    clock.learn(NOON_S, 2)
    assert ("holdover", "2026-11-25") == (clock.state(), clock.today())
    told = clock.told()
    assert told is not None
    assert (True, 2) == (0 <= told[0] - NOON_S <= 2, told[1])
    clock.learn(NOON_S - 86_400, 1)
    assert clock.civil().timestamp() >= NOON_S
    clock.learn(NOON_S + 86_400, 1)
    assert "2026-11-26" == clock.today()


def test_a_clock_that_was_set_listens_to_no_neighbour() -> None:
    clock = SystemClock("trusted")
    before = clock.civil()
    clock.learn(NOON_S + 10**8, 0)
    assert not clock.is_needed
    assert clock.civil() - before < timedelta(minutes=1)
    told = clock.told()
    assert told is not None
    assert 0 == told[1]


def test_a_clock_that_is_not_synchronized_is_no_source_for_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    monkeypatch.setattr(clock, "_kernel_is_synced", lambda: False)
    assert clock.told() is None


def test_the_time_zone_is_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert UTC is clock_module.local_zone(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").write_bytes(b"no zone")
    assert UTC is clock_module.local_zone(tmp_path)
    (tmp_path / "etc/localtime").unlink()
    (tmp_path / "etc/localtime").symlink_to(Path("/usr/share/zoneinfo/Asia/Kathmandu"))
    assert "Asia/Kathmandu" == str(clock_module.local_zone(tmp_path))
    nepal = datetime(2026, 11, 30, tzinfo=clock_module.local_zone(tmp_path)).utcoffset()
    assert timedelta(hours=5, minutes=45) == nepal
    (tmp_path / "etc/localtime").unlink()
    (tmp_path / "etc/localtime").write_bytes(Path("/usr/share/zoneinfo/Asia/Kathmandu").read_bytes())
    copied = clock_module.local_zone(tmp_path)
    assert isinstance(copied, ZoneInfo)
    assert copied.key is None, "a copy has no name"
    assert timedelta(hours=5, minutes=45) == datetime(2026, 11, 30, tzinfo=copied).utcoffset()
    monkeypatch.setenv("TZ", "Europe/Madrid")
    assert "Europe/Madrid" == str(clock_module.local_zone(tmp_path))
    monkeypatch.setenv("TZ", "Nowhere/None")
    assert UTC is clock_module.local_zone(tmp_path)
