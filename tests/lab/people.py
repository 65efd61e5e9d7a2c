"""People of the village: a namespace (or an interface in a shared one), a lease, and a program that runs their tasks."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab import PATIENCE
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, Namespace

UDHCPC_SCRIPT = Path(__file__).with_name("udhcpc.sh")


class WishFailed(RuntimeError):
    """A task of a person failed; the text says why."""


class Wish:
    """A running task: events while it runs, a result at the end."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.last: dict[str, Any] = {}
        self._answer: dict[str, Any] | None = None
        self._done = threading.Event()

    def is_done(self) -> bool:
        return self._done.is_set()

    def result(self, timeout: float = 30) -> dict[str, Any]:
        """The result. Raises WishFailed."""
        if not self._done.wait(timeout):
            raise WishFailed(f"{self.says}: nothing came of it within {timeout} s")
        assert self._answer is not None
        if "error" in self._answer:
            raise WishFailed(f"{self.says}: {self._answer['error']}")
        return dict(self._answer["result"])

    def heard(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self.last = message
            self.events.put(message)
            return
        self._answer = message
        self._done.set()
        self.events.put(None)


class Agent:
    """The program of `tests.lab.person` in one namespace."""

    def __init__(self, place: Namespace, python: str = sys.executable) -> None:
        self._log = place.lab.folder / f"{place.short}-person.log"
        with self._log.open("ab") as sink:
            self._process = place.popen(
                python,
                "-m",
                "tests.lab.person",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                cwd=ROOT,
            )
        self._wishes: dict[int, Wish] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._listen, daemon=True, name=f"lab-{place.short}")
        self._reader.start()

    def wish(self, do: str, **more: Any) -> Wish:
        with self._lock:
            self._number += 1
            made = self._wishes[self._number] = Wish(f"{do} {more}")
            line = json.dumps({"id": self._number, "do": do, **more}) + "\n"
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        return made

    def close(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process.terminate()
        self._process.wait()
        self._reader.join(2)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            self._wishes[message["id"]].heard(message)
        gone = {"error": f"the person's program ended: {self._log.read_text()[-2000:]}"}
        for wish in self._wishes.values():
            if not wish.is_done():
                wish.heard(gone)


class Person:
    """A person with one device on a router's LAN."""

    def __init__(
        self,
        name: str,
        place: Namespace,
        agent: Agent,
        *,
        interface: str,
        mac: str,
        number: int,
        by_radio: bool = False,
    ) -> None:
        self.name = name
        self.place = place
        self.agent = agent
        self.interface = interface
        self.mac = mac
        self.by_radio = by_radio
        self.far_v4 = f"203.0.113.{number}"
        self.far_v6 = f"fd99::{number:x}"
        """Addresses in the Internet that only this person uses."""
        self.address_v4 = ""
        self.lease: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Person({self.name})"

    @property
    def resolver(self) -> str:
        return self.lease["dns"].split()[0]

    def begin_dhcp(self, calls_itself: str = "") -> "subprocess.Popen[bytes]":
        """Requests a lease with udhcpc; `finish_dhcp` reads the result."""
        lease = self._lease_file()
        lease.unlink(missing_ok=True)
        if not self.by_radio:
            # Like a device that associates: the kernel sends a router solicitation at once.
            self.place.ip(f"link set {self.interface} down", f"link set {self.interface} up")
        return self.place.popen(
            "udhcpc", "-i", self.interface, "-n", "-q", "-f", "-t", "8", "-T", "1", "-O", "114",
            "-s", str(UDHCPC_SCRIPT), *(("-x", f"hostname:{calls_itself}") if calls_itself else ()),
            env={**os.environ, "LAB_LEASE": str(lease)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def finish_dhcp(self, process: "subprocess.Popen[bytes]", seconds: float = 15 * PATIENCE) -> None:
        process.wait(seconds)
        if not self._lease_file().exists():
            raise WishFailed(f"{self.name} got no address by DHCP")
        self.lease = dict(line.partition("=")[::2] for line in self._lease_file().read_text().splitlines())
        self.address_v4 = self.lease["ip"]

    def join(self) -> None:
        """Waits for an IPv4 address by DHCP and an IPv6 address by SLAAC."""
        self.finish_dhcp(self.begin_dhcp())
        self.addresses_v6()

    def addresses_v6(self, seconds: float = 8 * PATIENCE) -> list[str]:
        """Global IPv6 addresses of the device; waits for the first. Raises WishFailed if none appears."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.place.run("ip", "-6", "-j", "addr", "show", "dev", self.interface, "scope", "global")
            links = json.loads(text or "[]")
            infos = [info for link in links for info in link.get("addr_info", [])]
            found = [info["local"] for info in infos if "local" in info]
            if found:
                return found
            time.sleep(0.05)
        raise WishFailed(f"{self.name} formed no IPv6 address")

    def wish(self, do: str, *, v6: bool = False, **more: Any) -> Wish:
        """Starts a task of `tests.lab.person` on one family, by default with the person's far address."""
        more.setdefault("far", self.far_v6 if v6 else self.far_v4)
        return self.agent.wish(do, v6=v6, resolver=self.resolver, interface=self.interface, **more)

    def do(self, do: str, *, v6: bool = False, timeout: float = 30 * PATIENCE, **more: Any) -> dict[str, Any]:
        return self.wish(do, v6=v6, **more).result(timeout)

    def _lease_file(self) -> Path:
        return self.place.lab.folder / f"{self.place.short}-{self.interface}.lease"


def settle(
    lab: Lab, router: Namespace, name: str, number: int, mac: str | None = None, bridge: str = "br-lan"
) -> Person:
    """A person in a namespace of their own on a router's bridge, without an address."""
    place = lab.namespace(name)
    mac = mac or f"02:aa:00:00:00:{number:02x}"
    lab.veth(place, "eth0", router, f"p{number}", a_mac=mac, offload=False)
    router.plug(f"p{number}", bridge)
    return Person(name, place, Agent(place), interface="eth0", mac=mac, number=number)


def settle_crowd(lab: Lab, router: Namespace, numbers: range, bridge: str = "br-lan") -> Iterator[Person]:
    """Visitors in one namespace with one program, each with an interface, MAC and lease of their own."""
    place = lab.namespace("visitors")
    place.sysctl(
        net__ipv4__conf__all__arp_ignore=1,
        net__ipv4__conf__all__arp_announce=2,
        net__ipv4__conf__all__rp_filter=0,
        net__ipv4__conf__default__rp_filter=0,
    )
    agent = Agent(place)
    for number in numbers:
        mac = f"02:bb:00:00:00:{number:02x}"
        lab.veth(place, f"v{number}", router, f"p{number}", a_mac=mac, offload=False)
        router.plug(f"p{number}", bridge)
        yield Person(f"visitor{number}", place, agent, interface=f"v{number}", mac=mac, number=number)
