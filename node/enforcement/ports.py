"""What the house needs from a kernel. The real one and the fake pass one contract suite."""

from typing import Protocol

from node.accounting.meter import Reading
from node.enforcement.plan import KernelFeatures, KernelState, TableUse, TrafficPlan
from node.units import Monotonic


class Kernel(Protocol):
    """Blocking calls: whoever uses them runs them in a thread of its own. Raise KernelRefused, and then the plan
    before is still in force."""

    def probe(self) -> KernelFeatures: ...

    def observe(self, now: Monotonic) -> KernelState: ...

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        """Make the kernel agree with `plan`, whatever stands there now; forwarding opens after the table stands."""

    def read(self) -> Reading: ...

    def table_use(self) -> TableUse:
        """How full connection tracking is, and who has the most of it. May run in any thread; raises nothing."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when the packet filter may have changed; -1 where there is none."""

    def was_disturbed(self) -> bool:
        """Whether somebody else changed it; asked after `fileno` was readable, and never waits."""

    def remove(self) -> None:
        """Take everything of ours away, needing no other state; forwarding goes back to what it was before."""
