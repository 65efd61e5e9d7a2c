"""Shares what the uplink carries now, where the rules say that its rate is measured; elsewhere watches whether the line
carries what they state."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from node.control.effective_policy import EffectivePolicy
from node.control.ports import Clock, Prober
from node.enforcement.plan import Kernel
from node.errors import KernelRefused
from node.governance.rules import Ruleset
from node.units import BitsPerSecond, Microseconds, Rates
from node.uplink import line
from node.uplink.autorate import Direction, UplinkRange
from node.uplink.line import Knowledge, LineState
from node.uplink.probe_counts import ProbeCounts

log = logging.getLogger(__name__)

STEP_S = 0.1
"""The queues follow at most ten times a second."""
LOOK_S = 1.0
"""How often the rules are looked at while they state no rate."""
WATCH_STEPS = 5
"""A line with a stated rate is looked at once in so many steps: nothing follows it."""
SLOW_US, SLOW_WAIT_US = 10_000_000, 50_000
"""A line with a stated rate carries less than that when packets have waited in its own queue for so long, each by so
much."""
CHANGE_PERMILLE = 10
"""Smaller changes of a rate wait until there are more of them: each costs a call of the kernel."""

_SAID: dict[Knowledge, str] = {
    "known": "the uplink's rate is measured",
    "guess": "the uplink's rate is not known yet: until packets are delayed, the stated rate is the best guess",
    "blind": "the uplink's rate cannot be measured: no probe is answered, or delays do not follow the rate; the stated rate "
    "is shared",
}


class UplinkRateControl:
    """Owned by the control loop. `run` returns only when it is cancelled."""

    def __init__(
        self,
        kernel: Kernel,
        clock: Clock,
        prober: Prober,
        *,
        policy: EffectivePolicy,
        resync: Callable[[], object],
        step_s: float = STEP_S,
    ) -> None:
        """`resync` is called when the kernel refused a rate."""
        self._kernel, self._clock, self._prober = kernel, clock, prober
        self._policy, self._resync = policy, resync
        self._step_s = step_s
        self._line: LineState | None = None
        self._range: UplinkRange | None = None
        self._set: Rates | Literal["unknown"] | None = "unknown"
        """What the kernel was told last; it may have been told something else before `run` was called again."""
        self.probes = ProbeCounts()
        self.slowest: Mapping[Direction, BitsPerSecond] = {}
        """What the line carried at least in nine tenths of the last 14 days, by direction; set by `CapacityRecorder`."""

    @property
    def knowledge(self) -> Knowledge | None:
        """How the rate is known that is shared now; None while it is the stated one."""
        return None if self._line is None or self._policy.measured is None else self._line.knowledge

    @property
    def measured_line(self) -> LineState | None:
        """The line as it is now; None while its rate is the stated one."""
        return None if self._policy.measured is None else self._line

    @property
    def waits_ms(self) -> int | None:
        """How long packets wait in the own queue of a line whose rate is stated: it carries less than that. None while
        nothing shows it."""
        line_ = self._line
        if line_ is None or self._policy.measured is not None or line_.waits_since is None:
            return None
        if self._now() - line_.waits_since < SLOW_US or line_.waits_us < SLOW_WAIT_US:
            return None
        return line_.waits_us // 1000

    async def run(self, applier: ThreadPoolExecutor) -> None:
        self._set = "unknown"
        try:
            while True:
                ruleset = self._policy.active_ruleset.own
                wanted, is_measured = uplink_range(ruleset), ruleset.measured is not None
                if wanted != self._range:
                    self._begin(wanted)
                if wanted is not None:
                    self._step(wanted, is_measured=is_measured)
                await self._follow(applier, is_measured=is_measured)
                pause = self._step_s if is_measured else self._step_s * WATCH_STEPS
                await asyncio.sleep(LOOK_S if wanted is None else pause)
        finally:
            self._prober.close()

    def _begin(self, wanted: UplinkRange | None) -> None:
        self._range = wanted
        self._line = None if wanted is None else line.begin(wanted, self._now())
        if wanted is None:
            self._prober.close()

    def _step(self, wanted: UplinkRange, *, is_measured: bool) -> None:
        before = self._line or line.begin(wanted, self._now())
        sample = self._prober.observe(before.target, before.pace_us)
        self.probes.count(sample)
        self._line = line.step(before, sample, wanted, self._now())
        if is_measured and self._line.knowledge != before.knowledge:
            level = logging.WARNING if self._line.knowledge == "blind" else logging.INFO
            log.log(level, "%s", _SAID[self._line.knowledge])

    async def _follow(self, applier: ThreadPoolExecutor, *, is_measured: bool) -> None:
        rates = self._line.rates if self._line is not None and is_measured else None
        self._policy.measured = rates
        if self._differs(rates):
            try:
                await asyncio.get_running_loop().run_in_executor(applier, self._kernel.set_uplink_rate, rates)
            except KernelRefused as refused:
                log.warning("%s", refused)
                self._resync()
            self._set = rates

    def _differs(self, rates: Rates | None) -> bool:
        """From what the kernel has."""
        if rates is None or not isinstance(self._set, Rates):
            return rates != self._set
        return _change(rates, self._set) >= CHANGE_PERMILLE

    def _now(self) -> Microseconds:
        return Microseconds(self._clock.monotonic() * 1000)


def _change(rates: Rates, before: Rates) -> int:
    """The larger of both directions, per mille."""
    return max(
        abs(rates.down - before.down) * 1000 // max(1, before.down),
        abs(rates.up - before.up) * 1000 // max(1, before.up),
    )


def uplink_range(ruleset: Ruleset) -> UplinkRange | None:
    """Where the rate is stated, all three are that rate. None where the rules state none."""
    shaped = ruleset.shaped
    if shaped is None:
        return None
    if ruleset.measured is None:
        return UplinkRange(shaped, shaped, shaped)
    return UplinkRange(shaped, ruleset.measured.least, ruleset.measured.most)
