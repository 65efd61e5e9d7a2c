"""The scenario of the village: people arrive, are captive, accept, share the line; a daemon is killed; a neighbour
appears; an allowance is used up. Each scene is one method and measures its own figures."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node.console import NoRunningNode
from tests.lab.agreement import ALLOWANCE_BYTES, CEILING_BITS, MACS, THROTTLED_BITS
from tests.lab.figures import Figures, bits_per_second, median, percentile, settles_below, weighted_jain
from tests.lab.people import Person, Wish, WishFailed
from tests.lab.village import Village

VISITORS = range(40, 60)
WEIGHTS = {"phone": 100, "laptop": 100, "tablet": 200}
FLOWS = {"phone": 6, "laptop": 1, "tablet": 2}
"""Connections of each account; more connections must not give a higher rate."""
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class StoryTiming:
    """Durations of the scenes in seconds."""

    ceiling_s: float = 5.0
    greedy_s: float = 8.0
    kill_s: float = 4.0
    settle_s: float = 1.5
    """Start of each measurement, excluded while the flows reach their rate."""

    @staticmethod
    def within(seconds: float) -> "StoryTiming":
        """Durations that fill about `seconds` together with the fixed parts (about 14 s)."""
        free = max(0.0, seconds - 30)
        return StoryTiming(5 + free / 4, 8 + free / 2, 4 + free / 8)


@dataclass
class VillageStory:
    """Runs in a built village; `say` reports each event."""

    village: Village
    say: Callable[[str], None]
    figures: Figures = field(default_factory=Figures)
    prowl: Wish | None = None
    stopping: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        """People settle, a device tries to bypass the portal from before the start on, and the square's router starts."""
        village = self.village
        for number, name in enumerate(("phone", "laptop", "tablet", "bea"), start=21):
            village.settle(name, village.square, number, MACS[name])
        self._settle_prowler()
        began = time.monotonic()
        village.square.start()
        self.say(f"square: the router runs, {time.monotonic() - began:.1f} s after its start")
        asked = [(person, person.begin_dhcp()) for person in self._square_people()]
        for person, process in asked:
            person.finish_dhcp(process)
        for person in self._square_people():
            person.addresses_v6()
        self.say("square: phone, laptop and school tablet have their addresses, IPv4 and IPv6")

    def _settle_prowler(self) -> None:
        """A device that never accepts and sends all the time, with static addresses."""
        prowler = self.village.settle("prowler", self.village.square, 27)
        prowler.place.address("eth0", "10.77.250.9/16", "fd77::9:9/64")
        prowler.place.route("default via 10.77.0.1", "default via fd77::1")
        prowler.lease = {"dns": "10.77.0.1"}
        fars = [prowler.far_v4, prowler.far_v6]
        self.prowl = prowler.wish("leak", seconds=3600, every=0.05, fars=fars)

    def _square_people(self) -> list[Person]:
        return [self.village.people[name] for name in ("phone", "laptop", "tablet", "bea")]

    def capture(self) -> None:
        """The first request of every device is answered by the portal, and nothing is forwarded."""
        people = self._square_people()
        for v6, key in ((False, "captured_v4"), (True, "captured_v6")):
            answers = [person.do("knock", v6=v6) for person in people]
            self.figures.took(**{key: all(answer["captured"] for answer in answers)})
        wishes = [
            person.wish("leak", seconds=0.6, every=0.02, fars=[person.far_v4, person.far_v6])
            for person in people
        ]
        for wish in wishes:
            wish.result()
        self.say("square: everyone is captured on both families; nobody slips past")

    def admit(self) -> None:
        """All accept; then twenty visitors, each with a device of their own, one after the other."""
        before = self.leaked(self._square_people())
        took = [self._accept(person, v6=False) for person in self._square_people()]
        self.say("square: phone, laptop, tablet and Bea's phone accepted the terms and are online")
        crowd = self.village.settle_crowd(self.village.square, VISITORS)
        for person, process in [(person, person.begin_dhcp()) for person in crowd]:
            person.finish_dhcp(process)
        took += [self._accept(person, v6=False) for person in crowd]
        self.figures.took(
            admit_ms_p50=round(median(took), 2),
            admit_ms_p95=round(percentile(took, 95), 2),
            leaked_bytes_before_admission=before,
        )
        self.say(
            f"square: {len(crowd)} visitors came in, {median(took):.0f} ms from a tap to the first packet"
        )

    def _accept(self, person: Person, *, v6: bool) -> float:
        came = person.do("accept", v6=v6)
        if came["first_packet_ms"] is None:
            title = str(came["landing_body"]).partition("<title>")[2].partition("</title>")[0]
            raise WishFailed(f"{person.name} accepted ({came['status']}: {title!r}) and still nothing passes")
        return float(came["first_packet_ms"])

    def leaked(self, people: list[Person]) -> int:
        """Bytes that reached the far addresses of `people`."""
        counted = self.village.internet.counted()
        fars = [far for person in people for far in (person.far_v4, person.far_v6)]
        return sum(counted.get(far, {}).get("arrived", 0) for far in fars)

    def ceiling(self, timing: StoryTiming) -> None:
        """The guest's phone downloads alone on an idle line, at its ceiling."""
        came = self.village.people["phone"].do("download", seconds=timing.ceiling_s, flows=2)
        rate = bits_per_second(came["samples"], timing.settle_s)
        self.figures.took(ceiling_error_percent=round((rate - CEILING_BITS) / CEILING_BITS * 100, 2))
        self.say(f"square: the phone downloads at {rate / 1e6:.2f} of the 10 Mbit/s that guests agreed on")

    def greedy(self, timing: StoryTiming) -> None:
        """All devices send and receive at full rate: shares by weight, and no part of the line unused."""
        usable = self.village.square.overview()["uplink"]["down"]
        wishes = {
            name: self.village.people[name].wish(
                "download", seconds=timing.greedy_s, flows=FLOWS[name], v6=name == "laptop"
            )
            for name in WEIGHTS
        }
        rates = {
            name: bits_per_second(wish.result(60)["samples"], timing.settle_s, timing.greedy_s - 0.2)
            for name, wish in wishes.items()
        }
        self.figures.took(
            weighted_jain=round(weighted_jain(rates, WEIGHTS), 4),
            uplink_use_percent=round(sum(rates.values()) / usable * 100, 2),
        )
        told = ", ".join(f"{name} {rate / 1e6:.1f}" for name, rate in rates.items())
        self.say(f"square: everyone at once gets a fair share by weight: {told} Mbit/s")

    def kill9(self, timing: StoryTiming) -> None:
        """The daemon is killed during a download and restarts; the download continues, and the usage is correct."""
        square, laptop = self.village.square, self.village.people["laptop"]
        wish = laptop.wish("download", seconds=timing.kill_s, gap_from=0.9)
        time.sleep(1.0)
        assert square.daemon is not None
        square.daemon.kill9()
        self.say("square: the daemon was killed (kill -9) during a download; it starts again")
        time.sleep(0.5)
        square.start()
        came = wish.result(60)
        self.figures.took(kill9_flow_interrupted_ms=came["gap_ms"])
        if came["failed"]:
            raise WishFailed("the download broke off")
        if not laptop.do("knock")["online"]:
            raise WishFailed("the laptop had to sign in again")
        self.figures.took(kill9_bytes_lost=self._bytes_lost(("ana", "laptop"), ("school", "tablet")))
        self.say(
            f"square: the download went on (longest silence {came['gap_ms']:.0f} ms), and every byte is booked"
        )

    def _bytes_lost(self, *accounts: tuple[str, str]) -> int:
        """Bytes counted by the kernel minus bytes booked, after the last reading."""
        lost = 0
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            passed, booked = self._passed_and_booked(accounts)
            lost = passed - booked
            if lost == 0:
                return 0
            time.sleep(0.25)
        return abs(lost)

    def _passed_and_booked(self, accounts: tuple[tuple[str, str], ...]) -> tuple[int, int]:
        forwarded = self.village.square.forwarded()
        passed = booked = 0
        for account, name in accounts:
            person = self.village.people[name]
            for address in (person.address_v4, *person.addresses_v6()):
                passed += forwarded.get(address, 0)
            row = self.village.square.account(account)
            booked += row["used_month"] if row else 0
        return passed, booked

    def meet(self) -> None:
        """A second router starts in the hills; each must trust the other without configured addresses."""
        began = time.monotonic()
        square, hills = self.village.square, self.village.hills
        hills.start(wait=False)
        while time.monotonic() - began < 15:
            if _trusts(square.peers(), hills.node_id) and _trusts(hills.peers(), square.node_id):
                seconds = time.monotonic() - began
                self.figures.took(peer_discovery_s=round(seconds, 2))
                self.say(f"hills: a second router; the two found and trust each other after {seconds:.1f} s")
                return
            time.sleep(LOOK_S)
        raise WishFailed(f"after 15 s: square sees {square.peers()}, hills sees {hills.peers()}")

    def settle_hills(self) -> None:
        """Bea's other device gets an address and accepts in the hills."""
        far = self.village.settle("bea-hills", self.village.hills, 25, MACS["bea-hills"])
        far.join()
        self._accept(far, v6=False)

    def allowance(self) -> None:
        """Bea uses up her allowance on the square; in the hills it must count at once."""
        near, far = self.village.people["bea"], self.village.people["bea-hills"]
        using = near.wish("download", seconds=20, bytes=ALLOWANCE_BYTES + 400_000)
        received = 0
        while received < ALLOWANCE_BYTES and (event := using.events.get(timeout=30)) is not None:
            received += event["down"]
        used_up = time.monotonic()
        self.say("square: Bea's allowance for today is used up")
        elsewhere = far.wish("download", seconds=6)
        reason_s = self._reason_in_hills(used_up)
        samples = elsewhere.result()["samples"]
        rate_s = settles_below(samples, THROTTLED_BITS * 1.1)
        if reason_s is None or rate_s is None:
            raise WishFailed(f"in the hills: reason after {reason_s} s, rate in force after {rate_s} s")
        self.figures.took(peer_allowance_s=round(max(reason_s, rate_s), 2))
        self.say(f"hills: Bea's allowance counts here too, {max(reason_s, rate_s):.1f} s later")

    def _reason_in_hills(self, used_up: float) -> float | None:
        while time.monotonic() - used_up < 6:
            if "daily-allowance" in str(self.village.hills.ask("why", who="bea").get("binding_rule")):
                return time.monotonic() - used_up
            time.sleep(LOOK_S)
        return None

    def close(self) -> None:
        """The last count: the unauthorized device sent all the time, also while the daemon started and was dead."""
        prowler = self.village.people["prowler"]
        before = self.figures.values.get("leaked_bytes_before_admission")
        if before is not None:
            self.figures.took(leaked_bytes_before_admission=before + self.leaked([prowler]))


def _trusts(peers: list[dict[str, Any]], node: str) -> bool:
    return any(peer["node"] == node and peer["state"] == "trusted" for peer in peers)


SCENES: tuple[tuple[Callable[[VillageStory, StoryTiming], None], tuple[str, ...]], ...] = (
    (lambda story, _: story.capture(), ("captured_v4", "captured_v6")),
    (lambda story, _: story.admit(), ("leaked_bytes_before_admission", "admit_ms_p50", "admit_ms_p95")),
    (lambda story, _: story.meet(), ("peer_discovery_s",)),
    (lambda story, timing: story.ceiling(timing), ("ceiling_error_percent",)),
    (lambda story, timing: story.greedy(timing), ("weighted_jain", "uplink_use_percent")),
    (lambda story, timing: story.kill9(timing), ("kill9_flow_interrupted_ms", "kill9_bytes_lost")),
    (lambda story, _: (story.settle_hills(), story.allowance())[0], ("peer_allowance_s",)),
)


def run_measured(story: VillageStory, seconds: float) -> Figures:
    """All scenes in order; one that fails omits its figures, with the reason, and the next continues."""
    timing = StoryTiming.within(seconds)
    for scene, keys in SCENES:
        try:
            scene(story, timing)
        except (
            WishFailed,
            RuntimeError,
            ValueError,
            OSError,
            NoRunningNode,
            subprocess.SubprocessError,
        ) as error:
            story.figures.missed(f"{type(error).__name__}: {error}"[:600], *keys)
            story.say(f"could not be measured ({', '.join(keys)}): {error}")
    story.close()
    return story.figures
