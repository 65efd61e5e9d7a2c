"""Figures of the machine, from the text of the kernel."""

from node.machine import machine_figures
from node.machine_figures import memory_kb

MEMINFO = """\
MemTotal:         506800 kB
MemFree:           86452 kB
Buffers:            2308 kB
Cached:            none
SwapTotal:             0 kB
odd line
"""


def test_memory_has_what_can_be_read_by_the_names_of_collectors() -> None:
    assert (("total", 506_800), ("free", 86_452), ("buffers", 2_308)) == memory_kb(MEMINFO.splitlines())
    assert () == memory_kb(["MemTotal:", "", "MemTotal: ²", f"MemTotal: {'9' * 5_000} kB"])


def test_this_machine_has_figures() -> None:
    found = machine_figures()
    memory = dict(found.memory_kb)
    assert memory["total"] >= memory["available"] > 0
    assert found.uptime_s > 0
    assert found.processors >= 1
    assert found.root_used is not None
    assert 0 <= found.root_used <= 1
