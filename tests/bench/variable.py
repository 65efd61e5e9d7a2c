"""A line whose rate changes, with a bloated modem, 24 accounts at full rate and a light one: the delay that is added to
the light one, and how much of what the line carried is used; with the rate measured, with a fixed one, and with none."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import fairness
from tests.bench.fairness import LIFELINE_DOWN, LIFELINE_UP, held_percent, means, members
from tests.bench.figures import Figures, missing, say
from tests.bench.latency import (
    ACCOUNTS,
    BOTH,
    LINE_BITS,
    MODEM_BYTES,
    BloatedLine,
    RoundTrips,
    added,
    reported,
)
from tests.bench.latency import fairness as jain_of
from tests.bench.line_trace import ChangingModem, LineTrace, read_trace
from tests.bench.single_router import SingleRouter
from tests.lab.netns import Lab
from tests.lab.village import Modem

KEYS = (
    "slow_light_added_ms_p50",
    "slow_light_added_ms_p95",
    "slow_use_percent",
    "hard_light_added_ms_p50",
    "hard_light_added_ms_p95",
    "hard_use_percent",
    "one_way_light_added_ms_p95",
    "one_way_use_percent",
    "steady_light_added_ms_p95",
    "steady_use_percent",
    "dead_recovered_s",
    "weighted_jain",
    "lifeline_held_percent",
    "cpu_percent",
    "fixed_slow_light_added_ms_p95",
    "fixed_slow_use_percent",
    "fixed_hard_light_added_ms_p50",
    "fixed_hard_use_percent",
    "none_slow_light_added_ms_p95",
    "none_hard_light_added_ms_p50",
)
SETTLE_S, SECONDS, OTHER_SECONDS = 5, 35, 20
DEAD_SECONDS = 20
RECOVERED_PERMILLE = 700
"""Of what the line carries: the outage is over for people when they get so much again."""


@dataclass(frozen=True, slots=True)
class TraceResult:
    """One direction of one trace."""

    trips: RoundTrips
    rates: list[list[float]]
    use_percent: float
    cpu_percent: float
    """Of one core, of the daemon."""


def rules(*, is_measured: bool) -> str:
    more = 'rate = "measured"\nleast = "1 Mbit/s down, 1 Mbit/s up"\n' if is_measured else ""
    return fairness.rules(LINE_BITS).replace("[charter]", f"{more}[charter]")


class VariableLine:
    """A router behind a modem whose rate follows traces."""

    def __init__(self, lab: Lab) -> None:
        modem = Modem(LINE_BITS, MODEM_BYTES)
        self.place = SingleRouter(lab, modem)
        assert self.place.modem is not None
        self.line = BloatedLine(self.place)
        self.modem = ChangingModem(self.place.modem, modem)
        self.place.furnish(rules=rules(is_measured=True), members=members(self.line.people.devices))

    def start(self, *, is_measured: bool) -> None:
        self.place.router.rules.write_text(rules(is_measured=is_measured))
        self.place.router.start()
        time.sleep(1)

    def stop(self) -> None:
        """The devices stay admitted, and the queues with the last rates."""
        assert self.place.router.daemon is not None
        self.place.router.daemon.stop()

    def follow(self, trace: LineTrace, *, upwards: bool, seconds: int = SECONDS) -> TraceResult:
        self.modem.begin(trace)
        before = self._cpu_s()
        trips, rates = self.line.load(upwards=upwards, settle=SETTLE_S, seconds=seconds)
        after = self._cpu_s()
        carried = trace.capacity(SETTLE_S, SETTLE_S + seconds, upwards=upwards)
        use = 100 * sum(means(rates)) / carried
        reported(f"{trace.name}, {'up' if upwards else 'down'}: {use:.1f} % of what it carried", trips, rates)
        self.modem.stop()
        return TraceResult(trips, rates, use, 100 * (after - before) / (SETTLE_S + seconds))

    def _cpu_s(self) -> float:
        daemon = self.place.router.daemon
        return cpu_s(daemon.pid) if daemon is not None and daemon.is_alive() else 0.0

    def close(self) -> None:
        self.modem.close()
        self.line.people.close()


def cpu_s(pid: int) -> float:
    """Processor time of a process until now, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def use_of(results: Sequence[TraceResult]) -> float:
    return round(min(each.use_percent for each in results), 1)


def recovered(key: str, rates: list[list[float]], trace: LineTrace) -> Figures:
    """From the beginning of the trace's last rate, which ends the outage, to the end of the first second that carried
    enough: a whole number of seconds, so up to one too many."""
    ended = trace.points[-1]
    for number, second in enumerate(rates):
        begins = SETTLE_S + number
        if begins >= ended.at_s and 1000 * sum(second) >= RECOVERED_PERMILLE * ended.down:
            return {key: begins + 1 - ended.at_s}
    return missing([key], "the line was not used again after the outage")


def _light(key: str, results: Sequence[TraceResult], idle: RoundTrips, part: float) -> Figures:
    return added(key, [each.trips for each in results], idle, part)


def measure() -> Figures:
    with Lab("bench") as lab:
        line = VariableLine(lab)
        line.start(is_measured=True)
        line.line.people.let_in(ACCOUNTS)
        idle = line.line.idle()
        traces = {name: read_trace(name) for name in ("steady", "slow", "hard", "one_way", "dead")}
        slow, hard, steady = (
            [line.follow(traces[name], upwards=upwards) for upwards in BOTH]
            for name in ("slow", "hard", "steady")
        )
        one_way = [line.follow(traces["one_way"], upwards=True)]
        dead = line.follow(traces["dead"], upwards=False, seconds=DEAD_SECONDS)
        line.stop()
        say("a fixed rate")
        line.start(is_measured=False)
        fixed_slow, fixed_hard = (
            [line.follow(traces[name], upwards=upwards, seconds=OTHER_SECONDS) for upwards in BOTH]
            for name in ("slow", "hard")
        )
        line.stop()
        say("no shaping")
        line.line.remove_queues()
        none_slow, none_hard = (
            [line.follow(traces[name], upwards=upwards, seconds=OTHER_SECONDS) for upwards in BOTH]
            for name in ("slow", "hard")
        )
        line.close()
    measured = [*slow, *hard]
    return {
        **_light("slow_light_added_ms_p50", slow, idle, 0.5),
        **_light("slow_light_added_ms_p95", slow, idle, 0.95),
        "slow_use_percent": use_of(slow),
        **_light("hard_light_added_ms_p50", hard, idle, 0.5),
        **_light("hard_light_added_ms_p95", hard, idle, 0.95),
        "hard_use_percent": use_of(hard),
        **_light("one_way_light_added_ms_p95", one_way, idle, 0.95),
        "one_way_use_percent": use_of(one_way),
        **_light("steady_light_added_ms_p95", steady, idle, 0.95),
        "steady_use_percent": use_of(steady),
        **recovered("dead_recovered_s", dead.rates, traces["dead"]),
        "weighted_jain": min(jain_of(each.rates) for each in measured),
        # What the slow trace carries is always enough for all lifelines; the hard one's is not.
        "lifeline_held_percent": min(
            held_percent(each.rates, lifeline)
            for each, lifeline in zip(slow, (LIFELINE_DOWN, LIFELINE_UP), strict=True)
        ),
        # A fixed rate is watched by probes too: this is what following the line takes beyond that, at most.
        "cpu_percent": round(
            max(each.cpu_percent for each in measured)
            - min(each.cpu_percent for each in (*fixed_slow, *fixed_hard)),
            2,
        ),
        **_light("fixed_slow_light_added_ms_p95", fixed_slow, idle, 0.95),
        "fixed_slow_use_percent": use_of(fixed_slow),
        **_light("fixed_hard_light_added_ms_p50", fixed_hard, idle, 0.5),
        "fixed_hard_use_percent": use_of(fixed_hard),
        **_light("none_slow_light_added_ms_p95", none_slow, idle, 0.95),
        **_light("none_hard_light_added_ms_p50", none_hard, idle, 0.5),
    }
