"""People behind openNDS routers: this node is their Forwarding Authentication Service (FAS).

The router knows limits only at the moment when it lets a client in, and by itself reports what a client used only when it
leaves. So a session there is short, unless the node's script on the router reports, and ends with the smallest remainder of
the account's quotas; then the person continues with one tap, as long as the account may.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from node.app.gateway_registry import ROUTERS_MAX
from node.app.gateway_service import LONG_SESSION_MS, GatewayService
from node.app.opennds_limits import downward_limit
from node.app.views import Admitted, Entry, Full, GuestView, Refused
from node.control.ports import Clock
from node.errors import StorageTrouble
from node.gateways.counters import ReportedCounters
from node.gateways.gateway import Gateway, is_called
from node.gateways.opennds_authmon import AuthmonQueue, AuthmonRequest, DeauthedClient
from node.gateways.opennds_client import browser_mac, device_mark, read_mark
from node.gateways.opennds_grant import (
    GatewayLimits,
    gateway_limits,
    marked_custom,
    return_address,
    sealed_custom,
)
from node.gateways.opennds_query import FasKey, FasRequest, gateway_hash, read_query, return_hash
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

SESSION_S = 3_600
"""Of one session at a router. What an admin ends or blocks ends there no later than this."""
REPORTED_SESSION_S = LONG_SESSION_MS // 1_000
"""Where the script on the router reports. Then that ends what an admin ends or blocks. A slowed person has the shorter
session: no report makes one faster again."""
UNREPORTED_MS = Milliseconds(10 * 60_000)
"""A client that its router has not reported for so long has left."""
GRANTS_MAX = 4_096
LET_IN_MS = Milliseconds(20_000)
"""For so long after the router's acknowledgement the person is shown as online, unless the router says otherwise."""
RETURNS_MAX, RETURNS_MS = 2, Milliseconds(60_000)
"""A browser is sent to the router by itself so often; then it waits for a tap, in case the router refuses it."""

NO_KEY = FasKey("")
"""For plain queries, which need none."""

FasTrust = Literal["known", "named", "other"]
"""``known``: this node has let the device in before; ``named``: the router itself names it. Others can be invented."""
FasState = Literal["join", "go", "wait", "online", "blocked", "not-ready"]
"""``join``: the person chooses how; ``go``: the browser goes to the router; ``wait``: the router will fetch it;
``online``: the router has let it in."""


@dataclass(frozen=True, slots=True)
class FasClient:
    """A person's browser that a router sent here."""

    gateway: Gateway
    level: int
    request: FasRequest
    mac: MacAddress
    """The device, as this node names it."""
    says_online: bool
    """The router says so."""

    @property
    def is_fetched(self) -> bool:
        """The router asks this node who may pass (levels 3 and 4)."""
        return self.level >= 3


@dataclass(frozen=True, slots=True)
class FasView:
    """What the person's page shows."""

    state: FasState
    guest: GuestView
    address: str = ""
    """For ``go``."""
    is_by_itself: bool = True
    """For ``go``: the browser need not wait for a tap."""
    is_slowed: bool = False
    """A quota is used up, so the router gets the lowest rate that the rules guarantee."""
    is_reported: bool = False
    """The script on the router reports what this person uses."""
    is_long: bool = False
    """Sessions at the router may last `REPORTED_SESSION_S`, because its script has reported."""


@dataclass(frozen=True, slots=True)
class FasGrant:
    """A client that was let in, until the router says that it left."""

    gateway: str
    account: AccountId
    until: Monotonic


class Joins(Protocol):
    """`AccountService`, as far as it is needed here."""

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full: ...

    def guest(self, mac: MacAddress) -> GuestView: ...


class OpenNdsService:
    """`key` is the node's own. Used only from the event loop's thread."""

    def __init__(
        self,
        people: GatewayService,
        accounts: Joins,
        clock: Clock,
        *,
        key: bytes,
        allows_level_0: Callable[[], bool] = lambda: False,
    ) -> None:
        self._people, self._accounts, self._clock, self._key = people, accounts, clock, key
        self._allows_level_0 = allows_level_0
        self._queues: dict[tuple[str, str], AuthmonQueue] = {}
        self._grants: dict[str, FasGrant] = {}
        """By `hid`."""
        self._waiting: dict[MacAddress, tuple[AuthmonQueue, str]] = {}
        """By device: its place in a queue."""
        self._let_in: dict[str, Monotonic] = {}
        """By `rhid`: when the router acknowledged it."""
        self._returns: dict[str, tuple[int, Monotonic]] = {}
        """By `hid`: how often a browser was sent to the router, and since when."""

    # --- the person's browser ---------------------------------------------------------------

    def client(self, gateway: Gateway, level: int, query: str, browser: str) -> FasClient | None:
        """None for every query that is not valid, and nothing says why. `browser` is the name in its cookie; without one
        its session at the router is its name."""
        if level == 0 and not self._allows_level_0():
            return None
        visit = read_query(query, self._fas_key(gateway), level)
        if visit is None:
            return None
        request = visit.request
        if request.level_is_secret:
            mac = MacAddress(request.client_mac)
        else:
            mac = browser_mac(self._key, gateway.id, browser or request.hid[:32])
        return FasClient(gateway, level, request, mac, visit.is_authenticated)

    def view(self, client: FasClient) -> FasView:
        """What the person sees now; a client that waits for its router is queued for it."""
        guest = self._accounts.guest(client.mac)
        if not self._people.is_ready:
            return FasView("not-ready", guest)
        if guest.state == "removed":
            return FasView("blocked", guest)
        if guest.state != "admitted":
            return FasView("join", guest)
        if client.says_online or (client.is_fetched and self._was_let_in(client)):
            is_reported, is_long = self._reports(client), self._people.has_long_sessions(client.gateway)
            return FasView("online", guest, is_reported=is_reported, is_long=is_long)
        return self._enter(client, guest)

    def trust(self, client: FasClient) -> FasTrust:
        """How hard it is to invent this client."""
        guest = self._accounts.guest(client.mac)
        if guest.state == "admitted" or guest.comes_back:
            return "known"
        return "named" if client.request.level_is_secret else "other"

    async def join(
        self, client: FasClient, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        """Authenticates the person and authorizes the device, as on the node's own network."""
        return await self._accounts.admit(client.mac, entry, terms_version, instead_of)

    def _enter(self, client: FasClient, guest: GuestView) -> FasView:
        limits, is_slowed = self.limits(client, guest)
        request, key = client.request, self._fas_key(client.gateway)
        mark = device_mark(self._key, client.gateway.id, request.hid, client.mac).words
        self._grant(client, guest)
        if limits.session_minutes * 60 > SESSION_S:
            self._people.long_session(client.gateway)
        if client.is_fetched:
            queue = self._queue(client)
            rhid = return_hash(request.hid, key.characters)
            self._wait_once(client.mac, queue, rhid)
            queue.add(rhid, limits, self._clock.monotonic() / 1_000, custom=marked_custom(mark))
            return FasView("wait", guest, is_slowed=is_slowed)
        custom = sealed_custom(limits, mark, request.hid, key)
        end_page = request.origin_url or f"http://{request.gateway_address}/"
        address = return_address(request, custom, key, end_page)
        return FasView("go", guest, address, self._may_go(request.hid), is_slowed)

    def limits(self, client: FasClient, guest: GuestView) -> tuple[GatewayLimits, bool]:
        """Limits for the router, and whether a used-up quota slows the person.

        The rate towards the network is never given: openNDS 10.3 can divide by zero while it sets that limit, and then it
        ends."""
        allowance = guest.allowance
        assert allowance is not None
        assert guest.account is not None
        others = sum(
            grant.account == guest.account and hid != client.request.hid for hid, grant in self._live()
        )
        down = downward_limit(allowance)
        left = [quota.left for quota in allowance.quotas if not quota.is_alert and quota.left > 0]
        is_long = self._reports(client) and not down.is_slowed
        session_s = REPORTED_SESSION_S if is_long else SESSION_S
        limits = gateway_limits(
            session_s=session_s if guest.seconds_left is None else min(session_s, guest.seconds_left),
            upload_bits_s=None,
            download_bits_s=down.bits_s,
            # Devices that are online at once get equal parts, since none is told what the others use.
            left_bytes=min(left) // (1 + others) if left and not down.is_slowed else None,
        )
        return limits, down.is_slowed

    # --- the router -------------------------------------------------------------------------

    def ask(self, query: str, address: str) -> None:
        """A router without a gateway here sent a person. Only a plain query says what it calls itself; it is no proof."""
        visit = read_query(query, NO_KEY, 1)
        if visit is not None and is_called(visit.request.gateway_name):
            self._people.registry.ask("opennds", visit.request.gateway_name, address)

    async def heard(self, gateway: Gateway, address: str, client: FasClient | None = None) -> None:
        """The router spoke, or sent a person. What it calls itself is taken from an encrypted query only: anybody can write
        a plain one."""
        contact = self._people.registry.contact(gateway)
        if client is not None and client.request.level_is_secret:
            await self.named(gateway, client.request.gateway_name, address)
        elif client is not None:
            contact.said_name = contact.said_name or client.request.gateway_name
        contact.at, contact.address = self._clock.monotonic(), address
        contact.polls |= client is not None and client.is_fetched and client.request.level_is_secret

    async def named(self, gateway: Gateway, called: str, address: str) -> None:
        """The router said with its key what it calls itself."""
        if is_called(called):
            # Only admins read the name: that it cannot be stored now keeps nobody out.
            with suppress(StorageTrouble):
                await self._people.registry.spoke(gateway, "opennds", called, address)

    def authmon(self, gateway: Gateway, request: AuthmonRequest) -> str | None:
        """The body for one request of the router. None before the database is read, for what a client used: the account, and
        what of it is booked already, are not known."""
        deauthed = request.deauthed
        if deauthed is not None and not self._people.is_ready:
            return None
        if deauthed is not None:
            self.deauthed(gateway, deauthed)
        if request.action in {"clear", "view", "list"}:
            self._people.registry.contact(gateway).polls = True
        queue = self._queues.get((gateway.id, request.gateway_hash), AuthmonQueue())
        now_s = self._clock.monotonic() / 1_000
        waited = [rhid for rhid in request.acknowledged if queue.is_waiting(rhid, now_s)]
        body = queue.reply(request, now_s)
        for rhid in waited:
            if not queue.is_waiting(rhid, now_s):
                self._let_in[rhid] = self._clock.monotonic()
        _trim(self._let_in)
        return body

    def still_here(self, gateway: Gateway, hid: str, mac: MacAddress) -> None:
        """The script on the router reports a client, which this node may not know since its start."""
        account = self._people.account_of(mac)
        self._keep(hid, FasGrant(gateway.id, account, Monotonic(self._clock.monotonic() + UNREPORTED_MS)))
        self._people.here(gateway, mac)

    def deauthed(self, gateway: Gateway, left: DeauthedClient) -> bool:
        """Books what a client used that left its router. False for one that this node did not let in there."""
        mark = read_mark(self._key, gateway.id, left.hid, left.custom)
        if mark is None:
            self._people.people(gateway).of_nobody += 1
            return False
        reported = ReportedCounters(left.incoming_bytes, left.outgoing_bytes)
        self._people.book(gateway, mark.mac, reported, session=left.hid[:16])
        self._grants.pop(left.hid, None)
        self._people.people(gateway).devices.pop(mark.mac, None)
        return True

    # --- ---

    def _reports(self, client: FasClient) -> bool:
        return self._people.registry.reports(client.gateway, client.request.gateway_name)

    def _fas_key(self, gateway: Gateway) -> FasKey:
        return FasKey(self._people.registry.fas_key(gateway))

    def _queue(self, client: FasClient) -> AuthmonQueue:
        own = [each for each in self._queues if each[0] == client.gateway.id]
        name = (client.gateway.id, client.request.gateway_hash)
        if name not in self._queues and len(own) >= ROUTERS_MAX:
            known = gateway_hash(
                client.gateway.called or self._people.registry.contact(client.gateway).said_name
            )
            others = [each for each in own if each[1] != known]
            del self._queues[min(others, key=lambda each: len(self._queues[each]))]
        return self._queues.setdefault(name, AuthmonQueue())

    def _wait_once(self, mac: MacAddress, queue: AuthmonQueue, rhid: str) -> None:
        """A device waits for one router as one client: with invented ones it would keep others waiting."""
        before = self._waiting.pop(mac, None)
        if before is not None and before[1] != rhid:
            before[0].drop(before[1])
        self._waiting[mac] = queue, rhid
        _trim(self._waiting)

    def _was_let_in(self, client: FasClient) -> bool:
        rhid = return_hash(client.request.hid, self._fas_key(client.gateway).characters)
        at = self._let_in.get(rhid)
        return at is not None and self._clock.monotonic() - at < LET_IN_MS

    def _grant(self, client: FasClient, guest: GuestView) -> None:
        assert guest.account is not None
        lasts = UNREPORTED_MS if self._reports(client) else SESSION_S * 1_000
        until = Monotonic(self._clock.monotonic() + lasts)
        self._keep(client.request.hid, FasGrant(client.gateway.id, guest.account, until))
        self._people.here(client.gateway, client.mac)

    def _keep(self, hid: str, grant: FasGrant) -> None:
        self._grants.pop(hid, None)
        self._grants[hid] = grant
        _trim(self._grants)

    def _live(self) -> list[tuple[str, FasGrant]]:
        now = self._clock.monotonic()
        for hid in [hid for hid, grant in self._grants.items() if grant.until <= now]:
            del self._grants[hid]
        return list(self._grants.items())

    def _may_go(self, hid: str) -> bool:
        now = self._clock.monotonic()
        count, since = self._returns.pop(hid, (0, now))
        if now - since >= RETURNS_MS:
            count, since = 0, now
        self._returns[hid] = (count + 1, since)
        _trim(self._returns)
        return count < RETURNS_MAX


def _trim[K, V](kept: dict[K, V]) -> None:
    while len(kept) > GRANTS_MAX:
        del kept[next(iter(kept))]
