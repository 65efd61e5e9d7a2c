"""Observes the uplink: sends probes, receives their answers with the kernel's time, and counts what passed the
interface."""

import logging
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from node.units import BOOT, NO_RATES, BitsPerSecond, Microseconds, Rates
from node.uplink import icmp
from node.uplink.line import Sample
from node.uplink.proc_net import next_hops, octets_of
from node.uplink.queueing_delay import RoundTrip

PROBE_US, SAVED_MAX = 160_000, 6
"""A probe of 40 bytes each 160 ms is 2 kbit/s, which they take at most; so many that were not sent may be sent later, when
it is urgent."""
LATE_MIN = 2
"""One missing answer may be a lost packet: of so many that are waited for, the latest shows how late they are."""
PATIENCE_US = 5_000_000
"""An answer that takes longer counts as none."""
ROUTES_US = 10_000_000
"""How often the routes are read."""
CLOCK_US = 1_000
"""The real-time clock is compared with ours within this time, or else what the kernel says of an answer is not used; as
little may it have been set since the last look."""
CLOCK_TRIES = 4
COMPLAINTS_MAX = 100
ANSWERS_MAX = 64
"""Messages read at once: a flood of them must not hold up the rest."""
SOL_RAW, ICMP_FILTER, ICMP6_FILTER = 255, 1, 1
SO_TIMESTAMPNS = 35
"""linux/socket.h; the kernel sends struct timespec of the machine's word length."""
_TIMESPEC = struct.Struct("@ll")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    address: IPv4Address | IPv6Address
    kind: icmp.Kind


def targets(hops: Sequence[IPv4Address | IPv6Address], more: Sequence[str]) -> tuple[ProbeTarget, ...]:
    """In the order in which they are tried: next hops, then the addresses of the setting."""
    return tuple(
        ProbeTarget(each, kind)
        for each in dict.fromkeys([*hops, *map(_address, more)])
        for kind in (("timestamp", "echo") if each.version == 4 else ("echo6",))
    )


def _address(text: str) -> IPv4Address | IPv6Address:
    return IPv6Address(text) if ":" in text else IPv4Address(text)


class UplinkProber:
    """For the event loop: no call waits."""

    def __init__(
        self,
        interface: str,
        more: Sequence[str] = (),
        *,
        root: Path = Path("/"),
        clock: Callable[[], Microseconds],
        real_clock: Callable[[], Microseconds] = lambda: Microseconds(time.time_ns() // 1_000),
    ) -> None:
        """`more`: addresses that the operator named. `clock` is CLOCK_BOOTTIME, `real_clock` the one of the
        kernel's times."""
        self._interface, self._more, self._root, self._clock = interface, more, root, clock
        self._real_clock = real_clock
        self._targets: tuple[ProbeTarget, ...] = ()
        self._target: ProbeTarget | None = None
        self._socket: socket.socket | None = None
        self._identifier = self._sequence = 0
        self._sent: dict[int, Microseconds] = {}
        self._routes_due = BOOT
        self._last_sent = self._spent = Microseconds(-SAVED_MAX * PROBE_US)
        self._octets: tuple[Microseconds, int, int] | None = None
        self._ahead: int | None = None
        """By how much the real-time clock was ahead of ours at the last look."""
        self._was_answered = False
        """Since the routes were read."""
        self._lost = 0
        """Probes that were given up since the last sample."""
        self._complained: set[str] = set()

    def observe(self, target: int, pace_us: int) -> Sample:
        """What was seen since the last call; sends the next probe `pace_us` after the last."""
        now = self._clock()
        if now >= self._routes_due:
            self._routes_due = Microseconds(now + ROUTES_US)
            self._targets = targets(self._next_hops(), self._more)
            if not self._was_answered:
                # A socket keeps the interface and the source address that it had when it was made.
                self._open(None)
            self._was_answered = False
        wanted = self._targets[target % len(self._targets)] if self._targets else None
        if wanted != self._target:
            self._open(wanted)
        answers = tuple(self._answers())
        if answers:
            self._was_answered = True
            self._complained.clear()
        self._give_up_before(Microseconds(now - PATIENCE_US + 1))
        saved = min(SAVED_MAX * PROBE_US, now - self._spent)
        if now - self._last_sent >= pace_us and saved >= PROBE_US:
            self._last_sent, self._spent = now, Microseconds(now - saved + PROBE_US)
            self._send()
        waiting = list(self._sent.values())
        unanswered = waiting[LATE_MIN - 1] if len(waiting) >= LATE_MIN else None
        lost, self._lost = self._lost, 0
        return Sample(
            self._carried(now),
            answers,
            unanswered,
            waiting[0] if waiting else None,
            len(self._targets),
            "" if wanted is None else str(wanted),
            lost,
        )

    def close(self) -> None:
        self._open(None)

    def _give_up_before(self, moment: Microseconds) -> None:
        """Probes that were sent before."""
        waiting = {number: sent for number, sent in self._sent.items() if sent >= moment}
        self._lost += len(self._sent) - len(waiting)
        self._sent = waiting

    def _next_hops(self) -> tuple[IPv4Address | IPv6Address, ...]:
        return next_hops(self._text("proc/net/route"), self._text("proc/net/ipv6_route"), self._interface)

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text(errors="replace")  # names of interfaces may be any octets
        except OSError:  # this kernel has no IPv6
            return ""

    def _open(self, target: ProbeTarget | None) -> None:
        if self._socket is not None:
            self._socket.close()
        self._target, self._socket, self._sent = target, None, {}
        if target is None:
            return
        self._identifier = secrets.randbelow(1 << 16)
        try:
            self._socket = _connected(target, self._interface)
        except OSError as error:
            self._complain(f"{target.address} cannot be probed: {error.strerror or error}")

    def _send(self) -> None:
        if self._socket is None or self._target is None:
            return
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._sent[self._sequence] = self._clock()
        try:
            self._socket.send(icmp.request(self._target.kind, self._identifier, self._sequence))
        except OSError as error:
            del self._sent[self._sequence]
            self._complain(f"{self._target.address} cannot be probed: {error.strerror or error}")

    def _complain(self, trouble: str) -> None:
        """Once, until a probe is answered."""
        if trouble not in self._complained and len(self._complained) < COMPLAINTS_MAX:
            self._complained.add(trouble)
            log.warning("%s", trouble)

    def _compared(self) -> int | None:
        """By how much the real-time clock is ahead of ours. None where the answers that are read now may have come before
        it was set, or where this thread had to wait in between."""
        before, found = self._ahead, None
        for _ in range(CLOCK_TRIES):
            begins = self._clock()
            real = self._real_clock()
            ends = self._clock()
            if ends - begins < CLOCK_US:
                found = real - (begins + ends) // 2
                break
        self._ahead = found
        return found if before is not None and found is not None and abs(found - before) < CLOCK_US else None

    def _answers(self) -> Iterator[RoundTrip]:
        if self._socket is None or self._target is None:
            return
        ahead = self._compared()
        for _ in range(ANSWERS_MAX):
            try:
                packet, more, _, _ = self._socket.recvmsg(icmp.MESSAGE_BYTES_MAX, 256)
            except OSError:  # nothing more, or an ICMP error
                return
            reply = icmp.reply(self._target.kind, packet)
            sent = self._sent.get(reply.sequence) if reply and reply.identifier == self._identifier else None
            if reply is None or sent is None:
                continue
            # A probe that was overtaken is lost, not late.
            del self._sent[reply.sequence]
            self._give_up_before(sent)
            if ahead is None:
                continue
            real, now = _received_us(more), self._clock()
            received = now if real is None else Microseconds(real - ahead)
            yield RoundTrip(sent, max(sent, min(now, received)), reply.far_received_us, reply.far_sent_us)

    def _carried(self, now: Microseconds) -> Rates:
        counted = octets_of(self._text("proc/net/dev"), self._interface)
        if counted is None:  # the interface was unplugged
            self._octets = None
            return NO_RATES
        down, up = counted
        before, self._octets = self._octets, (now, down, up)
        if before is None or now <= before[0]:
            return NO_RATES
        down, up = (
            max(0, octets - then) * 8_000_000 // (now - before[0])
            for octets, then in ((down, before[1]), (up, before[2]))
        )
        return Rates(BitsPerSecond(down), BitsPerSecond(up))


def _connected(target: ProbeTarget, interface: str) -> socket.socket:
    """A raw socket that receives only this kind of answer of this address, by this interface: neither what a device
    of the LAN sends in its name, nor the answers of an address that another line leads to. Raises OSError."""
    is_v4 = target.kind != "echo6"
    family, protocol = (
        (socket.AF_INET, socket.IPPROTO_ICMP) if is_v4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    )
    made = socket.socket(family, socket.SOCK_RAW, protocol)
    try:
        wanted = icmp.REPLY[target.kind]
        if is_v4:
            made.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~(1 << wanted)))
        else:
            blocked = [
                0xFFFFFFFF & ~(1 << (wanted % 32)) if word == wanted // 32 else 0xFFFFFFFF
                for word in range(8)
            ]
            made.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *blocked))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        made.setblocking(False)
        made.connect(_socket_address(target.address))
    except BaseException:
        made.close()
        raise
    return made


def _socket_address(address: IPv4Address | IPv6Address) -> tuple[str, int] | tuple[str, int, int, int]:
    if isinstance(address, IPv4Address):
        return str(address), 0
    scope = socket.if_nametoindex(address.scope_id) if address.scope_id else 0
    return str(address).partition("%")[0], 0, 0, scope


def _received_us(more: list[tuple[int, int, bytes]]) -> int | None:
    """When the kernel received the message, by the real-time clock; None when it does not say."""
    for level, kind, data in more:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * 1_000_000 + nanoseconds // 1000)
    return None
