"""nftables rules for DNS queries: which resolver a device uses, how many queries, and how much data they may carry.

Unauthorized devices use a resolver of their own (`captive_dns`), so that they share neither query slots nor cache
with admitted devices. A query name can carry data to the owner of the domain, and the answer can carry data back: a
DNS tunnel. Joining takes minutes, so each hardware address has the full rate for `FULL_RATE_SECONDS` and after that
`SLOW_QUESTIONS_BYTES` and `SLOW_ANSWERS_BYTES` per second: together 3 kbit/s. Names for captive portal detection and
the portal's own name cannot carry data and are not limited this way, so the page still opens.

Flows of unauthorized devices to their resolver carry a mark derived from the hardware address, because an outgoing
answer has no other link to the device.
"""

from collections.abc import Iterable

from node.enforcement.flows import STRANGER_FIRST, STRANGER_NUMBERS

PER_STRANGER, STRANGERS_TOGETHER = 20, 200
"""Packets per second: of one hardware address (burst twice as many), and of all together, because hardware addresses
can be forged in any number and the uplink is limited."""
OPEN_NAMES_TOGETHER = 500
"""Additional packets per second of all together, for names that lead to the page. These are answered locally or from
the cache, so a device that uses up the other limit cannot block the page for new devices."""
PER_MEMBER, PER_MEMBER_AT_ONCE = 50, 300
"""Packets per second of one admitted device, and burst. A web page with a hundred names causes three queries for
each."""
TCP_OF_STRANGER, TCP_OF_MEMBER = 2, 4
"""Simultaneous connections of one device: the resolver has a process for each (RFC 7766 recommends one per client)."""
FULL_RATE_SECONDS = 600
FORGOTTEN_AFTER_HOURS = 2
"""Hours without any query. A tunnel with full rate for ten of every 130 minutes is slow as well."""
SLOW_QUESTIONS_BYTES, SLOW_QUESTIONS_AT_ONCE = 120, 500
SLOW_ANSWERS_BYTES, SLOW_ANSWERS_AT_ONCE = 250, 1_300
"""IP bytes per second, and burst: enough for the largest query and the largest answer (1,232 bytes plus headers).
Both directions together are at most 4 kbit/s over any 20 seconds."""
DEVICES_REMEMBERED_MAX = 65_535

_DNS_HEADER, _UDP_HEADER, _CHUNK = 12, 8, 16


def sets(table: str) -> str:
    """Set definitions for a new table. `dns_known` lives longer than `dns_fresh`, which later queries do not renew."""
    of = f"size {DEVICES_REMEMBERED_MAX}; flags dynamic,timeout;"
    return f"""\
add set {table} dns_askers {{ type ether_addr; {of} timeout 1m; }}
add set {table} dns_members {{ type ether_addr; {of} timeout 1m; }}
add set {table} dns_known {{ type mark; {of} timeout {FORGOTTEN_AFTER_HOURS}h; }}
add set {table} dns_fresh {{ type mark; {of} timeout {FULL_RATE_SECONDS}s; }}
add set {table} dns_questions {{ type mark; {of} timeout 1h; }}
add set {table} dns_answers {{ type mark; {of} timeout 1h; }}
add set {table} dns_tcp {{ type ether_addr; size {DEVICES_REMEMBERED_MAX}; flags dynamic; }}
add set {table} dns_tcp_members {{ type ether_addr; size {DEVICES_REMEMBERED_MAX}; flags dynamic; }}
"""


def redirection(port: int) -> Iterable[str]:
    """For first packets of devices that are not admitted, whatever their destination: redirect to the resolver at
    `port`."""
    whose = f"ct mark set jhash ether saddr mod {STRANGER_NUMBERS} offset {STRANGER_FIRST}"
    for protocol in ("udp", "tcp"):
        yield f"{protocol} dport 53 {whose} redirect to :{port}"


def asked(port: int) -> Iterable[str]:
    """Rules for queries that come in from the LAN."""
    yield f"meta l4proto {{ tcp, udp }} th dport {port} goto strangers_ask"
    yield "meta l4proto { tcp, udp } th dport 53 goto members_ask"


def chains(open_names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Chains used by the rules of `asked` and `answered`."""
    free = tuple(f"meta l4proto udp {match}" for match in map(_asks_for, open_names))
    return {
        "strangers_slow": (
            *(f"{match} return" for match in free),
            _too_much("dns_questions", SLOW_QUESTIONS_BYTES, SLOW_QUESTIONS_AT_ONCE),
        ),
        "strangers_page": (
            f"limit rate {OPEN_NAMES_TOGETHER}/second burst {OPEN_NAMES_TOGETHER} packets accept",
            "drop",
        ),
        "strangers_ask": (
            # This resolver answers redirected queries only, not those sent to its port directly.
            "ct status & dnat == 0 goto refuse",
            # A flow that began before the session: the next query, from another port, goes to the other resolver.
            "ether saddr @members goto refuse",
            _too_many_connections("dns_tcp", TCP_OF_STRANGER),
            f"add @dns_askers {{ ether saddr limit rate over {PER_STRANGER}/second "
            f"burst {2 * PER_STRANGER} packets }} drop",
            # When the first set is full, the second statement is not reached: new devices then get the slow rate.
            "ct mark != @dns_known add @dns_known { ct mark } add @dns_fresh { ct mark }",
            "update @dns_known { ct mark }",
            "ct mark != @dns_fresh jump strangers_slow",
            f"limit rate {STRANGERS_TOGETHER}/second burst {STRANGERS_TOGETHER} packets accept",
            *(f"{match} goto strangers_page" for match in free),
            "drop",
        ),
        "strangers_answers": (
            "ct mark @dns_fresh accept",
            *(f"{match} accept" for match in free),
            _too_much("dns_answers", SLOW_ANSWERS_BYTES, SLOW_ANSWERS_AT_ONCE),
        ),
        "members_ask": (
            # A flow that began before the session ended: the next query goes to the other resolver.
            "ether saddr != @members goto refuse",
            _too_many_connections("dns_tcp_members", TCP_OF_MEMBER),
            f"add @dns_members {{ ether saddr limit rate over {PER_MEMBER}/second "
            f"burst {PER_MEMBER_AT_ONCE} packets }} drop",
            "accept",
        ),
    }


def answered(interface: str, port: int) -> str:
    """Rule for answers that go out to the LAN."""
    return f'oifname "{interface}" meta l4proto {{ tcp, udp }} th sport {port} goto strangers_answers'


def _too_many_connections(name: str, most: int) -> str:
    return f"meta l4proto tcp ct state new add @{name} {{ ether saddr ct count over {most} }} reject with tcp reset"


def _too_much(name: str, rate: int, at_once: int) -> str:
    return f"update @{name} {{ ct mark limit rate over {rate} bytes/second burst {at_once} bytes }} drop"


def _asks_for(name: str) -> str:
    """Match a UDP query or answer with exactly one question, for exactly this name (RFC 1035 section 4.1), in lower
    case as operating systems write it."""
    wanted = b"".join(bytes([len(label)]) + label.encode() for label in name.lower().split(".")) + b"\0"
    first = 8 * (_UDP_HEADER + _DNS_HEADER)
    places = range(0, len(wanted), _CHUNK)
    chunks = ((first + 8 * place, wanted[place : place + _CHUNK]) for place in places)
    matches = (f"@th,{place},{8 * len(chunk)} 0x{chunk.hex()}" for place, chunk in chunks)
    return f"@th,{8 * (_UDP_HEADER + 4)},16 1 {' '.join(matches)}"
