"""`deploy/demo` measures everything, and leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.figures import TARGETS
from tests.lab.internet import ROOT
from tests.lab.lab_resources import sweep
from tests.lab.netns import REGISTERS

pytestmark = [pytest.mark.kernel, pytest.mark.late]

EXACT = ("captured_v4", "captured_v6", "leaked_bytes_before_admission", "kill9_bytes_lost")
DEMO = [sys.executable, "-m", "tests.lab.demo", "--json"]


def of(pid: int) -> list[str]:
    """Namespaces and files of the demonstration with this process id."""
    places = [path.name for path in Path("/run/netns").glob(f"demo-{pid}?-*")]
    return places + [path.name for path in REGISTERS.glob(f"demo-{pid}?.json")]


def started() -> "subprocess.Popen[str]":
    """A demonstration whose router runs. Ctrl-C reaches it, as in a terminal, although a shell that runs the tests in the
    background ignores it for them."""
    argv = ["env", "--default-signal=INT", *DEMO]
    demo = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert demo.stderr is not None
    for line in demo.stderr:
        if "the router runs" in line:
            return demo
    raise AssertionError("the demonstration ended before its router ran")


def wait_closed(demo: "subprocess.Popen[str]") -> int:
    code = demo.wait(15)
    assert demo.stderr is not None
    demo.stderr.close()
    return code


@pytest.mark.thorough
def test_a_measured_run_has_every_figure_and_the_exact_ones_meet_their_targets():
    """Figures that depend on the load of the machine are tested with --slow."""
    done = subprocess.run(DEMO, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert [] == [target.key for target in TARGETS if figures[target.key] is None], done.stderr
    met = {target.key: target.met for target in TARGETS if target.met is not None}
    assert [] == [key for key in EXACT if not met[key](figures[key])], figures
    assert figures["ok"] == all(judge(figures[key]) for key, judge in met.items())
    assert done.returncode == (0 if figures["ok"] else 1)


@pytest.mark.slow
def test_a_measured_run_meets_every_target():
    done = subprocess.run(
        ["deploy/demo", "--seconds", "30", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout.splitlines()[-1])["ok"], done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_demonstration_that_is_ended_removes_everything(number):
    demo = started()
    demo.send_signal(number)
    wait_closed(demo)
    assert [] == of(demo.pid)


def test_the_leftovers_of_a_killed_demonstration_are_removed_by_the_next():
    demo = started()
    demo.kill()
    wait_closed(demo)
    assert [] != of(demo.pid)
    sweep()
    assert [] == of(demo.pid)


def test_a_demonstration_continues_when_one_of_its_programs_is_killed():
    """Here the program of the Internet: the figures that need it are missing, and everything is removed."""
    demo = started()
    pids = subprocess.run(
        ["ip", "netns", "pids", next(name for name in of(demo.pid) if name.endswith("-internet"))],
        capture_output=True,
        text=True,
        check=True,
    )
    for pid in pids.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    time.sleep(1)
    demo.send_signal(signal.SIGINT)
    wait_closed(demo)
    assert [] == of(demo.pid)


def test_without_root_the_same_village_runs_on_a_kernel_in_memory_and_says_so():
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    readable = subprocess.run([*nobody, "test", "-r", str(ROOT / "pyproject.toml")], check=False)
    if readable.returncode:
        pytest.skip("another user may not read this folder")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*nobody, *DEMO, "--seconds", "2"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["captured_v4"] is None
    assert "need root" in figures["captured_v4_reason"]
    assert figures["ok"] is False
    assert "is online" in done.stderr
