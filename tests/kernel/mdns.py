"""mDNS announcements that any device on a link can send, of nodes that do not exist."""

import contextlib
import hashlib
import socket
import struct
from collections.abc import Callable, Iterator

from mesh.announcement import SERVICE_TYPE, announce, instance_name
from node.units import NodeId
from tests.fakes.neighbours import id_of

GROUP, GROUP4, PORT = "ff02::fb", "224.0.0.251", 5353
TTL_S = 4_500
_TO_FIRST_NAME = b"\xc0\x0c"
_PTR, _TXT, _SRV, _AAAA, _IN = 12, 16, 33, 28, 1


def _name(text: str) -> bytes:
    labels = text.rstrip(".").split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, _IN, TTL_S, len(data)) + data


def announcement(node: NodeId, *, is_whole: bool = True) -> bytes:
    """One packet as a node would send it; without `is_whole` it has the PTR record only."""
    instance, host = instance_name(node), f"{node[:16]}.local."
    texts = announce(community="the-village", node=node, port=7400, boot="0123456789abcdef")
    packed = b"".join(
        bytes([len(key) + 1 + len(value)]) + key.encode() + b"=" + value.encode()
        for key, value in texts.items()
    )
    records = [_record(SERVICE_TYPE, _PTR, _name(instance))]
    if is_whole:
        records += [
            _record(instance, _SRV, struct.pack("!HHH", 0, 0, 7400) + _name(host)),
            _record(instance, _TXT, packed),
            _record(host, _AAAA, socket.inet_pton(socket.AF_INET6, "fe80::dead:beef")),
        ]
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def crowded(service_type: str, number: int, octets: int = 1_400) -> bytes:
    """One packet with as many PTR records as fit; packets with different numbers have no name in common."""
    whole = _name(service_type)
    records = []
    left = octets - 12 - len(whole)
    while left > 64:
        label = f"x{number:x}-{len(records):x}".encode()
        data = bytes([len(label)]) + label + _TO_FIRST_NAME
        name = _TO_FIRST_NAME if records else whole
        records.append(name + struct.pack("!HHIH", _PTR, _IN, TTL_S, len(data)) + data)
        left -= len(records[-1])
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


@contextlib.contextmanager
def mouth(interface: str) -> Iterator[Callable[[bytes], object]]:
    """Sends to the IPv6 multicast group, in the namespace of the calling thread."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        out.bind(("::", PORT))
        index = socket.if_nametoindex(interface)
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        yield lambda packet: out.sendto(packet, (GROUP, PORT, 0, index))


@contextlib.contextmanager
def mouth4(address: str, port: int = PORT) -> Iterator[Callable[[bytes], object]]:
    """Sends to the IPv4 multicast group, in the namespace of the calling thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        out.bind((address, port))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        yield lambda packet: out.sendto(packet, (GROUP4, PORT))


def flood(interface: str, count: int) -> None:
    """Sends `count` announcements in the namespace of the calling thread; half of the services never answer."""
    with mouth(interface) as send:
        for number in range(count):
            node = id_of(hashlib.sha256(str(number).encode()).hexdigest())
            send(announcement(node, is_whole=number % 2 == 0))
