"""Rules that keep TCP segments as small as the uplink's packets: many lines lose the notice that a packet is too big.

RFC 6691: the option of a SYN tells the other side how large its segments may be. Ours is made smaller on the way out,
where every flow's first packet meets the chain of address translation. The answer's option is made smaller on the way
in, without a test for each packet: the first packet leaves its flow with `ANSWER_AWAITED` in the mark, so the answer
misses the fast rules, meets these here, and gives the flow its own mark back.
"""

from collections.abc import Iterable

from node.enforcement.flow_marks import ANSWER_AWAITED, DEVICE_BITS

_HEADERS4, _HEADERS6 = 40, 60
"""IP and TCP without options, in bytes."""
SYN = "tcp flags & (syn | rst) == syn"


def clamps(mtu: int) -> tuple[str, ...]:
    """What makes a SYN's segments fit the route of either direction, and packets of `mtu` bytes unless it is 0. The
    kernel never makes them larger."""
    by_route = (f"{SYN} tcp option maxseg size set rt mtu",)
    if not mtu:
        return by_route
    return (
        *by_route,
        f"meta nfproto ipv4 {SYN} tcp option maxseg size set {mtu - _HEADERS4}",
        f"meta nfproto ipv6 {SYN} tcp option maxseg size set {mtu - _HEADERS6}",
    )


def sent(uplink: str, mtu: int) -> Iterable[str]:
    """For first packets, behind everything else that is done to them, and before their address is changed."""
    out = f'oifname "{uplink}"'
    yield from (f"{out} {clamp}" for clamp in clamps(mtu))
    yield f"{out} {SYN} ct mark != 0 ct mark set ct mark | {ANSWER_AWAITED:#x}"


def repeated(uplink: str, mtu: int, ride: str) -> tuple[str, tuple[str, ...]]:
    """A SYN that is sent once more, as a rule that leads to a chain of its own, and that chain: first packets alone
    meet `sent`. `ride` counts it and lets it pass."""
    counted = ride.removesuffix(" accept") + f" ct mark set ct mark | {ANSWER_AWAITED:#x} accept"
    way = f'oifname "{uplink}" {SYN} ct mark & {ANSWER_AWAITED:#x} != 0 goto syn_again'
    return way, (*clamps(mtu), "ct mark set ether saddr map @members", counted, "goto refuse")


def answered(uplink: str, mtu: int) -> Iterable[str]:
    """For what comes in and met no fast rule."""
    into = f'iifname "{uplink}"'
    yield from (f"{into} {clamp}" for clamp in clamps(mtu))
    yield f"{into} ct mark & {ANSWER_AWAITED:#x} != 0 ct mark set ct mark & {DEVICE_BITS:#x}"
