"""Each of many devices sends a datagram every second until it is stopped; standard library only.

``python -m tests.bench.keepalive_traffic ADDRESS NUMBER`` sends to ADDRESS from the first NUMBER devices.
"""

import contextlib
import os
import socket
import struct
import sys
import time

from tests.bench.many_clients import device

IP_PKTINFO = 8
"""From linux/in.h; Python has it only since 3.12."""
SIZE = 200


def main() -> None:
    far, size = sys.argv[1], int(sys.argv[2])
    os.nice(10)
    froms = [socket.inet_aton(device(number).address) for number in range(1, size + 1)]
    # struct in_pktinfo: interface, source address, destination address.
    marks = [[(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", 0, own, bytes(4)))] for own in froms]
    payload = [bytes(SIZE)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        due = time.monotonic()
        while True:
            for mark in marks:
                with contextlib.suppress(OSError):
                    sock.sendmsg(payload, mark, 0, (far, 9))
            due = max(due + 1, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
