"""Simulated radios (mac80211_hwsim) inside the virtual machine: an access point by hostapd on the node's bridge with phones
that associate by wpa_supplicant, and two nodes that are linked by radio only."""

import contextlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.fairness import USABLE_PERCENT, rules
from tests.bench.figures import Figures, say
from tests.bench.latency import RoundTrips, use_cubic
from tests.lab import PATIENCE
from tests.lab.agreement import MACS
from tests.lab.internet import ROOT
from tests.lab.netns import Lab, LabProgram, Namespace
from tests.lab.people import Agent, Person, WishFailed
from tests.lab.village import Router, Village, village

LINE_BITS = 4_000_000
LINE = f"delay 30ms rate {LINE_BITS} limit 330"
"""The far end is 30 ms away, behind a queue of a second."""
DOWNLOADS = 8
IDLE_S, SETTLE_S, SECONDS = 10, 6, 20
APART_S = 0.1
"""Between two packets of a probe: with 50 a second the emulated processor would have to do little else."""
FIFO_S = 1
"""Length of the queue that is compared with the node's own: what a modem or an access point without fq_codel has."""
SSID = "Vall Alta"
ACCESS_POINT = """\
interface=radio0
bridge=br-lan
driver=nl80211
ssid={ssid}
country_code=ES
hw_mode=g
channel=1
ieee80211n=1
wmm_enabled=1
"""
STATION = """\
country=ES
network={{
  ssid="{ssid}"
  key_mgmt=NONE
  scan_freq=2412
}}
"""
MESH_ID, MESH_MHZ = "vallalta", "2437"
PHONES = {"phone": 21, "tablet": 23}
ASSOCIATED_S, FOUND_S, AGREED_S = 10.0, 15.0, 10.0
"""What is waited for at most, on a machine that is not emulated."""
LEASE_TRIES = 5
ALLOWANCE_PART = 1_000_000
"""Bytes of a member's daily allowance that are used on one node and must be counted on the other."""


def eventually(holds: Callable[[], object], seconds: float) -> float | None:
    """Seconds until `holds` is true; None if it is not within `seconds` of a machine that is not emulated."""
    began = time.monotonic()
    while time.monotonic() - began < seconds * PATIENCE:
        if holds():
            return round(time.monotonic() - began, 1)
        time.sleep(0.2)
    return None


def give_radios(owners: Mapping[Namespace, str]) -> None:
    """Makes one radio for each namespace, which all reach each other, with an interface of the given name. They stay until
    the machine ends."""
    subprocess.run(["modprobe", "mac80211_hwsim", f"radios={len(owners)}"], check=True)
    radios = sorted(Path("/sys/class/ieee80211").iterdir(), key=lambda radio: int(radio.name[3:]))
    for radio, (place, interface) in zip(radios, owners.items(), strict=True):
        (made,) = (each.name for each in (radio / "device" / "net").iterdir())
        subprocess.run(["iw", "phy", radio.name, "set", "netns", "name", place.name], check=True)
        place.ip(f"link set {made} name {interface}")


class AccessPoint:
    """hostapd with an open network on the router's bridge."""

    def __init__(self, router: Router) -> None:
        self._place = router.place
        self._settings = router.folder / "hostapd.conf"
        self._settings.write_text(ACCESS_POINT.format(ssid=SSID))
        self._program: LabProgram | None = None

    def start(self) -> None:
        self._program = self._place.start("hostapd", str(self._settings))

    def stop(self) -> None:
        assert self._program is not None
        self._program.stop()

    def log(self) -> str:
        assert self._program is not None
        return self._program.output()


class Phone(Person):
    """A person whose device has a radio and no cable."""

    def __init__(self, lab: Lab, name: str, place: Namespace) -> None:
        super().__init__(
            name, place, Agent(place), interface="wlan0", mac=MACS[name], number=PHONES[name], by_radio=True
        )
        self._settings = lab.folder / f"{name}-wpa.conf"
        self._settings.write_text(STATION.format(ssid=SSID))
        self._program: LabProgram | None = None
        place.ip(f"link set wlan0 address {self.mac}")

    def associate(self) -> float | None:
        """Seconds until the device is associated; None if it is not."""
        self._program = self.place.start(
            "wpa_supplicant", "-D", "nl80211", "-i", "wlan0", "-c", str(self._settings)
        )
        return self.associated()

    def join(self) -> None:
        """Repeats its request for an address while nobody answers, as phones do."""
        for _ in range(LEASE_TRIES - 1):
            with contextlib.suppress(WishFailed):
                super().join()
                return
        super().join()

    def associated(self) -> float | None:
        link = ("iw", "dev", "wlan0", "link")
        return eventually(lambda: "Connected to" in self.place.run(*link, check=False), ASSOCIATED_S)

    def log(self) -> str:
        assert self._program is not None
        return self._program.output()

    def leave(self) -> None:
        assert self._program is not None
        self._program.stop()

    def is_online(self) -> bool:
        try:
            return bool(self.do("knock", timeout=10 * PATIENCE)["online"])
        except WishFailed:
            return False

    def is_captured(self) -> bool:
        try:
            return bool(self.do("knock", timeout=10 * PATIENCE)["captured"])
        except WishFailed:
            return False


class RadioSquare:
    """A router with an access point, the Internet behind a slow line, and two phones."""

    def __init__(self, lab: Lab, place: Village) -> None:
        self.village = place
        router = place.square
        phones = {name: lab.namespace(name) for name in PHONES}
        give_radios({router.place: "radio0", **dict.fromkeys(phones.values(), "wlan0")})
        self.phone, self.tablet = (Phone(lab, name, each) for name, each in phones.items())
        self.access_point = AccessPoint(router)
        self._far_end = place.internet.place
        self._far_end.run(*f"tc qdisc replace dev line1 root netem {LINE}".split())
        fars = (self.phone.far_v4, self.tablet.far_v4)
        self._far_end.start(sys.executable, "-m", "tests.bench.latency_probe", "echo", *fars, cwd=ROOT)
        for end in (*phones.values(), self._far_end):
            use_cubic(end)
        router.rules.write_text(rules(LINE_BITS, USABLE_PERCENT))

    def queues(self) -> list[str]:
        """The class of each queue on the LAN's side, and its kind."""
        shown = self.village.square.place.run("tc", "qdisc", "show", "dev", "br-lan").splitlines()
        return [line for line in shown if " parent " in line]

    def use_fifo(self) -> None:
        """In place of the queues that the node made; it does not make them again while the accounts stay."""
        limit = LINE_BITS * FIFO_S // 8
        for line in self.queues():
            parent = line.split(" parent ")[1].split()[0]
            words = f"tc qdisc replace dev br-lan parent {parent} bfifo limit {limit}"
            self.village.square.place.run(*words.split())

    def probe(self, begins: float, ends: float) -> RoundTrips:
        """Round trips of the phone, which transfers, and of the tablet."""
        when = {"begins": begins, "ends": ends, "apart": APART_S}
        program = (sys.executable, "-m", "tests.bench.latency_probe", "probe")
        running = []
        for person in (self.phone, self.tablet):
            job = json.dumps({"pairs": [(person.address_v4, person.far_v4)], **when})
            running.append(person.place.popen(*program, job, stdout=subprocess.PIPE, cwd=ROOT))
        own, other = (json.loads(each.communicate(timeout=120 * PATIENCE)[0])[0] for each in running)
        return RoundTrips(light=(other,), own=(own,))

    def loaded(self) -> RoundTrips:
        load = self.phone.wish("download", seconds=SETTLE_S + SECONDS + 1, flows=DOWNLOADS)
        trips = self.probe(SETTLE_S, SETTLE_S + SECONDS)
        say(f"downloaded: {load.result(60 * PATIENCE)['bytes']} bytes")
        return trips


def added_ms(loaded: RoundTrips, idle: RoundTrips, part: float, *, own: bool) -> float | None:
    """None if the packets of that percentile, or of the idle line's, were lost."""
    added = loaded.at(part, own=own)[0] - idle.at(part, own=own)[0]
    return round(added, 2) if math.isfinite(added) else None


def wifi() -> Figures:
    """A phone associates, is captured, accepts and transfers; it leaves and comes back, and the access point restarts."""
    with village("vm") as place:
        return _wifi(RadioSquare(place.lab, place))


def _wifi(square: RadioSquare) -> Figures:
    phone, tablet = square.phone, square.tablet
    square.village.square.start()
    square.access_point.start()
    associated = phone.associate()
    if associated is None or tablet.associate() is None:
        logs = (square.access_point.log(), phone.log(), phone.place.run("iw", "dev"))
        raise RuntimeError(f"no phone is associated: {' '.join(logs)}")
    phone.join()
    tablet.join()
    captured = phone.is_captured() and tablet.is_captured()
    first = phone.do("accept", timeout=60 * PATIENCE)["first_packet_ms"]
    tablet.do("accept", timeout=60 * PATIENCE)
    online = phone.is_online() and tablet.is_online()
    say(f"associated after {associated} s; captured {captured}; online {online}, first packet {first} ms")
    queues = square.queues()
    if not any("fq_codel" in line for line in queues):
        raise RuntimeError(f"the accounts' queues are no fq_codel: {queues}")
    idle = square.probe(2, 2 + IDLE_S)
    fair = square.loaded()
    square.use_fifo()
    fifo = square.loaded()
    for name, each in (("idle", idle), ("fq_codel", fair), ("fifo", fifo)):
        say(f"{name}: own {each.at(0.5, own=True)} {each.at(0.95, own=True)}, other {each.at(0.95)}")
    phone.leave()
    phone.associate()
    phone.join()
    came_back = eventually(phone.is_online, 5) is not None
    square.access_point.stop()
    square.access_point.start()
    again = phone.associated() is not None
    phone.join()
    return {
        "associated_s": associated,
        "captured": int(captured),
        "online": int(online),
        "fq_codel_own_added_ms_p95": added_ms(fair, idle, 0.95, own=True),
        "fq_codel_other_added_ms_p95": added_ms(fair, idle, 0.95, own=False),
        "fifo_own_added_ms_p95": added_ms(fifo, idle, 0.95, own=True),
        "fifo_other_added_ms_p95": added_ms(fifo, idle, 0.95, own=False),
        "came_back": int(came_back),
        "access_point_restarted": int(again and eventually(phone.is_online, 5) is not None),
    }


def mesh() -> Figures:
    """Two nodes on an 802.11s mesh, then with batman-adv above the same radios."""
    with village("vm", link=join_mesh) as place:
        figures = _linked(place, "ieee80211s")
        for router in place.routers.values():
            assert router.daemon is not None
            router.daemon.stop()
            use_batman(router)
        return figures | _linked(place, "batman")


def join_mesh(lab: Lab, square: Namespace, hills: Namespace) -> None:
    """Links two routers by radio; the interface of both is ``mesh0``."""
    give_radios({square: "mesh0", hills: "mesh0"})
    for place in (square, hills):
        place.run("iw", "dev", "mesh0", "set", "type", "mp")
        place.ip("link set mesh0 up")
        place.run("iw", "dev", "mesh0", "mesh", "join", MESH_ID, "freq", MESH_MHZ)


def use_batman(router: Router) -> None:
    """batman-adv forwards in place of 802.11s, which only carries its frames."""
    router.place.run("iw", "dev", "mesh0", "set", "mesh_param", "mesh_fwding", "0")
    router.place.run("batctl", "meshif", "bat0", "interface", "add", "mesh0")
    router.place.ip("link set bat0 up")
    router.config.write_text(router.config.read_text().replace('["mesh0"]', '["bat0"]'))


def _linked(place: Village, kind: str) -> Figures:
    """How long two nodes that have just started take to trust each other, and whether they agree on what was used."""
    square, hills = place.square, place.hills
    square.start()
    hills.start()
    found = eventually(lambda: trusted(square, hills.node_id) and trusted(hills, square.node_id), FOUND_S)
    if found is not None and "bea" not in place.people:
        bea = place.settle("bea", square, 24, MACS["bea"])
        bea.join()
        bea.do("accept", timeout=60 * PATIENCE)
    before = used(hills)
    place.people["bea"].do("download", seconds=10 * PATIENCE, bytes=ALLOWANCE_PART, timeout=120 * PATIENCE)
    agreed = eventually(lambda: used(hills) >= before + ALLOWANCE_PART, AGREED_S)
    say(f"{kind}: found after {found} s, agreed after {agreed} s, used {before} and {used(hills)}")
    return {f"{kind}_found_s": found, f"{kind}_agreed_s": agreed}


def trusted(router: Router, node: str) -> bool:
    return any(peer["node"] == node and peer["state"] == "trusted" for peer in router.peers())


def used(router: Router) -> int:
    """What this node knows of Bea's use of her daily allowance, on all nodes."""
    return sum(quota["used"] for quota in router.ask("why", who="bea")["allowance"]["quotas"])
