"""Port 443: unauthorized devices are refused at once, the node's own address has TLS, and no foreign name is
intercepted."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.kernel.kernel_testbed import (
    FAR,
    FIREWALL,
    MEMBER_MAC,
    OUTSIDE,
    ROUTER,
    KernelTestbed,
    kernel_testbed,
)
from tests.lab.netns import Namespace

pytestmark = pytest.mark.kernel
BOTH = pytest.mark.parametrize("way", [0, 1], ids=["IPv4", "IPv6"])
FAMILIES = (socket.AF_INET, socket.AF_INET6)
SECURE = replace(FIREWALL, portal_tls_port=2443, admin_tls_port=2444)
AT_ONCE_S = 0.1
"""Android waits three seconds for its HTTPS probe before it shows the sign-in."""


@pytest.fixture(scope="module")
def place() -> Iterator[KernelTestbed]:
    with kernel_testbed() as made:
        made.admit(MEMBER_MAC, firewall=SECURE)
        yield made


def refused_after(origin: Namespace, address: str, port: int, kind: socket.SocketKind) -> float:
    """Seconds until a connection from `origin` was refused; fails if it never is."""
    with origin.entered(), socket.socket(FAMILIES[":" in address], kind) as sock:
        sock.settimeout(3)
        began = time.monotonic()
        with pytest.raises(OSError, match=r"refused|No route|Permission denied|prohibited|unreachable"):
            _say_hello(sock, address, port)
        return time.monotonic() - began


def _say_hello(sock: socket.socket, address: str, port: int) -> None:
    sock.connect((address, port))
    sock.send(b"hello")
    sock.recv(10)


def reached(origin: Namespace, address: str, port: int) -> bool:
    with origin.entered(), socket.socket(FAMILIES[":" in address]) as sock:
        sock.settimeout(3)
        return sock.connect_ex((address, port)) == 0


@contextlib.contextmanager
def listening(at: Namespace, port: int, way: int) -> Iterator[None]:
    with at.entered():
        listener = socket.create_server(("", port), family=FAMILIES[way])
    with listener:
        yield


@BOTH
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["TLS", "QUIC"])
def test_a_captive_device_is_refused_at_once_and_never_times_out(
    place: KernelTestbed, way: int, kind: socket.SocketKind
) -> None:
    with listening(place.far, 443, way):
        assert refused_after(place.stranger, FAR[way], 443, kind) < AT_ONCE_S


@BOTH
def test_the_nodes_own_address_answers_on_443_for_every_device_on_the_link(
    place: KernelTestbed, way: int
) -> None:
    with listening(place.router, SECURE.portal_tls_port, way):
        assert reached(place.stranger, ROUTER[way], 443)
        assert reached(place.member, ROUTER[way], 443)


@BOTH
def test_tls_to_a_foreign_name_is_never_intercepted(place: KernelTestbed, way: int) -> None:
    """A member reaches the far host itself; an unauthorized device reaches neither it nor the node's own port."""
    with listening(place.router, SECURE.portal_tls_port, way):
        assert refused_after(place.member, FAR[way], 443, socket.SOCK_STREAM) < 1
        assert refused_after(place.stranger, FAR[way], 443, socket.SOCK_STREAM) < AT_ONCE_S
    with listening(place.far, 443, way):
        assert reached(place.member, FAR[way], 443)


@BOTH
def test_hosts_outside_the_lan_do_not_reach_the_https_portal(place: KernelTestbed, way: int) -> None:
    with listening(place.router, SECURE.portal_tls_port, way):
        assert not reached(place.far, OUTSIDE[way], SECURE.portal_tls_port)
        assert not reached(place.hill, ROUTER[way], SECURE.portal_tls_port)


@BOTH
def test_the_admin_pages_answer_every_device_on_the_link_and_no_other_host(
    place: KernelTestbed, way: int
) -> None:
    port = SECURE.admin_tls_port
    with listening(place.router, port, way):
        for device in (place.stranger, place.member):
            assert reached(device, ROUTER[way], port)
        for there in (OUTSIDE[way], ROUTER[way]):
            assert not reached(place.far, there, port)
            assert not reached(place.hill, there, port)


@BOTH
def test_without_https_for_the_lan_the_port_of_the_admin_pages_is_refused(
    place: KernelTestbed, way: int
) -> None:
    place.admit(MEMBER_MAC, firewall=replace(SECURE, admin_tls_port=0))
    try:
        with listening(place.router, SECURE.admin_tls_port, way):
            assert refused_after(place.stranger, ROUTER[way], SECURE.admin_tls_port, socket.SOCK_STREAM) < 1
    finally:
        place.admit(MEMBER_MAC, firewall=SECURE)


@BOTH
def test_without_a_certificate_443_of_the_node_is_refused_at_once(place: KernelTestbed, way: int) -> None:
    place.admit(MEMBER_MAC)
    try:
        assert refused_after(place.stranger, ROUTER[way], 443, socket.SOCK_STREAM) < AT_ONCE_S
    finally:
        place.admit(MEMBER_MAC, firewall=SECURE)
