"""The shipped systemd unit, booted: systemd of this machine in a container, on a file system in memory."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.identity import key_to_pem
from tests.lab.agreement import MEMBERS, RULES, Settings, node_toml
from tests.lab.debian import NSPAWN_ENVIRONMENT, nspawn_words
from tests.lab.internet import ROOT
from tests.lab.netns import Lab

MISSING = [name for name in ("systemd-nspawn", "systemctl") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{' and '.join(MISSING)} missing (apt-get install systemd-container)"
    ),
]
KILLS = 6
WATCHDOG_S = 4
BOOT_S_MAX = 180
LOOKS = """
import glob, json, os, signal, subprocess, time

def processes(word):
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(path).read().split("\\0")
            # Not the program that starts it in a scope, whose words name the same file for a moment.
            if words[0].endswith("/dnsmasq") and any(word in each for each in words):
                pid = int(path.split("/")[2])
                group = next(l for l in open(f"/proc/{pid}/cgroup") if l.startswith("0::"))
                found[pid] = group.strip()[3:]
        except OSError:
            pass
    return found

def unit(name):
    words = ["systemctl", "show", "procomu.service", "--value", "-p", name]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()

def until(happens, seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if happens():
            return True
        time.sleep(0.1)
    return False

def log():
    words = ["journalctl", "--no-pager", "-u", "procomu.service"]
    return subprocess.run(words, capture_output=True, text=True).stdout

def stands():
    return log().count("the firewall is in force")

def end(**seen):
    seen["log"] = log()[-3000:]
    open("/seen.json", "w").write(json.dumps(seen))
    subprocess.run(["poweroff"])
"""
LOOK_AROUND = (
    LOOKS
    + """
came = until(lambda: stands() == 1 and len(processes("dnsmasq.conf")) == 1, 40)
time.sleep(2)  # it goes to the background, as another process
servers = processes("dnsmasq.conf")
node = int(unit("MainPID"))
own = open(f"/proc/{node}/cgroup").read()
subprocess.run(["systemctl", "stop", "procomu.service"])
left = processes("dnsmasq.conf")
subprocess.run(["systemctl", "start", "procomu.service"])
again = until(lambda: stands() == 2, 40)
time.sleep(3)
end(came=came, servers=servers, own=own, left=left, again=again, after=processes("dnsmasq.conf"))
"""
)
LOOK_AT_KILLS = (
    LOOKS
    + f"""
until(lambda: stands() == 1, 40)
for number in range({KILLS}):
    os.kill(int(unit("MainPID")), signal.SIGKILL)
    until(lambda: int(unit("NRestarts")) == number + 1 and int(unit("MainPID")) > 0, 30)
    time.sleep(0.2)
came_back = until(lambda: unit("ActiveState") == "active", 40)
end(came_back=came_back, state=unit("ActiveState"), restarts=int(unit("NRestarts")))
"""
)
LOOK_AT_A_HANG = (
    LOOKS
    + """
until(lambda: stands() == 1, 40)
ready = until(lambda: unit("ActiveState") == "active", 10)
time.sleep(2 * WATCHDOG_S)
restarts = int(unit("NRestarts"))
hung = int(unit("MainPID"))
servers = processes("dnsmasq.conf")
os.kill(hung, signal.SIGSTOP)
came_back = until(lambda: stands() == 2, 40)
end(ready=ready, restarts=restarts, came_back=came_back, hung=hung, node=int(unit("MainPID")), result=log(),
    kept=servers == processes("dnsmasq.conf"))
""".replace("WATCHDOG_S", str(WATCHDOG_S))
)
LOOK_AT_LIMITS = (
    LOOKS
    + """
until(lambda: stands() == 1, 40)
time.sleep(5)
words = ["procomu", "doctor", "--json"]
told = json.loads(subprocess.run(words, capture_output=True, text=True).stdout)["diagnoses"]
node = int(unit("MainPID"))
limits = dict(line.split(":\t", 1) for line in open(f"/proc/{node}/status").read().splitlines() if ":\t" in line)
forwarding = [open(f"/proc/sys/net/{name}").read().strip() for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding")]
end(doctor=told, limits=limits, devices=os.listdir(f"/proc/{node}/root/dev"), forwarding=forwarding)
"""
)


def furnish(folder: Path) -> None:
    """The files of a node below `folder`, the root of the container."""
    etc, var = folder / "etc/procomu", folder / "var/lib/procomu"
    etc.mkdir(parents=True)
    var.mkdir(mode=0o700, parents=True)
    settings = Settings(
        name="square",
        folder=Path("/etc/procomu"),
        lan_v4="10.77.0.1",
        lan_v6="fd77::1",
        nodes=(),
        community_key_file=Path("/etc/procomu/community.key"),
        resolvers=("198.51.100.53",),
    )
    text = node_toml(settings).replace('interfaces = ["mesh0"]', "interfaces = []")
    text = text.replace("/etc/procomu/data", "/var/lib/procomu").replace("/etc/procomu/run", "/run/procomu")
    (etc / "node.toml").write_text(text)
    (etc / "rules.toml").write_text(RULES)
    (etc / "members.toml").write_text(MEMBERS)
    for file, content in (
        (etc / "community.key", secrets.token_hex(32).encode()),
        (var / "node.key", key_to_pem(Ed25519PrivateKey.generate())),
    ):
        file.write_bytes(content)
        file.chmod(0o600)


def boot(lab: Lab, look: str, watchdog_s: int | None = None) -> dict[str, Any]:
    """What the program `look` saw inside the unit, from /seen.json."""
    place, disk = lab.namespace("machine"), lab.folder / "disk"
    place.bridge("br-lan")
    place.ip("link add ap0 type veth peer name ap1", "link set ap1 up")
    place.plug("ap0")
    place.address("br-lan", "10.77.0.1/16", "fd77::1/64")
    place.ip("link add wan0 type veth peer name wan1", "link set wan1 up")
    place.address("wan0", "10.88.1.1/24")
    lab.tmpfs(disk, 512 * 1024)
    root = disk / "root"
    for name in ("upper", "work", "root"):
        (disk / name).mkdir()
    options = f"lowerdir=/,upperdir={disk}/upper,workdir={disk}/work"
    lab.mount("-t", "overlay", "overlay", "-o", options, at=root)
    system = root / "etc/systemd/system"
    for wants in system.glob("*.wants"):
        shutil.rmtree(wants)
    (root / "etc/machine-id").write_text("")
    shutil.rmtree(root / "etc/procomu", ignore_errors=True)
    shutil.rmtree(root / "var/lib/procomu", ignore_errors=True)
    furnish(root)
    command = root / "usr/bin/procomu"
    command.write_text(f'#!/bin/sh\ncd /code && exec {sys.executable} -m node "$@"\n')
    command.chmod(0o755)
    (root / "code").mkdir()
    (root / "look.py").write_text(look)
    shutil.copy(ROOT / "deploy/systemd/procomu.service", system)
    if watchdog_s is not None:
        (system / "procomu.service.d").mkdir()
        (system / "procomu.service.d/watchdog.conf").write_text(f"[Service]\nWatchdogSec={watchdog_s}\n")
    (system / "look.service").write_text("[Service]\nExecStart=/usr/bin/python3 /look.py\nTimeoutSec=150\n")
    wanted = system / "multi-user.target.wants"
    wanted.mkdir()
    for name in ("procomu.service", "look.service"):
        (wanted / name).symlink_to(f"../{name}")
    shown = [f"--bind-ro={ROOT}:/code"]
    shown += [f"--bind-ro={venv}" for venv in {sys.prefix} if not Path(venv).is_relative_to(ROOT)]
    done = subprocess.run(
        nspawn_words(root, place.path, *shown),
        env={**os.environ, **NSPAWN_ENVIRONMENT},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=BOOT_S_MAX,
        stdin=subprocess.DEVNULL,
    )
    seen = root / "seen.json"
    assert seen.exists(), done.stdout[-2000:] + done.stderr[-1000:]
    return dict(json.loads(seen.read_text()))


@pytest.fixture
def booted() -> "Callable[..., dict[str, Any]]":
    def run(look: str, watchdog_s: int | None = None) -> dict[str, Any]:
        with Lab("unit") as lab:
            return boot(lab, look, watchdog_s)

    return run


def test_dnsmasq_is_outside_the_units_memory_and_outlives_it(booted: Callable[..., dict[str, Any]]) -> None:
    seen = booted(LOOK_AROUND)
    assert seen["came"], seen["log"]
    assert "/procomu.service" in seen["own"]
    assert all("procomu.service" not in group for group in seen["servers"].values()), seen["servers"]
    assert seen["servers"] == seen["left"], "people keep their addresses while the node is stopped"
    assert seen["again"], seen["log"]
    assert seen["servers"] == seen["after"]


def test_the_unit_is_restarted_without_limit(booted: Callable[..., dict[str, Any]]) -> None:
    """Five failures within ten seconds (systemd's default) had stopped it until an operator logged in."""
    seen = booted(LOOK_AT_KILLS)
    assert seen["came_back"], seen["log"]
    assert "active" == seen["state"]
    assert seen["restarts"] >= KILLS


def test_a_node_that_hangs_is_restarted(booted: Callable[..., dict[str, Any]]) -> None:
    """The control loop reports to systemd on each tick; dnsmasq and the packet filter stay meanwhile."""
    seen = booted(LOOK_AT_A_HANG, WATCHDOG_S)
    assert seen["ready"], seen["log"]
    assert 0 == seen["restarts"], "a node that works is left alone"
    assert seen["came_back"], seen["log"]
    assert seen["hung"] != seen["node"]
    assert seen["kept"]
    assert "Fatal Python error: Aborted" in seen["result"], "the log has where it hung"


def test_the_node_works_within_the_limits_of_its_unit(booted: Callable[..., dict[str, Any]]) -> None:
    seen = booted(LOOK_AT_LIMITS)
    assert "2" == seen["limits"]["Seccomp"]
    assert "1" == seen["limits"]["NoNewPrivs"]
    assert set() == {"net", "kmsg", "fuse"} & set(seen["devices"])
    assert ["1", "1"] == seen["forwarding"]
    failed = [each for each in seen["doctor"] if each["verdict"] == "fail"]
    assert [] == failed
    assert {"node", "forwarding", "dnsmasq"} <= {
        each["name"] for each in seen["doctor"] if each["verdict"] == "ok"
    }
    assert "not permitted" not in seen["log"]
