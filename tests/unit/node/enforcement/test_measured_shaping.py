"""How much is done for a measured rate: it changes up to ten times a second."""

from collections.abc import Iterable

from node.enforcement.kernel import LinuxKernel
from node.enforcement.plan import FirewallConfig, ShapedClass, TrafficPlan
from node.enforcement.tc import TcChange
from node.units import BitsPerSecond, Rates


class RecordedQueues:
    def __init__(self) -> None:
        self.touched: list[str] = []

    def has_our_root(self, _interface: str) -> bool:
        return False

    def apply(self, interface: str, changes: Iterable[TcChange]) -> None:
        if list(changes):
            self.touched.append(interface)


def both(down: int, up: int) -> Rates:
    return Rates(BitsPerSecond(down), BitsPerSecond(up))


def test_a_rate_of_one_direction_is_work_for_that_direction_only(monkeypatch) -> None:
    made, queues = object.__new__(LinuxKernel), RecordedQueues()
    made._shaping, made._shaped, made._wanted, made._measured = {}, {}, {}, None
    made._leaf, made._tc = "bfifo", queues
    most, rendered = both(20_000_000, 5_000_000), []
    classes = {0x11: ShapedClass(0x11, None, both(0, 0), most, 100)}

    def counted(*args: object, upwards: bool, **kwargs: object) -> dict[int, object]:
        rendered.append(upwards)
        return original(*args, upwards=upwards, **kwargs)

    from node.enforcement import kernel

    original = kernel.htb_classes
    monkeypatch.setattr(kernel, "htb_classes", counted)
    made._plan = TrafficPlan(FirewallConfig("lan0", "wan0", 2080), uplink=most, classes=classes)
    made.set_uplink_rate(both(10_000_000, 5_000_000))
    for clear in (queues.touched, rendered):
        clear.clear()
    made.set_uplink_rate(both(10_000_000, 4_000_000))
    assert (["wan0"], [True]) == (queues.touched, rendered)
    made.set_uplink_rate(both(9_000_000, 4_000_000))
    assert (["wan0", "lan0"], [True, False]) == (queues.touched, rendered)
    made.set_uplink_rate(None)
    assert ["wan0", "lan0", "lan0", "wan0"] == queues.touched
