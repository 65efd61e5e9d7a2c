"""One device that uses endless new hardware addresses: ARP, neighbour discovery and DHCP from each."""

import itertools
import random
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from tests.bench.attacks.ethernet import REQUEST, arp, discover, solicitation
from tests.bench.attacks.send_rate import portions
from tests.kernel.frames import raw_socket

DISCOVERS_EVERY = 4


class ManyMacs:
    """`per_second` new hardware addresses for `seconds`; each asks for `router4` and `router6` from addresses of
    `network4` and `network6`, and every fourth for a lease. Addresses in `spared` are in use and not taken."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._router4, self._router6, self._router_mac = job["router4"], job["router6"], job["router_mac"]
        self._network4, self._network6 = IPv4Network(job["network4"]), IPv6Network(job["network6"])
        self._per_second, self._seconds = float(job["per_second"]), float(job["seconds"])
        self._random = random.Random(11)
        self._spared = set(job["spared"])
        self._raw = raw_socket("eth0")

    def run(self) -> dict[str, Any]:
        numbers, shown = itertools.count(1), 0
        for count in portions(self._per_second, self._seconds):
            for number in itertools.islice(numbers, count):
                for frame in self._frames(number):
                    with suppress(OSError):
                        self._raw.send(frame)
                shown = number
        return {"shown": shown}

    def _frames(self, number: int) -> list[bytes]:
        mac = "06:" + self._random.randbytes(5).hex(":")
        address4 = str(self._network4[self._random.randrange(self._network4.num_addresses)])
        while address4 in self._spared:
            address4 = str(self._network4[self._random.randrange(self._network4.num_addresses)])
        address6 = str(self._network6[self._random.getrandbits(62)])
        frames = [
            arp(REQUEST, mac, address4, self._router_mac, self._router4),
            solicitation(mac, address6, self._router_mac, self._router6),
        ]
        return [*frames, discover(mac, number)] if number % DISCOVERS_EVERY == 0 else frames
