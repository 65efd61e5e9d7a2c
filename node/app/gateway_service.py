"""People behind gateways: the same sessions, accounts and rules as for devices on the node's own network.

A gateway enforces what this node decides: it is told at each of its checks whether a device may pass, and what it counted is
booked to the account as if the node had counted it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from hashlib import sha256
from typing import Literal, Protocol

from node.accounting.periods import DAY_UNKNOWN
from node.app.gateway_handovers import HANDOVERS_STATE, GatewayHandovers, SettledClient
from node.app.gateway_registry import GatewayRegistry
from node.app.views import Admitted, Entry, Full, Refused
from node.control.ports import Clock, StatesArchive
from node.control.reconciler import Reconciler
from node.gateways.counters import (
    ClientCounters,
    CounterFinding,
    ReportedCounters,
    count_report,
    logged_in,
)
from node.gateways.gateway import Gateway
from node.gateways.gateway_secret import NONCE_BYTES, client_token, device_key, is_client_token
from node.gateways.handover import TOKEN_CHARACTERS, hear
from node.governance.allowance import Allowance, QuotaLeft
from node.sessions import state as session_state
from node.units import NO_USAGE, AccountId, Bytes, MacAddress, Milliseconds, Monotonic, Usage

COUNTERS_STATE = "gateway_counters"
"""Name in the node state, followed by a space and the id of the gateway."""
PENDING_MAX, PENDING_MS = 4_096, Milliseconds(10 * 60_000)
"""People who sent the form and are on their way through the gateway."""
REASONS_MAX = 4_096
COMES_MS = Milliseconds(10 * 60_000)
"""How long a device with a right token is left as it is whose session no other node has told yet."""
LONG_STATE = "gateways_long_sessions"
"""Name in the node state: the boot, and until when each openNDS gateway may have long sessions."""
LONG_SESSION_MS, LONG_STEP_MS = Milliseconds(6 * 3_600_000), Milliseconds(10 * 60_000)
"""Of a session at an openNDS router whose script reports; and how much later the stored time is, which is seldom written."""
GONE_STATE = "gateways_gone"
"""Name in the node state: since which day each gateway is gone of whose clients something is stored."""
GONE_DAYS = 7
"""So long what is known of the clients of a gateway is kept that no node tells any longer: its node may come back."""
CLIENTS_MAX = 2_048
"""Devices of one gateway whose counters are kept; the one that was reported longest ago is forgotten first."""
LEFT_MAX = 64
"""Of one gateway: devices that logged out, and may be reported again."""

Coming = Literal["here", "ended", "unknown"]
"""A device with a right token that has no session here: it was let in as another node told; its session is over; no node has
told of it yet."""
VerdictReason = Literal["", "not-ready", "unknown", "ended", "blocked", "over-quota", "refused"]
"""Empty: the device may pass. ``not-ready``: the node has not read its database, so nothing may change. ``unknown``: no
token of this node for this device at this gateway. ``refused``: see `Verdict.refused`."""


@dataclass(frozen=True, slots=True)
class GatewayVerdict:
    """Whether a device may pass at a gateway, and why not."""

    reason: VerdictReason = ""
    refused: Refused | Full | None = None
    because: str = ""
    """Of a block, in an admin's words."""
    quota: QuotaLeft | None = None
    """The used-up one."""

    @property
    def may_pass(self) -> bool:
        return not self.reason

    @property
    def is_certain(self) -> bool:
        """Whether the gateway is to act on it; otherwise it leaves the device as it is."""
        return self.reason != "not-ready"


PASSES = GatewayVerdict()
NOT_READY = GatewayVerdict("not-ready")
UNKNOWN_CLIENT = GatewayVerdict("unknown")


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A form that was sent; it is decided when the gateway says which device it is."""

    gateway: str
    mac: MacAddress | None
    """As the browser said it; None if it did not."""
    entry: Entry
    terms_version: str
    instead_of: MacAddress | None
    until: Monotonic


@dataclass(slots=True)
class GatewayPeople:
    """What is counted at one gateway."""

    counters: dict[str, ClientCounters] = field(default_factory=dict)
    """By `device_key`."""
    left: dict[str, ClientCounters] = field(default_factory=dict)
    """By `device_key`: the last counters of devices that logged out, so that a repeated report is not booked again. What
    they report after their next login begins at zero."""
    devices: dict[MacAddress, Monotonic] = field(default_factory=dict)
    """Devices that passed at their last report, and when that was."""
    added: Usage = NO_USAGE
    """Since the node started."""
    findings: dict[CounterFinding, int] = field(default_factory=dict)
    """How often reports were ignored or cut."""
    of_nobody: int = 0
    """Reports with tokens that this node did not make."""


class Admitting(Protocol):
    """`AdmissionService`, as far as it is needed here."""

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None
    ) -> Admitted | Refused | Full: ...


class GatewayService:
    """`key` is the node's own, `random` returns so many random bytes. Used only from the event loop's thread."""

    def __init__(
        self,
        reconciler: Reconciler,
        admission: Admitting,
        registry: GatewayRegistry,
        archive: StatesArchive,
        clock: Clock,
        *,
        key: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        self._reconciler, self._admission, self._archive = reconciler, admission, archive
        self.registry, self._clock, self._key, self._random = registry, clock, key, random
        self._table, self._policy = reconciler.session_table, reconciler.effective_policy
        self._people: dict[str, GatewayPeople] = {}
        self._pending: dict[str, PendingLogin] = {}
        self._reasons: dict[str, GatewayVerdict] = {}
        self._devices: dict[str, tuple[str, MacAddress]] = {}
        """By token: the gateway, and the device that it named."""
        self.handovers = GatewayHandovers()
        self.comes: Callable[[MacAddress], Coming] = lambda _mac: "ended"
        """Looks whether another node told of the device; set where there are other nodes."""
        self._awaited: dict[MacAddress, Monotonic] = {}
        """Devices whose session no other node has told yet, and since when."""
        self._long: dict[str, Monotonic] = {}
        """By gateway: until when it may have long sessions."""
        self._gone: dict[str, str] = {}
        """By gateway: the day since which it is neither of this node nor told."""
        self.recalled = False
        registry.on_drop = self._dropped

    async def recall(self) -> None:
        """Restores gateways, and up to where their counters are booked. Raises StorageTrouble."""
        await self.registry.recall()
        if self.recalled:
            return
        for name, text in (await self._archive.states(f"{COUNTERS_STATE} ")).items():
            self._people[name.removeprefix(f"{COUNTERS_STATE} ")] = GatewayPeople(read_counters_state(text))
        for name, text in (await self._archive.states(f"{HANDOVERS_STATE} ")).items():
            self.handovers.restore(name.removeprefix(f"{HANDOVERS_STATE} "), text)
        long, now = await self._archive.state(LONG_STATE), self._clock.monotonic()
        self._long = read_long(long, self._clock.boot, now)
        self._gone = read_gone(await self._archive.state(GONE_STATE))
        self.recalled = True
        self.forget_gone()

    def forget_gone(self) -> None:
        """Deletes what is known of clients of gateways that are gone for `GONE_DAYS`. Call now and then, and when other
        gateways are told than before."""
        today = self._clock.today()
        if not self.recalled or today == DAY_UNKNOWN:
            return
        known = self._people.keys() | self.handovers.clients.keys()
        # A day that has not come yet is from a clock that was wrong.
        gone = {
            each: min(self._gone.get(each, today), today) for each in known if self.registry.get(each) is None
        }
        for each in [one for one, since in gone.items() if days_between(since, today) >= GONE_DAYS]:
            del gone[each]
            self._forget(each)
        if gone != self._gone:
            self._gone = gone
            self._store(GONE_STATE, json.dumps(gone, sort_keys=True) if gone else "")

    def long_session(self, gateway: Gateway) -> None:
        """A device got a session of `LONG_SESSION_MS` there; the router keeps it also when its script no longer reports."""
        now = self._clock.monotonic()
        if self._long.get(gateway.id, 0) < now + LONG_SESSION_MS:
            self._long = {each: until for each, until in self._long.items() if until > now}
            self._long[gateway.id] = Monotonic(now + LONG_SESSION_MS + LONG_STEP_MS)
            self._store(LONG_STATE, json.dumps([self._clock.boot, self._long]))

    def has_long_sessions(self, gateway: Gateway) -> bool:
        """Whether some may go on there."""
        return self._long.get(gateway.id, 0) > self._clock.monotonic()

    @property
    def is_ready(self) -> bool:
        """Whether decisions are certain: gateways, sessions and accounts have been read, and the first plan is in force."""
        is_loop_ready = self._reconciler.ready.is_set() and self._reconciler.persistence.recalled
        return self.recalled and is_loop_ready

    # --- a person joins -------------------------------------------------------------------------

    def begin(
        self,
        gateway: Gateway,
        mac: MacAddress | None,
        entry: Entry,
        terms_version: str,
        instead_of: MacAddress | None = None,
    ) -> str:
        """Keeps what the person sent, until the gateway says which device it is. Returns the token to take there."""
        now = self._clock.monotonic()
        token = client_token(self._people_key(gateway), gateway, mac, self._random(NONCE_BYTES))
        gone = [each for each, pending in self._pending.items() if pending.until <= now]
        for each in gone or list(self._pending)[: max(0, len(self._pending) - PENDING_MAX + 1)]:
            del self._pending[each]
        until = Monotonic(now + PENDING_MS)
        self._pending[token] = PendingLogin(gateway.id, mac, entry, terms_version, instead_of, until)
        return token

    async def login(self, gateway: Gateway, mac: MacAddress, token: str) -> GatewayVerdict:
        """The gateway names the device that came with the token: only now is anything admitted."""
        if not self.is_ready:
            return NOT_READY
        if not self._is_client(gateway, mac, token, is_login=True):
            self.people(gateway).of_nobody += 1
            return UNKNOWN_CLIENT
        pending = self._pending.pop(token, None)
        if pending is not None and pending.until > self._clock.monotonic():
            done = await self._admission.admit(mac, pending.entry, pending.terms_version, pending.instead_of)
            if not isinstance(done, Admitted):
                return self._told(token, GatewayVerdict("refused", done))
        verdict = self._told(token, self.verdict(mac))
        if verdict.may_pass:
            self._named(gateway, mac, token)
            people, key = self.people(gateway), self.client_key(gateway, mac)
            now = self._clock.monotonic()
            people.left.pop(key, None)
            before = people.counters.get(key, ClientCounters())
            people.counters[key] = logged_in(before, now)
            if before.booked != NO_USAGE and not before.has_logged_in:
                self._note(gateway, people, self.account_of(mac), NO_USAGE)
            self.here(gateway, mac)
        return verdict

    # --- the gateway's checks -------------------------------------------------------------------

    def count(
        self, gateway: Gateway, mac: MacAddress, token: str, reported: ReportedCounters
    ) -> GatewayVerdict:
        """Books what the device used since the last report, and says whether it may go on."""
        if not self.is_ready:
            return NOT_READY
        people = self.people(gateway)
        if not self._is_client(gateway, mac, token):
            people.of_nobody += 1
            return UNKNOWN_CLIENT
        if not self._table.is_admitted(mac) and self._is_awaited(gateway, mac):
            return NOT_READY  # its counters are cumulative: nothing is lost
        self.book(gateway, mac, reported, token=token)
        verdict = self._told(token, self.verdict(mac))
        self._named(gateway, mac, token)
        if verdict.may_pass:
            self.here(gateway, mac)
        else:
            people.devices.pop(mac, None)
        return verdict

    async def logout(
        self, gateway: Gateway, mac: MacAddress, token: str, reported: ReportedCounters
    ) -> GatewayVerdict:
        """The device left, or was idle: its last bytes are booked. Its session goes on, because it may come back, or be
        on the node's own network."""
        verdict = self.count(gateway, mac, token, reported)
        if verdict.reason not in {"not-ready", "unknown"}:
            people = self.people(gateway)
            people.devices.pop(mac, None)
            key = self.client_key(gateway, mac)
            people.left[key] = people.counters.pop(key)
            if len(people.left) > LEFT_MAX:
                del people.left[next(iter(people.left))]
            self._note(gateway, people, self.account_of(mac), NO_USAGE)
        return verdict

    def book(
        self,
        gateway: Gateway,
        mac: MacAddress,
        reported: ReportedCounters,
        *,
        session: str = "",
        token: str = "",
    ) -> Usage:
        """Books cumulative counters of a device whose token was right. Returns what was added. `session` names what the
        gateway counts from zero, where that is not the device for all time."""
        people, key = self.people(gateway), session or self.client_key(gateway, mac)
        before = people.counters.pop(key, None) or people.left.pop(key, ClientCounters())
        now, run = self._clock.monotonic(), self.registry.contact(gateway).run
        if token and self.handovers.is_shared(gateway):
            name, turn = token_name(token), self.registry.contact(gateway).turn
            known = self.handovers.client(gateway, key, before, name)
            after, counted = hear(known, before, reported, name, turn, run=run, now=now)
            self.handovers.keep(gateway, key, self.account_of(mac), after)
            is_changed = after != known
        else:
            counted = count_report(before, reported, run=run, now=now)
            counted, is_changed = self.handovers.alone(gateway, key, token_name(token), counted), False
        if len(people.counters) >= CLIENTS_MAX:
            del people.counters[next(iter(people.counters))]
        people.counters[key] = counted.after
        if counted.finding:
            people.findings[counted.finding] = people.findings.get(counted.finding, 0) + 1
        if counted.added != NO_USAGE or counted.finding == "restarted" or is_changed:
            people.added += counted.added
            self._note(gateway, people, self.account_of(mac), counted.added)
            entry = self._table.session_entries.get(mac)
            if entry is not None:
                self._table.heard[entry.mark] = now
        return counted.added

    def settled(self, client: SettledClient) -> None:
        """Books what the other node's answer adds."""
        people = self.people(client.gateway)
        for kept in (people.counters, people.left):
            if client.client in kept:
                kept[client.client] = replace(kept[client.client], booked=client.end)
        people.added += client.added
        self._note(client.gateway, people, client.account, client.added)

    def now(self) -> Monotonic:
        return self._clock.monotonic()

    def noted(self, gateway: Gateway) -> None:
        """What is known of the gateway's clients changed."""
        self._note(gateway, self.people(gateway), self._nobody, NO_USAGE)

    def client_key(self, gateway: Gateway, mac: MacAddress) -> str:
        """Names the device among those of the gateway."""
        return device_key(self._people_key(gateway), gateway, mac)

    def counters(self, gateway: Gateway, client: str) -> ClientCounters:
        """What is booked of a client, by its `client_key`."""
        people = self.people(gateway)
        return people.counters.get(client) or people.left.get(client) or ClientCounters()

    def _is_awaited(self, gateway: Gateway, mac: MacAddress) -> bool:
        """Whether another node may yet tell of the session of this device, which has a right token."""
        if not self.handovers.is_shared(gateway):
            return False
        coming, now = self.comes(mac), self._clock.monotonic()
        if coming != "unknown":
            self._awaited.pop(mac, None)
            return False
        since = self._awaited.setdefault(mac, now)
        if len(self._awaited) > REASONS_MAX:
            del self._awaited[next(iter(self._awaited))]
        return now - since < COMES_MS

    def _people_key(self, gateway: Gateway) -> bytes:
        return self.registry.people_key(gateway)

    def verdict(self, mac: MacAddress) -> GatewayVerdict:
        """Whether the device may pass at a gateway that ends sessions itself and cannot slow them."""
        state = self._table.state(mac)
        if isinstance(state, session_state.Blocked):
            return GatewayVerdict("blocked", because=state.because)
        is_over = isinstance(state, session_state.Authorized) and state.is_over(self._clock.monotonic())
        if is_over or not self._table.is_admitted(mac):
            return GatewayVerdict("ended")
        quota = used_up(self._reconciler.allowance(self._table.session_entries[mac].account).quotas)
        return PASSES if quota is None else GatewayVerdict("over-quota", quota=quota)

    def quiet_allowance(self, mac: MacAddress) -> Allowance | None:
        """What the device's account may use while the uplink is not busy; None without a session. With ceilings for busy
        times, a gateway that is told of them late would end people again and again."""
        entry, policy = self._table.session_entries.get(mac), self._policy
        return (
            None
            if entry is None
            else policy.allowance_at(entry.account, replace(policy.moment(), busy=False))
        )

    def reason(self, token: str) -> GatewayVerdict | None:
        """Why the device with this token was last turned away, for its next page."""
        return self._reasons.get(token)

    def device_of(self, gateway: Gateway, token: str) -> MacAddress | None:
        """The device that this gateway named with the token."""
        known = self._devices.get(token)
        return known[1] if known is not None and known[0] == gateway.id else None

    def people(self, gateway: Gateway) -> GatewayPeople:
        """What is counted at the gateway."""
        return self._people.setdefault(gateway.id, GatewayPeople())

    def gateway_of(self, mac: MacAddress) -> Gateway | None:
        """The gateway at which the device passed last."""
        found = [(people.devices[mac], key) for key, people in self._people.items() if mac in people.devices]
        return self.registry.get(max(found)[1]) if found else None

    def here(self, gateway: Gateway, mac: MacAddress) -> None:
        """The device is behind the gateway."""
        people = self.people(gateway)
        people.devices.pop(mac, None)
        people.devices[mac] = self._clock.monotonic()
        if len(people.devices) > CLIENTS_MAX:
            del people.devices[next(iter(people.devices))]
        self._table.at_gateways.add(mac)

    def _told(self, token: str, verdict: GatewayVerdict) -> GatewayVerdict:
        self._reasons.pop(token, None)
        if not verdict.may_pass:
            self._reasons[token] = verdict
            if len(self._reasons) > REASONS_MAX:
                del self._reasons[next(iter(self._reasons))]
        return verdict

    def _is_client(self, gateway: Gateway, mac: MacAddress, token: str, *, is_login: bool = False) -> bool:
        """A token for a device that the browser did not name belongs to the first one that logs in with it, until the node
        starts again; then that person joins again."""
        if is_client_token(self._people_key(gateway), gateway, mac, token):
            return True
        if not is_client_token(self._people_key(gateway), gateway, None, token):
            return False
        known = self._devices.get(token)
        is_first = is_login or (self.handovers.is_shared(gateway) and self.comes(mac) == "here")
        return known == (gateway.id, mac) or (is_first and known is None)

    def _named(self, gateway: Gateway, mac: MacAddress, token: str) -> None:
        self._devices.pop(token, None)
        self._devices[token] = gateway.id, mac
        if len(self._devices) > REASONS_MAX:
            del self._devices[next(iter(self._devices))]

    def account_of(self, mac: MacAddress) -> AccountId:
        """The account whose use this is."""
        entry = self._table.session_entries.get(mac)
        return entry.account if entry is not None else self._policy.account_of(mac)

    def _note(self, gateway: Gateway, people: GatewayPeople, account: AccountId, added: Usage) -> None:
        name = f"{COUNTERS_STATE} {gateway.id}"

        def snapshot() -> Callable[[], str]:
            return partial(counters_state, dict(people.counters))

        self._reconciler.remote_usage.meter(account, added, name, snapshot)
        if gateway.id in self.handovers.clients:
            handovers = f"{HANDOVERS_STATE} {gateway.id}"
            self._reconciler.remote_usage.meter(
                account, NO_USAGE, handovers, lambda: self.handovers.text(gateway.id)
            )

    def _dropped(self, gateway: Gateway) -> None:
        self._forget(gateway.id)

    def _forget(self, gateway_id: str) -> None:
        people = self._people.pop(gateway_id, None)
        has_handovers = gateway_id in self.handovers.clients
        self.handovers.forget(gateway_id)
        if has_handovers or (people is not None and people.counters):
            for name in (COUNTERS_STATE, HANDOVERS_STATE):
                self._store(f"{name} {gateway_id}", "")

    def _store(self, name: str, text: str) -> None:
        """With what is booked next."""
        self._reconciler.remote_usage.meter(self._nobody, NO_USAGE, name, lambda: lambda: text)

    @property
    def _nobody(self) -> AccountId:
        """For what is stored without use."""
        return self._policy.guest_account(MacAddress("00:00:00:00:00:00"))


def token_name(token: str) -> str:
    """How nodes name a token: its hash, so that nobody can use it who reads the name."""
    return sha256(token.encode()).hexdigest()[:TOKEN_CHARACTERS]


def used_up(quotas: tuple[QuotaLeft, ...]) -> QuotaLeft | None:
    """The first quota that is used up and limits something."""
    return next((each for each in quotas if not each.is_alert and each.left == 0), None)


def days_between(first: str, last: str) -> int:
    """Days as `Clock.today` names them."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def read_gone(text: str) -> dict[str, str]:
    """What is stored of gateways that are gone; what cannot be read is left out, and its time begins again."""
    try:
        rows = json.loads(text or "{}")
        return {str(key): date.fromisoformat(day).isoformat() for key, day in rows.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def read_long(text: str, boot: str, now: Monotonic) -> dict[str, Monotonic]:
    """What is stored of long sessions. Of another boot nobody knows how much time is left of them."""
    try:
        of, rows = json.loads(text or '["", {}]')
        most = now + LONG_SESSION_MS + LONG_STEP_MS
        return {str(key): Monotonic(min(int(at), most) if of == boot else most) for key, at in rows.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def counters_state(counters: Mapping[str, ClientCounters]) -> str:
    """What is booked of the devices at a gateway, for the node state."""
    rows = {
        key: [each.booked.down, each.booked.up, int(each.has_logged_in)] for key, each in counters.items()
    }
    return json.dumps(rows, separators=(",", ":"))


def read_counters_state(text: str) -> dict[str, ClientCounters]:
    """What `counters_state` wrote; what cannot be read is left out, and its next report is booked up to the line's limit."""
    try:
        rows = json.loads(text or "{}")
    except ValueError:
        return {}
    found = {}
    for key, row in rows.items() if isinstance(rows, dict) else ():
        match row:
            case [int(down), int(up), int(login)] if down >= 0 and up >= 0:
                found[key] = ClientCounters(Usage(Bytes(down), Bytes(up)), has_logged_in=bool(login))
    return found
