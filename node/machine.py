"""Identifies the machine, so that a copied disk in another one is noticed. Read at start; nothing is sent as it is.

Two machines cannot be told apart if their firmware gives the same serial numbers and all their built-in network devices
have the same addresses: copies of a virtual machine that keep both, and boards whose addresses come from the card.
"""

import array
import contextlib
import fcntl
import hashlib
import os
import socket
import struct
import time
from pathlib import Path

from node.machine_figures import MachineFigures, memory_kb
from node.units import NodeId

_SIOCETHTOOL, _GPERMADDR, _ADDRESS_BYTES = 0x8946, 0x20, 32
_SERIALS = (
    "sys/firmware/devicetree/base/serial-number",
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/board_serial",
)
_TEXT_MAX = 200
MACHINE_CHARS = 16


def machine_facts(root: Path = Path("/")) -> tuple[str, ...]:
    """Serial numbers and permanent addresses of built-in network devices, sorted. Devices on USB are left out: they move
    between machines."""
    found = {text for name in _SERIALS if (text := _text(root / name))}
    found |= {
        line.partition(":")[2].strip()
        for line in _text(root / "proc/cpuinfo", 1_000_000).splitlines()
        if line.startswith("Serial")
    }
    for device in sorted((root / "sys/class/net").glob("*/device")):
        if "/usb" not in str(device.resolve()):
            found.add(_permanent_address(device.parent.name) or _text(device.parent / "address"))
    return tuple(sorted(each for each in found if each.strip("0:- ")))


def machine_id(facts: tuple[str, ...], community: str, node: NodeId) -> str:
    """MACHINE_CHARS hexadecimal digits, the same on each start of this machine; empty if nothing identifies it. With another
    community or node key it is another one, so that it does not make a machine recognizable elsewhere."""
    if not facts:
        return ""
    text = "\0".join(("machine of a node", community, node, *facts))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:MACHINE_CHARS]


def load_percent() -> float | None:
    """How much of the processors' time was wanted in the last 15 minutes; above 100 when programs wait for them. None if the
    kernel does not say."""
    try:
        return 100 * os.getloadavg()[2] / (os.cpu_count() or 1)
    except OSError:
        return None


def machine_figures() -> MachineFigures:
    """As the kernel has them now."""
    load, root_used = None, None
    with contextlib.suppress(OSError):
        load = os.getloadavg()[0]
    with contextlib.suppress(OSError):
        disk = os.statvfs("/")
        root_used = 1 - disk.f_bavail / disk.f_blocks if disk.f_blocks else None
    return MachineFigures(
        uptime_s=time.clock_gettime(time.CLOCK_BOOTTIME),
        load=load,
        processors=os.cpu_count() or 1,
        memory_kb=memory_kb(_text(Path("/proc/meminfo"), 10_000).splitlines()),
        root_used=root_used,
    )


def _text(path: Path, most: int = _TEXT_MAX) -> str:
    try:
        with path.open("rb") as file:
            return file.read(most).decode("ascii", "replace").strip("\0\n\t ")
    except OSError:
        return ""


def _permanent_address(name: str) -> str:
    """The address that the device was made with, which a program may have changed since; empty if there is none."""
    answer = array.array("B", struct.pack("II", _GPERMADDR, _ADDRESS_BYTES) + bytes(_ADDRESS_BYTES))
    request = struct.pack("16sP", name.encode()[:15], answer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
        except OSError:
            return ""
    size = struct.unpack_from("I", answer, 4)[0]
    return bytes(answer[8 : 8 + min(size, _ADDRESS_BYTES)]).hex(":")
