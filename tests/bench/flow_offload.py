"""Packets per second through the router with a flowtable, divided by those that pass all rules, and both by plain
forwarding: ``python -m tests.bench.flow_offload``. Needs root, and a kernel with flowtables and pktgen.

The kernel's own generator sends 60-byte packets of running flows on one processor, the router forwards on another. So
neither the programs at both ends nor the scheduler take part in the figure."""

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from node.enforcement.kernel import LinuxKernel
from node.errors import KernelRefused
from tests.bench.figures import Figures, quantile, ratios, say
from tests.bench.forward import NOW, plan, turned
from tests.bench.topology import FAR, LAN, PERSON, PERSON_MAC, Topology
from tests.lab.netns import Lab, Namespace, missing_for_namespaces

ACCOUNTS, FLOWS, ROUNDS, BURST_S = 1_000, 32, 5, 1.0
FIRST_PORT, FAR_PORT, FRAME_BYTES = 1_000, 9, 60
SENDING_PROCESSOR = 1
ROUTER_MAC = "02:00:00:00:00:fe"
# The generator's packets begin with its magic number; answers to open the flows come before.
SINK = f"""
table netdev sink {{
  chain arriving {{
    type filter hook ingress device "eth0" priority 0;
    udp dport {FAR_PORT} @th,64,32 0xbe9be955 counter drop;
  }}
}}
"""
OPEN_S, SETTLE_S = 10.0, 1.0
"""The kernel frees the classes of the state before in the background."""
BACKLOG = Path("/proc/sys/net/core/netdev_max_backlog")
BACKLOG_PACKETS = 100_000
"""The processor that forwards never waits for the one that sends, also where an emulator runs one after the other."""

State = Callable[[], None]


class Generator:
    """pktgen in the client's namespace."""

    def __init__(self, place: Namespace) -> None:
        self._place = place
        self._thread = f"kpktgend_{SENDING_PROCESSOR}"

    def prepare(self) -> None:
        device = f"eth0@{SENDING_PROCESSOR}"
        self._say(self._thread, "rem_device_all", f"add_device {device}")
        self._say(
            device, "count 0", "clone_skb 0", f"pkt_size {FRAME_BYTES}", "delay 0", f"dst {FAR}",
            f"src_min {PERSON}", f"src_max {PERSON}", f"dst_mac {ROUTER_MAC}", f"src_mac {PERSON_MAC}",
            f"udp_src_min {FIRST_PORT}", f"udp_src_max {FIRST_PORT + FLOWS}",
            f"udp_dst_min {FAR_PORT}", f"udp_dst_max {FAR_PORT}", "flag UDPSRC_RND",
        )  # fmt: skip

    def start(self) -> "subprocess.Popen[bytes]":
        """The program ends when the generator is stopped."""
        return self._place.popen("sh", "-c", "exec echo start > /proc/net/pktgen/pgctrl")

    def stop(self) -> None:
        self._say("pgctrl", "stop")

    def _say(self, file: str, *lines: str) -> None:
        for line in lines:
            self._place.run("sh", "-c", f"echo '{line}' > /proc/net/pktgen/{file}")


class OffloadTopology:
    """A router between the generator and a far end that counts its packets."""

    def __init__(self, lab: Lab) -> None:
        self.topology = Topology(lab)
        self.topology.merge_segments(False)
        self.topology.router.ip(f"link set {LAN} address {ROUTER_MAC}")
        self.topology.internet.run("nft", "-f", "-", stdin=SINK)
        for place, name in ((self.topology.router, LAN), (self.topology.internet, "eth0")):
            # The first processor forwards and receives.
            place.run("sh", "-c", f"echo 1 > /sys/class/net/{name}/queues/rx-0/rps_cpus")
        self.generator = Generator(self.topology.person)
        self.generator.prepare()

    def open_flows(self) -> None:
        """Each flow has an answer, so that it is handed over."""
        with self.topology.internet.entered():
            far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            far.bind((FAR, FAR_PORT))
            far.settimeout(OPEN_S)
        with far:
            for port in range(FIRST_PORT, FIRST_PORT + FLOWS):
                with self.topology.person.entered():
                    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                with near:
                    near.bind((PERSON, port))
                    near.settimeout(OPEN_S)
                    near.connect((FAR, FAR_PORT))
                    for _ in range(2):
                        near.send(bytes(18))
                        data, sender = far.recvfrom(100)
                        far.sendto(data, sender)
                        near.recv(100)

    def rate(self) -> float:
        """Packets per second that arrive at the far end."""
        self.open_flows()
        running = self.generator.start()
        try:
            time.sleep(BURST_S / 3)
            began, before = time.monotonic(), self._arrived()
            time.sleep(BURST_S)
            return (self._arrived() - before) / (time.monotonic() - began)
        finally:
            self.generator.stop()
            running.wait()

    def _arrived(self) -> int:
        listed = self.topology.internet.run("nft", "list", "table", "netdev", "sink")
        found = re.search(r"packets (\d+)", listed)
        assert found is not None
        return int(found[1])


def measured(place: OffloadTopology, states: Mapping[str, State]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in states}
    for number in range(ROUNDS):
        for name in turned(list(states), number):
            states[name]()
            time.sleep(SETTLE_S)
            rates[name].append(place.rate())
            if not rates[name][-1]:
                raise RuntimeError(f"no packet of the generator arrived: {name}")
        say(", ".join(f"{name} {taken[-1]:.0f}/s" for name, taken in rates.items()))
    return rates


@contextlib.contextmanager
def long_backlog() -> Iterator[None]:
    before = BACKLOG.read_text()
    BACKLOG.write_text(str(BACKLOG_PACKETS))
    try:
        yield
    finally:
        BACKLOG.write_text(before)


def measure() -> Figures:
    """Raises RuntimeError without pktgen, and KernelRefused without flowtables."""
    # They may be built in. What is missing afterwards is an error of its own, below.
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["modprobe", "-a", "pktgen", "nf_flow_table_inet"], check=False)
    if not Path("/proc/net/pktgen").exists():
        raise RuntimeError("this kernel has no pktgen")
    found: Figures = {}
    with long_backlog(), Lab("bench") as lab:
        place = OffloadTopology(lab)
        with place.topology.router.entered():
            kernels = {"rules": LinuxKernel(None), "offload": LinuxKernel("flowtable")}
            try:
                for shaped in (False, True):
                    rates = measured(place, states(place.topology, kernels, shaped=shaped))
                    suffix = "_shaped" if shaped else ""
                    for key, ours, others in (
                        ("vm_fast_path", "offload", "rules"),
                        ("rules", "rules", "plain"),
                        ("offload", "offload", "plain"),
                    ):
                        rounds = ratios(rates[ours], rates[others])
                        found[f"{key}_ratio_pps{suffix}"] = quantile(rounds, 0.5)
            finally:
                for kernel in kernels.values():
                    kernel.remove()
                    kernel.close()
    return found


def states(road: Topology, kernels: Mapping[str, LinuxKernel], *, shaped: bool) -> dict[str, State]:
    def plainly() -> None:
        kernels["rules"].remove()
        road.plain(True)
        road.router.sysctl(net__ipv4__ip_forward=1)

    def with_table(kernel: LinuxKernel) -> State:
        def enter() -> None:
            kernel.remove()
            road.plain(False)
            kernel.apply(plan(ACCOUNTS, shaped=shaped), NOW)

        return enter

    return {"plain": plainly, **{name: with_table(kernel) for name, kernel in kernels.items()}}


def main() -> None:
    if reason := missing_for_namespaces():
        raise SystemExit(reason)
    try:
        print(json.dumps(measure()))
    except (RuntimeError, KernelRefused) as missing:
        raise SystemExit(f"{missing}") from missing


if __name__ == "__main__":
    main()
