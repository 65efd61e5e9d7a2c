"""TCP MSS clamping: keeps segments as small as the uplink's packets, since many links lose "packet too big" messages.

The MSS option of a SYN tells the other side its largest segment (RFC 6691). Outgoing SYNs are clamped in the nat
chain, which the first packet of every flow passes. The SYN-ACK is clamped on the way in, without a test for each
packet: the SYN sets `ANSWER_AWAITED` in the flow's mark, so the SYN-ACK misses the fast rules, reaches the rules
here, and gets the original mark back.
"""

from collections.abc import Iterable

from node.enforcement.flows import ANSWER_AWAITED, DEVICE_BITS

_HEADERS4, _HEADERS6 = 40, 60
"""IP and TCP headers without options, in bytes."""
SYN = "tcp flags & (syn | rst) == syn"


def segment_size(mtu: int) -> tuple[str, ...]:
    """Rules that limit the MSS to the route's MTU in either direction, and to `mtu` bytes per packet unless it is 0.
    The kernel never raises an MSS."""
    by_route = (f"{SYN} tcp option maxseg size set rt mtu",)
    if not mtu:
        return by_route
    return (
        *by_route,
        f"meta nfproto ipv4 {SYN} tcp option maxseg size set {mtu - _HEADERS4}",
        f"meta nfproto ipv6 {SYN} tcp option maxseg size set {mtu - _HEADERS6}",
    )


def mss_sent(uplink: str, mtu: int) -> Iterable[str]:
    """For first packets, after all other rules and before source NAT."""
    out = f'oifname "{uplink}"'
    yield from (f"{out} {clamp}" for clamp in segment_size(mtu))
    yield f"{out} {SYN} ct mark != 0 ct mark set ct mark | {ANSWER_AWAITED:#x}"


def mss_repeated(uplink: str, mtu: int, ride: str) -> tuple[str, tuple[str, ...]]:
    """A retransmitted SYN, which does not pass `mss_sent`: the rule that jumps to a separate chain, and the rules of that
    chain. `ride` counts and accepts it."""
    counted = ride.removesuffix(" accept") + f" ct mark set ct mark | {ANSWER_AWAITED:#x} accept"
    way = f'oifname "{uplink}" {SYN} ct mark & {ANSWER_AWAITED:#x} != 0 goto syn_again'
    return way, (*segment_size(mtu), "ct mark set ether saddr map @members", counted, "goto refuse")


def mss_answered(uplink: str, mtu: int) -> Iterable[str]:
    """For incoming packets that no fast rule matched."""
    into = f'iifname "{uplink}"'
    yield from (f"{into} {clamp}" for clamp in segment_size(mtu))
    yield f"{into} ct mark & {ANSWER_AWAITED:#x} != 0 ct mark set ct mark & {DEVICE_BITS:#x}"
