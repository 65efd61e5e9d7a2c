"""The square of a village with its Internet and one router, which runs this node, or openNDS in its place."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.bench.latency_probe import APART_S
from tests.bench.many_clients import VirtualDevice, arrived, many_clients
from tests.bench.namespaces import keep_to_core
from tests.bench.topology import PLAIN
from tests.lab.internet import ROOT, Internet
from tests.lab.netns import Lab, Namespace
from tests.lab.village import HILLS, SQUARE, Modem, Router, plug_into_internet

PORTAL = "10.77.0.1"
FAR = "203.0.113.10"
PROBE = "http://connectivitycheck.gstatic.com/generate_204"


class SingleRouter:
    def __init__(self, lab: Lab, modem: Modem | None = None) -> None:
        self.lab = lab
        self.internet = Internet(lab)
        self.internet.open()
        self.router = Router(lab, SQUARE)
        self.modem = plug_into_internet(lab, self.internet, self.router, modem)
        """Namespace of the modem, if there is one."""
        self.neighbour: Router | None = None
        """A second node, on a mesh link."""

    def add_neighbour(self) -> None:
        """Before `furnish`, which writes its files too."""
        self.neighbour = Router(self.lab, HILLS)
        plug_into_internet(self.lab, self.internet, self.neighbour)
        self.lab.veth(self.router.place, "mesh0", self.neighbour.place, "mesh0")

    def furnish(
        self,
        *,
        rules: str | None = None,
        members: str | None = None,
        mesh: tuple[str, ...] = (),
        more: str = "",
    ) -> None:
        """The node's files; by default those of the demonstration's village."""
        key = self.lab.folder / "community.key"
        key.write_text(secrets.token_hex(32))
        routers = [self.router, *([] if self.neighbour is None else [self.neighbour])]
        nodes = [router.make_key() for router in routers]
        mesh = mesh if self.neighbour is None else ("mesh0",)
        for router in routers:
            router.furnish(nodes, key, mesh=mesh, more=more)
        if rules is not None:
            self.router.rules.write_text(rules)
        if members is not None:
            (self.router.folder / "members.toml").write_text(members)

    def forward_plainly(self) -> None:
        """A router without the node, as the base for openNDS."""
        place = self.router.place
        place.run("nft", "-f", "-", stdin=PLAIN)
        place.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)

    def crowd(self, size: int, *, v6: bool = False) -> "ClientProcess":
        return ClientProcess(*many_clients(self.lab, self.router.place, size, v6=v6))


class ClientProcess:
    """Devices, and the program that generates the traffic of them all."""

    def __init__(self, place: Namespace, devices: list[VirtualDevice]) -> None:
        self.place, self.devices = place, devices
        self._program = place.popen(
            sys.executable, "-m", "tests.bench.load", stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )

    def do(self, do: str, devices: Sequence[VirtualDevice], **job: Any) -> dict[str, Any]:
        """Runs one job of `tests.bench.load` to its end."""
        self.begin(do, devices, **job)
        return self.answer()

    def begin(self, do: str, devices: Sequence[VirtualDevice], **job: Any) -> None:
        job = {"do": do, "addresses": [d.address for d in devices], "far": FAR, "probe": PROBE, **job}
        assert self._program.stdin is not None
        self._program.stdin.write(f"{json.dumps(job)}\n".encode())
        self._program.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        line = self._program.stdout.readline()
        if not line:
            raise RuntimeError("the crowd's program ended")
        return dict(json.loads(line))

    def wait_until_captured(self, seconds: float, patience: float) -> None:
        """Waits until a request for the Internet, to which `patience` gives so many seconds, is redirected to the portal.
        Raises RuntimeError after `seconds`."""
        ends = time.monotonic() + seconds
        while self.do("locate", self.devices[:1], patience=patience)["status"] not in {302, 303, 307}:
            if time.monotonic() > ends:
                raise RuntimeError("the node captures nobody")
            time.sleep(0.005)

    def let_in(self, at_once: int) -> None:
        """Admits all devices. Raises RuntimeError unless every one was."""
        came = self.do("flows", self.devices, to=PORTAL, port=80, at_once=at_once)
        if came["let_in"] < len(self.devices):
            raise RuntimeError(f"not everybody was let in: {came}")

    def begin_probe(
        self, pairs: Sequence[tuple[str, str]], begins: float, ends: float, apart: float = APART_S
    ) -> "subprocess.Popen[bytes]":
        """`tests.bench.latency_probe`, with these arguments; its output is a pipe."""
        job = json.dumps({"pairs": pairs, "begins": begins, "ends": ends, "apart": apart})
        argv = (sys.executable, "-m", "tests.bench.latency_probe", "probe", job)
        return self.place.popen(*argv, stdout=subprocess.PIPE, cwd=ROOT)

    def arrived(self) -> dict[str, int]:
        """IP bytes that reached each device's address: packets dropped by a queue do not count."""
        return arrived(self.place)

    def keep_to_core(self, core: int) -> None:
        keep_to_core(self._program.pid, core)

    def close(self) -> None:
        self._program.terminate()
        self._program.wait()


@contextmanager
def single_router() -> Iterator[SingleRouter]:
    with Lab("bench") as lab:
        yield SingleRouter(lab)
