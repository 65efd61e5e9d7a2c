"""Network namespaces with links between them, and the programs that run inside; all of it is removed at the end.

    with Lab("bench") as lab:
        router, phone = lab.namespace("router"), lab.namespace("phone")
        lab.veth(router, "br-lan", phone, "eth0")
        router.address("br-lan", "10.77.0.1/24", "fd77::1/64")
        server = router.start("python3", "-m", "http.server", "80")
        phone.run("ping", "-c1", "10.77.0.1")

Everything that a `Lab` creates is recorded under /run/procomu-lab *before* it is created, so that the next start (or
``python -m tests.lab.sweep``) removes what a kill -9 left behind, and only that.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tests.lab import PATIENCE
from tests.lab.lab_resources import (
    REGISTERS,
    LabResources,
    process_started,
    remove_what_was_registered,
    sweep,
)

CLONE_NEWNET = 0x40000000
STOP_SECONDS = 4.0

__all__ = [
    "REGISTERS",
    "Lab",
    "LabProgram",
    "Namespace",
    "entered_namespace",
    "missing_for_namespaces",
    "sweep",
]


class LabProgram:
    """A program that runs in a namespace; its output goes to `log`."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path | None) -> None:
        self.popen = popen
        self.log = log

    @property
    def pid(self) -> int:
        return self.popen.pid

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def kill9(self) -> None:
        """Sends SIGKILL, like a crash."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Sends SIGTERM, and SIGKILL after `seconds`; returns the exit code (negative: the signal)."""
        if self.is_alive():
            self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(seconds)
        if self.is_alive():
            self.popen.kill()
        return self.popen.wait()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log and self.log.exists() else ""


class Namespace:
    """One network namespace, by its full name."""

    def __init__(self, lab: "Lab", name: str) -> None:
        self.lab = lab
        self.name = name
        self.short = name.rsplit("-", 1)[-1]

    def __repr__(self) -> str:
        return f"Namespace({self.name})"

    @property
    def path(self) -> Path:
        return Path("/run/netns") / self.name

    def run(
        self, *argv: str, check: bool = True, timeout: float = 30 * PATIENCE, stdin: str | None = None
    ) -> str:
        """Runs a program to its end; returns stdout. With `check` a failure raises with both outputs."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *argv],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            input=stdin,
        )
        if check and done.returncode:
            raise RuntimeError(
                f"{self.name}: {' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done.stdout

    def popen(self, *argv: str, **more: Any) -> "subprocess.Popen[bytes]":
        """`subprocess.Popen` inside, recorded for removal; the process is the program itself."""
        process = subprocess.Popen(["ip", "netns", "exec", self.name, *argv], **more)
        self.lab.record_process(process)
        return process

    def start(
        self, *argv: str, log: Path | None = None, env: dict[str, str] | None = None, **more: Any
    ) -> LabProgram:
        """Starts a program that keeps running; both outputs go to a log file."""
        log = log or self.lab.folder / f"{self.short}-{Path(argv[0]).name}-{self.lab.next_number()}.log"
        with log.open("ab") as sink:
            environment = {**os.environ, **(env or {})}
            process = self.popen(
                *argv,
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                **more,
            )
        return LabProgram(process, log)

    def ip(self, *lines: str) -> None:
        """Lines of ``ip -batch`` in this namespace, in one process."""
        text = "\n".join(lines)
        argv = ["ip", "-n", self.name, "-batch", "-"]
        done = subprocess.run(argv, input=text, text=True, check=False, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {text}: {done.stderr}")

    def address(self, interface: str, *addresses: str) -> None:
        """Sets addresses (with prefix length) and brings the interface up; without duplicate address detection."""
        self.ip(
            f"link set {interface} up",
            *(f"addr add {a} dev {interface}{' nodad' if ':' in a else ''}" for a in addresses),
        )

    def route(self, *routes: str) -> None:
        """Routes as ``default via 10.77.0.1`` or ``fd99::/64 via fd77::1``."""
        self.ip(*(f"route replace {route}" for route in routes))

    def sysctl(self, **values: int | str) -> None:
        """Sets sysctls, with ``__`` for each dot: ``sysctl(net__ipv4__ip_forward=1)``."""
        with self.entered():
            for key, value in values.items():
                Path("/proc/sys", *key.split("__")).write_text(str(value))

    def bridge(self, name: str = "br-lan", mac: str | None = None) -> None:
        """A bridge without spanning tree or multicast snooping, up at once."""
        address = f" address {mac}" if mac else ""
        self.ip(
            f"link add {name}{address} type bridge forward_delay 0 mcast_snooping 0", f"link set {name} up"
        )

    def plug(self, interface: str, bridge: str = "br-lan") -> None:
        self.ip(f"link set {interface} master {bridge} up")

    def pids(self) -> list[int]:
        """Processes in this namespace now."""
        done = subprocess.run(["ip", "netns", "pids", self.name], check=False, capture_output=True, text=True)
        return [int(word) for word in done.stdout.split()]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and threads and processes it starts, are in the namespace for the duration of the block."""
        with _thread_moved(lambda: _set_namespace(self.path)):
            yield


class Lab:
    """Everything that one test or one demonstration creates. Use as a context manager."""

    def __init__(self, word: str) -> None:
        self.word = word
        sweep()
        self.prefix = f"{word}-{os.getpid()}{_letter()}"
        self._resources = LabResources.opened(self.prefix)
        self._folder: Path | None = None
        self._number = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self.namespaces: list[Namespace] = []

    def __enter__(self) -> "Lab":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """A folder of this lab, removed at the end."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"procomu-lab-{self.prefix}-"))
            self._resources.add(folder=str(self._folder))
        return self._folder

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def namespace(self, name: str) -> Namespace:
        """A namespace ``<word>-<pid><letter>-<name>``: loopback up, no duplicate address detection."""
        full = f"{self.prefix}-{name}"
        self._resources.add(namespace=full)
        subprocess.run(["ip", "netns", "add", full], check=True, capture_output=True)
        made = Namespace(self, full)
        made.ip("link set lo up")
        made.sysctl(
            net__ipv6__conf__all__accept_dad=0,
            net__ipv6__conf__default__accept_dad=0,
            net__ipv6__conf__all__disable_ipv6=0,
            net__ipv6__conf__default__router_solicitation_delay=0,
            net__ipv6__conf__default__router_solicitation_interval=1,
            net__ipv6__conf__default__disable_ipv6=0,
        )
        self.namespaces.append(made)
        return made

    def veth(
        self,
        a: Namespace,
        a_name: str,
        b: Namespace,
        b_name: str,
        *,
        a_mac: str | None = None,
        b_mac: str | None = None,
        offload: bool = True,
        mtu: int | None = None,
    ) -> None:
        """A veth pair between two namespaces, both ends up. Without `offload` packets keep their size on the wire."""
        more = f" mtu {mtu}" if mtu else ""
        left = f"{more} address {a_mac}" if a_mac else more
        right = f"{more} address {b_mac}" if b_mac else more
        a.ip(
            f"link add {a_name}{left} type veth peer name {b_name}{right} netns {b.name}",
            f"link set {a_name} up",
        )
        b.ip(f"link set {b_name} up")
        if not offload:
            for end, name in ((a, a_name), (b, b_name)):
                end.run("ethtool", "-K", name, "tso", "off", "gso", "off", "gro", "off", "tx", "off")

    def tmpfs(self, path: Path, size_kib: int) -> None:
        """A small tmpfs, for a data directory that fills up."""
        path.mkdir(parents=True, exist_ok=True)
        self._resources.add(mount=str(path))
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "procomu-lab", str(path)], check=True
        )

    def mount(self, *words: str, at: Path) -> None:
        """``mount WORDS AT``, unmounted at the end."""
        self._resources.add(mount=str(at))
        subprocess.run(["mount", *words, str(at)], check=True)

    def record_cgroup(self, folder: Path) -> None:
        """A control group, removed at the end."""
        self._resources.add(cgroup=str(folder))

    def record_process(self, process: "subprocess.Popen[bytes]") -> None:
        self._processes.append(process)
        self._resources.add(process=[process.pid, process_started(process.pid) or 0])

    def close(self) -> None:
        """Stops the programs in reverse order, then removes everything."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    _close_quietly(stream)
        remove_what_was_registered(self._resources)
        self.namespaces.clear()
        self._processes.clear()


@contextlib.contextmanager
def entered_namespace(namespace: Namespace | None = None) -> Iterator[None]:
    """This thread, and threads and processes it starts, are in `namespace`, or in a new anonymous one that ends with
    its last user. The loopback is up. Needs root (see `missing_for_namespaces`)."""
    with _thread_moved(_unshare if namespace is None else lambda: _set_namespace(namespace.path)):
        if namespace is None:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True, capture_output=True)
        yield


def missing_for_namespaces() -> str | None:
    """The reason why namespaces cannot be created here, in one sentence; None if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    failure: list[str] = []

    def attempt() -> None:
        try:
            _unshare()
        except OSError as error:
            failure.append(f"this kernel does not let us make network namespaces: {error}")

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return failure[0] if failure else None


_libc = ctypes.CDLL(None, use_errno=True)
_letters = iter("abcdefghijklmnopqrstuvwxyz" * 1000)


def _letter() -> str:
    return next(_letters)


def _unshare() -> None:
    _checked(_libc.unshare(CLONE_NEWNET), "unshare")


def _set_namespace(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(handle, CLONE_NEWNET), f"setns {path}")
    finally:
        os.close(handle)


@contextlib.contextmanager
def _thread_moved(move: Callable[[], None]) -> Iterator[None]:
    before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        move()
        yield
    finally:
        _checked(_libc.setns(before, CLONE_NEWNET), "setns back")
        os.close(before)


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _close_quietly(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stream.close()


def terminate_as_interrupt() -> None:
    """Makes SIGTERM and SIGHUP end the program like Ctrl-C, so that context managers clean up."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
