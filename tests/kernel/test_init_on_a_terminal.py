"""`procomu init` on a real terminal and real interfaces: what it proposes is what the machine has."""

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from node.config import parse_config
from tests.lab.internet import ROOT
from tests.lab.netns import Lab

pytestmark = pytest.mark.kernel


def talk(argv: list[str], *, namespace: str, lines: list[str]) -> tuple[int, str]:
    """Exit code and what is on the screen of a program on a terminal in the network namespace."""
    child, screen = pty.fork()
    if not child:
        os.chdir(ROOT)
        os.execvp("ip", ["ip", "netns", "exec", namespace, *argv])
    shown = ""
    deadline = time.monotonic() + 30
    waiting = list(lines)
    while time.monotonic() < deadline:
        if not select.select([screen], [], [], 0.1)[0]:
            continue
        try:
            shown += os.read(screen, 4096).decode()
        except OSError:
            break  # the program has ended
        if waiting and shown.endswith(": "):
            os.write(screen, f"{waiting.pop(0)}\n".encode())
    os.close(screen)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown


def test_ports_of_a_bridge_are_not_proposed_and_the_bridge_is(tmp_path: Path) -> None:
    with Lab("init") as lab:
        router, other = lab.namespace("router"), lab.namespace("other")
        router.bridge("br-lan")
        lab.veth(other, "port0", router, "lan1")
        router.plug("lan1", "br-lan")
        lab.veth(other, "far0", router, "eth0")
        router.address("eth0", "192.0.2.2/24")
        router.route("default via 192.0.2.1")
        config = tmp_path / "node.toml"
        argv = [
            sys.executable,
            "-m",
            "node",
            "init",
            "--config",
            str(config),
            "--data-dir",
            str(tmp_path / "data"),
        ]
        code, shown = talk(argv, namespace=router.name, lines=["", "", "hill", "Vall", ""])
    assert 0 == code, shown
    assert "Interface towards the Internet [eth0]: " in shown
    assert "Interface where people are [br-lan]: " in shown
    settings, findings = parse_config(config.read_text())
    assert settings is not None, findings
    assert ("hill", "Vall", "br-lan", "eth0") == (
        settings.node.name,
        settings.community.name,
        settings.lan.interface,
        settings.uplink.interface,
    )
