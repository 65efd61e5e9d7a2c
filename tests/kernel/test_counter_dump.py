"""The counters of many devices are read over netlink: completely, exactly and with little memory."""

import subprocess
import sys
import threading

import pytest

from node.accounting.meter import joined
from node.enforcement import nft, table_listing
from node.enforcement.kernel import LinuxKernel
from node.enforcement.libnftables import Nftables
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.errors import KernelRefused
from node.units import MacAddress, Monotonic
from tests.lab.internet import ROOT
from tests.lab.router import real_kernel_in_namespace

pytestmark = pytest.mark.kernel

FIREWALL = FirewallConfig("lan0", "wan0", 2080)
NOW = Monotonic(0)
MANY = 5_000
GROWTH_MB_MAX = 8
LOOK = """
from pathlib import Path
from node.enforcement.kernel import LinuxKernel

def memory_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

kernel = LinuxKernel()
before = memory_kb()
for _ in range(5):
    reading = kernel.read()
print(len(reading.counted), (memory_kb() - before) // 1024)
"""


def with_devices(kernel: LinuxKernel, count: int) -> None:
    macs = (MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}") for number in range(1, count + 1))
    admitted = {mac: Admission(mac, number, number, None) for number, mac in enumerate(macs, start=1)}
    kernel.apply(TrafficPlan(FIREWALL, admitted), NOW)


def test_the_dump_equals_what_libnftables_lists():
    with real_kernel_in_namespace() as kernel:
        with_devices(kernel, 700)
        asked = Nftables()
        asked.run(f"add counter {nft.TABLE} u900001 {{ packets 7 bytes 9007199254740993 }}")
        asked.run(f"add counter {nft.TABLE} d900001 {{ packets 7 bytes 1 }}")
        wanted = table_listing.reading("", asked.run(f"list counters table {nft.TABLE}")).counted
        asked.close()
        found = joined("", *kernel._reader.read()).counted
        assert wanted == found
        assert 701 == len(found)
        assert 9007199254740993 == found[900001].up


def test_thousands_of_devices_are_read_with_little_memory():
    """libnftables had kept every counter of the listing, and the listing as JSON: 30 MB for these devices."""
    with real_kernel_in_namespace() as kernel:
        with_devices(kernel, MANY)
        done = subprocess.run(
            [sys.executable, "-c", LOOK],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        counted, grown_mb = map(int, done.stdout.split())
        assert MANY == counted
        assert grown_mb <= GROWTH_MB_MAX


def test_no_counter_is_missed_while_others_are_added_and_removed():
    """A counter that a dump leaves out would be taken for a new one by the next dump, and its bytes booked twice."""
    with real_kernel_in_namespace() as kernel:
        with_devices(kernel, 2_000)
        stop = threading.Event()

        def churn() -> None:
            other, number = Nftables(), 500_000
            while not stop.is_set():
                number += 1
                other.run(f"add counter {nft.TABLE} u{number}")
                other.run(f"delete counter {nft.TABLE} u{number}")
            other.close()

        # Threads inherit the network namespace.
        churning = threading.Thread(target=churn)
        churning.start()
        try:
            dump = kernel._reader
            for _ in range(40):
                up, down = dump.read()
                assert up.keys() >= set(range(1, 2_001))
                assert down.keys() >= set(range(1, 2_001))
        finally:
            stop.set()
            churning.join()


def test_a_missing_table_is_reported():
    with real_kernel_in_namespace() as kernel:
        with_devices(kernel, 3)
        other = Nftables()
        other.run(f"delete table {nft.TABLE}")
        other.close()
        with pytest.raises(KernelRefused):
            kernel._reader.read()
        with_devices(kernel, 0)
        assert ({}, {}) == kernel._reader.read()
