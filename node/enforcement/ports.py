"""Interface to the kernel. The Linux implementation and the fake pass the same contract tests."""

from typing import Protocol

from node.accounting.meter import Reading
from node.enforcement.plan import KernelFeatures, KernelState, TableUse, TrafficPlan
from node.units import Monotonic


class Kernel(Protocol):
    """Calls block: run them in a separate thread. They raise KernelRefused; the previous plan then stays in force."""

    def probe(self) -> KernelFeatures: ...

    def observe(self, now: Monotonic) -> KernelState: ...

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        """Make the kernel match `plan`, whatever its state; forwarding is enabled after the table is in place."""

    def read(self) -> Reading: ...

    def table_use(self) -> TableUse:
        """Usage of the connection-tracking table and its largest user. Thread-safe; raises nothing."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when the ruleset may have changed; -1 if there is none."""

    def was_disturbed(self) -> bool:
        """Whether another program changed the ruleset; called after `fileno` became readable. Never blocks."""

    def remove(self) -> None:
        """Remove everything this node created, without any other state; forwarding is set back to its previous value."""
