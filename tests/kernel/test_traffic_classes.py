"""Traffic classes on real packets. Of what the node itself sends to the uplink: what keeps the line alive passes a full
line, and nothing else of the node takes more of the line than its share. Of accounts that are idle: they share one class
until they are counted again, and no byte is lost on the way."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from node.enforcement.htb_classes import htb_classes
from node.enforcement.plan import (
    CONTROL_MINOR,
    DNS_MINOR,
    IDLE_MINOR,
    OWN_MINOR,
    TEST_MINOR,
    Admission,
    FirewallConfig,
    ShapedClass,
    TrafficPlan,
)
from node.enforcement.tc import as_text, changes, class_priority
from node.governance.rules import control_reserve
from node.units import NO_RATES, BitsPerSecond, MacAddress, Rates
from tests.kernel.frames import SYN, TCP, UDP, echo_request, frame, ip, raw_socket, tcp, udp
from tests.kernel.kernel_testbed import (
    FAR,
    FAR_MAC,
    FIREWALL,
    HILL,
    HILL_MAC,
    MEMBER,
    MEMBER_MAC,
    MESH_MAC,
    NOW,
    OUTSIDE,
    ROUTER_MAC,
    SETTLE_S,
    STRANGER,
    STRANGER_MAC,
    UPLINK_MAC,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.netns import Namespace

pytestmark = [pytest.mark.kernel, pytest.mark.early]
LINE = Rates(BitsPerSecond(2_000_000), BitsPerSecond(1_000_000))
RESERVE = control_reserve(LINE.up)
PERSON = 0x11
PEOPLE = {PERSON: ShapedClass(PERSON, None, NO_RATES, LINE, 100)}
SERVICES = replace(FIREWALL, services=tuple((ip_address(each), 8080) for each in FAR))
NTP, WIREGUARD = 123, 51_820
FLOOD_BYTES, FLOOD_S = 1_200, 2.0


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed("control") as made:
        yield made


def shaped(place: KernelTestbed, firewall: FirewallConfig = SERVICES) -> None:
    """Waits until nothing of an earlier test is queued."""
    place.admit(MEMBER_MAC, firewall=firewall, uplink=LINE, classes=PEOPLE)
    deadline = time.monotonic() + 20
    while queued(place):
        assert time.monotonic() < deadline, "the queues do not drain"
        time.sleep(0.1)


def queued(place: KernelTestbed) -> int:
    shown = json.loads(place.router.run("tc", "-s", "-j", "class", "show", "dev", "wan0"))
    return sum(each["stats"]["backlog"] for each in shown if each["class"] == "htb")


def sent(place: KernelTestbed, interface: str = "wan0") -> dict[int, int]:
    """Bytes by class since the class was made; those beside all classes under 0, in packets."""
    shown = json.loads(place.router.run("tc", "-s", "-j", "class", "show", "dev", interface))
    root = json.loads(place.router.run("tc", "-s", "-j", "qdisc", "show", "dev", interface, "root"))
    found = {
        int(each["handle"].partition(":")[2], 16): each["stats"]["bytes"]
        for each in shown
        if each["class"] == "htb"
    }
    return {**found, 0: root[0]["options"]["direct_packets_stat"]}


def from_router(
    port: int, kind: int = socket.SOCK_DGRAM, to: str = FAR[0]
) -> Callable[[KernelTestbed], None]:
    def send(place: KernelTestbed) -> None:
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with place.router.entered(), socket.socket(family, kind) as each:
            each.setblocking(False)
            if kind == socket.SOCK_STREAM:
                each.connect_ex((to, port))
            else:
                each.sendto(b"x" * 40, (to, port))

    return send


def from_packet_socket(place: KernelTestbed) -> None:
    """As DHCP clients send: the packet filter does not see it."""
    with place.router.entered(), raw_socket("wan0") as each:
        discover = ip(
            "0.0.0.0", "255.255.255.255", UDP, udp("0.0.0.0", "255.255.255.255", 68, 67, b"x" * 240)
        )
        each.send(frame("ff:ff:ff:ff:ff:ff", ROUTER_MAC, discover))


def ping(to: str) -> Callable[[KernelTestbed], None]:
    def send(place: KernelTestbed) -> None:
        place.router.run("ping", "-c", "1", "-W", "1", to)

    return send


def resolution(to: str) -> Callable[[KernelTestbed], None]:
    """A neighbour is looked for: ARP, or neighbour discovery."""

    def send(place: KernelTestbed) -> None:
        from_router(9, to=to)(place)
        time.sleep(0.1)

    return send


def pinged(place: KernelTestbed) -> None:
    place.far.run("ping", "-c", "1", "-W", "1", OUTSIDE[0])


def mesh_port_scanned(place: KernelTestbed) -> None:
    """By somebody on the uplink who is no other node: the node refuses."""
    segment = tcp(FAR[0], OUTSIDE[0], 40_000, FIREWALL.mesh_port, SYN)
    place.send(place.far, ip(FAR[0], OUTSIDE[0], TCP, segment), FAR_MAC, UPLINK_MAC)


def open_service(place: KernelTestbed) -> None:
    segment = tcp(STRANGER[0], FAR[0], 40_000, 8080, SYN)
    place.send(place.stranger, ip(STRANGER[0], FAR[0], TCP, segment), STRANGER_MAC)


def member(place: KernelTestbed) -> None:
    datagram = udp(MEMBER[0], FAR[0], 40_000, 9, b"x" * 40)
    place.send(place.member, ip(MEMBER[0], FAR[0], UDP, datagram), MEMBER_MAC)


@pytest.mark.parametrize(
    ("minor", "send"),
    [
        pytest.param(DNS_MINOR, from_router(53), id="DNS"),
        pytest.param(DNS_MINOR, from_router(53, to=FAR[1]), id="DNS-IPv6"),
        pytest.param(DNS_MINOR, from_router(53, socket.SOCK_STREAM), id="DNS-TCP"),
        pytest.param(CONTROL_MINOR, from_packet_socket, id="DHCP-client"),
        pytest.param(CONTROL_MINOR, from_router(67), id="DHCP-renewal"),
        pytest.param(CONTROL_MINOR, from_router(547, to=FAR[1]), id="DHCPv6"),
        pytest.param(CONTROL_MINOR, from_router(NTP), id="NTP"),
        pytest.param(DNS_MINOR, from_router(FIREWALL.mesh_port, socket.SOCK_STREAM), id="mesh"),
        pytest.param(CONTROL_MINOR, ping(FAR[0]), id="probe"),
        pytest.param(CONTROL_MINOR, ping(FAR[1]), id="probe-IPv6"),
        pytest.param(CONTROL_MINOR, resolution("10.88.0.77"), id="ARP"),
        pytest.param(CONTROL_MINOR, resolution("fd88::77"), id="neighbour-discovery"),
        pytest.param(OWN_MINOR, from_router(443, socket.SOCK_STREAM), id="upgrade"),
        pytest.param(OWN_MINOR, from_router(WIREGUARD), id="tunnel"),
        pytest.param(OWN_MINOR, pinged, id="answer-to-a-ping"),
        pytest.param(OWN_MINOR, mesh_port_scanned, id="refusal-of-the-mesh-port"),
        pytest.param(OWN_MINOR, open_service, id="open-service"),
        pytest.param(PERSON, member, id="member"),
    ],
)
def test_every_packet_to_the_uplink_is_in_its_class(
    place: KernelTestbed, minor: int, send: Callable[[KernelTestbed], None]
) -> None:
    shaped(place)
    before = sent(place)
    send(place)
    time.sleep(SETTLE_S)
    after = sent(place)
    used = {each for each in after if after[each] != before[each]}
    # Neighbours are looked for again now and then, whatever was sent.
    assert minor in used
    assert used - {minor, CONTROL_MINOR, 0xFFFF} == set()


def forwarded(place: KernelTestbed, firewall: FirewallConfig) -> set[int]:
    shaped(place, firewall)
    before = sent(place)
    datagram = udp(HILL[0], FAR[0], 40_000, 9, b"x" * 40)
    place.send(place.hill, ip(HILL[0], FAR[0], UDP, datagram), HILL_MAC, MESH_MAC)
    time.sleep(SETTLE_S)
    after = sent(place)
    return {each for each in after if after[each] != before[each]} - {CONTROL_MINOR, 0xFFFF}


def test_people_of_other_nodes_are_not_limited_to_the_nodes_own_share(place: KernelTestbed) -> None:
    assert {0} == forwarded(place, replace(FIREWALL, transit=True))


def test_what_the_administrator_forwards_besides_shares_the_nodes_own_class(place: KernelTestbed) -> None:
    assert {OWN_MINOR} == forwarded(place, replace(FIREWALL, mesh_interfaces=()))


def test_what_passes_the_uplinks_port_from_an_interface_on_top_of_it_has_no_class(
    place: KernelTestbed,
) -> None:
    """Such as a mesh link in a VLAN, or a container: it does not share what keeps the line alive."""
    shaped(place)
    place.router.ip("link add above0 link wan0 type macvlan mode private", "addr add 10.55.0.1/24 dev above0")
    try:
        place.router.ip("link set above0 up", "neigh replace 10.55.0.9 lladdr 02:77:00:00:00:99 dev above0")
        before = sent(place)
        from_router(WIREGUARD, to="10.55.0.9")(place)
        time.sleep(SETTLE_S)
        after = sent(place)
    finally:
        place.router.ip("link del above0")
    assert after[0] > before[0]
    assert after[OWN_MINOR] == before[OWN_MINOR]


def test_answers_of_an_open_service_pass_the_lan_in_the_nodes_own_class(place: KernelTestbed) -> None:
    """The far host refuses the connection: that is an answer too."""
    shaped(place)
    before = sent(place, "lan0")
    open_service(place)
    time.sleep(SETTLE_S)
    after = sent(place, "lan0")
    assert after[OWN_MINOR] > before[OWN_MINOR]


def flood(place: Namespace, port: int, *, to: str = FAR[0], bits_per_second: int) -> int:
    """Datagrams for two seconds; returns how many the socket took."""
    pause = FLOOD_BYTES * 8 / bits_per_second
    with place.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.setblocking(False)
        begun, number = time.monotonic(), 0
        while (now := time.monotonic() - begun) < FLOOD_S:
            while number * pause <= now:
                number += 1
                try:
                    each.sendto(bytes(FLOOD_BYTES - 28), (to, port))
                except BlockingIOError:
                    break
            time.sleep(0.002)
        return number


@pytest.mark.parametrize(
    ("port", "minor", "most"),
    [
        pytest.param(NTP, CONTROL_MINOR, RESERVE, id="control"),
        pytest.param(443, OWN_MINOR, LINE.up, id="own"),
        pytest.param(53, DNS_MINOR, LINE.up, id="DNS"),
    ],
)
def test_the_node_itself_cannot_fill_more_of_the_line_than_its_class_has(
    place: KernelTestbed, port: int, minor: int, most: int
) -> None:
    shaped(place)
    time.sleep(1)
    before = sent(place)
    flood(place.router, port, bits_per_second=4 * LINE.up)
    after = sent(place)
    # What the class may send at once, and the frames' own headers.
    assert (after[minor] - before[minor]) * 8 <= most * FLOOD_S * 1.05 + 2 * 8 * 30_280
    assert after[minor] > before[minor]
    assert after[0] == before[0], "nothing passes beside the classes"


@pytest.mark.alone
def test_what_keeps_the_line_alive_waits_for_nobody_on_a_full_line(place: KernelTestbed) -> None:
    """While the member and the node itself send four times the line, every ping is answered soon."""
    shaped(place)
    sender = place.member.popen(
        "python3",
        "-c",
        "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);e=time.time()+6\n"
        f"while time.time()<e: s.sendto(bytes(1172),('{FAR[0]}',9)); time.sleep(.0024)",
    )
    own = place.router.popen(
        "python3",
        "-c",
        "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);e=time.time()+6\n"
        f"while time.time()<e: s.sendto(bytes(1172),('{FAR[0]}',{WIREGUARD})); time.sleep(.0024)",
    )
    try:
        time.sleep(1)
        before = sent(place)
        answers = place.router.run("ping", "-c", "40", "-i", "0.1", "-W", "1", FAR[0])
        after = sent(place)
    finally:
        sender.wait()
        own.wait()
    carried = sum(after[minor] - before[minor] for minor in (PERSON, OWN_MINOR)) * 8 / 4
    assert carried >= 0.85 * LINE.up, "the line was full"
    assert after[PERSON] - before[PERSON] >= 0.8 * (after[OWN_MINOR] - before[OWN_MINOR])
    assert " 0% packet loss" in answers
    # A frame that is being sent is waited for: 12 ms at this rate, and another that borrowed.
    assert float(answers.rsplit("/", 3)[2]) <= 60


def test_a_ping_request_of_a_device_is_the_devices_own(place: KernelTestbed) -> None:
    """Only what the node itself sends is control traffic."""
    shaped(place)
    before = sent(place)
    place.send(place.member, ip(MEMBER[0], FAR[0], 1, echo_request(MEMBER[0], FAR[0], b"x" * 40)), MEMBER_MAC)
    time.sleep(SETTLE_S)
    after = sent(place)
    assert after[PERSON] > before[PERSON]


def test_an_idle_account_passes_in_the_shared_class_and_then_in_its_own(place: KernelTestbed) -> None:
    shaped(place)
    idle = {IDLE_MINOR: ShapedClass(IDLE_MINOR, None, NO_RATES, LINE, 100)}
    # Something listens, so that the far host does not refuse a datagram, which it would do only so often.
    with place.far.entered():
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with listener:
        listener.bind((FAR[0], 9))
        time.sleep(SETTLE_S)  # a refusal of an earlier test is counted
        for minor, classes in ((IDLE_MINOR, idle), (PERSON, PEOPLE), (IDLE_MINOR, idle), (PERSON, PEOPLE)):
            device = MacAddress(MEMBER_MAC)
            admission = Admission(device, 1, minor, None)
            plan = TrafficPlan(SERVICES, {device: admission}, uplink=LINE, classes=classes)
            with place.router.entered():
                place.kernel.apply(plan, NOW)
            before, counted = sent(place), place.used(1)
            member(place)
            time.sleep(SETTLE_S)
            assert sent(place)[minor] > before[minor]
            assert place.used(1) - counted == 68


def test_a_transfer_that_wakes_an_account_is_in_a_class_all_the_time(place: KernelTestbed) -> None:
    """Also on a large node, where the classes take a while."""
    others = {n: ShapedClass(n, None, NO_RATES, LINE, 100) for n in range(0x100, 0x100 + 3_000)}
    idle = {IDLE_MINOR: ShapedClass(IDLE_MINOR, None, NO_RATES, LINE, 100)}
    device = MacAddress(MEMBER_MAC)
    shaped(place)
    sender = place.member.popen(
        "python3",
        "-c",
        "import socket,time;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);e=time.time()+60\n"
        f"while time.time()<e: s.sendto(bytes(1000),('{FAR[0]}',9)); time.sleep(.01)",
    )
    try:
        for minor, own in ((IDLE_MINOR, idle), (PERSON, PEOPLE)):
            before = sent(place)
            with place.router.entered():
                admitted = {device: Admission(device, 1, minor, None)}
                place.kernel.apply(
                    TrafficPlan(SERVICES, admitted, uplink=LINE, classes={**own, **others}), NOW
                )
            after = sent(place)
            assert after[CONTROL_MINOR] - before[CONTROL_MINOR] < 1_000, "neighbours may be looked for"
            assert after[0] == before[0], "nothing passes beside the classes"
        deadline = time.monotonic() + 10
        while not sent(place)[PERSON]:
            assert time.monotonic() < deadline, "nothing was sent all the while"
    finally:
        sender.terminate()
        sender.wait()
        shaped(place)


def test_what_the_node_answers_to_another_node_on_the_uplink_goes_first_but_not_in_the_control_class(
    place: KernelTestbed,
) -> None:
    shaped(place, replace(SERVICES, mesh_peers=(ip_address(FAR[0]),)))
    with place.router.entered():
        listener = socket.create_server(("0.0.0.0", FIREWALL.mesh_port))
    with listener:
        with place.far.entered():
            peer = socket.create_connection((OUTSIDE[0], FIREWALL.mesh_port), 5, (FAR[0], 0))
        with peer, listener.accept()[0] as answering:
            before = sent(place)
            answering.sendall(bytes(1_000))
            assert peer.recv(1_000)
            after = sent(place)
    assert after[DNS_MINOR] - before[DNS_MINOR] >= 1_000
    assert after[CONTROL_MINOR] - before[CONTROL_MINOR] < 1_000
    assert after[OWN_MINOR] == before[OWN_MINOR]


LINK_BITS = 8_000_000
SLOW = f"tbf rate {LINK_BITS}bit burst 5kb limit 100kb"
FILLING = 1_000
"""Packets without a class that HTB holds."""


def behind_a_slow_link(place: KernelTestbed) -> None:
    """The LAN's classes, at the same rates, below a queue as slow as a link of 8 Mbit/s."""
    wanted = htb_classes(PEOPLE, LINE, upwards=False)
    lines = [as_text(each, "lan0") for each in changes(None, wanted, "bfifo")]
    assert lines[0] == "qdisc replace dev lan0 root handle 1: htb"
    place.router.run("tc", "qdisc", "replace", "dev", "lan0", "root", "handle", "2:", *SLOW.split())
    for line in (
        "qdisc replace dev lan0 parent 2:1 handle 1: htb",
        *lines[1:],
        *(f"qdisc change dev lan0 parent 1:{minor:x} bfifo limit 2000000" for minor in (PERSON, TEST_MINOR)),
    ):
        place.router.run("tc", *line.split())


def queue(place: KernelTestbed, to: str, minor: int | None) -> None:
    """Sends as many packets as fill the link for more than a second."""
    with place.router.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8_000_000)
        if minor is not None:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, class_priority(minor))
        for _ in range(FILLING):
            each.sendto(bytes(FLOOD_BYTES - 28), (to, 9))


SO_SNDBUFFORCE = 32
"""From asm-generic/socket.h."""


def passed(place: KernelTestbed) -> tuple[int, int]:
    """Bytes of all that passed the slow link, and of the person among them."""
    shown = json.loads(place.router.run("tc", "-s", "-j", "qdisc", "show", "dev", "lan0"))
    all_of_it = next(each["bytes"] for each in shown if each["kind"] == "tbf")
    return all_of_it, next(each["bytes"] for each in shown if each.get("parent") == f"1:{PERSON:x}")


@pytest.mark.alone
@pytest.mark.parametrize("minor", [TEST_MINOR, None], ids=["test", "without-a-class"])
def test_a_responsiveness_test_that_fills_the_lan_leaves_everyone_what_the_line_brings(
    place: KernelTestbed, minor: int | None
) -> None:
    """What has no class shows that the link is full: it goes before everyone."""
    shaped(place)
    behind_a_slow_link(place)
    try:
        queue(place, STRANGER[0], minor)
        queue(place, MEMBER[0], PERSON)
        while (found := passed(place))[0] < 0.5 * FILLING * FLOOD_BYTES:
            time.sleep(0.02)
    finally:
        place.router.run("tc", "qdisc", "del", "dev", "lan0", "root")
    all_of_it, person = found
    assert all_of_it < FILLING * FLOOD_BYTES, "the link was full all the while"
    if minor is None:
        assert person < 0.1 * all_of_it
    else:
        assert person >= 0.9 * all_of_it * LINE.down / LINK_BITS
