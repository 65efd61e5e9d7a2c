"""What this node says of its last five minutes to nodes of its community that ask: from its history, and so coarse that no
person's act shows."""

from collections.abc import Callable, Iterator
from typing import Protocol

from mesh.coarse import coarse_loss_percent, coarse_round_trip_ms
from mesh.node_kind import ATTENTION_MAX
from mesh.node_summary import FEW_DEVICES, HOUR_STEPS, MOST, OwnSummary, SummaryValues, no_summary
from node.history.roll_ups import FIVE_MINUTES_S, HOUR_S, RECENT_S
from node.history.window import HistoryWindow, Point, mean_of

USE_STEP_PERCENT = 5
STEPS = FIVE_MINUTES_S // RECENT_S

type RecentWindow = Callable[[str, int, int], HistoryWindow]
"""Ten-second steps of a series between two Unix times of the last hour; it never waits."""


class RecentHistory(Protocol):
    """The history of this node."""

    def now_s(self) -> int | None: ...

    def recent(self, name: str, begin_s: int, end_s: int) -> HistoryWindow: ...


def summary_of(history: RecentHistory, attention: int) -> OwnSummary:
    """As `own_summary`, now."""
    return own_summary(history.recent, history.now_s(), attention)


def own_summary(recent: RecentWindow, now_s: int | None, attention: int) -> OwnSummary:
    """`now_s`: None while the clock is not known: then there is no history. `attention`: things that need a person."""
    if now_s is None:
        values, hour_percent = no_summary()
        return SummaryValues(attention=min(attention, ATTENTION_MAX)), hour_percent
    end_s = now_s // RECENT_S * RECENT_S
    last = _LastMinutes(recent, end_s)
    devices = last.people("devices")
    is_told = bool(devices)
    values = SummaryValues(
        devices=devices,
        accounts=last.people("accounts"),
        neighbours=_at_most(last.mean("neighbours"), MOST.neighbours),
        attention=min(attention, ATTENTION_MAX),
        used_down_percent=last.use("down") if is_told else None,
        used_up_percent=last.use("up") if is_told else None,
        carries_down_kbit_per_s=_rate(last.mean("line_rate_down")),
        carries_up_kbit_per_s=_rate(last.mean("line_rate_up")),
        delay_ms=_at_most(_coarse_delay(last.mean("line_delay")), MOST.delay_ms),
        loss_percent=_coarse_loss(last.mean("line_loss")),
        lifelines_percent=_percent(last.mean("lifelines_held")),
        processor_percent=_percent(last.mean("processor")),
        memory_percent=_percent(last.mean("memory")),
        disk_free_mb=_room(last.mean("disk_free")),
    )
    return values, tuple(_hour(recent, end_s))


class _LastMinutes:
    """Means of the last five minutes."""

    def __init__(self, recent: RecentWindow, end_s: int) -> None:
        self._recent, self._end_s = recent, end_s

    def window(self, series: str) -> HistoryWindow:
        return self._recent(series, self._end_s - FIVE_MINUTES_S, self._end_s)

    def mean(self, series: str) -> int | None:
        return self.window(series).mean

    def people(self, series: str) -> int | None:
        """A multiple of FEW_DEVICES; 0 if there were fewer at any time."""
        window = self.window(series)
        if window.mean is None:
            return None
        is_few = _least(window.points) < FEW_DEVICES
        return 0 if is_few else _at_most(window.mean // FEW_DEVICES * FEW_DEVICES, MOST.devices)

    def use(self, direction: str) -> int | None:
        return _use_percent(self.mean(f"line_{direction}"), self.mean(f"line_rate_{direction}"))


def _hour(recent: RecentWindow, end_s: int) -> Iterator[int | None]:
    """Use of the line in each five minutes, where there were enough devices all the time."""
    series = ("devices", "line_down", "line_rate_down")
    devices, used, carries = (recent(each, end_s - HOUR_S, end_s).points for each in series)
    for begin in range(0, HOUR_STEPS * STEPS, STEPS):
        present = devices[begin : begin + STEPS]
        is_told = any(present) and _least(present) >= FEW_DEVICES
        means = mean_of(used[begin : begin + STEPS]), mean_of(carries[begin : begin + STEPS])
        yield _use_percent(*means) if is_told else None


def _least(points: tuple[Point | None, ...]) -> int:
    return min((each.least for each in points if each is not None), default=0)


def _use_percent(used: int | None, carries: int | None) -> int | None:
    if used is None or not carries:
        return None
    return min(100, (100 * used // carries + USE_STEP_PERCENT // 2) // USE_STEP_PERCENT * USE_STEP_PERCENT)


def two_digits(number: int) -> int:
    """Rounded down to its first two digits."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return number // unit * unit


def _rate(bit_per_s: int | None) -> int | None:
    return (
        None if bit_per_s is None else _at_most(two_digits(bit_per_s // 1_000), MOST.carries_down_kbit_per_s)
    )


def _room(octets: int | None) -> int | None:
    return None if octets is None else _at_most(two_digits(octets // 10**6), MOST.disk_free_mb)


def _percent(permille: int | None) -> int | None:
    """Rounded down, so that what held nearly always did not always."""
    return None if permille is None else min(100, permille // 10)


def _coarse_delay(delay_ms: int | None) -> int | None:
    return None if delay_ms is None else coarse_round_trip_ms(delay_ms, None)


def _coarse_loss(permille: int | None) -> int | None:
    return None if permille is None else coarse_loss_percent(permille / 10, 0 if permille < 10 else None)


def _at_most(value: int | None, most: int | None) -> int | None:
    return value if value is None or most is None else min(value, most)
