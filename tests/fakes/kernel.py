"""A kernel in memory: keeps the contract of the real one, prints itself as nft text, and lets tests send traffic."""

import threading
from dataclasses import replace

from node.accounting.meter import Reading
from node.enforcement import nft
from node.enforcement.htb_classes import HtbClass, htb_classes
from node.enforcement.plan import Admission, KernelFeatures, KernelState, TableUse, TrafficPlan
from node.errors import KernelRefused
from node.units import NO_USAGE, Bytes, MacAddress, Monotonic, Rates, Usage


class FakeKernel:
    """Implements `node.enforcement.plan.Kernel`. Time passes only by the `now` of calls and by `pass_time`."""

    def __init__(self) -> None:
        self.now = Monotonic(0)
        self.plan: TrafficPlan | None = None
        self.forwarding = (False, False)
        self.refusing = ""
        """While not empty, every plan is refused with this reason."""
        self.applied = 0
        self.read_count = 0
        """How often the counters were read, in vain or not: once in each turn of the control loop."""
        self.table = TableUse()
        self.measured: Rates | None = None
        """Of the last `set_uplink_rate`."""
        self._counters: dict[int, Usage] = {}
        self._counting = threading.Lock()
        """Tests count packets while another thread applies a plan; the lock keeps any from being lost."""
        self._lives = 0
        self._forwarding_before = (False, False)

    # --- the port ---

    def probe(self) -> KernelFeatures:
        return KernelFeatures(
            True, True, False, True, ("this kernel is a fake: no packet passes through it",)
        )

    def observe(self, now: Monotonic) -> KernelState:
        self.now = max(self.now, now)
        if self.plan is None:
            return KernelState(False, Reading("", {}), {}, {})
        return KernelState(
            True, self._reading(), self._alive(), nft.marks_of(self.plan), self._forwarding_before
        )

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        self.now = max(self.now, now)
        if self.refusing:
            raise KernelRefused(self.refusing, "stop refusing")
        with self._counting:
            if self.plan is None:
                self._lives += 1
                self._counters = {}
                self._forwarding_before = self.forwarding
            marks = nft.marks_of(plan)
            self._counters = {mark: self._counters.get(mark, NO_USAGE) for mark in marks}
            self.plan, self.applied, self.forwarding = plan, self.applied + 1, (True, True)

    def set_uplink_rate(self, measured: Rates | None) -> None:
        self.measured = measured
        if self.refusing:
            raise KernelRefused(self.refusing, "stop refusing")

    def read(self) -> Reading:
        self.read_count += 1
        if self.plan is None:
            raise KernelRefused("nftables refused: No such file or directory", "apply a plan")
        return self._reading()

    def table_use(self) -> TableUse:
        return self.table

    def fileno(self) -> int:
        return -1

    def was_disturbed(self) -> bool:
        return self.plan is None

    def remove(self) -> None:
        if self.plan is not None:
            self.forwarding = self._forwarding_before
        self.plan, self._counters = None, {}

    def close(self) -> None:
        """Nothing to release."""

    # --- for tests ---

    def pass_time(self, milliseconds: int) -> None:
        self.now = Monotonic(self.now + milliseconds)

    def send(self, mac: str, *, down: int = 0, up: int = 0) -> bool:
        """Send traffic of one device; False when it is refused, and then nothing is counted."""
        with self._counting:
            admission = self._alive().get(MacAddress(mac))
            if admission is None:
                return False
            self._counters[admission.mark] += Usage(Bytes(down), Bytes(up))
            return True

    def vanish(self) -> None:
        """Another program flushes the whole ruleset."""
        self.plan, self._counters = None, {}

    def classes(self, *, upwards: bool = False) -> dict[int, HtbClass]:
        """The classes that HTB would be given."""
        if self.plan is None:
            return {}
        return htb_classes(self.plan.classes, self.plan.uplink, upwards=upwards, measured=self.measured)

    def as_text(self) -> str:
        """The resulting table as nft statements."""
        if self.plan is None:
            return ""
        form = nft.ChainLayout(self.plan.firewall, bool(self.plan.uplink or self.plan.classes), (2, 3))
        return nft.transition(nft.EMPTY, replace(self.plan, admitted=self._alive()), form, self.now)

    def _alive(self) -> dict[MacAddress, Admission]:
        if self.plan is None:
            return {}
        return {mac: a for mac, a in self.plan.admitted.items() if a.ends is None or a.ends > self.now}

    def _reading(self) -> Reading:
        return Reading(f"life-{self._lives}", dict(self._counters))
