"""The command lines and the cache of the virtual machine, and what its parts print."""

from pathlib import Path

import pytest

from tests.bench.latency import RoundTrips
from tests.lab.internet import ROOT
from tests.vm.__main__ import BOARD_PARTS, MINUTES_MAX, report_of
from tests.vm.machine import EMULATED, EXIT, MORE_PACKAGES, packages, qemu, stamp
from tests.vm.parts import (
    LEFT_OUT,
    RUNS,
    added_ms,
    failed_tests,
    kernel_figures,
    pytest_figures,
)
from tests.vm.record import PARTS


def test_the_image_has_what_the_checks_install_and_the_kernel() -> None:
    assert sorted({"nftables", "git", *MORE_PACKAGES}) == packages("nftables\ngit\nnftables\n")
    assert "linux-image-amd64" in MORE_PACKAGES


def test_the_image_is_made_again_when_its_packages_change() -> None:
    assert stamp(["git", "nftables"]) == stamp(["git", "nftables"])
    assert stamp(["git", "nftables"]) != stamp(["git", "nftables", "radvd"])


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
def test_the_machine_has_no_network_and_writes_on_no_disk(accelerator: str) -> None:
    argv = qemu(Path("/b"), Path("/t/tree.squashfs"), "demo", accelerator)
    assert ["/b/system.squashfs", "/t/tree.squashfs"] == [
        word.partition("=")[2].partition(",")[0] for word in argv if word.startswith("file=")
    ]
    assert all(word.endswith(",readonly=on") for word in argv if word.startswith("file="))
    assert "-nodefaults" in argv
    assert not {"-netdev", "-nic", "-net", "-fsdev"} & set(argv)
    assert argv[argv.index("-accel") + 1].startswith(accelerator)
    assert argv[argv.index("-append") + 1].endswith(
        f" PART=demo PROCOMU_LAB_PATIENCE={1 if accelerator == 'kvm' else EMULATED}"
    )


def test_time_passes_by_instructions_where_delays_by_radio_are_measured() -> None:
    argv = qemu(Path("/b"), Path("/t"), "wifi", "tcg")
    assert "shift=1,sleep=on,align=off" == argv[argv.index("-icount") + 1]
    assert "tcg,thread=single,tb-size=512" == argv[argv.index("-accel") + 1]
    assert "-icount" not in qemu(Path("/b"), Path("/t"), "wifi", "kvm"), "KVM cannot count"
    assert "-icount" not in qemu(Path("/b"), Path("/t"), "mesh", "tcg")


def test_the_machine_ends_with_the_program_that_started_it() -> None:
    assert ["setpriv", "--pdeathsig", "KILL", "--"] == qemu(Path("/b"), Path("/t"), "demo", "tcg")[:4]


def test_the_exit_code_is_a_line_of_its_own() -> None:
    found = EXIT.fullmatch("lab-exit 137")
    assert found is not None
    assert "137" == found[1]
    assert EXIT.fullmatch("a test printed lab-exit 0") is None


@pytest.mark.parametrize(
    ("last", "counts"),
    [
        ("===== 200 passed, 3 skipped, 4 deselected in 512.01s (0:08:32) =====", (200, 0, 3)),
        ("= 2 failed, 198 passed, 1 error in 9.00s =", (198, 3, 0)),
        ("= 198 passed, 2 errors in 9.00s =", (198, 2, 0)),
    ],
)
def test_counts_of_tests_are_those_of_the_last_line(last: str, counts: tuple[int, int, int]) -> None:
    output = f"PASSED 7 passed\n\n{last}\n"
    assert dict(zip(("passed", "failed", "skipped"), counts, strict=True)) == pytest_figures(output)


@pytest.mark.parametrize(
    "last", ["no tests ran in 0.01s", "", "[gw0] [ 9%] PASSED tests/kernel/test_a.py::test_b"]
)
def test_tests_that_were_not_run_to_their_end_have_no_result(last: str) -> None:
    with pytest.raises(RuntimeError, match="no result"):
        pytest_figures(f"PASSED 7 passed\n\n{last}\n")


def test_failed_tests_are_those_of_the_summary() -> None:
    output = """\
[gw0] [  1%] FAILED tests/kernel/test_a.py::test_b[IPv4]
ERROR    node.control.applier:applier.py:100 another program changed the packet filter
FAILED tests/kernel/test_a.py::test_b[IPv4] - assert 1 <= 0
FAILED tests/kernel/test_a.py::test_c[nft flush ruleset]
ERROR tests/kernel/test_a.py::test_b[IPv4] - Exception: unclosed
"""
    assert [
        "tests/kernel/test_a.py::test_b[IPv4]",
        "tests/kernel/test_a.py::test_c[nft flush ruleset]",
    ] == failed_tests(output)


def test_a_test_has_failed_if_it_fails_with_nothing_beside_it_too() -> None:
    runs = [{"passed": 300, "failed": 3, "skipped": 6}, {"passed": 17, "failed": 0, "skipped": 1}]
    again = [{"passed": 1, "failed": 1, "skipped": 0}]
    few = {"skipped": 7, "left_out": len(LEFT_OUT)}
    assert {"passed": 318, "failed": 1, "repeated": 1, **few} == kernel_figures(runs, again)
    assert {"passed": 317, "failed": 0, "repeated": 0, **few} == kernel_figures(
        [{**run, "failed": 0} for run in runs], []
    )


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert f"def {function}(" in (ROOT / "tests" / "kernel" / file).read_text()


def test_delay_is_added_to_that_of_the_idle_line() -> None:
    idle = RoundTrips(light=([30.0, 31.0],), own=([30.0, 32.0],))
    loaded = RoundTrips(light=([33.0, 33.5],), own=([35.25, None],))
    assert 5.25 == added_ms(loaded, idle, 0.5, own=True)
    assert 2.5 == added_ms(loaded, idle, 0.95, own=False)
    assert added_ms(loaded, idle, 0.95, own=True) is None
    assert added_ms(idle, loaded, 0.95, own=True) is None


@pytest.mark.parametrize("output", [[], ["panic"], ["{}"], ['["figures"]'], ['{"figures": {}}']])
def test_a_part_that_failed_before_it_had_figures_has_none(output: list[str]) -> None:
    assert report_of(output) is None


def test_the_figures_are_the_last_line() -> None:
    output = ["noise", '{"linux": "6.12", "figures": {"failed": 0}}']
    assert {"linux": "6.12", "figures": {"failed": 0}} == report_of(output)


def test_every_part_can_be_run_and_has_a_limit_of_time() -> None:
    assert list(PARTS) == [*RUNS, *BOARD_PARTS]
    assert list(RUNS) == list(MINUTES_MAX)
