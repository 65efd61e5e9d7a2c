"""Rules of certain hours on real packets: a village on Friday at 21:00 and a school on Tuesday at 10:00, with the files of
`deploy/communities`, while everybody transfers. The rate of each account is compared with what the evaluator says.

The node's clock is set ahead. The village's rules state their line's rate here; a line that is measured is in `variable`.
"""

import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import tomlkit

from node.control.active_ruleset import examine
from node.governance.allowance import Allowance, Moment, Unit
from node.governance.fair_shares import Demand, fair_rates
from node.governance.members import MemberDirectory, parse_members
from node.governance.rule_evaluation import Direction, Evaluator, rate_in
from node.governance.rules import GUEST_TIER, Ruleset
from node.governance.times import DAYS, is_among
from node.units import AccountId, MacAddress
from tests.bench.fairness import arrived, far, means, rates_of_seconds
from tests.bench.figures import Figures, jain, say
from tests.bench.many_clients import VirtualDevice
from tests.bench.single_router import SingleRouter
from tests.lab import eventually
from tests.lab.netns import Lab
from tests.lab.village import Modem

KEYS = (
    "rate_below_percent",
    "rate_above_percent",
    "weighted_jain",
    "use_percent",
    "lifeline_held_percent",
)
COMMUNITIES = Path(__file__).parents[2] / "deploy/communities"
FLOWS, GUESTS = 1, 3
SETTLE_S, SECONDS = 10, 15
BUSY_S = 420
"""Duration of the transfers: enough for an uplink to count as busy, which the village's rules say after 3 minutes."""
MODEM_BYTES = 250_000
PACKET_BITS = 8 * 1500
READY_S, ASK_AGAIN_S = 30.0, 0.5
DIRECTIONS: tuple[Direction, ...] = ("down", "up")


@dataclass(frozen=True, slots=True)
class CommunityHour:
    """A community at one time of its week. `homes`: accounts besides those of its file. `busy`: whether its rules wait for
    a busy uplink."""

    community: str
    weekday: str
    hour: int
    line_bits: int
    homes: int
    busy: bool


COMMUNITY_HOURS = (
    CommunityHour("village", "fri", 21, 60_000_000, 0, busy=True),
    CommunityHour("school", "tue", 10, 30_000_000, 5, busy=False),
)


class RunningCommunity:
    """A running node with the community's rules at that time, and all of its people online."""

    def __init__(self, lab: Lab, chosen: CommunityHour) -> None:
        self._hour = chosen
        self.place = SingleRouter(lab, Modem(chosen.line_bits, MODEM_BYTES))
        rules = _with_stated_rate((COMMUNITIES / f"{chosen.community}.rules.toml").read_text())
        members = (COMMUNITIES / f"{chosen.community}.members.toml").read_text()
        size = len(tomlkit.parse(members)["account"]) + chosen.homes  # type: ignore[arg-type]
        self.people = self.place.crowd(size + GUESTS)
        members = _with_devices(members, self.people.devices[:size])
        self._directory, self._evaluator = _read(rules, members)
        self.place.furnish(rules=rules, members=members)
        begins = next_time(chosen, self._evaluator.ruleset, datetime.now(UTC).astimezone())
        self._later = begins - datetime.now(UTC).astimezone()
        self.place.router.program = ("tests.lab.later_node", str(int(self._later.total_seconds())))
        self.place.router.start()
        self.people.wait_until_captured(READY_S, ASK_AGAIN_S)
        self.people.let_in(size + GUESTS)
        say(f"{chosen.community}, {begins:%A %Y-%m-%d %H:%M}: {size} accounts and {GUESTS} guests")

    def measured(self, direction: Direction) -> "ComparedRates":
        """While all transfer as much as they can, in this direction."""
        devices = self.people.devices
        self.people.begin(
            "greed",
            devices,
            fars=[far(device) for device in devices],
            flows=[FLOWS] * len(devices),
            upwards=direction == "up",
            seconds=BUSY_S,
        )
        if self._hour.busy and not eventually(self._is_busy, BUSY_S - SETTLE_S - SECONDS):
            raise RuntimeError("the uplink does not count as busy")
        time.sleep(SETTLE_S)
        seconds = rates_of_seconds(
            lambda: arrived(self.place, self.people, upwards=direction == "up"), SECONDS
        )
        self.people.close()
        return ComparedRates(direction, seconds, self._allowances(), self._evaluator.ruleset)

    def _is_busy(self) -> bool:
        return bool(self.place.router.ask("status")["uplink_busy"])

    def _allowances(self) -> list[tuple[str, Allowance]]:
        """Of each device, in order, with its account's name."""
        now = datetime.now(UTC).astimezone() + self._later
        moment, grace = Moment(now, "synced", self._hour.busy), self._evaluator.ruleset.grace_days
        owners = self._directory.devices
        accounts = [owners[mac] for d in self.people.devices if (mac := MacAddress(d.mac)) in owners]
        units = [self._directory.unit_on(account, now.date(), grace) for account in accounts]
        units += [Unit(AccountId(f"guest-{n}"), GUEST_TIER) for n in range(1, GUESTS + 1)]
        return [(unit.account, self._evaluator.policy_for(unit, moment, {})) for unit in units]


@dataclass(frozen=True, slots=True)
class ComparedRates:
    """One direction of one community's hour."""

    direction: Direction
    seconds: list[list[float]]
    allowances: list[tuple[str, Allowance]]
    """Account and allowance of each device."""
    ruleset: Ruleset

    def figures(self) -> Figures:
        expected, rates = self.expected(), means(self.seconds)
        parts = [rate / wanted for rate, wanted in zip(rates, expected, strict=True)]
        for (name, _), rate, wanted in zip(self.allowances, rates, expected, strict=True):
            say(f"{self.direction} {name}: {rate / 1000:.0f} of {wanted / 1000:.0f} kbit/s")
        return {
            KEYS[0]: round(100 * max(0.0, 1 - min(parts)), 2),
            KEYS[1]: round(100 * max(0.0, max(parts) - 1), 2),
            KEYS[2]: jain(parts),
            KEYS[3]: round(100 * sum(rates) / sum(expected), 2),
            KEYS[4]: self._held_percent(),
        }

    def expected(self) -> list[float]:
        """bit/s of each device by the evaluator: a pool counts once, and is divided equally among its accounts here."""
        demands = {self._class_of(name, a): self._demand(a) for name, a in self.allowances}
        assert self.ruleset.shaped is not None
        found = fair_rates(list(demands.values()), rate_in(self.direction, self.ruleset.shaped))
        rate_of = dict(zip(demands, found, strict=True))
        classes = [self._class_of(name, allowance) for name, allowance in self.allowances]
        sizes = Counter(classes)
        return [rate_of[each] / sizes[each] for each in classes]

    def _held_percent(self) -> float:
        """Of the seconds of each class, with its full lifeline: that of a household, or the one that guests share. A second
        may have one packet less than its part: at 96 kbit/s that is an eighth."""
        held = []
        for second in self.seconds:
            sums: dict[str, float] = {}
            for (name, allowance), rate in zip(self.allowances, second, strict=True):
                key = self._class_of(name, allowance)
                sums[key] = sums.get(key, 0.0) + rate
            held += [
                sums[self._class_of(name, a)] + PACKET_BITS >= rate_in(self.direction, a.lifeline)
                for name, a in self.allowances
            ]
        return round(100 * sum(held) / len(held), 2)

    def _demand(self, allowance: Allowance) -> Demand:
        size = 1 if allowance.pool is None else GUESTS
        tops = ((1, allowance.pool_ceiling), (size, allowance.ceiling))
        most = [n * rate_in(self.direction, top.value) for n, top in tops if top is not None]
        floor = rate_in(self.direction, allowance.floor.value)
        return Demand(allowance.share.value, floor, min(most, default=None))

    @staticmethod
    def _class_of(name: str, allowance: Allowance) -> str:
        return allowance.pool or name


def next_time(chosen: CommunityHour, ruleset: Ruleset, now: datetime) -> datetime:
    """The next such time on a day that the community's calendar does not name."""
    begins = now.replace(hour=chosen.hour, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while DAYS[begins.weekday()] != chosen.weekday or is_among(ruleset.calendar, begins.date()):
        begins += timedelta(days=1)
    return begins


def _with_stated_rate(rules: str) -> str:
    return re.sub(r'^(rate|least) = ".*"\n', "", rules, flags=re.MULTILINE)


def _with_devices(members: str, devices: Sequence[VirtualDevice]) -> str:
    """The members' file with a device for each account, and as many more accounts as there are devices left."""
    document = tomlkit.parse(members)
    accounts = document["account"]
    assert isinstance(accounts, tomlkit.items.AoT)
    for number in range(len(accounts), len(devices)):
        accounts.append(tomlkit.table().add("id", f"one-more-{number}"))
    for account, device in zip(accounts, devices, strict=True):
        account["devices"] = [device.mac]
    return tomlkit.dumps(document)


def _read(rules: str, members: str) -> tuple[MemberDirectory, Evaluator]:
    directory, findings = parse_members(members)
    if directory is None:
        raise RuntimeError(f"the members' file: {findings}")
    ruleset, findings = examine(rules, directory)
    if ruleset is None:
        raise RuntimeError(f"the rules: {findings}")
    return directory, Evaluator(ruleset)


def measure() -> Figures:
    found: list[Figures] = []
    for chosen in COMMUNITY_HOURS:
        for direction in DIRECTIONS:
            with Lab("bench") as lab:
                opened = RunningCommunity(lab, chosen)
                with closing(opened.people):
                    found.append(opened.measured(direction).figures())
            say(f"{chosen.community} {direction}: {found[-1]}")
    worst = {key: [float(each[key] or 0) for each in found] for key in KEYS}
    return {key: max(worst[key]) if key in KEYS[:2] else min(worst[key]) for key in KEYS}
