"""What runs inside the virtual machine: ``python -m tests.vm.parts PART``. The last line of the output is a JSON object with
the figures and the kernel's version; the exit code is 0 if all targets are met."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.fairness import USABLE_PERCENT, far, rules
from tests.bench.figures import Figures, say
from tests.bench.latency import RoundTrips, use_cubic
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import ClientProcess, SingleRouter
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, entered_namespace
from tests.vm.radios import (
    APART_S,
    DOWNLOADS,
    IDLE_S,
    LINE,
    LINE_BITS,
    SECONDS,
    SETTLE_S,
    added_ms,
    mesh,
    wifi,
)
from tests.vm.record import FEATURES, unmet

LEFT_OUT: Mapping[str, str] = {
    "test_nobody_slips_past.py::test_queries_through_one_socket_are_limited_like_queries_through_many": (
        "300 queries take more seconds here, and each second allows 20"
    ),
    "test_what_strangers_may_ask.py::test_one_stranger_sends_twenty_queries_a_second_and_all_of_them_two_hundred": (
        "three seconds of queries take longer to send here, so that more pass"
    ),
    "test_flow_limits.py::test_one_device_that_opens_unlimited_flows_leaves_the_table_to_others": (
        "1,500 connections, each within a second"
    ),
    "test_flow_limits.py::test_unauthorized_devices_together_have_a_sixteenth_of_the_table": (
        "frames are sent at a rate that has to fit a limit of new flows"
    ),
    "test_whose_connection_it_is.py::test_one_device_takes_only_its_share_of_the_set": (
        "2,000 connections take longer here than the five seconds for which one that is half open counts"
    ),
    "test_whose_connection_it_is.py::test_a_connection_whose_sender_cannot_be_stored_is_refused": (
        "filling the set takes longer here than the 45 seconds for which an idle connection is remembered"
    ),
    "test_new_addresses.py::test_one_hardware_address_cannot_fill_the_table_with_ip_addresses": (
        "2,000 frames take more seconds here, and each second allows some"
    ),
    "test_many_links.py::test_a_member_is_found_and_memory_stays_small_while_a_link_is_flooded": (
        "within ten seconds, while more announcements come than an emulated processor can read"
    ),
    "test_others_interfere.py::test_after_a_flush_by_another_program_the_table_is_back_within_moments": (
        "within half a second"
    ),
}
"""Files and functions of tests/kernel that are not run here, each with the reason."""
SUMMARY = re.compile(r"=* ?(?:.* in \d[\d.]*s)(?: \(.*\))? ?=*")
FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)")

ACCOUNTS, AT_ONCE = 1_000, 50
SETTLED_S = 20.0
CAPTURED_S_MAX = 120.0


def pytest_figures(output: str) -> dict[str, int]:
    """From the last line of pytest. Raises RuntimeError if it ended before that, or ran nothing."""
    last = output.strip().rpartition("\n")[2]
    found = COUNT.findall(last) if SUMMARY.fullmatch(last) else []
    counts = {word.removesuffix("s"): int(number) for number, word in found}
    if not counts:
        raise RuntimeError(f"pytest has no result: {last!r}")
    return {
        "passed": counts.get("passed", 0),
        "failed": counts.get("failed", 0) + counts.get("error", 0),
        "skipped": counts.get("skipped", 0),
    }


def missing_features() -> list[str]:
    """Those of `FEATURES` that this kernel does not have."""
    with entered_namespace():
        tries = {
            "fq_codel": ["tc", "qdisc", "replace", "dev", "lo", "root", "fq_codel"],
            "cake": ["tc", "qdisc", "replace", "dev", "lo", "root", "cake"],
            "flowtable": [
                "nft",
                "add table inet t; add flowtable inet t f { hook ingress priority 0; devices = { lo }; }",
            ],
        }
        return [
            name
            for name in FEATURES
            if subprocess.run(tries[name], capture_output=True, check=False).returncode != 0
        ]


def lines_of(argv: Sequence[str]) -> Iterator[str]:
    """Output of a program, line by line while it runs. Its exit code does not matter: without its last line there are no
    figures."""
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            print(line, end="", flush=True)
            yield line


def kernel() -> Figures:
    if missing := missing_features():
        raise RuntimeError(f"this kernel has no {', '.join(missing)}")
    say(f"this kernel has {', '.join(FEATURES)}")
    left_out = [f"--deselect=tests/kernel/{name}" for name in LEFT_OUT]
    # Most of the time they wait, and each file has namespaces of its own; those marked "alone" take all of the machine.
    runs = [
        tested("-m", "not alone", "-n", "3", "--dist", "loadfile", *left_out, "tests/kernel"),
        tested("-m", "alone", *left_out, "tests/kernel"),
    ]
    failed = [name for output in runs for name in failed_tests(output)]
    again = [tested(*failed)] if failed else []
    return kernel_figures([pytest_figures(output) for output in runs], list(map(pytest_figures, again)))


def tested(*options: str) -> str:
    """Output of pytest."""
    argv = [sys.executable, "-m", "pytest", "-v", "-rfEs", "--tb=short", "-p", "no:cacheprovider", *options]
    return "".join(lines_of(argv))


def failed_tests(output: str) -> list[str]:
    """Those that the summary names, each once."""
    return list(dict.fromkeys(FAILED.findall(output)))


def kernel_figures(runs: Sequence[Mapping[str, int]], again: Sequence[Mapping[str, int]]) -> Figures:
    """Of the runs, and of another one with those that failed: a test has failed if it fails with nothing beside it, too."""
    return {
        "passed": sum(run["passed"] for run in (*runs, *again)),
        "failed": sum(run["failed"] for run in again),
        "repeated": sum(run["passed"] for run in again),
        "skipped": sum(run["skipped"] for run in runs),
        "left_out": len(LEFT_OUT),
    }


def demo() -> Figures:
    output = list(lines_of(["deploy/demo", "--seconds", "30", "--json"]))
    return dict(json.loads(output[-1]))


class DownloadLine:
    """A slow line with a far end, a device that downloads and calls, and one that only calls."""

    def __init__(self, lab: Lab) -> None:
        self.place = SingleRouter(lab)
        self.people = self.place.crowd(2)
        far_end = self.place.internet.place
        far_end.run(*f"tc qdisc replace dev line1 root netem {LINE}".split())
        for end in (self.people.place, far_end):
            use_cubic(end)
        far_end.start(
            sys.executable, "-m", "tests.bench.latency_probe", "echo", *map(far, self.people.devices), cwd=ROOT
        )  # fmt: skip

    @property
    def downloader(self) -> VirtualDevice:
        return self.people.devices[0]

    def begin_probe(self, begins: float, ends: float) -> "subprocess.Popen[bytes]":
        pairs = [(device.address, far(device)) for device in self.people.devices]
        return self.people.begin_probe(pairs, begins, ends, APART_S)

    def loaded(self) -> tuple[RoundTrips, float]:
        """Round trips while the device downloads, and its bit/s."""
        self.people.begin(
            "greed", [], addresses=[self.downloader.address], fars=[far(self.downloader)], flows=[DOWNLOADS],
            upwards=False, seconds=SETTLE_S + SECONDS + 1,
        )  # fmt: skip
        probe = self.begin_probe(SETTLE_S, SETTLE_S + SECONDS)
        # Counters are read only twice: each time takes a third of a second of the emulated processor.
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), self._received()
        time.sleep(SECONDS)
        rate = 8 * (self._received() - before) / (time.monotonic() - began)
        trips = answered(probe)
        say(f"down: {self.people.answer()}")
        return trips, rate

    def _received(self) -> int:
        return self.people.arrived().get(self.downloader.address, 0)


def answered(probe: "subprocess.Popen[bytes]") -> RoundTrips:
    own, other = json.loads(probe.communicate(timeout=120)[0])
    return RoundTrips(light=(other,), own=(own,))


def let_in(people: ClientProcess, at_once: int) -> None:
    """Waits until the portal answers, then admits everybody."""
    people.wait_until_captured(CAPTURED_S_MAX, patience=1.0)
    people.let_in(at_once)


def latency() -> Figures:
    return _own_calls() | {"memory_mb_1000_shaped": _memory_of_accounts()}


def _own_calls() -> Figures:
    with Lab("bench") as lab:
        line = DownloadLine(lab)
        line.place.furnish(rules=rules(LINE_BITS, USABLE_PERCENT))
        line.place.router.start()
        let_in(line.people, 1)
        queues = line.place.router.place.run("tc", "qdisc", "show", "dev", "br-lan")
        say(f"queues: {queues}")
        idle = answered(line.begin_probe(2, 2 + IDLE_S))
        trips, rate = line.loaded()
        line.people.close()
    if "fq_codel" not in queues:
        raise RuntimeError("the accounts' queues are no fq_codel")
    for name, each in (("idle", idle), ("loaded", trips)):
        shown = [
            f"p{100 * part:.0f} {each.at(part, own=True)[0]} other {each.at(part)[0]}"
            for part in (0.5, 0.95, 0.99)
        ]
        say(f"{name}: {'; '.join(shown)}; lost {each.lost(own=True)} other {each.lost()}")
    usable = LINE_BITS * USABLE_PERCENT / 100
    return {
        "own_added_ms_p50": added_ms(trips, idle, 0.5, own=True),
        "own_added_ms_p95": added_ms(trips, idle, 0.95, own=True),
        "own_lost": trips.lost(own=True),
        "other_added_ms_p95": added_ms(trips, idle, 0.95, own=False),
        "use_percent": round(100 * rate / usable, 1),
    }


def _memory_of_accounts() -> float:
    """Megabytes that are no longer available once all are admitted, of those before the daemon's start."""
    with Lab("bench") as lab:
        place = SingleRouter(lab)
        people = place.crowd(ACCOUNTS)
        place.furnish(rules=rules(100_000_000))
        time.sleep(3)
        before = available_mb()
        place.router.start()
        let_in(people, AT_ONCE)
        time.sleep(SETTLED_S)
        after = available_mb()
        for interface in ("br-lan", "wan0"):
            shown = place.router.place.run("tc", "qdisc", "show", "dev", interface)
            leaves = sum("fq_codel" in each and "parent" in each for each in shown.splitlines())
            say(f"{interface}: {leaves} queues, {before - after:.1f} MB")
            if leaves < ACCOUNTS:
                raise RuntimeError(f"{interface} has queues for {leaves} of {ACCOUNTS} accounts")
        people.close()
    return round(before - after, 1)


def available_mb() -> float:
    """Memory that programs can still get, without what is only cached."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


RUNS: Mapping[str, Callable[[], Figures]] = {
    "kernel": kernel,
    "demo": demo,
    "latency": latency,
    "wifi": wifi,
    "mesh": mesh,
}


def main() -> int:
    part = sys.argv[1]
    figures: dict[str, Any] = RUNS[part]()
    print(json.dumps({"linux": platform.release(), "figures": figures}), flush=True)
    return 1 if unmet(part, figures) else 0


if __name__ == "__main__":
    sys.exit(main())
