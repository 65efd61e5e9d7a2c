"""The doctor beside other programs on a real kernel: what it names as the cause is the cause, and its fix fixes it."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.doctor.diagnoses import Diagnosis, diagnose
from node.doctor.facts import gather
from tests.kernel.frames import UDP, ip, udp
from tests.kernel.kernel_testbed import FAR, MARK, MEMBER, MEMBER_MAC, KernelTestbed, kernel_testbed
from tests.lab.internet import ROOT

pytestmark = pytest.mark.kernel
POLICY = "table inet other { chain pass { type filter hook forward priority 0; policy drop; }; }"
LAST_RULE = "table ip other { chain pass { type filter hook forward priority 5; reject; }; }"
NODE_TOML = """\
[node]
name = "square"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
key_file = "{folder}/data/node.key"
[community]
name = "Vall"
key_file = "{folder}/community.key"
[lan]
interface = "lan0"
address4 = "10.77.0.1/16"
dns_upstream = ["10.88.0.254"]
[uplink]
interface = "wan0"
[rules]
file = "{folder}/rules.toml"
[members]
file = "{folder}/members.toml"
"""


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("doctor") as made:
        made.admit(MEMBER_MAC)
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    for name in ("data", "run"):
        (tmp_path / name).mkdir(mode=0o700)
    path = tmp_path / "node.toml"
    path.write_text(NODE_TOML.format(folder=tmp_path))
    return path


def troubles(place: KernelTestbed, settings: Path) -> dict[str, Diagnosis]:
    with place.router.entered():
        return {each.name: each for each in diagnose(gather(settings)) if each.verdict != "ok"}


def passes(place: KernelTestbed) -> bool:
    place.heard(place.far)
    datagram = udp(MEMBER[0], FAR[0], 40_000, 9, MARK)
    place.send(place.member, ip(MEMBER[0], FAR[0], UDP, datagram), MEMBER_MAC)
    return bool(place.heard(place.far))


@pytest.mark.parametrize("theirs", [POLICY, LAST_RULE], ids=["policy", "last-rule"])
def test_a_chain_that_drops_forwarded_packets_is_named_and_the_fix_lets_people_pass(
    place: KernelTestbed, settings: Path, theirs: str
) -> None:
    assert "other filters" not in troubles(place, settings)
    place.router.run("nft", "-f", "-", stdin=theirs)
    try:
        assert not passes(place)
        found = troubles(place, settings)["other filters"]
        assert "chain pass" in found.found
        for command in found.fix.split("; ")[:2]:
            place.router.run(*shlex.split(command))
        assert passes(place)
        assert "other filters" not in troubles(place, settings)
    finally:
        place.router.run("nft", "delete table " + " ".join(theirs.split()[1:3]))


def test_an_uplink_with_an_address_of_the_lan_is_named(place: KernelTestbed, settings: Path) -> None:
    assert "networks" not in troubles(place, settings)
    place.router.ip("addr flush dev wan0 scope global", "addr add 10.77.200.9/24 dev wan0")
    try:
        assert "10.78.0.1/16" in troubles(place, settings)["networks"].fix
    finally:
        place.router.ip("addr del 10.77.200.9/24 dev wan0")
        place.router.address("wan0", "10.88.0.1/24", "fd88::1/64")
        place.router.route("default via 10.88.0.254", "default via fd88::fe")


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "another"])
def test_a_resolver_that_outlived_its_node_is_no_error_and_another_one_is(
    place: KernelTestbed, settings: Path, is_ours: bool
) -> None:
    name = "dnsmasq" if is_ours else "another"
    conf, pid_file = (settings.parent / "run" / f"{name}.{end}" for end in ("conf", "pid"))
    conf.write_text(
        f"port=53\nlisten-address=10.77.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\npid-file={pid_file}\n"
    )
    running = place.router.popen("dnsmasq", "--keep-in-foreground", f"--conf-file={conf}")
    try:
        deadline = time.monotonic() + 10
        while not pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert is_ours == ("port 53" not in troubles(place, settings))
    finally:
        running.terminate()
        running.wait()


def test_without_root_every_check_that_is_possible_is_made(place: KernelTestbed, settings: Path) -> None:
    """The data folder is root's alone."""
    program = (
        "import os, sys; from pathlib import Path; from node.doctor.facts import gather; "
        "from node.doctor.diagnoses import diagnose; import asyncio, encodings.idna; os.seteuid(65534); "
        "print(*(f'{d.name}: {d.wrong}' for d in diagnose(gather(Path(sys.argv[1]))) if d.verdict != 'ok'), sep='\\n')"
    )
    os.chmod(settings.parent.parent, 0o755)
    os.chmod(settings.parent, 0o755)
    (settings.parent / "data" / "procomu.db").write_text("")
    result = subprocess.run(
        [sys.executable, "-c", program, str(settings)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert 0 == result.returncode, result.stderr
    assert "rights: only root can check everything" in result.stdout
    assert "database: it is damaged: permission denied" not in result.stdout
