"""The doctor beside other programs on a real kernel: what it names as the cause is the cause, and its fix fixes it."""

import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.doctor.diagnoses import Diagnosis, diagnose
from node.doctor.facts import gather
from tests.kernel.frames import UDP, ip, udp
from tests.kernel.kernel_testbed import FAR, MARK, MEMBER, MEMBER_MAC, KernelTestbed, kernel_testbed
from tests.lab import rogue_dhcp_server
from tests.lab.internet import ROOT
from tests.lab.netns import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]
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


@pytest.mark.parametrize(
    "theirs", [POLICY, pytest.param(LAST_RULE, marks=pytest.mark.thorough)], ids=["policy", "last-rule"]
)
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


@pytest.mark.parametrize(
    ("rules", "is_open"),
    [
        pytest.param(
            "iifname lan0 meta l4proto { tcp, udp } ct state new accept", True, marks=pytest.mark.thorough
        ),
        pytest.param("iifname lan0 meta l4proto tcp ct state new accept", False, marks=pytest.mark.thorough),
        ("udp dport { 53, 67 } accept; tcp dport { 53, 2000-2100 } accept", False),
    ],
)
def test_a_chain_that_drops_is_named_until_the_nodes_ports_are_open_to_the_lan(
    place: KernelTestbed, settings: Path, rules: str, is_open: bool
) -> None:
    chain = f"chain into {{ type filter hook input priority 5; policy drop; {rules}; }}"
    place.router.run("nft", "-f", "-", stdin=f"table inet other {{ {chain}; }}")
    try:
        found = troubles(place, settings)
        assert is_open == ("other filters" not in found)
        assert is_open or "chain into" in found["other filters"].found
    finally:
        place.router.run("nft", "delete table inet other")


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
        found = troubles(place, settings)
        assert is_ours == ("port 53" not in found)
        assert is_ours or "address already in use, by dnsmasq" in found["port 53"].wrong
    finally:
        running.terminate()
        running.wait()


@pytest.fixture
def rogue(place: KernelTestbed) -> Iterator[Namespace]:
    """Another machine on the LAN, and a node that has never run: there is no table."""
    made = place.lab.namespace(f"rogue{place.lab.next_number()}")
    place.lab.veth(made, "eth0", place.router, "p9", a_mac=rogue_dhcp_server.MAC)
    place.router.plug("p9", "lan0")
    made.address("eth0", "192.168.1.1/24", "fe80::66/64")
    table = place.router.run("nft", "list", "table", "inet", "procomu")
    place.router.run("nft", "delete", "table", "inet", "procomu")
    yield made
    place.router.run("nft", "-f", "-", stdin=table)
    place.router.ip("link del p9")


@pytest.mark.parametrize("was_running", [False, True], ids=["never-started", "after-a-crash"])
def test_another_dhcp_server_is_named_while_the_node_does_not_run(
    place: KernelTestbed, settings: Path, rogue: Namespace, tmp_path: Path, was_running: bool
) -> None:
    assert "other servers" not in troubles(place, settings)
    if was_running:
        place.admit(MEMBER_MAC)
    rogue_dhcp_server.start(rogue, tmp_path / "rogue")
    deadline = time.monotonic() + 20
    while "other servers" not in (found := troubles(place, settings)) and time.monotonic() < deadline:
        pass  # until its server has started; each look takes two seconds
    assert f"{rogue_dhcp_server.MAC} (192.168.1.1)" in found["other servers"].wrong
    assert "take it off the network" in found["other servers"].fix
    assert "port 67" not in found


def test_forged_and_malformed_answers_do_not_disturb_the_doctor(
    place: KernelTestbed, settings: Path, rogue: Namespace
) -> None:
    """Sent while it listens: truncated answers, and more senders than it remembers."""
    offer = ip("192.168.2.1", "255.255.255.255", UDP, udp("192.168.2.1", "255.255.255.255", 67, 68, bytes(9)))
    everybody = bytes.fromhex("ffffffffffff")
    frames = [everybody + bytes.fromhex("020000000001") + b"\x08\0" + offer[:n] for n in range(len(offer))]
    frames += [everybody + bytes((2, 0x66, 0, 0, 0, n)) + b"\x08\0" + offer for n in range(200)]
    done = threading.Event()

    def send() -> None:
        with rogue.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
            line.bind(("eth0", 0))
            while not done.wait(0.1):
                for frame in frames:
                    line.send(frame)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        found = troubles(place, settings)["other servers"]
    finally:
        done.set()
        sender.join()
    assert 3 == found.wrong.count("(192.168.2.1)")
    assert "and 61 more" in found.wrong


@pytest.mark.parametrize("interface", ["lan0", "wan0"])
def test_a_dhcp_server_of_this_machine_is_in_the_way_on_the_lan_only(
    place: KernelTestbed, settings: Path, interface: str
) -> None:
    place.router.run("nft", "flush", "set", "inet", "procomu", "foreign_dhcp")
    with place.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        server.bind(("", 67))
        found = {each.name: each for each in diagnose(gather(settings)) if each.verdict != "ok"}
    assert (interface == "lan0") == ("port 67" in found)
    assert (
        interface != "lan0" or "by pytest" in found["port 67"].wrong or "by python" in found["port 67"].wrong
    )
    assert "other servers" not in found


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
