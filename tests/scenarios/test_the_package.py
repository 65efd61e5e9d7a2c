"""The Debian package on a bare Debian 13 that systemd has booted in a container, with real clients: installed, upgraded
while somebody is online, removed, and purged."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.named_commands import PROGRAMS, executables, named
from tests.lab import eventually
from tests.lab.debian import MISSING, Debian, built_package, dependencies
from tests.scenarios.conftest import is_captured
from tests.scenarios.test_beginnings_and_ends import addresses, queues, ruleset

LACKING = [*MISSING, *(name for name in ("lintian",) if shutil.which(name) is None)]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} missing (deploy/setup package)"),
]
OWN_ADDRESS = "192.0.2.77/32"
"""Of the LAN's interface before the node; it must stay."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from this tree."""
    return built_package(tmp_path_factory.mktemp("package"))


@pytest.fixture
def debian(package: Path, tmp_path: Path) -> Iterator[Debian]:
    """Has the packages that ours depends on, and not ours."""
    made = Debian(tmp_path / "root")
    try:
        recommended = ("ca-certificates", "hostapd", "radvd", "rfkill", "systemd-timesyncd", "wireless-regdb")
        made.make(*dependencies(package), *recommended, "bash-completion")
        yield made
    finally:
        made.close()


def rebuilt(package: Path, folder: Path, version: str) -> Path:
    """The same package as another version."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "raw"], check=True)
    control, release = folder / "raw/DEBIAN/control", folder / "raw/usr/share/procomu/node/release"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    release.write_text(f"{version} (0123abcd)\n")
    made = folder / f"procomu_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", folder / "raw", made], check=True, capture_output=True
    )
    return made


def test_lintian_finds_nothing(package: Path) -> None:
    words = [
        "lintian",
        "--allow-root",
        "--info",
        "--display-info",
        "--fail-on",
        "error,warning,info",
        package,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout


def test_installed_upgraded_removed_and_purged(
    place, comes, debian: Debian, package: Path, tmp_path: Path
) -> None:
    square = place.square
    square.place.run("ip", "address", "flush", "dev", "br-lan", "scope", "global")
    square.place.run("ip", "address", "add", OWN_ADDRESS, "dev", "br-lan")
    debian.boot(square.place.path)
    debian.wait_booted()
    before = debian.files(), (debian.root / "etc/passwd").read_text(), debian.processes()
    network = ruleset(square), queues(square), addresses(square), forwarding(square)
    packages = debian.root / "root"
    shutil.copy(package, packages)

    # Installed: it waits for its settings, and what it tells people to run exists.
    debian.does("apt-get", "install", "--yes", f"/root/{package.name}")
    assert "inactive" == debian.unit("ActiveState")
    assert "enabled" == debian.says("systemctl", "is-enabled", "procomu.service")
    programs = named(executables()).keys() & PROGRAMS.keys()
    assert [] == [
        name for name in sorted(programs) if debian.run("sh", "-c", f"command -v {name}").returncode
    ]
    assert re.search(r"^procomu \S+ \(\w+\+?\)$", debian.does("procomu", "--version"))

    # Started: a phone gets an address, the portal, and the Internet.
    debian.does("procomu", "init", "--name", "library", "--lan", "br-lan", "--uplink", "wan0")
    debian.does("systemctl", "start", "procomu")
    assert "active" == debian.unit("ActiveState")
    phone, stranger = comes("phone"), comes("tablet")
    assert eventually(lambda: is_captured(phone), 15)
    assert phone.do("accept")["first_packet_ms"] is not None
    assert 'verdict": "fail"' not in debian.says("procomu", "doctor", "--json")
    first, servers = debian.unit("MainPID"), debian.processes()
    handles = table_handles(square)
    assert handles

    # Upgraded: the daemon is another one, and nothing else; the phone's packets pass meanwhile.
    newer = rebuilt(package, tmp_path, "0.1.0+next")
    shutil.copy(newer, packages)
    calls = phone.wish("echo", seconds=12, far=phone.far_v4)
    debian.does("apt-get", "install", "--yes", f"/root/{newer.name}")
    assert eventually(lambda: debian.unit("ActiveState") == "active", 20)
    assert debian.unit("MainPID") != first
    assert "procomu 0.1.0+next (0123abcd)" == debian.says("procomu", "--version")
    result = calls.result()
    assert result["came"] >= result["sent"] - 2, result
    assert not is_captured(phone)
    assert eventually(lambda: is_captured(stranger), 15)
    assert handles == table_handles(square), "the packet filter was not made again"
    assert servers.keys() - {int(first)} <= debian.processes().keys(), "dnsmasq runs on"
    assert phone.lease is not None

    # Removed: the kernel is as before, and settings and database stay.
    debian.does("apt-get", "remove", "--yes", "procomu")
    assert before[2] == debian.processes()
    assert network == (ruleset(square), queues(square), addresses(square), forwarding(square))
    assert "node.toml" in debian.says("ls", "/etc/procomu")
    assert "procomu.db" in debian.says("ls", "/var/lib/procomu")

    # Purged: nothing is left.
    debian.does("apt-get", "purge", "--yes", "procomu")
    for path in packages.glob("*.deb"):
        path.unlink()
    assert set() == debian.files() - before[0]
    assert set() == before[0] - debian.files()
    assert before[1] == (debian.root / "etc/passwd").read_text()
    assert "" == debian.says("sh", "-c", "ls -d /run/procomu* /run/systemd/transient/*dnsmasq* 2>/dev/null")
    assert "not-found" == debian.unit("LoadState")


def forwarding(router) -> list[str]:
    names = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
    return [router.place.run("cat", f"/proc/sys/net/{name}").strip() for name in names]


def table_handles(router) -> list[tuple[str, int]]:
    """Of the node's tables: other numbers when they were deleted and made again."""
    listed = json.loads(router.place.run("nft", "-j", "-a", "list", "tables"))["nftables"]
    tables = [each["table"] for each in listed if "table" in each]
    return sorted((each["family"], each["handle"]) for each in tables if each["name"] == "procomu")
