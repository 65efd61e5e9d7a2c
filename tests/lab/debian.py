"""A bare Debian 13 that systemd boots in a container, in the network namespace of a router: `Debian`. mmdebstrap makes its
file system with this machine's sources of apt; `built_package` builds the node's package of this tree.

The container has no Internet but the lab's, so whatever is to be installed there is downloaded before it boots.
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lab import eventually
from tests.lab.internet import DNS_V4, ROOT

MISSING = [
    name for name in ("mmdebstrap", "systemd-nspawn", "dh", "dpkg-buildpackage") if shutil.which(name) is None
]
"""Programs that this module needs and this machine lacks; ``deploy/setup package`` installs them."""
BASE = ("systemd-sysv", "dbus", "apt", "iproute2")
"""What a Debian has in any case, however small."""
NSPAWN_ENVIRONMENT = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
CHANGED_BY_APT = (
    *("proc", "sys", "dev", "run", "tmp"),
    *("var/log", "var/tmp", "var/cache", "var/lib/dpkg", "var/lib/apt"),
)
"""Folders whose files change by themselves, or by any use of apt."""
CHANGED_BY_SYSTEMD = re.compile(
    r"var/lib/systemd/(random-seed|timesync|timers|catalog|linger|rfkill|coredump)"
)
_PROCESSES = """cd /proc
for pid in [0-9]*; do
    [ "$pid" = $$ ] || { echo $pid $(tr '\\0' ' ' <$pid/cmdline); } 2>/dev/null
done; true"""
"""A shell's list of process ids with their command lines; procps may be missing."""
BOOT_S_MAX, STOP_S_MAX, MAKE_S_MAX = 60, 30, 500


def nspawn_words(root: Path, network: Path, *more: str) -> list[str]:
    """Command line that boots the Debian in `root` with a network namespace."""
    words = ["systemd-nspawn", "--register=no", "--keep-unit", "--resolv-conf=off", f"--directory={root}"]
    # Two containers of one name, which is the folder's otherwise, do not run at once.
    words += [f"--machine=debian-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"]
    words += [f"--network-namespace-path={network}", "--console=pipe", *more]
    words += ["--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN"]
    return [*words, "--boot", "systemd.unit=multi-user.target"]


def built_package(folder: Path) -> Path:
    """Builds the node's package from this tree into `folder`."""
    subprocess.run([ROOT / "deploy/package", folder], check=True, stdout=subprocess.DEVNULL)
    (made,) = folder.glob("*.deb")
    return made


def dependencies(package: Path, field: str = "Depends") -> set[str]:
    """The packages that a package needs, or those of another field; the first of alternatives."""
    listed = subprocess.run(["dpkg-deb", "-f", package, field], check=True, capture_output=True, text=True)
    return {re.split(r"[ :|]", each.strip())[0] for each in listed.stdout.split(",")}


class Debian:
    """A Debian in a container that uses the network namespace of a router."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.leader = 0
        self._console = root.with_name(f"{root.name}.console")
        self._container: subprocess.Popen[bytes] | None = None

    def make(self, *packages: str) -> None:
        """Makes the file system, with `BASE` and these packages."""
        sources = [
            path
            for path in map(Path, ("/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"))
            if path.exists()
        ]
        words = ["mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt/lists"]
        words += [f"--include={','.join(sorted({*BASE, *packages}))}"]
        words += [f"--aptopt={line}" for line in _apt_options()]
        subprocess.run([*words, "trixie", self.root, *sources], check=True, timeout=MAKE_S_MAX)
        self.names(DNS_V4)

    def names(self, server: str) -> None:
        """Sets the resolver."""
        resolver = self.root / "etc/resolv.conf"
        resolver.unlink(missing_ok=True)
        resolver.write_text(f"nameserver {server}\n")

    def download(self, *packages: str) -> int:
        """Bytes of these packages and of all that they need, downloaded so that apt finds them without the Internet.
        A path is one in the container. Only before it boots."""
        resolver = self.root / "etc/resolv.conf"
        before = resolver.read_bytes()
        resolver.write_bytes(Path("/etc/resolv.conf").read_bytes())
        words = ["apt-get", "install", "--download-only", "--yes", "--quiet", *packages]
        archives = self.root / "var/cache/apt/archives"
        there = {path.name for path in archives.glob("*.deb")}
        try:
            subprocess.run(
                ["chroot", self.root, *words], check=True, timeout=MAKE_S_MAX, stdout=subprocess.DEVNULL
            )
        finally:
            resolver.write_bytes(before)
        return sum(path.stat().st_size for path in archives.glob("*.deb") if path.name not in there)

    def boot(self, network: Path) -> None:
        with self._console.open("wb") as console:
            self._container = subprocess.Popen(
                nspawn_words(self.root, network),
                env={**os.environ, **NSPAWN_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        if not eventually(self._find_leader, 20):
            raise RuntimeError("the container does not start")

    def _find_leader(self) -> bool:
        """systemd-nspawn's first child only starts the container's first process, and ends."""
        assert self._container is not None
        children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children")
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                numbers = re.search(r"^NSpid:\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
                if numbers is not None and numbers[1].split()[1:] == ["1"]:
                    self.leader = int(pid)
                    return True
        return False

    def wait_booted(self) -> None:
        """Raises RuntimeError if it does not come up."""
        if not eventually(
            lambda: self.says("systemctl", "is-active", "multi-user.target") == "active", BOOT_S_MAX
        ):
            shown = self._console.read_text(errors="replace")
            raise RuntimeError(f"the container does not boot: {shown[-1500:]}")

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

    def does(self, *words: str, seconds: float = 120) -> str:
        """Like `says`, for what must succeed. Raises RuntimeError."""
        done = self.run(*words, seconds=seconds)
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def unit(self, name: str) -> str:
        """A property of the node's unit."""
        return self.says("systemctl", "show", "procomu.service", "--value", "-p", name)

    def processes(self) -> dict[int, str]:
        """Command lines of the node and its servers, by process id."""
        found = (line.partition(" ") for line in self.does("sh", "-c", _PROCESSES).splitlines())
        return {int(pid): args.strip() for pid, _, args in found if re.search(r"procomu|dnsmasq|radvd", args)}

    def files(self, but: Iterable[str] = CHANGED_BY_APT) -> set[str]:
        """Every file and folder, except below the folders `but`."""
        found, left_out = set(), set(but)
        for folder, folders, names in os.walk(self.root):
            here = os.path.relpath(folder, self.root).removeprefix(".").removeprefix("/")
            folders[:] = [name for name in folders if os.path.join(here, name) not in left_out]
            found |= {os.path.join(here, name) for name in (*folders, *names)}
        return {name for name in found if not CHANGED_BY_SYSTEMD.match(name)}

    def stop(self) -> None:
        """Powers the container off; it can be booted again."""
        if self._container is None:
            return
        if self._container.poll() is None:
            self.run("systemctl", "poweroff")
        try:
            self._container.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._container.terminate()
            self._container.wait(20)
        self._container = None

    def cut_power(self) -> None:
        """Ends the container at once; it can be booted again."""
        if self._container is not None:
            os.kill(self.leader, signal.SIGKILL)
            self._container.wait(20)
        self._container = None

    def close(self) -> None:
        """Stops it and removes its file system."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
        self._console.unlink(missing_ok=True)


def _apt_options() -> list[str]:
    """This machine's settings of how apt downloads, such as a proxy."""
    dump = ["apt-config", "dump", "--format", '%F "%v"%n', "Acquire"]
    options = subprocess.run(dump, check=True, capture_output=True, text=True).stdout.splitlines()
    return [
        line
        for line in options
        if re.search(r"Proxy|Check|Retries|Timeout", line) and not line.endswith('""')
    ]
