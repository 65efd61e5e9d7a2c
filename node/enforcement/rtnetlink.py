"""Queueing disciplines and classes through one rtnetlink socket: acknowledged batches, no child process."""

import errno
import os
import socket
import struct
from collections.abc import Iterable

from node.enforcement.tc import (
    HTB_MAJOR,
    RTM_NEWQDISC,
    RTM_NEWTCLASS,
    TC_H_ROOT,
    TCA_KIND,
    TCMSG,
    TcChange,
    as_message,
    as_text,
    root_message,
)
from node.errors import KernelRefused
from node.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_ECHO,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    error_code,
    find_attribute,
    message,
    messages,
)

RTM_NEWLINK, RTM_GETLINK = 16, 18
RTM_GETQDISC, RTM_GETTCLASS = 38, 42
_IFINFOMSG = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type of the link, index, flags, changed flags."""
ARPHRD_ETHER = 1
BATCH = 64
"""Messages sent before their acknowledgements are read; well below the socket's buffer."""
TOLERATED = {
    "delete-root": {errno.ENOENT, errno.EINVAL},
    "delete-class": {errno.ENOENT},
    # A kernel without u32: these packets then have no class, and wait for nobody.
    "choose-arp": {errno.ENOENT},
    "choose-dhcp": {errno.ENOENT},
}


class TrafficControl:
    """tc for one network namespace. Not thread-safe."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._socket.settimeout(10)
        self._socket.bind((0, 0))

    def apply(self, interface: str, changes: Iterable[TcChange]) -> None:
        """Make the changes in order. All are tried; then KernelRefused is raised with the first that failed."""
        ifindex = self.ifindex(interface)
        refused: list[str] = []
        batch: list[TcChange] = []
        for change in changes:
            batch.append(change)
            if len(batch) == BATCH:
                refused += self._send(interface, ifindex, batch)
                batch = []
        refused += self._send(interface, ifindex, batch)
        if refused:
            raise KernelRefused(
                f"tc refused {len(refused)} changes, the first: {refused[0]}",
                "run 'procomu doctor' to see what is missing",
            )

    def has_our_root(self, interface: str) -> bool:
        """True when the interface's root queueing discipline is an HTB with our handle."""
        ifindex = self.ifindex(interface)
        return any(
            index == ifindex and handle == HTB_MAJOR << 16 and parent == TC_H_ROOT and kind == "htb"
            for index, handle, parent, kind in self._dump(RTM_GETQDISC, RTM_NEWQDISC, 0)
        )

    def lost_our_root(self, interface: str) -> bool:
        """The opposite of `has_our_root`, but requests only the root: cheap with ten thousand classes below it. False
        when the interface does not exist or the kernel does not answer."""
        try:
            ifindex = socket.if_nametoindex(interface)
            flags, root = (
                NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO,
                TCMSG.pack(0, 0, 0, ifindex, 0, TC_H_ROOT, 0),
            )
            self._socket.send(message(RTM_GETQDISC, flags, 0, root))
            answers: list[tuple[int, int, bytes]] = []
            while not any(kind == NLMSG_ERROR for kind, _, _ in answers):
                answers += messages(self._socket.recv(1 << 16))
        except OSError:
            return False
        roots = [
            (TCMSG.unpack_from(body)[4], _kind_of(body[TCMSG.size :]))
            for kind, _, body in answers
            if kind == RTM_NEWQDISC
        ]
        return (HTB_MAJOR << 16, "htb") not in roots

    def class_parents(self, interface: str) -> dict[int, int | None]:
        """All HTB classes on the interface: minor to the parent's minor, None for children of the root."""
        rows = self._dump(RTM_GETTCLASS, RTM_NEWTCLASS, self.ifindex(interface))
        return {
            handle & 0xFFFF: None if parent == TC_H_ROOT else parent & 0xFFFF
            for _, handle, parent, kind in rows
            if kind == "htb" and handle >> 16 == HTB_MAJOR
        }

    def leaf_kinds(self, interface: str) -> dict[int, str]:
        """The kind of queue of each class that has one, by the class's minor."""
        ifindex = self.ifindex(interface)
        return {
            parent & 0xFFFF: kind
            for index, _, parent, kind in self._dump(RTM_GETQDISC, RTM_NEWQDISC, 0)
            if index == ifindex and parent != TC_H_ROOT and parent >> 16 == HTB_MAJOR
        }

    def try_root(self, interface: str, kind: str) -> None:
        """Add a root of this kind and delete it again, to test whether the kernel supports it. Raises KernelRefused
        when it does not, and also when the interface has a root that somebody added: that one stays."""
        ifindex = self.ifindex(interface)
        code = self._answer(root_message(ifindex, kind, only_if_none=True))
        if not code:
            self.apply(interface, [TcChange("delete-root")])
        elif code == errno.ENOENT:
            raise KernelRefused(f"this kernel has no {kind}", f"modprobe sch_{kind}, or run without it")
        else:
            raise KernelRefused(
                f"{kind} could not be tried on {interface}: {os.strerror(code)}",
                "'tc qdisc show' lists what is there; 'dmesg' may say more",
            )

    def _answer(self, request: bytes) -> int:
        """The error code of the acknowledgement of one request, 0 for success."""
        self._socket.send(request)
        while True:
            for kind, _, body in messages(self._socket.recv(1 << 16)):
                if kind == NLMSG_ERROR:
                    return error_code(body)

    def exists(self, interface: str) -> bool:
        return interface in {name for _, name in socket.if_nameindex()}

    def ifindex(self, interface: str) -> int:
        try:
            return socket.if_nametoindex(interface)
        except OSError as error:
            raise KernelRefused(
                f"there is no interface {interface}",
                "correct node.toml, or plug the interface in; 'ip link' lists them",
            ) from error

    def is_ethernet(self, ifindex: int) -> bool:
        """Whether packets on this interface have an Ethernet header; False when it does not exist."""
        self._socket.send(
            message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 0, _IFINFOMSG.pack(0, 0, ifindex, 0, 0))
        )
        found = False
        while True:
            for kind, _, body in messages(self._socket.recv(1 << 16)):
                if kind == NLMSG_ERROR:
                    return found
                if kind == RTM_NEWLINK:
                    found = _IFINFOMSG.unpack_from(body)[1] == ARPHRD_ETHER

    def close(self) -> None:
        self._socket.close()

    def _send(self, interface: str, ifindex: int, batch: list[TcChange]) -> list[str]:
        if not batch:
            return []
        self._socket.send(b"".join(as_message(change, ifindex, n) for n, change in enumerate(batch)))
        refused, waiting = [], len(batch)
        while waiting:
            for kind, sequence, body in messages(self._socket.recv(1 << 16)):
                if kind != NLMSG_ERROR:
                    continue
                waiting -= 1
                code = error_code(body)
                change = batch[sequence]
                if code and code not in TOLERATED.get(change.action, set()):
                    refused.append(f"{as_text(change, interface)}: {os.strerror(code)}")
        return refused

    def _dump(self, ask: int, answer: int, ifindex: int) -> list[tuple[int, int, int, str]]:
        whole = TCMSG.pack(0, 0, 0, ifindex, 0, 0, 0)
        self._socket.send(message(ask, NLM_F_REQUEST | NLM_F_DUMP, 0, whole))
        rows: list[tuple[int, int, int, str]] = []
        while True:
            for kind, _, body in messages(self._socket.recv(1 << 18)):
                if kind in {NLMSG_DONE, NLMSG_ERROR}:
                    return rows
                if kind == answer:
                    _, _, _, index, handle, parent, _ = TCMSG.unpack_from(body)
                    rows.append((index, handle, parent, _kind_of(body[TCMSG.size :])))


def _kind_of(attributes: bytes) -> str:
    return (find_attribute(attributes, TCA_KIND) or b"").rstrip(b"\0").decode()
