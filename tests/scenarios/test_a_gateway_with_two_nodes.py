"""A WiFiDog router whose configuration names two nodes: the first one is killed, its people stay online, and each byte that
the router counted is booked once, at both nodes, after the first one returns."""

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest

from node.units import MacAddress
from tests.fakes.wifidog_gateway import code_of_reply
from tests.lab.agreement import RULES
from tests.lab.netns import Namespace
from tests.lab.node_line import are_together, seconds_until
from tests.lab.village import Router
from tests.lab.walk import Walk, walk

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
MB, PORT = 10**6, 2090
MAC = MacAddress("02:aa:00:00:00:77")
SETTINGS = """
[gateways]
listen = "0.0.0.0:{port}"
host = "10.66.0.{own}"
second = "10.66.0.{other}:{port}"
second_node = "{node}"
"""
PASS = """
[[rule]]
id = "pass-volume"
quota = "900 MB per day"
counts = "uplink"
then = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"
who = "group:day-pass"
by = "D-2026-014"
"""


@dataclass
class RouterOfTwo:
    """A WiFiDog gateway with the configuration that the node made for it. It asks the next server when one does not
    answer, and stays with it, as WiFiDog does."""

    place: Namespace
    servers: list[tuple[str, str, str, str]]
    """Host, and the paths of pages, ping and auth."""
    token: str = ""
    counted: int = 0
    codes: list[int | None] = field(default_factory=list)

    def ask(self, target: str, body: str = "") -> str:
        for _ in range(2 * len(self.servers)):
            try:
                return self._ask(self.servers[0][0], target, body)
            except OSError:
                self.servers = [*self.servers[1:], self.servers[0]]
        raise RuntimeError("neither node answers")

    def _ask(self, host: str, target: str, body: str) -> str:
        head = f"{'POST' if body else 'GET'} {target} HTTP/1.0\r\nHost: {host}:{PORT}\r\n"
        if body:
            head += (
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
                f"Origin: http://{host}:{PORT}\r\n"
            )
        with self.place.entered(), socket.create_connection((host, PORT), timeout=5) as connection:
            connection.sendall(f"{head}\r\n{body}".encode())
            reply = b""
            while more := connection.recv(65_536):
                reply += more
        if not reply:
            raise OSError("closed")
        return reply.decode()

    def ping(self) -> bool:
        return "Pong" in self.ask(f"{self.servers[0][2]}?gw_id=0A&sys_uptime=9&wifidog_uptime=60")

    def auth(self, stage: str) -> int | None:
        fields = {"stage": stage, "ip": "192.168.1.9", "mac": MAC, "token": self.token, "gw_id": "0A"}
        fields |= {"incoming": str(self.counted if stage != "login" else 0), "outgoing": "0"}
        code = code_of_reply(self.ask(f"{self.servers[0][3]}?{urlencode(fields)}").encode())
        self.codes.append(code)
        return code

    def check(self, more: int) -> int | None:
        """One round of counters, after this many bytes."""
        self.counted += more
        self.ping()
        return self.auth("counters")

    def join(self, code: str) -> None:
        """A person's browser is sent to the node, and returns with a token."""
        query = (
            f"gw_address=192.168.1.1&gw_port=2060&gw_id=0A&ip=192.168.1.9&mac={MAC}&url={quote('http://x/')}"
        )
        page = self.ask(f"{self.servers[0][1]}login/?{query}")
        form = dict(re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', page))
        form = {name: value.replace("&amp;", "&") for name, value in form.items()} | {"code": code}
        reply = self.ask(f"{self.servers[0][1]}join", urlencode(form))
        found = re.search(r"[?&]token=([0-9a-f]{32})", reply)
        assert found is not None, reply
        self.token = found[1]
        assert self.auth("login") == 1


def servers_of(configuration: str) -> list[tuple[str, str, str, str]]:
    """As the router reads its wifidog.conf."""
    found = []
    for block in configuration.split("AuthServer {")[1:]:
        said = dict(re.findall(r"^\s+(\w+) (\S+)$", block, re.MULTILINE))
        path = said["Path"]
        ping, auth = (f"{path}{said[f'{name}ScriptPathFragment'].rstrip('?')}" for name in ("Ping", "Auth"))
        found.append((said["Hostname"], path, ping, auth))
    return found


@pytest.fixture(scope="module")
def pair() -> Iterator[Walk]:
    with walk("two") as made:
        for router, other in ((made.here, made.there), (made.there, made.here)):
            number, settings = router.site.number, router.settings
            more = SETTINGS.format(own=number, other=3 - number, port=PORT, node=other.node_id)
            router.furnish(settings.nodes, settings.community_key_file, more=more)
            router.rules.write_text(RULES + PASS)
            router.start()
        seconds_until("both trust each other", lambda: are_together(made.here, made.there), time.monotonic())
        yield made


def used(router: Router, account: str) -> int:
    """0 at a node where the account was not online yet."""
    answer = router.ask("why", who=account)
    return sum(quota["used"] for quota in answer.get("allowance", {}).get("quotas", ()))


def knows_it(router: Router) -> bool:
    """Whether it serves the gateway of the other node, which each of the two must name by its key."""
    return len(router.told("gateways", "list")["told"]) == 1


def both_say(pair: Walk, account: str, wanted: int, what: str) -> None:
    seen: list[int] = []

    def is_so() -> bool:
        seen[:] = [used(router, account) for router in (pair.here, pair.there)]
        return seen == [wanted, wanted]

    try:
        seconds_until(what, is_so, time.monotonic())
    except RuntimeError as error:
        raise AssertionError(f"{what}: {seen}, not {wanted}") from error


def test_the_first_node_is_killed_and_people_notice_nothing(pair: Walk) -> None:
    made = pair.here.told("gateways", "add", "the bakery")
    servers = servers_of(made["configuration"])
    assert [each[0] for each in servers] == ["10.66.0.1", "10.66.0.2"]
    router = RouterOfTwo(pair.field, servers)
    assert router.ping()
    seconds_until("the other node knows the router", lambda: knows_it(pair.there), time.monotonic())
    (code,) = pair.here.told("vouchers", "issue", "--count", "1", "--group", "day-pass", "--lasts", "1 day")[
        "codes"
    ]
    router.join(str(code))
    account = pair.here.device(MAC)["account"]
    for _ in range(3):
        assert router.check(5 * MB) == 1
    seconds_until("the first node books", lambda: used(pair.here, account) == 15 * MB, time.monotonic())

    assert pair.here.daemon is not None
    pair.here.daemon.kill9()
    for _ in range(4):
        assert router.check(5 * MB) == 1, "the second node knows the person"
    assert router.servers[0][0] == "10.66.0.2"
    # What lies between the last report to the first node and the first one here waits for the first node, and what that one
    # counted may not be told yet.
    alone = {15 * MB, 30 * MB}
    seconds_until("the second node books", lambda: used(pair.there, account) in alone, time.monotonic())

    pair.here.start()
    both_say(pair, account, 35 * MB, "each byte once, after the first one returned")
    assert router.check(5 * MB) == 1
    both_say(pair, account, 40 * MB, "it goes on at the second node")

    pair.there.daemon.kill9()
    assert router.check(5 * MB) == 1
    assert router.servers[0][0] == "10.66.0.1"
    assert router.check(5 * MB) == 1
    pair.there.start()
    both_say(pair, account, 50 * MB, "and back")
    assert set(router.codes) == {1}, "nobody was sent away"
