"""Rules for questions to our resolvers: whose resolver, how many, and how much data a stranger may carry by them.

Devices that are not admitted ask a resolver of their own (`strangers_dns`), so that they share no place and no memory
with the admitted. A name that they ask for can carry data to its owner, and the answer carries data back: a tunnel.
Whoever wants to join needs minutes, so each hardware address has the full pace for `FULL_RATE_SECONDS`, and then
`SLOW_QUESTIONS_BYTES` and `SLOW_ANSWERS_BYTES` a second: together 3 kbit/s. Names that lead to a system's maker or to
the portal carry nothing for anybody and stay free, so that the page still opens.

Flows of strangers to their resolver carry a mark made of the hardware address: an answer on its way out has no other
sign of whose it is.
"""

from collections.abc import Iterable

from node.enforcement.flow_marks import STRANGER_FIRST, STRANGER_NUMBERS

PER_STRANGER, STRANGERS_TOGETHER = 20, 200
"""Packets a second: of one hardware address (twice as many at once), and of all together, because hardware addresses
cost nothing and the uplink does."""
OPEN_NAMES_TOGETHER = 500
"""Packets a second more of all together, for names that lead to the page: they are answered here or remembered, so who
takes all the others takes no newcomer's page away."""
PER_MEMBER, PER_MEMBER_AT_ONCE = 50, 300
"""Packets a second of one admitted device. A page of a hundred names asks three questions for each."""
TCP_OF_STRANGER, TCP_OF_MEMBER = 2, 4
"""Connections of one device at once: the resolver has a process for each (RFC 7766 wants one for a client)."""
FULL_RATE_SECONDS = 600
FORGOTTEN_AFTER_HOURS = 2
"""Without any question. At the full pace for ten minutes of each 130 a tunnel is slow, too."""
SLOW_QUESTIONS_BYTES, SLOW_QUESTIONS_AT_ONCE = 120, 500
SLOW_ANSWERS_BYTES, SLOW_ANSWERS_AT_ONCE = 250, 1_300
"""IP bytes a second, and at once besides: the largest question and the largest answer (1,232 bytes and their headers)
fit. Both directions together are 4 kbit/s at most within any 20 seconds."""
DEVICES_REMEMBERED_MAX = 65_535

_DNS_HEADER, _UDP_HEADER, _CHUNK = 12, 8, 16


def sets(table: str) -> str:
    """Their sets, for a table that is made anew. `dns_known` outlives `dns_fresh`, which no later question renews."""
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
    """For first packets of devices that are not admitted, wherever they are sent: to the resolver at `port`."""
    whose = f"ct mark set jhash ether saddr mod {STRANGER_NUMBERS} offset {STRANGER_FIRST}"
    for protocol in ("udp", "tcp"):
        yield f"{protocol} dport 53 {whose} redirect to :{port}"


def asked(port: int) -> Iterable[str]:
    """For what comes in from the people's side."""
    yield f"meta l4proto {{ tcp, udp }} th dport {port} goto strangers_ask"
    yield "meta l4proto { tcp, udp } th dport 53 goto members_ask"


def chains(open_names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What the rules of `asked` and `answered` go to."""
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
            # It answers what was sent to 53, and nobody who asks here directly.
            "ct status & dnat == 0 goto refuse",
            _too_many_connections("dns_tcp", TCP_OF_STRANGER),
            f"add @dns_askers {{ ether saddr limit rate over {PER_STRANGER}/second "
            f"burst {2 * PER_STRANGER} packets }} drop",
            # Where no more can be remembered, the second is not reached: then newcomers have the slow pace.
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
            # A flow from before the end of its session: the next question finds the other resolver.
            "ether saddr != @members goto refuse",
            _too_many_connections("dns_tcp_members", TCP_OF_MEMBER),
            f"add @dns_members {{ ether saddr limit rate over {PER_MEMBER}/second "
            f"burst {PER_MEMBER_AT_ONCE} packets }} drop",
            "accept",
        ),
    }


def answered(interface: str, port: int) -> str:
    """For what goes out to the people's side."""
    return f'oifname "{interface}" meta l4proto {{ tcp, udp }} th sport {port} goto strangers_answers'


def _too_many_connections(name: str, most: int) -> str:
    return f"meta l4proto tcp ct state new add @{name} {{ ether saddr ct count over {most} }} reject with tcp reset"


def _too_much(name: str, rate: int, at_once: int) -> str:
    return f"update @{name} {{ ct mark limit rate over {rate} bytes/second burst {at_once} bytes }} drop"


def _asks_for(name: str) -> str:
    """Matches a datagram, question or answer, whose one question is for exactly this name (RFC 1035 section 4.1), as
    systems write it: in small letters."""
    wanted = b"".join(bytes([len(label)]) + label.encode() for label in name.lower().split(".")) + b"\0"
    first = 8 * (_UDP_HEADER + _DNS_HEADER)
    places = range(0, len(wanted), _CHUNK)
    chunks = ((first + 8 * place, wanted[place : place + _CHUNK]) for place in places)
    matches = (f"@th,{place},{8 * len(chunk)} 0x{chunk.hex()}" for place, chunk in chunks)
    return f"@th,{8 * (_UDP_HEADER + 4)},16 1 {' '.join(matches)}"
