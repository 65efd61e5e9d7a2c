"""nftables limits for questions of respondd collectors on the LAN: everybody there may ask, and each question is answered in
Python."""

RESPONDD_PORT = 1001
"""UDP, of Gluon's respondd."""
PER_SECOND, AT_ONCE = 20, 40
"""Questions per second of all devices together, and burst."""
OCTETS_MAX = 320
"""An IPv6 packet with a question of 256 bytes has 304."""


def rules() -> tuple[str, ...]:
    """Limited before the rules for admitted devices accept them. IPv6 only, as the protocol is."""
    asked = f"meta nfproto ipv6 udp dport {RESPONDD_PORT}"
    return (
        f"{asked} meta length > {OCTETS_MAX} drop",
        f"{asked} limit rate over {PER_SECOND}/second burst {AT_ONCE} packets drop",
        f"{asked} accept",
    )
