"""Two nodes that a device walks between: their LANs are one network, and a server stands inside the community."""

import contextlib
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.internet import ROOT, Internet
from tests.lab.netns import Lab, Namespace
from tests.lab.people import Person, settle
from tests.lab.village import Router, Site, plug_into_internet

SERVER = "10.66.0.9"
SERVER_BITS = 50_000_000


class SharedLan(Site):
    """A device keeps its address and its router's from node to node."""

    @property
    def lan_v4(self) -> str:
        return "10.77.0.1"


@dataclass
class Walk:
    """Both nodes are linked to the place of the server, which sends to a device where it is, as a routing protocol
    would."""

    lab: Lab
    field: Namespace
    here: Router
    there: Router

    def settle(self, name: str, number: int) -> Person:
        return settle(self.lab, self.here.place, name, number)

    def join(self, person: Person) -> None:
        """It gets an address at the first node, and its person accepts the terms there."""
        person.finish_dhcp(person.begin_dhcp())
        self.route(person.address_v4, self.here)
        came = person.do("accept")
        if came["first_packet_ms"] is None:
            raise RuntimeError(f"{person.name} was not let in: {came}")

    def go(self, person: Person, router: Router) -> None:
        """The device leaves one node's LAN and is on another's, with the addresses that it has."""
        other = self.there if router is self.here else self.here
        port = f"p{person.far_v4.rpartition('.')[2]}"
        other.place.run("ip", "link", "set", port, "netns", router.place.name)
        router.place.plug(port)
        self.route(person.address_v4, router)

    def route(self, address: str, router: Router) -> None:
        self.field.run("ip", "route", "replace", f"{address}/32", "via", f"10.66.0.{router.site.number}")


@contextlib.contextmanager
def walk(word: str = "walk") -> Iterator[Walk]:
    """Both nodes are configured, and not started."""
    with Lab(word) as lab:
        internet = Internet(lab)
        internet.open()
        routers = [Router(lab, SharedLan(name, number)) for name, number in (("here", 1), ("there", 2))]
        field = lab.namespace("field")
        field.bridge("br-mesh")
        field.address("br-mesh", f"{SERVER}/24")
        for router in routers:
            plug_into_internet(lab, internet, router)
            number = router.site.number
            lab.veth(router.place, "mesh0", field, f"m{number}")
            field.plug(f"m{number}", "br-mesh")
            router.place.address("mesh0", f"10.66.0.{number}/24")
        field.run(*f"tc qdisc add dev br-mesh root tbf rate {SERVER_BITS} burst 15000 latency 60ms".split())
        field.start(sys.executable, "-m", "tests.lab.internet", cwd=ROOT)
        key = lab.folder / "community.key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
        nodes = [router.make_key() for router in routers]
        for router in routers:
            router.furnish(nodes, key)
        yield Walk(lab, field, *routers)
