"""Running flows go past the rules of the forward hook: they are counted, shaped and ended all the same. With a flowtable
where the kernel has one, otherwise emulated."""

import contextlib
import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.accounting.meter import Reading
from node.enforcement import flow_offload
from node.enforcement.flows import ESTABLISHED_S
from node.enforcement.kernel import ESTABLISHED, LinuxKernel
from node.enforcement.plan import Admission, ShapedClass, TrafficPlan
from node.errors import KernelRefused
from node.units import NO_RATES, BitsPerSecond, MacAddress, Monotonic, Rates
from tests.kernel.frames import ACK, TCP, UDP, ip, tcp, udp
from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    MARK,
    MEMBER,
    MEMBER_MAC,
    NOW,
    ROUTER_MAC,
    STRANGER_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.router import offloading_kernel, real_kernel_in_namespace

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
FLOWS = pytest.mark.parametrize(
    ("way", "kind"),
    [
        pytest.param(0, socket.SOCK_STREAM, id="IPv4-TCP"),
        pytest.param(1, socket.SOCK_DGRAM, id="IPv6-UDP"),
        pytest.param(0, socket.SOCK_DGRAM, id="IPv4-UDP", marks=pytest.mark.thorough),
        pytest.param(1, socket.SOCK_STREAM, id="IPv6-TCP", marks=pytest.mark.thorough),
    ],
)
FAMILIES = (socket.AF_INET, socket.AF_INET6)
PORT, ROUNDS, SIZE = 4430, 20, 1_000
WAIT_S = 3.0
LINE = Rates(BitsPerSecond(50_000_000), BitsPerSecond(50_000_000))
ANA = Admission(MacAddress(MEMBER_MAC), 1, 0x11, None)
BEN = Admission(MacAddress(STRANGER_MAC), 2, 0x12, None)


@pytest.fixture
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("offload", offloading_kernel) as made, echo_servers(made):
        apply(made, plan(ANA))
        yield made


def plan(*admitted: Admission, **more: object) -> TrafficPlan:
    return replace(TrafficPlan(FIREWALL, {a.mac: a for a in admitted}), **more)  # type: ignore[arg-type]


def apply(place: KernelTestbed, wanted: TrafficPlan) -> None:
    with place.router.entered():
        place.kernel.apply(wanted, NOW)


@contextlib.contextmanager
def echo_servers(place: KernelTestbed) -> Iterator[None]:
    """On the far host, for both families and both kinds."""
    held, threads = list[socket.socket](), list[threading.Thread]()
    with place.far.entered():
        for way, family in enumerate(FAMILIES):
            stream = socket.create_server((FAR[way], PORT), family=family)
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            datagrams.bind((FAR[way], PORT))
            held += [stream, datagrams]
            threads += [
                threading.Thread(target=_echo_streams, args=(stream, held)),
                threading.Thread(target=_echo_datagrams, args=(datagrams,)),
            ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in held:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in threads:
            thread.join()


def _echo_streams(server: socket.socket, held: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        while True:
            line, _ = server.accept()
            held.append(line)
            answering = threading.Thread(target=_echo_stream, args=(line,))
            answering.start()
            answering.join()


def _echo_stream(line: socket.socket) -> None:
    with contextlib.suppress(OSError), line:
        while data := line.recv(65536):
            line.sendall(data)


def _echo_datagrams(server: socket.socket) -> None:
    server.settimeout(0.2)
    while server.fileno() >= 0:
        try:
            data, sender = server.recvfrom(65536)
            server.sendto(data, sender)
        except TimeoutError:
            continue
        except OSError:
            return


class RunningFlow:
    """From the member to the far host; it has been handed over."""

    def __init__(self, place: KernelTestbed, way: int, kind: int) -> None:
        self.place = place
        with place.member.entered():
            self.line = socket.socket(FAMILIES[way], kind)
        self.line.settimeout(WAIT_S)
        self.line.connect((FAR[way], PORT))
        before = past(place)
        assert self.echoes(5)
        assert past(place)[0] > before[0], "nothing went past the rules on its way up"
        assert past(place)[1] > before[1], "nothing went past the rules on its way down"

    def echoes(self, rounds: int = ROUNDS) -> bool:
        """False when an answer does not come."""
        try:
            for number in range(rounds):
                data = bytes([number]) * SIZE
                self.line.send(data)
                missing = len(data)
                while missing:
                    missing -= len(self.line.recv(missing))
        except TimeoutError:
            return False
        return True

    def is_refused(self) -> bool:
        """The system reports an error soon: not only silence."""
        try:
            for _ in range(8):
                self.line.send(bytes(SIZE))
                time.sleep(0.1)
        except OSError as error:
            return not isinstance(error, TimeoutError)
        return False


@contextlib.contextmanager
def running_flow(place: KernelTestbed, way: int, kind: int) -> Iterator[RunningFlow]:
    flow = RunningFlow(place, way, kind)
    try:
        yield flow
    finally:
        flow.line.close()


def past(place: KernelTestbed) -> tuple[int, int]:
    """Bytes of all devices that went past the rules."""
    with place.router.entered():
        up, down = place.kernel._offload_reader.read()
    return sum(up.values()), sum(down.values())


RECEIVED = f"""
add table inet received
add chain inet received input {{ type filter hook input priority 0; }}
add rule inet received input th sport {PORT} counter
add rule inet received input th dport {PORT} counter
"""


def received(place: KernelTestbed) -> tuple[int, int]:
    """IP bytes of flows to the echo servers that the far host and the member received."""
    found = []
    for end in (place.far, place.member):
        listed = json.loads(end.run("nft", "-j", "list", "chain", "inet", "received", "input"))["nftables"]
        expressions = [each for item in listed if "rule" in item for each in item["rule"]["expr"]]
        found.append(sum(each["counter"]["bytes"] for each in expressions if "counter" in each))
    return found[0], found[1]


def counted_by_all(place: KernelTestbed) -> tuple[int, int]:
    """Bytes of the member, also while no reading is possible. Since Linux 6.16 chains wait for an interface of the same
    name, before they went with it."""
    with place.router.entered():
        up, down = place.kernel._reader.read()
    past_up, past_down = past(place)
    return up[1] + past_up, down[1] + past_down


def reading(place: KernelTestbed) -> Reading:
    with place.router.entered():
        return place.kernel.read()


@FLOWS
def test_a_running_flow_is_counted_to_the_byte(place: KernelTestbed, way: int, kind: int) -> None:
    for end in (place.far, place.member):
        end.run("nft", "-f", "-", stdin=RECEIVED)
    with running_flow(place, way, kind) as flow:
        time.sleep(0.3)  # a delayed acknowledgement
        used, ends = reading(place).counted[1], received(place)
        assert flow.echoes(50)
        time.sleep(0.3)
        after, ends_after = reading(place).counted[1], received(place)
    assert after.up - used.up == ends_after[0] - ends[0] >= 50 * SIZE
    assert after.down - used.down == ends_after[1] - ends[1] >= 50 * SIZE


@FLOWS
def test_a_device_that_is_removed_stops_at_once_and_gets_an_error(
    place: KernelTestbed, way: int, kind: int
) -> None:
    with running_flow(place, way, kind) as flow:
        apply(place, plan(retiring={1: 0x11}))
        used = reading(place).counted[1]
        time.sleep(0.3)
        assert flow.is_refused()
        assert used == reading(place).counted[1]


@FLOWS
def test_a_lease_that_ends_in_the_kernel_ends_a_running_flow(
    place: KernelTestbed, way: int, kind: int
) -> None:
    """No daemon has to run for it."""
    with running_flow(place, way, kind) as flow:
        apply(place, plan(replace(ANA, ends=Monotonic(NOW + 1_500))))
        assert flow.echoes(3)
        time.sleep(2.5)
        used = reading(place).counted[1]
        assert flow.is_refused()
        assert used == reading(place).counted[1]


@BOTH
def test_nobody_else_can_send_on_a_running_flow(place: KernelTestbed, way: int) -> None:
    with running_flow(place, way, socket.SOCK_DGRAM) as flow:
        port = flow.line.getsockname()[1]
        forged = ip(MEMBER[way], FAR[way], UDP, udp(MEMBER[way], FAR[way], port, PORT, MARK))
        used = reading(place).counted[1]
        place.send(place.stranger, forged, STRANGER_MAC)
        assert [] == place.heard(place.far)
        assert used == reading(place).counted[1]
        place.send(place.member, forged, MEMBER_MAC)
        assert 1 == len(place.heard(place.far))


@BOTH
def test_a_member_who_sends_on_the_flow_of_another_pays(place: KernelTestbed, way: int) -> None:
    with running_flow(place, way, socket.SOCK_DGRAM) as flow:
        apply(place, plan(ANA, BEN))
        assert flow.echoes(3)
        port = flow.line.getsockname()[1]
        forged = ip(MEMBER[way], FAR[way], UDP, udp(MEMBER[way], FAR[way], port, PORT, MARK))
        used = reading(place).counted
        place.send(place.stranger, forged, STRANGER_MAC)
        place.heard(place.far)
        after = reading(place).counted
        assert after[1].up == used[1].up
        assert after[2].up > used[2].up


@FLOWS
def test_a_running_flow_goes_with_its_device_to_another_account(
    place: KernelTestbed, way: int, kind: int
) -> None:
    with running_flow(place, way, kind) as flow:
        moved = replace(ANA, mark=3)
        apply(place, plan(moved, retiring={1: 0x11}, moved=frozenset({1})))
        used = reading(place).counted[1]
        assert flow.echoes()
        apply(place, plan(moved))
        assert flow.echoes()
        found = reading(place).counted
        assert 1 not in found or found[1] == used
        assert min(found[3].up, found[3].down) >= 2 * ROUNDS * SIZE


@FLOWS
def test_a_running_flow_has_the_class_of_its_account(place: KernelTestbed, way: int, kind: int) -> None:
    with running_flow(place, way, kind) as flow:
        for minor in (0x11, 0x12, 0x11):
            each = ShapedClass(minor, None, NO_RATES, LINE, 100)
            apply(place, plan(replace(ANA, class_minor=minor), uplink=LINE, classes={minor: each}))
            assert flow.echoes(3)
            before = [in_class(place, name, minor) for name in ("wan0", "lan0")]
            assert flow.echoes()
            after = [in_class(place, name, minor) for name in ("wan0", "lan0")]
            assert min(b - a for a, b in zip(before, after, strict=True)) >= ROUNDS * SIZE


def in_class(place: KernelTestbed, interface: str, minor: int) -> int:
    shown = place.router.run("tc", "-s", "class", "show", "dev", interface, "classid", f"1:{minor:x}")
    return int(shown.partition("Sent ")[2].split()[0])


def test_flows_are_handed_over_again_after_the_rules_changed(place: KernelTestbed) -> None:
    with running_flow(place, 0, socket.SOCK_STREAM) as flow:
        for firewall in (replace(FIREWALL, transit=True), FIREWALL):
            apply(place, replace(plan(ANA), firewall=firewall))
            assert flow.echoes(5)
            before = past(place)
            assert flow.echoes(5)
            assert min(b - a for a, b in zip(before, past(place), strict=True)) >= 4 * SIZE


def test_nothing_goes_uncounted_after_the_lan_was_recreated(place: KernelTestbed) -> None:
    """Also before the daemon notices; afterwards flows are handed over again."""
    with running_flow(place, 0, socket.SOCK_STREAM) as flow:
        place.router.ip("link del lan0")
        place.router.bridge("lan0", mac=ROUTER_MAC)
        for port in ("p1", "p2"):
            place.router.plug(port, "lan0")
        place.router.address("lan0", "10.77.0.1/16", "fd77::1/64")
        place.router.ip(f"neigh replace {MEMBER[0]} lladdr {MEMBER_MAC} dev lan0")
        used = counted_by_all(place)
        assert flow.echoes()
        after = counted_by_all(place)
        assert min(b - a for a, b in zip(used, after, strict=True)) >= ROUNDS * SIZE
        with place.router.entered():
            with pytest.raises(KernelRefused, match="recreated"):
                place.kernel.read()
            place.kernel.observe(NOW)
        apply(place, plan(ANA))
        assert flow.echoes(5)
        before = past(place)
        assert flow.echoes()
        assert min(b - a for a, b in zip(before, past(place), strict=True)) >= ROUNDS * SIZE


@pytest.mark.parametrize(
    "interference",
    [
        "nft delete table netdev procomu",
        "nft flush ruleset",
        "nft flush table netdev procomu",
        "nft flush chain netdev procomu lan_out",
        "nft flush map netdev procomu members",
        "nft flush map netdev procomu up",
        "nft flush map netdev procomu down",
    ],
)
def test_what_another_program_removed_is_restored(place: KernelTestbed, interference: str) -> None:
    wanted = place.router.run("nft", "-s", "list", "table", "netdev", "procomu")
    reading(place)
    place.router.run(*interference.split())
    assert wanted != place.router.run("nft", "-s", "list", "table", "netdev", "procomu", check=False)
    with place.router.entered():
        with pytest.raises(KernelRefused):
            place.kernel.read()
        place.kernel.observe(NOW)
    apply(place, plan(ANA))
    assert wanted == place.router.run("nft", "-s", "list", "table", "netdev", "procomu")
    with running_flow(place, 0, socket.SOCK_STREAM):
        pass


def test_a_daemon_that_starts_again_goes_on_with_counters_and_flows(place: KernelTestbed) -> None:
    with running_flow(place, 0, socket.SOCK_STREAM) as flow:
        time.sleep(0.3)
        used = reading(place)
        with place.router.entered():
            newcomer = offloading_kernel()
            try:
                state = newcomer.observe(NOW)
                assert state.stands
                assert used == state.reading
                newcomer.apply(plan(ANA), NOW)
                assert used == newcomer.read()
            finally:
                newcomer.close()
        assert flow.echoes()


def test_a_daemon_without_flow_offload_books_the_counters_and_makes_its_own_table(
    place: KernelTestbed,
) -> None:
    with running_flow(place, 0, socket.SOCK_STREAM) as flow, place.router.entered():
        time.sleep(0.3)
        used = place.kernel.read()
        for offload in (None, "emulated"):
            newcomer = LinuxKernel(offload)  # type: ignore[arg-type]
            try:
                state = newcomer.observe(NOW)
                assert not state.stands
                assert used == state.reading
                newcomer.apply(plan(ANA), NOW)
                assert newcomer.observe(NOW).stands
                assert flow.echoes()
                time.sleep(0.3)
                used = newcomer.read()
                assert used.counted[1].down >= ROUNDS * SIZE
            finally:
                newcomer.close()


def test_nothing_of_it_is_left_after_removal(place: KernelTestbed) -> None:
    with place.router.entered():
        assert f"{ESTABLISHED_S}" == ESTABLISHED.read_text().strip()
        stranger = LinuxKernel(None)
        try:
            stranger.remove()
        finally:
            stranger.close()
        assert "" == place.router.run("nft", "list", "ruleset")
        assert int(ESTABLISHED.read_text()) > ESTABLISHED_S


def test_nothing_of_it_is_there_unless_it_is_wanted() -> None:
    with real_kernel_in_namespace():
        before = ESTABLISHED.read_text()
        kernel = LinuxKernel()
        try:
            assert not kernel.probe().flow_offload
            kernel.apply(plan(ANA), NOW)
            assert kernel.observe(NOW).stands
            shown = subprocess.run(
                ["nft", "list", "ruleset"], capture_output=True, text=True, check=True
            ).stdout
        finally:
            kernel.close()
        assert "table inet procomu" in shown
        assert f"table {flow_offload.TABLE} " not in shown
        assert "flowtable" not in shown
        assert before == ESTABLISHED.read_text()


def test_marks_of_other_programs_are_no_devices(place: KernelTestbed) -> None:
    """Such as WireGuard's, with which it marks its own packets: the node sends them to the uplink."""
    with place.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tunnel:
        for mark in (1, 2, 51_820, 0xFFFFFFFF):
            tunnel.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", mark))
            tunnel.sendto(MARK, (FAR[0], 9))
    assert 4 == len(place.heard(place.far))


@BOTH
def test_only_flows_with_an_answer_are_handed_over(place: KernelTestbed, way: int) -> None:
    """The rules see every packet of the others."""
    before = past(place)
    for _ in range(5):
        place.send(
            place.member, ip(MEMBER[way], FAR[way], UDP, udp(MEMBER[way], FAR[way], 7, 9, MARK)), MEMBER_MAC
        )
    place.heard(place.far)
    stray = ip(MEMBER[way], FAR[way], TCP, tcp(MEMBER[way], FAR[way], 7, 443, ACK, payload=MARK))
    for _ in range(3):
        place.send(place.member, stray, MEMBER_MAC)
    assert before == past(place)
