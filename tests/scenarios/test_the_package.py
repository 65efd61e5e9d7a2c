"""The Debian package on a bare Debian 13 that systemd has booted in a container, with real clients: installed, upgraded
while somebody is online, removed, and purged. mmdebstrap makes the file system, with this machine's sources of apt."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.named_commands import PROGRAMS, executables, named
from tests.kernel.test_the_unit import NSPAWN_ENVIRONMENT, nspawn_words
from tests.lab.internet import DNS_V4, ROOT
from tests.scenarios.conftest import eventually, is_captured
from tests.scenarios.test_beginnings_and_ends import addresses, queues, ruleset

MISSING = [name for name in ("mmdebstrap", "systemd-nspawn", "dh", "lintian") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing (deploy/setup package)"),
]
BASE = ("systemd-sysv", "dbus", "apt", "python3", "bash-completion", "ca-certificates", "radvd")
NOT_OURS = (
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "var/log",
    "var/tmp",
    "var/cache",
    "var/lib/dpkg",
    "var/lib/apt",
)
"""Folders whose files change by themselves, or by any use of apt."""
CHANGED_BY_SYSTEMD = re.compile(
    r"var/lib/systemd/(random-seed|timesync|timers|catalog|linger|rfkill|coredump)"
)
OWN_ADDRESS = "192.0.2.77/32"
"""Of the LAN's interface before the node; it must stay."""


class Debian:
    """A Debian in a container that uses the network namespace of a router."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.leader = 0
        self._container: subprocess.Popen[bytes] | None = None

    def boot(self, network: Path) -> None:
        words = nspawn_words(self.root, network)
        self._container = subprocess.Popen(
            words,
            env={**os.environ, **NSPAWN_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children")
        assert eventually(lambda: children.read_text().split(), 20)
        self.leader = int(children.read_text().split()[0])
        assert eventually(lambda: self.says("systemctl", "is-active", "multi-user.target") == "active", 60)

    def run(self, *words: str, seconds: float = 120) -> "subprocess.CompletedProcess[str]":
        """Runs a program in the booted container, like an operator at its console."""
        inside = ["nsenter", f"--target={self.leader}", "--all", "--", "/usr/bin/env", "-i"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*inside, path, "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *words],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    def says(self, *words: str) -> str:
        return self.run(*words).stdout.strip()

    def does(self, *words: str) -> str:
        """Like `says`, for what must succeed."""
        done = self.run(*words)
        assert 0 == done.returncode, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def unit(self, name: str) -> str:
        return self.says("systemctl", "show", "procomu.service", "--value", "-p", name)

    def processes(self) -> dict[int, str]:
        """Command lines of the node and its servers, by process id."""
        lines = self.does("ps", "-eo", "pid=,args=").splitlines()
        found = {int(line.split(maxsplit=1)[0]): line.split(maxsplit=1)[1] for line in lines}
        return {pid: args for pid, args in found.items() if re.search(r"procomu|dnsmasq|radvd", args)}

    def files(self) -> set[str]:
        found = set()
        for folder, folders, names in os.walk(self.root):
            here = os.path.relpath(folder, self.root).removeprefix(".").removeprefix("/")
            folders[:] = [name for name in folders if os.path.join(here, name) not in NOT_OURS]
            found |= {os.path.join(here, name) for name in (*folders, *names)}
        return {name for name in found if not CHANGED_BY_SYSTEMD.match(name)}

    def close(self) -> None:
        if self._container is None:
            return
        if self._container.poll() is None:
            self.run("systemctl", "poweroff")
        try:
            self._container.wait(30)
        except subprocess.TimeoutExpired:
            self._container.terminate()
            self._container.wait(20)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from this tree."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run([ROOT / "deploy/package", folder], check=True, stdout=subprocess.DEVNULL)
    (made,) = folder.glob("*.deb")
    return made


@pytest.fixture
def debian(package: Path, tmp_path: Path) -> Iterator[Debian]:
    """Has the packages that ours depends on, and not ours."""
    root = tmp_path / "root"
    listed = subprocess.run(
        ["dpkg-deb", "-f", package, "Depends"], check=True, capture_output=True, text=True
    )
    needed = {re.split(r"[ :|]", each.strip())[0] for each in listed.stdout.split(",")}
    sources = [
        path
        for path in map(Path, ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"))
        if path.exists()
    ]
    dump = ["apt-config", "dump", "--format", '%F "%v"%n', "Acquire"]
    options = subprocess.run(dump, check=True, capture_output=True, text=True).stdout.splitlines()
    chosen = [
        f"--aptopt={line}"
        for line in options
        if re.search(r"Proxy|Check|Retries|Timeout", line) and not line.endswith('""')
    ]
    words = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(sorted({*BASE, *needed}))}",
        *chosen,
    ]
    subprocess.run([*words, "trixie", root, *sources], check=True, timeout=500)
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(f"nameserver {DNS_V4}\n")
    made = Debian(root)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root, ignore_errors=True)


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
