"""Sponsored guest access: a guest asks a member for access, and the member approves or declines on their own
page.

The number of open requests is limited. After one minute, a request can be replaced by one from a device that
has asked less often. Members can mute one device, or all of them, for a day.

Membership is not revealed: a request to an unknown name, an unanswered request and a declined request look
the same to the guest.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from node.characters import plain
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

REQUEST_LIFETIME = Milliseconds(10 * 60_000)
OPEN_PER_NAME_MAX = 5
"""Counted by the name asked for, whether or not it exists: a refusal must not reveal that two names belong to
one member. A member has at most two names, the account and the display name."""
TURN = Milliseconds(60_000)
"""Shortest time that a request stays open, however many others ask for the same name."""
ASKS_REMEMBERED = Milliseconds(3_600_000)
ASKERS_MAX = 4_096
MUTED = Milliseconds(24 * 3_600_000)
MUTED_DEVICES_MAX = 50
"""For each member; the device that was muted first is unmuted at the limit."""
OPEN_MAX = 1_000
"""Over all members and unknown names. At the limit the oldest request is closed, whether or not its name
exists, so that an early end does not reveal that a name is unknown."""
UNANSWERED_TOLD = Milliseconds(30 * 60_000)
"""How long a device is shown that its request ended without approval."""
HOST_CHARS_MAX = 60
"""Of the member's name that the guest types."""
_SIGNS = 10_000

_UNKNOWN = Monotonic(0)

RequestState = Literal["asked", "granted", "refused", "withdrawn", "timed out"]


@dataclass(frozen=True, slots=True)
class SponsorRequest:
    """One guest's request to one member."""

    number: int
    mac: MacAddress
    host: AccountId | None
    """None if no member has this name, or if the member muted the device."""
    asked_for: str
    """The member's name as typed."""
    name: str
    """The guest's name as typed."""
    sign: str
    """Four digits shown on both screens, so that the member approves the right device."""
    ends: Monotonic
    state: RequestState = "asked"
    began: Monotonic = _UNKNOWN
    """When this device first asked for this name; repeating the request does not change it."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The member sponsors the guest."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The member declined."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The guest withdrew the request."""


@dataclass(frozen=True, slots=True)
class RequestTimer:
    """Time has passed."""


RequestEvent = Approved | Declined | Cancelled | RequestTimer


def step(question: SponsorRequest, event: RequestEvent, now: Monotonic) -> SponsorRequest:
    """State transition of a request. Granted, withdrawn and timed out are final. A declined request cannot be
    granted later, because the guest may have left."""
    match question.state, event:
        case "asked" | "refused", _ if now >= question.ends:
            return replace(question, state="timed out")
        case "asked", Approved() if question.host is not None:
            return replace(question, state="granted")
        case "asked", Declined() if question.host is not None:
            return replace(question, state="refused")
        case "asked" | "refused", Cancelled():
            return replace(question, state="withdrawn")
        case _:
            return question


class Sponsorship:
    """All open requests, oldest first. In memory only: after a restart the guest asks again."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._open: dict[int, SponsorRequest] = {}
        self._by_mac: dict[MacAddress, int] = {}
        self._by_host: dict[AccountId, dict[int, None]] = {}
        self._by_name: dict[str, dict[int, None]] = {}
        self._asked: dict[MacAddress, tuple[int, Monotonic]] = {}
        """For each device: number of recent requests, and the time of the last one."""
        self._muted: dict[AccountId, dict[MacAddress | None, Monotonic]] = {}
        """For each member: the devices muted, and until when; None stands for all devices."""
        self._unanswered: dict[MacAddress, Monotonic] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def ask(
        self, mac: MacAddress, host: AccountId | None, asked_for: str, name: str, now: Monotonic
    ) -> SponsorRequest | None:
        """Open a request; it replaces an earlier one of this device. None if OPEN_PER_NAME_MAX requests for
        that name are open and none can be replaced. A request that is at least TURN old can be replaced by
        one from a device that has not asked more often. A member who muted the device does not see the
        request."""
        self._sweep(now)
        before, called = self._open.get(self._by_mac.get(mac, 0)), plain(asked_for)
        self.withdraw(mac, now)
        is_same = before is not None and plain(before.asked_for) == called
        asks = self._count(mac, now)
        if not self._has_place(called, asks, now):
            return None
        self._make_room(now)
        self._last += 1
        hears = host is not None and not self._is_muted(host, mac, now)
        asked = () if host is None else self._by_host.get(host, ())
        sign = self._sign({self._open[number].sign for number in asked})
        ends = Monotonic(now + REQUEST_LIFETIME)
        began = before.began if before is not None and is_same else now
        question = SponsorRequest(
            self._last, mac, host if hears else None, asked_for, name, sign, ends, began=began
        )
        self._open[question.number] = question
        self._by_mac[mac] = question.number
        self._by_name.setdefault(called, {})[question.number] = None
        if question.host is not None:
            self._by_host.setdefault(question.host, {})[question.number] = None
        return question

    def mute(self, host: AccountId, number: int, now: Monotonic) -> bool:
        """Hide requests of this request's device from the member for MUTED. False if the request is not
        theirs. The guest cannot distinguish it from an unanswered request."""
        self._sweep(now)
        question = self._open.get(number)
        if question is None or question.host != host:
            return False
        muted = self._muted.setdefault(host, {})
        muted.pop(question.mac, None)
        devices = [each for each in muted if each is not None]
        if len(devices) >= MUTED_DEVICES_MAX:
            del muted[devices[0]]
        muted[question.mac] = Monotonic(now + MUTED)
        self._open[number] = step(question, Declined(), now)
        return True

    def mute_all(self, host: AccountId, now: Monotonic) -> None:
        """Hide all requests from the member for MUTED; open ones are declined."""
        self._sweep(now)
        self._muted.setdefault(host, {})[None] = Monotonic(now + MUTED)
        for question in self.of_host(host, now):
            self._open[question.number] = step(question, Declined(), now)

    def unmute(self, host: AccountId) -> None:
        """Remove every mute of the member."""
        self._muted.pop(host, None)

    def muted_until(self, host: AccountId, now: Monotonic) -> Monotonic | None:
        """End of the member's mute for all devices; None if there is none."""
        until = self._muted.get(host, {}).get(None)
        return until if until is not None and now < until else None

    def answer(self, host: AccountId, number: int, *, yes: bool, now: Monotonic) -> SponsorRequest | None:
        """The request after the member's answer; None if it is not theirs, has expired or is already
        answered."""
        self._sweep(now)
        question = self._open.get(number)
        if question is None or question.host != host or question.state != "asked":
            return None
        answered = step(question, Approved() if yes else Declined(), now)
        if answered.state == "granted":
            self._close(question)
        else:
            self._open[number] = answered
        return answered

    def withdraw(self, mac: MacAddress, now: Monotonic) -> SponsorRequest | None:
        """Withdraw the open request of this device and return it. An earlier unanswered request is no longer
        reported."""
        self._unanswered.pop(mac, None)
        question = self._open.get(self._by_mac.get(mac, 0))
        if question is None:
            return None
        self._close(question)
        return step(question, Cancelled(), now)

    def of_device(self, mac: MacAddress, now: Monotonic) -> SponsorRequest | None:
        """The open request of this device, including a declined one."""
        self._sweep(now)
        return self._open.get(self._by_mac.get(mac, 0))

    def went_unanswered(self, mac: MacAddress, now: Monotonic) -> bool:
        """Whether this device's last request has recently ended without approval. A declined request is
        reported at the same time as an unanswered one."""
        self._sweep(now)
        return now < self._unanswered.get(mac, now)

    def of_host(self, host: AccountId, now: Monotonic) -> tuple[SponsorRequest, ...]:
        """Requests that wait for this member's answer, oldest first."""
        self._sweep(now)
        mine = (self._open[number] for number in self._by_host.get(host, ()))
        return tuple(question for question in mine if question.state == "asked")

    def _count(self, mac: MacAddress, now: Monotonic) -> int:
        """Count this request; returns how often the device has asked recently, including now."""
        asks = self._asks(mac, now) + 1
        self._asked.pop(mac, None)
        if len(self._asked) >= ASKERS_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[mac] = asks, now
        return asks

    def _asks(self, mac: MacAddress, now: Monotonic) -> int:
        count, last = self._asked.get(mac, (0, now))
        return 0 if now - last >= ASKS_REMEMBERED else count

    def _has_place(self, called: str, asks: int, now: Monotonic) -> bool:
        """Whether one more request for this name is possible; may close another device's request."""
        numbers = self._by_name.get(called, {})
        if len(numbers) < OPEN_PER_NAME_MAX:
            return True
        open_now = [self._open[number] for number in numbers]
        over = [each for each in open_now if now - each.began >= TURN and self._asks(each.mac, now) >= asks]
        if not over:
            return False
        gone = max(over, key=lambda each: (self._asks(each.mac, now), -each.began))
        self._close(gone)
        self._end_unanswered(gone.mac, now)
        return True

    def _is_muted(self, host: AccountId, mac: MacAddress, now: Monotonic) -> bool:
        muted = self._muted.get(host)
        if muted is None:
            return False
        for party in [party for party, until in muted.items() if until <= now]:
            del muted[party]
        if not muted:
            del self._muted[host]
        return None in muted or mac in muted

    def _make_room(self, now: Monotonic) -> None:
        if len(self._open) >= OPEN_MAX:
            oldest = next(iter(self._open.values()))
            self._close(oldest)
            self._end_unanswered(oldest.mac, now)

    def _sweep(self, now: Monotonic) -> None:
        # All requests have the same lifetime, so the first in order of creation expires first.
        while self._open:
            oldest = next(iter(self._open.values()))
            if step(oldest, RequestTimer(), now).state != "timed out":
                return
            self._close(oldest)
            self._end_unanswered(oldest.mac, oldest.ends)

    def _end_unanswered(self, mac: MacAddress, at: Monotonic) -> None:
        self._unanswered[mac] = Monotonic(at + UNANSWERED_TOLD)
        if len(self._unanswered) > OPEN_MAX:
            del self._unanswered[next(iter(self._unanswered))]

    def _close(self, question: SponsorRequest) -> None:
        del self._open[question.number]
        del self._by_mac[question.mac]
        called = plain(question.asked_for)
        del self._by_name[called][question.number]
        if not self._by_name[called]:
            del self._by_name[called]
        if question.host is not None:
            asked = self._by_host[question.host]
            del asked[question.number]
            if not asked:
                del self._by_host[question.host]

    def _sign(self, taken: set[str]) -> str:
        while True:
            sign = f"{int.from_bytes(self._random(4), 'big') % _SIGNS:04}"
            if sign not in taken:
                return sign
