"""What the script on an openNDS router reports of the clients that are online there, and what it is told to end.

Each report is sealed with the router's key, and holds a nonce of this node that is a few minutes old at most: so nobody
else can report, and an old report is worth nothing. What it says of a client is believed as far as that of a client that
left: with the client's own token and the device's mark.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.gateways.counters import ReportedCounters
from node.gateways.gateway import Gateway
from node.gateways.opennds_query import FasKey
from node.units import Milliseconds, Monotonic

CLIENTS_MAX = 24
"""Of one report; the script sends several."""
REPORT_CHARACTERS_MAX = 9_600
NONCE_MS = Milliseconds(120_000)
"""A nonce is taken for so long, and as long again."""
NO_NONCE = "0" * 32
"""Of a router that has none yet."""
KBYTE = 1_024
_NONCE = re.compile(r"[0-9a-f]{32}")
_SEAL = re.compile(r"[0-9a-f]{64}")
_CALLED = re.compile(r"[0-9A-Za-z%._-]{0,200}")
"""Percent-encoded, as openNDS sends it in a query too."""
_CLIENT = re.compile(
    r"([0-9a-f]{8,64})\.(\d{1,15})\.(\d{1,15})\.(\d{1,10})\.(none|[0-9A-Za-z_-]{40,256})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class OnlineClient:
    """A client that is online at the router."""

    token: str
    counted: ReportedCounters
    """Since its session there began."""
    down_kbit_s: int
    """The ceiling that the router keeps; 0 for none."""
    custom: str
    """What this node gave with the client, in base64; empty without that."""

    @property
    def hid(self) -> str:
        """How this node knows the client."""
        return hashlib.sha256(self.token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RouterReport:
    """One report, whose seal was right."""

    nonce: str
    called: str
    """How the router calls itself; empty while it has no client."""
    clients: tuple[OnlineClient, ...]


def read_report(fields: Mapping[str, str], key: FasKey) -> RouterReport | None:
    """None unless the router with this key made it. Clients of another form are left out."""
    nonce, called, text, seal = (fields.get(name, "") for name in ("nonce", "name", "clients", "seal"))
    is_formed = _NONCE.fullmatch(nonce) and _CALLED.fullmatch(called) and _SEAL.fullmatch(seal)
    if len(text) > REPORT_CHARACTERS_MAX or not is_formed:
        return None
    if not hmac.compare_digest(_sealed(("report", nonce, called, text), key), seal):
        return None
    found = filter(None, map(_client, text.split(",")[:CLIENTS_MAX]))
    return RouterReport(nonce, called, tuple({each.token: each for each in found}.values()))


def report_answer(
    report: RouterReport, next_nonce: str, ended: Iterable[str], key: FasKey, *, is_again: bool = False
) -> str:
    """What the script gets: a nonce for its next report, the seal, and the tokens of the clients to end. `is_again`: the
    nonce was too old, so that the same is to be sent with this one."""
    tokens, word = tuple(ended), "again" if is_again else "ok"
    assert {each.token for each in report.clients}.issuperset(tokens)
    seal = _sealed((word, report.nonce, next_nonce, *tokens), key)
    return "".join([f"{word} {next_nonce} {seal}\n", *(f"end {token}\n" for token in tokens)])


def report_nonce(key: bytes, gateway: Gateway, boot: str, now: Monotonic) -> str:
    """For the next report of the gateway; `key` is the node's own."""
    return _nonce(key, gateway, boot, now // NONCE_MS)


def is_fresh(key: bytes, gateway: Gateway, boot: str, now: Monotonic, nonce: str) -> bool:
    """Whether the nonce was given to this gateway since this boot, and not long ago."""
    turn = now // NONCE_MS
    return any(hmac.compare_digest(_nonce(key, gateway, boot, turn - ago), nonce) for ago in (0, 1))


def _nonce(key: bytes, gateway: Gateway, boot: str, turn: int) -> str:
    said = "\0".join(("report", gateway.id, str(gateway.serial), boot, str(turn)))
    return hmac.digest(key, said.encode(), hashlib.sha256).hex()[:32]


def _sealed(words: Iterable[str], key: FasKey) -> str:
    return hashlib.sha256(" ".join((*words, key.characters)).encode()).hexdigest()


def _client(text: str) -> OnlineClient | None:
    """Base64 comes without its padding, and with the two characters that a form may hold."""
    found = _CLIENT.fullmatch(text)
    if found is None:
        return None
    token, down, up, rate, mark = found.groups()
    counted = ReportedCounters(int(down) * KBYTE, int(up) * KBYTE)
    padded = mark.replace("-", "+").replace("_", "/") + "=" * (-len(mark) % 4)
    return OnlineClient(token, counted, int(rate), "" if mark == "none" else padded)
