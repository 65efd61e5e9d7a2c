"""Start and stop: one node at a time, and a stop within three seconds whatever hangs."""

import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from node.backup.offline import claim
from node.errors import NodeError
from node.process import keep_private, notify_systemd

ROOT = Path(__file__).parents[2]
A_NODE_THAT_HANGS = """
import asyncio, os, sys, time
from node.daemon_process import run_node

class Hanging:
    async def run(self):
        print("running", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(time.sleep, 60)  # a disk that does not answer

    def give_up(self):
        print("gave up", flush=True)
        os._exit(0)

asyncio.run(run_node(Hanging()))
"""


def test_a_second_node_with_the_same_folder_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    with claim(tmp_path / "run"), pytest.raises(NodeError, match="another node runs"):
        claim(tmp_path / "run")
    claim(tmp_path / "run").close()


def test_the_node_waits_for_the_end_of_the_set_up_and_a_command_says_how_to_end_it(tmp_path):
    ends = claim(tmp_path / "run", "set-up")
    with pytest.raises(NodeError, match="the set-up of this node is running") as caught:
        claim(tmp_path / "run")
    assert "systemctl stop procomu-setup" in caught.value.fix
    threading.Timer(0.3, ends.close).start()
    began = time.monotonic()
    with claim(tmp_path / "run", patience_s=20):
        assert 0.3 <= time.monotonic() - began < 10
        with pytest.raises(NodeError, match="another node runs"):
            claim(tmp_path / "run", patience_s=20)
    with claim(tmp_path / "run", "set-up"):
        assert "set-up" == (tmp_path / "run/lock").read_text()


def test_a_node_stops_within_three_seconds_even_if_its_disk_hangs() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", A_NODE_THAT_HANGS], stdout=subprocess.PIPE, cwd=ROOT
    ) as node:
        assert node.stdout is not None
        assert b"running\n" == node.stdout.readline()
        began = time.monotonic()
        node.send_signal(signal.SIGTERM)
        assert b"gave up\n" == node.stdout.readline()
        assert 0 == node.wait(10)
        assert time.monotonic() - began < 3


def test_a_data_folder_readable_by_others_is_closed_before_anything_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    keep_private(folder)
    assert not folder.exists()
    folder.mkdir()
    folder.chmod(0o755)
    keep_private(folder)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert [f"{folder} had mode 755; now only its owner may use it"] == caplog.messages


def test_files_of_a_node_started_by_hand_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Also where no service manager sets a umask: the shell's default lets everybody read."""
    probe = """
import os, sys
from pathlib import Path
from node import daemon_process as daemon
def look(*_):
    Path(sys.argv[1]).write_text("made after the start")
    raise daemon.NodeError("enough", "")
daemon.load_config = look
daemon.main(Path("none"))
"""
    made = tmp_path / "made"
    subprocess.run(
        ["sh", "-c", 'umask 022; exec "$@"', "sh", sys.executable, "-c", probe, str(made)],
        cwd=ROOT,
        check=True,
    )
    assert 0o600 == stat.S_IMODE(made.stat().st_mode)


@pytest.mark.parametrize("name", ["{}/notify", "@{}/notify"])
def test_systemd_reads_what_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By a path, or by an abstract name (unix(7))."""
    address = name.format(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify_systemd("READY=1")  # nobody listens yet
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        systemd.settimeout(5)
        notify_systemd("WATCHDOG=1")
        assert b"WATCHDOG=1" == systemd.recv(100)


def test_a_report_never_waits_for_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        started = time.monotonic()
        for _ in range(5_000):
            notify_systemd("WATCHDOG=1")
        assert time.monotonic() - started < 10
