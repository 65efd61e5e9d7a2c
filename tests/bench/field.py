"""Topology of the siege bench: members, the victim of address spoofing, newcomers, and five hostile devices, with their
programs."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.bench.attacks import far, names
from tests.bench.many_clients import device, face_them
from tests.bench.single_router import SingleRouter
from tests.lab.internet import ROOT
from tests.lab.netns import Namespace
from tests.lab.people import Person, settle
from tests.lab.village import SQUARE

ROUTER_MAC = f"02:00:00:00:0{SQUARE.number}:01"
ADMIN_PORT = 2081
PORTAL_NAME = "login.procomu.lan"
HOUSEHOLDS = ("ana", "bru", "cesc", "victim")
MARK = "household-of-the-victim"
NEWCOMERS_AT_ONCE = 4
IDLERS = 400
FACES_RANGE4, FACES_RANGE6 = "10.77.128.0/17", "fd77::/64"
FARS = tuple(f"203.0.113.{number}" for number in range(150, 160))


@dataclass(frozen=True, slots=True)
class Force:
    """Intensity and duration. Rates are per second."""

    seconds: float = 45.0
    calm_s: float = 6.0
    """Time before the attack, and time after it in which recovery is measured."""
    after_s: float = 10.0
    completed: float = 8_000
    syns: float = 1_000
    datagrams: float = 1_000
    dead_names: float = 300
    strangers_dead_names: float = 650
    idle: int = 10_000
    garbage: float = 100
    faces: float = 667
    faces_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Task:
    """A running program of a device, and the result that it prints at its end."""

    name: str
    program: "subprocess.Popen[bytes]"

    def end(self) -> None:
        self.program.terminate()

    def result(self, seconds: float) -> dict[str, Any]:
        said, _ = self.program.communicate(timeout=seconds)
        if self.program.returncode:
            raise RuntimeError(f"{self.name} ended with {self.program.returncode}")
        return dict(json.loads(said))


def begin(place: Namespace, module: str, job: str, **fields: Any) -> Task:
    argv = (sys.executable, "-m", f"tests.bench.{module}", job, json.dumps(fields))
    return Task(f"{place.short}: {job}", place.popen(*argv, stdout=subprocess.PIPE, cwd=ROOT))


class Field:
    """Three members, the victim of address spoofing, the newcomers, and the five hostile devices."""

    def __init__(self, place: SingleRouter) -> None:
        self.place, self._router = place, place.router.place
        self.people = {name: self._settle(name, number) for number, name in enumerate(HOUSEHOLDS, 31)}
        self.hostile = {
            name: self._settle(name, number)
            for number, name in enumerate(("forger", "holder", "asker", "idler", "faces"), 41)
        }
        self.newcomers = [self._settle(f"new{number}", 50 + number) for number in range(NEWCOMERS_AT_ONCE)]
        for name, person in self.hostile.items():
            # Answers to frames that were built by hand must not reach the IP stack.
            if name in {"holder", "faces"}:
                person.place.run("nft", "-f", "-", stdin=_QUIET)
        self.idlers = _many_faces(self._router, self.hostile["idler"].place)
        place.internet.place.run(
            "nft", "-f", "-", stdin=_DEAF.format(names=names.drop_rule(), far=far.drop_rule())
        )

    def _settle(self, name: str, number: int) -> Person:
        return settle(self.place.lab, self._router, name, number)

    def come_in(self, accept: Callable[[Person], bool], *, has_v6: bool = True) -> None:
        """All devices except newcomers have a lease; the members and two of the hostile devices are online."""
        admitted = [*self.people.values(), self.hostile["holder"], self.hostile["asker"]]
        joining = [(person, person.begin_dhcp()) for person in (*admitted, self.hostile["forger"])]
        for person, process in joining:
            person.finish_dhcp(process)
        for person in admitted:
            if has_v6:
                person.addresses_v6()
            if not accept(person):
                raise RuntimeError(f"{person} did not come in")

    @property
    def everybody(self) -> list[Person]:
        return [*self.people.values(), *self.hostile.values(), *self.newcomers]

    def check(self) -> None:
        """Checks that the data which the forger looks for exists. Raises RuntimeError."""
        for path in ("me", "my-data.json"):
            page = self.people["victim"].do("knock", url=f"http://{PORTAL_NAME}/{path}")
            if MARK not in page["body"]:
                raise RuntimeError(f"the victim's own /{path} does not hold {MARK}: {page['body'][:300]}")

    def close(self) -> None:
        for person in self.everybody:
            person.agent.close()


def _many_faces(router: Namespace, place: Namespace) -> list[str]:
    """One host with many addresses, each with its own hardware address, as in `tests.bench.many_clients`."""
    devices = [device(number) for number in range(1, IDLERS + 1)]
    face_them(place, router, devices, "10.77.31.254/16")
    return [each.address for each in devices]


_QUIET = """
table inet quiet {
  chain out {
    type filter hook output priority 0;
    tcp flags & rst == rst drop
  }
}
"""
_DEAF = """
table inet deaf {{
  chain asked {{
    type filter hook input priority -10;
    {names}
    {far}
  }}
}}
"""
MEMBERS = "\n".join(
    f'[[account]]\nid = "{name}"\nname = "{name.replace("victim", MARK)}"\ndevices = ["02:aa:00:00:00:{number:02x}"]\n'
    for number, name in enumerate(HOUSEHOLDS, 31)
)
NODE_TOML = f'[admin]\naddress = "{SQUARE.lan_v4}"\nport = {ADMIN_PORT}\n'


@contextmanager
def field(place: SingleRouter) -> Iterator[Field]:
    made = Field(place)
    try:
        yield made
    finally:
        made.close()


def by_terms(person: Person) -> bool:
    return person.do("accept")["first_packet_ms"] is not None


@dataclass(frozen=True, slots=True)
class FieldRouter:
    """The target: this node, or openNDS in its place."""

    portal_ports: tuple[int, ...] = (80, 2080, 443, 2443)
    admin: tuple[str, int] | None = (SQUARE.lan_v4, ADMIN_PORT)
    has_v6: bool = True


def honest(here: Field, target: FieldRouter, seconds: float) -> dict[str, Task]:
    """Members and newcomers run from now until they are told to end."""
    tasks = {}
    for name, person in here.people.items():
        fars = (person.far_v4, person.far_v6) if target.has_v6 else (person.far_v4,)
        admin = target.admin if name == HOUSEHOLDS[0] else None
        tasks[name] = begin(
            person.place, "honest", "member", fars=fars, resolver=SQUARE.lan_v4, seconds=seconds, admin=admin
        )
    for number, person in enumerate(here.newcomers):
        lease = str(here.place.lab.folder / f"{person.name}.lease")
        tasks[person.name] = begin(
            person.place, "honest", "newcomer",
            interface="eth0", mac=f"02:dd:00:{number:02x}", lease=lease, seconds=seconds,
        )  # fmt: skip
    return tasks


def addresses(person: Person, target: FieldRouter) -> tuple[str, ...]:
    return (person.address_v4, person.addresses_v6()[0]) if target.has_v6 else (person.address_v4,)


def attack(here: Field, target: FieldRouter, force: Force) -> list[Task]:
    """All five at once, each for the whole time (new hardware addresses until the number is reached)."""
    lan4, lan6 = SQUARE.lan_v4, SQUARE.lan_v6
    places = {name: person.place for name, person in here.hostile.items()}
    seconds = force.seconds
    victim, forger = here.people["victim"], here.hostile["forger"]
    holder, asker = here.hostile["holder"], here.hostile["asker"]
    idlers = here.idlers
    portal = target.portal_ports[0]
    to_node = {"to": lan4, "seconds": seconds}
    return [
        begin(here.place.internet.place, "attacks", "far", interface="line1", seconds=seconds + 1),
        begin(
            places["forger"], "attacks", "forge",
            mac=forger.mac, victim_mac=victim.mac, router_mac=ROUTER_MAC, portals=[lan4, lan6],
            own=addresses(forger, target), victim=addresses(victim, target), host=PORTAL_NAME, mark=MARK,
            seconds=seconds, leaves=0.8 * seconds,
        ),
        begin(
            places["holder"], "attacks", "holding",
            address=holder.address_v4, mac=holder.mac, router_mac=ROUTER_MAC, fars=FARS, seconds=seconds,
            completed=force.completed, syns=force.syns, datagrams=force.datagrams,
        ),
        begin(
            places["asker"], "attacks", "names",
            addresses=[asker.address_v4], per_second=force.dead_names, tcp_every=10, **to_node,
        ),
        begin(
            places["asker"], "attacks", "idle",
            addresses=[asker.address_v4], port=target.admin[1] if target.admin else portal,
            silent=100, slow=0, per_second=100, **to_node,
        ),
        begin(
            places["idler"], "attacks", "idle",
            addresses=idlers, port=portal, silent=force.idle, slow=100, per_second=2_000, **to_node,
        ),
        begin(
            places["idler"], "attacks", "idle",
            addresses=idlers[:100], port=53, silent=300, slow=0, per_second=200, **to_node,
        ),
        begin(places["idler"], "attacks", "names", addresses=idlers[:6], per_second=force.strangers_dead_names, **to_node),
        begin(
            places["idler"], "attacks", "garbage",
            addresses=idlers, ports=target.portal_ports, per_second=force.garbage, **to_node,
        ),
        begin(
            places["faces"], "attacks", "faces",
            router4=lan4, router6=lan6, router_mac=ROUTER_MAC, network4=FACES_RANGE4, network6=FACES_RANGE6,
            spared=[person.address_v4 for person in here.everybody],
            per_second=force.faces, seconds=min(seconds, force.faces_seconds),
        ),
    ]  # fmt: skip
