"""Reads struct tcp_info (linux/tcp.h): what the kernel knows of one TCP connection."""

import struct

from mesh.own_node_page import LinkCounters

TCP_INFO_BYTES = 176
_TOTAL_RETRANS_AT, _MIN_RTT_AT, _DATA_SEGS_OUT_AT = 100, 148, 156
_BYTES_ACKED_AT, _BUSY_TIME_AT = 120, 168
_NO_RTT_US = 0xFFFFFFFF


def link_counters(info: bytes) -> LinkCounters | None:
    """None if the kernel does not say as much, or has measured nothing yet. The round trip is the shortest of the last
    minutes, so that what waits in a queue does not count."""
    if len(info) < TCP_INFO_BYTES:
        return None
    again, shortest_us, sent = (
        struct.unpack_from("=I", info, at)[0] for at in (_TOTAL_RETRANS_AT, _MIN_RTT_AT, _DATA_SEGS_OUT_AT)
    )
    if shortest_us == _NO_RTT_US:
        return None
    acknowledged, busy_us = (struct.unpack_from("=Q", info, at)[0] for at in (_BYTES_ACKED_AT, _BUSY_TIME_AT))
    return LinkCounters(shortest_us / 1_000, sent, again, acknowledged, busy_us)
