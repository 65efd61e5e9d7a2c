"""The memory budget: limits that fit into the allowed memory."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.memory_budget import (
    CONNECTION_BYTES,
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    DEVICE_BYTES,
    DEVICES_MAX,
    HTTPS_BYTES,
    IDLE_BYTES,
    PASSPHRASE_BYTES,
    Allowed,
    allowed_memory,
    budget,
)

MIB = 1024 * 1024
MEMINFO = "MemTotal:         215040 kB\nMemFree:            1000 kB\n"
PLENTY = "MemTotal:       24684888 kB\n"
UNIT = "0::/system.slice/procomu.service\n"
V1 = "9:name=systemd:/\n4:memory:/lab/one\n0::/\n"


def of(files: Mapping[str, str]) -> tuple[int, str]:
    found = allowed_memory(files.get)
    return found.bytes, found.source.partition(" ")[0]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"/proc/meminfo": MEMINFO}, (215040 * 512, "half")),
        (
            {
                "/proc/meminfo": PLENTY,
                "/proc/self/cgroup": UNIT,
                "/sys/fs/cgroup/system.slice/procomu.service/memory.max": f"{96 * MIB}\n",
                "/sys/fs/cgroup/system.slice/procomu.service/memory.high": f"{88 * MIB}\n",
            },
            (88 * MIB, "memory.high"),
        ),
        (
            {  # a limit may also be set on a parent of the unit
                "/proc/meminfo": PLENTY,
                "/proc/self/cgroup": UNIT,
                "/sys/fs/cgroup/system.slice/procomu.service/memory.max": "max\n",
                "/sys/fs/cgroup/system.slice/procomu.service/memory.high": "max\n",
                "/sys/fs/cgroup/system.slice/memory.max": f"{200 * MIB}\n",
            },
            (200 * MIB * 92 // 100, "memory.max"),
        ),
        (
            {
                "/proc/meminfo": PLENTY,
                "/proc/self/cgroup": V1,
                "/sys/fs/cgroup/memory/lab/one/memory.stat": f"cache 0\nhierarchical_memory_limit {96 * MIB}\n",
            },
            (96 * MIB * 92 // 100, "memory.limit_in_bytes"),
        ),
        (
            {  # in a container whose own cgroup appears as the root
                "/proc/meminfo": PLENTY,
                "/proc/self/cgroup": V1,
                "/sys/fs/cgroup/memory/memory.stat": f"hierarchical_memory_limit {64 * MIB}\n",
            },
            (64 * MIB * 92 // 100, "memory.limit_in_bytes"),
        ),
        (
            {  # in cgroup v1 "no limit" is a very large number
                "/proc/meminfo": MEMINFO,
                "/proc/self/cgroup": V1,
                "/sys/fs/cgroup/memory/memory.stat": "hierarchical_memory_limit 9223372036854771712\n",
            },
            (215040 * 512, "half"),
        ),
        ({}, (IDLE_BYTES + PASSPHRASE_BYTES, "unknown")),
    ],
)
def test_the_lowest_limit_on_the_path_counts(files: dict[str, str], wanted: tuple[int, str]) -> None:
    assert wanted == of(files)


@given(st.integers(0, 1 << 40), st.integers(0, 100_000))
def test_limits_fit_the_budget_or_are_the_minimum_that_a_node_needs(limit: int, devices: int) -> None:
    found = budget(Allowed(limit, "test"))
    connections = found.connections(devices)
    assert CONNECTIONS_MIN <= connections <= CONNECTIONS_MAX
    assert found.devices <= DEVICES_MAX
    needed = IDLE_BYTES + PASSPHRASE_BYTES + found.unfinished_bytes + devices * DEVICE_BYTES
    assert connections == CONNECTIONS_MIN or needed + connections * CONNECTION_BYTES <= limit


@given(st.integers(0, 1 << 36), st.integers(0, 1 << 36), st.integers(0, 50_000))
def test_more_memory_never_lowers_a_limit(one: int, other: int, devices: int) -> None:
    less, more = (budget(Allowed(each, "test")) for each in sorted((one, other)))
    assert less.devices <= more.devices
    assert (
        less.connections(devices) <= more.connections(devices)
        or less.unfinished_bytes < more.unfinished_bytes
    )


def test_with_a_certificate_there_is_room_for_tls_connections() -> None:
    with_https, without = (budget(Allowed(100_000_000, "test"), has_https=has) for has in (True, False))
    assert HTTPS_BYTES == without.room_bytes - with_https.room_bytes
    assert with_https.connections(0) < without.connections(0)


def test_a_large_computer_has_room_for_all_maximum_limits() -> None:
    large = budget(Allowed(1 << 30, ""))
    assert CONNECTIONS_MAX == large.connections(10_000)
    assert DEVICES_MAX == large.devices
