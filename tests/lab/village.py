"""A village: the Internet, a router on the square, one in the hills, a link between them, and people.

The routers run the real daemon from a real ``node.toml``; people get their addresses from its real dnsmasq.
"""

import contextlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node import console
from node.identity import key_to_pem, own_node_id
from tests.lab import PATIENCE
from tests.lab.agreement import MEMBERS, RULES, Settings, node_toml
from tests.lab.internet import DNS_V4, DNS_V6, ROOT, Internet
from tests.lab.memory_limit import MemoryLimit
from tests.lab.netns import Lab, LabProgram, Namespace
from tests.lab.people import Person, settle, settle_crowd
from tests.lab.unit_environment import unit_environment

LINE_BITS = 25_000_000
"""Rate of the village's uplink in each direction."""
READY_SECONDS = 30.0 * PATIENCE
"""A node beside three others on a busy machine has needed more than ten."""

# After the node's own filter: only packets that it accepted are counted here.
METER = """
table inet lab_meter {
  set down4 { type ipv4_addr; flags dynamic; size 4096; counter; }
  set down6 { type ipv6_addr; flags dynamic; size 4096; counter; }
  set up4 { type ipv4_addr; flags dynamic; size 4096; counter; }
  set up6 { type ipv6_addr; flags dynamic; size 4096; counter; }
  chain passing {
    type filter hook forward priority 400;
    iifname wan0 meta nfproto ipv4 add @down4 { ip daddr }
    iifname wan0 meta nfproto ipv6 add @down6 { ip6 daddr }
    oifname wan0 meta nfproto ipv4 add @up4 { ip saddr }
    oifname wan0 meta nfproto ipv6 add @up6 { ip6 saddr }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """The networks of a router."""

    name: str
    number: int

    @property
    def lan_v4(self) -> str:
        return f"10.{76 + self.number}.0.1"

    @property
    def lan_v6(self) -> str:
        return f"fd{76 + self.number}::1"

    @property
    def wan_v4(self) -> str:
        return f"10.88.{self.number}.1"

    @property
    def wan_v6(self) -> str:
        return f"fd88:{self.number}::1"

    @property
    def next_hop_v4(self) -> str:
        return f"10.88.{self.number}.254"

    @property
    def next_hop_v6(self) -> str:
        return f"fd88:{self.number}::fe"


SQUARE, HILLS = Site("square", 1), Site("hills", 2)


class Router:
    """One node: its namespace, its files, and its daemon."""

    def __init__(self, lab: Lab, site: Site, python: str = sys.executable) -> None:
        self.lab = lab
        self.site = site
        self.place = lab.namespace(site.name)
        self.folder = lab.folder / site.name
        self.folder.mkdir()
        self.python = python
        self.program: tuple[str, ...] = ("node",)
        """Module of the daemon, and what comes before its command."""
        self.daemon: LabProgram | None = None
        self.was_ready = False
        """Whether it has answered since it was made."""
        self.environment: dict[str, str] = {}
        """Environment variables of the daemon besides those of the tests."""
        self.memory: MemoryLimit | None = None
        """Memory limit of the daemon; None for no limit."""
        self.before: tuple[str, ...] = ()
        """Prefix of the daemon's command line, such as ``prlimit --nofile=16384 --``."""
        self.place.bridge("br-lan", mac=f"02:00:00:00:0{site.number}:01")
        # Gives the bridge a carrier, as an access point that is always on would. The far end is in the same namespace
        # and must not answer ARP for the router's addresses.
        self.place.ip("link add ap0 type veth peer name ap1", "link set ap1 arp off up")
        self.place.plug("ap0")
        self.place.address("br-lan", f"{site.lan_v4}/16", f"{site.lan_v6}/64")
        self.place.run("nft", "-f", "-", stdin=METER)

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def rules(self) -> Path:
        return self.folder / "rules.toml"

    def make_key(self) -> str:
        """The node's key, generated before the first start so that the community's list can contain its id."""
        key = Ed25519PrivateKey.generate()
        self.data.mkdir(mode=0o700, exist_ok=True)
        file = self.data / "node.key"
        file.touch(mode=0o600)
        file.write_bytes(key_to_pem(key))
        self.node_id = str(own_node_id(key))
        return self.node_id

    def furnish(self, nodes: Sequence[str], community_key: Path, **more: Any) -> None:
        """Writes node.toml, rules.toml and members.toml."""
        self.settings = Settings(
            name=self.site.name,
            folder=self.folder,
            lan_v4=self.site.lan_v4,
            lan_v6=self.site.lan_v6,
            nodes=tuple(nodes),
            community_key_file=community_key,
            resolvers=(DNS_V4, DNS_V6),
            **more,
        )
        self.config.write_text(node_toml(self.settings))
        self.rules.write_text(RULES)
        (self.folder / "members.toml").write_text(MEMBERS)

    def start(self, wait: bool = True) -> LabProgram:
        """Starts the daemon; with `wait`, waits until the control socket answers."""
        argv = (self.python, "-m", *self.program, "run", "--config", str(self.config))
        argv = (*self.before, *argv)
        argv = (*self.memory.enter, *argv) if self.memory else argv
        environment = {**unit_environment(), **self.environment}
        self.daemon = self.place.start(*argv, cwd=ROOT, log=self.folder / "node.log", env=environment)
        if wait:
            self.wait_ready()
        return self.daemon

    def wait_ready(self, seconds: float = READY_SECONDS) -> float:
        """Seconds until ``status`` answers. On timeout raises with the end of the log."""
        assert self.daemon is not None
        began = time.monotonic()
        while time.monotonic() - began < seconds and self.daemon.is_alive():
            with contextlib.suppress(console.NoRunningNode):
                self.ask("status")
                self.was_ready = True
                return time.monotonic() - began
            time.sleep(0.02)
        raise RuntimeError(f"{self.site.name} is not ready: {self.daemon.output()[-3000:]}")

    def ask(self, question: str, **more: str) -> dict[str, Any]:
        """The response of the control socket. Raises NoRunningNode."""
        return console.ask(str(self.folder / "run" / "console.sock"), {"ask": question, **more})

    def cli(self, *words: str, config: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """``procomu WORDS --config node.toml`` beside the daemon, or with other settings."""
        argv = ["ip", "netns", "exec", self.place.name, self.python, "-m", "node", *words]
        argv += ["--config", str(config or self.config)]
        return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)

    def told(self, *words: str) -> dict[str, Any]:
        """Output of ``procomu WORDS``, which must succeed. Retries while the daemon answers that stored state is not
        loaded yet."""
        ends = time.monotonic() + READY_SECONDS
        done = self.cli(*words, "--json")
        while "could not read its stored data yet" in done.stdout and time.monotonic() < ends:
            time.sleep(0.1)
            done = self.cli(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def forwarded(self) -> dict[str, int]:
        """IP bytes that the router forwarded, by the people's addresses: the lab's own count."""
        table = json.loads(self.place.run("nft", "-j", "list", "table", "inet", "lab_meter"))
        found: dict[str, int] = {}
        for entry in table["nftables"]:
            for element in entry.get("set", {}).get("elem", []):
                address = element["elem"]["val"]
                found[address] = found.get(address, 0) + element["elem"]["counter"]["bytes"]
        return found

    def overview(self) -> dict[str, Any]:
        """Online devices, peers, uplink, warnings."""
        return dict(self.ask("status")["overview"])

    def account(self, name: str) -> dict[str, Any] | None:
        """The account's row in ``status``; None while it is not online."""
        rows = self.overview()["online"]
        return next((row for row in rows if row["account"] == name), None)

    def peers(self) -> list[dict[str, Any]]:
        """The other nodes as this one sees them; empty while it does not run."""
        try:
            return list(self.overview()["peers"])
        except console.NoRunningNode:
            return []

    def device(self, mac: str) -> dict[str, Any] | None:
        rows = self.ask("devices")["devices"]
        return next((row for row in rows if row["mac"] == mac), None)


@dataclass(frozen=True, slots=True)
class Modem:
    """A line with a queue of its own in each direction."""

    bits: int
    queue_bytes: int

    def between(self, lab: Lab, router: Namespace, far: Namespace, port: str) -> Namespace:
        """Returns the modem's own namespace: what its interface ``near`` sends is download, ``far`` upload."""
        place = lab.namespace("modem")
        lab.veth(router, "wan0", place, "near", offload=False)
        lab.veth(far, port, place, "far", offload=False)
        place.bridge("bridge")
        for end in ("near", "far"):
            place.plug(end, "bridge")
            place.run("tc", *self.queue("add", end, self.bits).split())
        return place

    def queue(self, action: str, end: str, bits: int) -> str:
        """The tc command that adds the line's queue at one end, or gives it another rate; what is queued stays."""
        return f"qdisc {action} dev {end} root tbf rate {bits} burst 3100 limit {self.queue_bytes}"


def plug_into_internet(
    lab: Lab, internet: Internet, router: Router, modem: Modem | None = None
) -> Namespace | None:
    """The uplink: a veth pair whose far end sends at the rate of the line, or a modem between two, whose namespace is
    returned."""
    site, far, port = router.site, internet.place, f"line{router.site.number}"
    between = None
    if modem is None:
        lab.veth(router.place, "wan0", far, port, offload=False)
    else:
        between = modem.between(lab, router.place, far, port)
    router.place.address("wan0", f"{site.wan_v4}/24", f"{site.wan_v6}/64")
    far.address(port, f"{site.next_hop_v4}/24", f"{site.next_hop_v6}/64")
    router.place.route(f"default via {site.next_hop_v4}", f"default via {site.next_hop_v6}")
    # IPv6 without address translation: the far side has a route to the LAN.
    far.route(f"{site.lan_v6.removesuffix('1')}/64 via {site.wan_v6}")
    if modem is None:
        far.run(*f"tc qdisc add dev {port} root tbf rate {LINE_BITS} burst 6000 latency 60ms".split())
    return between


@dataclass
class Village:
    """The whole village. Create with `build`."""

    lab: Lab
    internet: Internet
    routers: dict[str, Router]
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def square(self) -> Router:
        return self.routers["square"]

    @property
    def hills(self) -> Router:
        return self.routers["hills"]

    def settle(self, name: str, router: Router, number: int, mac: str | None = None) -> Person:
        person = self.people[name] = settle(self.lab, router.place, name, number, mac)
        return person

    def settle_crowd(self, router: Router, numbers: range) -> list[Person]:
        crowd = list(settle_crowd(self.lab, router.place, numbers))
        self.people |= {person.name: person for person in crowd}
        return crowd

    def close_people(self) -> None:
        for agent in {id(person.agent): person.agent for person in self.people.values()}.values():
            agent.close()
        self.people.clear()


def by_cable(lab: Lab, square: Namespace, hills: Namespace) -> None:
    """Links two routers; the interface of both is ``mesh0``."""
    lab.veth(square, "mesh0", hills, "mesh0")


@contextlib.contextmanager
def village(
    word: str = "village", link: Callable[[Lab, Namespace, Namespace], None] = by_cable
) -> Iterator[Village]:
    """Internet, mesh link and two configured routers whose daemons have not been started; people are added later."""
    with Lab(word) as lab:
        internet = Internet(lab)
        internet.open()
        routers = {site.name: Router(lab, site) for site in (SQUARE, HILLS)}
        for router in routers.values():
            plug_into_internet(lab, internet, router)
        link(lab, routers["square"].place, routers["hills"].place)
        community_key = lab.folder / "community.key"
        community_key.touch(mode=0o600)
        community_key.write_text(secrets.token_hex(32))
        nodes = [router.make_key() for router in routers.values()]
        for router in routers.values():
            router.furnish(nodes, community_key)
        made = Village(lab, internet, routers)
        try:
            yield made
        finally:
            made.close_people()
