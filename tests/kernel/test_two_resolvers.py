"""Two real resolvers side by side: cached answers of one never reach clients of the other."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.config import parse_config
from node.lan import dnsmasq
from tests.kernel.kernel_testbed import FAR, MEMBER_MAC, ROUTER, KernelTestbed, kernel_testbed
from tests.lab.questions import ask, flood

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
CONFIG = """
[node]
name = "library"
data_dir = "{folder}"
run_dir = "{folder}"
[community]
name = "Vall Alta"
[lan]
interface = "lan0"
dns_upstream = ["{upstream}"]
[uplink]
interface = "wan0"
"""


@dataclass
class Upstream:
    """A DNS server that answers each name with a settable address and a TTL of one hour."""

    address: bytes = bytes([203, 0, 113, 1])
    asked: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def serving(self, place: KernelTestbed) -> Iterator[None]:
        with place.far.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((FAR[0], 53))
        sock.settimeout(0.05)
        done = threading.Event()

        def run() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    data, asker = sock.recvfrom(2000)
                    self.asked.append(data)
                    end = data.index(b"\0", 12) + 5
                    head = data[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
                    answer = b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 3_600, 4) + self.address
                    if b"dead" not in data:
                        sock.sendto(head + data[12:end] + answer, asker)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            sock.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[KernelTestbed]:
    config, findings = parse_config(CONFIG.format(folder=tmp_path, upstream=FAR[0]))
    assert config is not None, findings
    with kernel_testbed() as made:
        made.admit(MEMBER_MAC)
        with made.router.entered():
            both = (dnsmasq.dnsmasq(config, str), dnsmasq.captive_dns(config))
            for each in both:
                each._prepare()
        made.pids = tuple(each.pid() for each in both)
        try:
            yield made
        finally:
            for each in both:
                each.stop()


@BOTH
def test_an_answer_cached_for_strangers_is_not_served_to_members(place: KernelTestbed, way: int) -> None:
    upstream = Upstream()
    with upstream.serving(place):
        first = ask(place.stranger, ROUTER[way], "bank.example")
        upstream.address = bytes([203, 0, 113, 2])
        second = ask(place.member, ROUTER[way], "bank.example")
        again = ask(place.stranger, ROUTER[way], "bank.example")
    assert [1, 2, 1] == [answer and answer[-1] for answer in (first, second, again)]


def test_a_full_query_pool_takes_little_memory(place: KernelTestbed) -> None:
    """In kB, from /proc, after both resolvers had unanswered queries for longer than a query is kept."""
    upstream = Upstream()
    with upstream.serving(place), flood(place.stranger, ROUTER[0], 30), flood(place.member, ROUTER[0], 300):
        assert ask(place.stranger, ROUTER[0], "a.example") is not None
        threading.Event().wait(12)
    used = [resident(pid) for pid in place.pids]
    print(f"dnsmasq of the admitted and of strangers: {used} kB")
    assert used[0] < 16_000
    assert used[1] < 8_000


def resident(pid: int) -> int:
    """Private memory, without pages shared with other processes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))
