"""The gateways of this node: which routers asked, and which an admin accepted, with a secret for each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal
from unicodedata import normalize

from node.control.ports import Clock, StateArchive
from node.errors import InvalidValue, NodeError
from node.gateways import adoption
from node.gateways.adoption import (
    AdoptionEvent,
    RouterAccepted,
    RouterAdded,
    RouterAsked,
    RouterDropped,
    RouterRefused,
    RouterSpoke,
    SecretReplaced,
    SourcesLimited,
)
from node.gateways.gateway import (
    ASKED_MAX,
    GATEWAYS_MAX,
    ID_BYTES,
    NAME_CHARACTERS_MAX,
    Gateway,
    GatewayKind,
    gateways_text,
    read_gateways,
)
from node.gateways.gateway_secret import fas_key, gateway_secret
from node.gateways.handover import BREAK_MS
from node.gateways.told_gateway import ToldGateway, people_key, secret_hash
from node.translator import gettext_lazy
from node.units import Milliseconds, Monotonic

STATE = "gateways"
"""Name in the node state."""
PUSHED_OUT_MAX = 100
ASKED_FOR = Milliseconds(24 * 3_600_000)
"""A router that has not asked again for so long is forgotten."""
ROUTERS_MAX = 8
"""Routers with the configuration of one gateway, told apart by their names."""
ROUTER_KEPT_MS = Milliseconds(24 * 3_600_000)
"""After so long without a report a router's name is forgotten."""
SILENT_AFTER = Milliseconds(5 * 60_000)
"""A gateway is up while its last heartbeat is younger (as WiFiDog's authentication server shows it)."""

GatewayTrouble = Literal["", "silent", "never", "other-router", "other-source"]
"""``never``: it has not spoken yet; ``other-router``: a router with another name uses its secret; ``other-source``: its
secret was used from an address that its limits exclude."""


_WARNINGS: Mapping[GatewayTrouble, str] = {
    "silent": "the gateway {name} is silent: look whether its router is on, and reaches this node",
    "other-router": "the router {detail} uses the secret of the gateway {name}: make a new secret if it was copied",
    "other-source": "the secret of {name} is used from {detail}, which its limits exclude: make a new secret",
}

_MORE_WARNINGS: Mapping[GatewayTrouble, str] = {
    "silent": "gateways that are silent too: {count} (the page Gateways names them)",
    "other-router": "gateways whose secret another router uses too: {count} (the page Gateways names them)",
    "other-source": "gateways whose secret is used from an address that their limits exclude too: {count}",
}
NAMED_MAX = 5
"""Gateways of each trouble that have a warning of their own: after a power cut hundreds are silent."""


@dataclass(slots=True)
class Contact:
    """What was heard of a gateway since the node started."""

    at: Monotonic | None = None
    """Of its last word with the right secret, or of the last time that it asked."""
    address: str = ""
    uptime_s: int | None = None
    run: int = 0
    """Counts the starts of its program that were seen."""
    online: int | None = None
    other_router: str = ""
    """How another router called itself that used the secret."""
    other_source: str = ""
    polls: bool = False
    """It asks this node all the time, also without people. openNDS does at the levels 3 and 4 only; WiFiDog always does,
    and does not need this."""
    said_name: str = ""
    """How a plain query of openNDS called the router first: no proof, so it is not stored."""
    reported: Monotonic | None = None
    """When the script on an openNDS router reported last what its clients used."""
    routers: dict[str, Monotonic] = field(default_factory=dict)
    """By the name of each openNDS router with this gateway's configuration: when its script reported last. It tells its name
    only while it has people."""
    turn: int = 0
    """Counts its unbroken times at this node: in a break it may have spoken with another one."""

    def heard(self, now: Monotonic, address: str) -> None:
        """It spoke, or asked."""
        if self.at is None or now - self.at >= BREAK_MS:
            self.turn += 1
        self.at, self.address = now, address


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """A gateway, and what is known of it now."""

    gateway: Gateway
    heard_s: int | None
    """Seconds since it spoke last; None if it has not since the node started."""
    address: str
    trouble: GatewayTrouble
    detail: str = ""
    """Name or address that belongs to `trouble`."""
    reported_s: int | None = None
    """Seconds since the script on an openNDS router reported last; None if it has not since the node started."""
    routers: tuple[tuple[str, int], ...] = ()
    """The same of each router, by its name, where several have the gateway's configuration."""

    @property
    def reports(self) -> bool:
        """That was not long ago."""
        return self.reported_s is not None and self.reported_s * 1000 < SILENT_AFTER


class GatewayRegistry:
    """`key` is the node's own, `random` returns so many random bytes. What an admin decides is stored before it holds."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        *,
        key: bytes,
        random: Callable[[int], bytes],
        one_change: AbstractAsyncContextManager[object],
    ) -> None:
        """`one_change` is a lock: a change waits until the one before is stored, otherwise it would undo that one."""
        self._archive, self._clock, self._key, self._random = archive, clock, key, random
        self._gateways: dict[str, Gateway] = {}
        self._by_secret: dict[str, str] = {}
        self._told: dict[str, ToldGateway] = {}
        self._told_by_secret: dict[str, str] = {}
        self._contacts: dict[str, Contact] = {}
        self._since = clock.monotonic()
        self._one_change = one_change
        self._pushed_out: dict[str, None] = {}
        """How routers called themselves that asked and gave way to others."""
        self.recalled = False
        """Until then no router is known, and none may be turned away."""
        self.on_drop: Callable[[Gateway], None] = lambda _gateway: None

    async def recall(self) -> None:
        """Restores what an earlier run stored. Raises StorageTrouble."""
        if not self.recalled:
            stored = read_gateways(await self._archive.state(STATE))
            self._take({each.id: each for each in stored if each.phase != "asked"})
            self.recalled = True

    # --- what routers say ---------------------------------------------------------------------

    def find(self, secret: str, address: str) -> Gateway | None:
        """The accepted gateway with this secret, if it may speak from this address."""
        gateway = self._gateways.get(self._by_secret.get(secret, "")) or self._told_with(secret)
        if gateway is None:
            return None
        if gateway.may_speak_from(address):
            return gateway
        self.contact(gateway).other_source = address
        return None

    def _told_with(self, secret: str) -> Gateway | None:
        if not self._told:
            return None
        told = self._told.get(self._told_by_secret.get(secret_hash(secret), ""))
        return None if told is None else told.gateway

    def called(self, kind: GatewayKind, called: str) -> Gateway | None:
        """An accepted gateway that calls itself so. Its name is no proof."""
        found = (each for each in self._gateways.values() if each.phase == "accepted")
        return next((each for each in found if (each.kind, each.called) == (kind, called)), None)

    def ask(self, kind: GatewayKind, called: str, address: str) -> None:
        """An unknown router spoke. It waits for an admin, or is refused already; it learns nothing of that."""
        now = self._clock.monotonic()
        known = self._same(called)
        if known is None:
            self._make_room(address, now)
            self._pushed_out.pop(called, None)
            event = RouterAsked(self._new_id(), kind, called, address)
            known = self._gateways[event.id] = _made(adoption.step(None, event))
        elif known.phase == "asked":
            known = self._gateways[known.id] = _made(
                adoption.step(known, RouterAsked(known.id, kind, called, address))
            )
        if known.phase == "asked":
            contact = self.contact(known)
            contact.at, contact.address = now, address

    async def spoke(self, gateway: Gateway, kind: GatewayKind, called: str, address: str) -> Gateway | None:
        """A router spoke with the gateway's secret; None if it is another one than the first. Raises StorageTrouble."""
        if not gateway.called and gateway.id not in self._told:
            async with self._one_change:
                known = self._gateways.get(gateway.id)
                if known is None or (known.phase, known.serial) != (gateway.phase, gateway.serial):
                    return None  # removed, or given another secret, while it waited
                gateway = _made(adoption.step(known, RouterSpoke(kind, called, address)))
                if gateway != known:
                    await self._change(gateway.id, gateway)
        contact = self.contact(gateway)
        if gateway.called not in {called, ""}:
            contact.other_router = called
            return None
        contact.heard(self._clock.monotonic(), address)
        return gateway

    def speaks(self, gateway: Gateway, kind: GatewayKind, called: str, address: str) -> bool:
        """As `spoke`, of the router that has spoken before; False leaves it to `spoke`."""
        if (gateway.kind, gateway.called) != (kind, called):
            return False
        self.contact(gateway).heard(self._clock.monotonic(), address)
        return True

    def heartbeat(self, gateway: Gateway, uptime_s: int | None, online: int | None = None) -> None:
        """With the uptime of its program: a lower one than before means that it started again."""
        contact = self.contact(gateway)
        if uptime_s is not None:
            if contact.uptime_s is not None and uptime_s < contact.uptime_s:
                contact.run += 1
            contact.uptime_s = uptime_s
        contact.online = online

    def reported(self, gateway: Gateway, called: str = "") -> None:
        """The script on its router reported, with the router's name while it has people."""
        contact, now = self.contact(gateway), self._clock.monotonic()
        contact.reported, contact.polls = now, True
        if called:
            contact.routers.pop(called, None)
            contact.routers[called] = now
            lately = [each for each, at in contact.routers.items() if now - at < ROUTER_KEPT_MS]
            contact.routers = {each: contact.routers[each] for each in lately[-ROUTERS_MAX:]}

    def reports(self, gateway: Gateway, called: str = "") -> bool:
        """Whether the script on an openNDS router reports what its clients use; where several routers have the gateway's
        configuration, that on the one that calls itself so."""
        contact = self.contact(gateway)
        is_one_of_several = called and contact.routers.keys() - {called}
        at = contact.routers.get(called) if is_one_of_several else contact.reported
        return at is not None and self._clock.monotonic() - at < SILENT_AFTER

    def contact(self, gateway: Gateway) -> Contact:
        """What was heard of it in this run of the node."""
        return self._contacts.setdefault(gateway.id, Contact())

    @property
    def more_asked(self) -> int:
        """How many routers asked for which there was no room."""
        return len(self._pushed_out)

    # --- what admins do -----------------------------------------------------------------------

    @property
    def all(self) -> tuple[GatewayStatus, ...]:
        """Accepted ones first, by name; then those that ask, then refused ones."""
        now = self._clock.monotonic()
        order = ("accepted", "asked", "refused")
        found = sorted(
            self._gateways.values(), key=lambda each: (order.index(each.phase), each.title, each.id)
        )
        return tuple(self._status(each, now) for each in found)

    def warnings(self) -> Iterator[str]:
        """Of accepted gateways, for those who look after the node."""
        every = self.all
        for trouble, text in _WARNINGS.items():
            found = [each for each in every if each.trouble == trouble]
            for each in found[:NAMED_MAX]:
                yield text.format(name=each.gateway.title, detail=each.detail)
            if len(found) > NAMED_MAX:
                yield _MORE_WARNINGS[trouble].format(count=len(found) - NAMED_MAX)

    def get(self, gateway_id: str) -> Gateway | None:
        """Of this node, or of another one that this one serves too."""
        told = self._told.get(gateway_id)
        return self._gateways.get(gateway_id) or (told.gateway if told is not None else None)

    @property
    def told(self) -> tuple[ToldGateway, ...]:
        """Those of other nodes that this one serves too, by name."""
        return tuple(sorted(self._told.values(), key=lambda each: (each.gateway.title, each.gateway.id)))

    def tell(self, told: Iterable[ToldGateway]) -> None:
        """What other nodes say now of the gateways that this one serves too; one with an id of this node's own is left
        out."""
        self._told = {each.gateway.id: each for each in told if each.gateway.id not in self._gateways}
        self._told_by_secret = {each.secret_hash: each.gateway.id for each in self._told.values()}

    def is_told(self, gateway: Gateway) -> bool:
        """Whether another node adopted it."""
        return gateway.id in self._told and gateway.id not in self._gateways

    def people_key(self, gateway: Gateway) -> bytes:
        """For tokens and names of the people behind it."""
        if self.is_told(gateway):
            return self._told[gateway.id].key
        return people_key(self._key, gateway.id)

    def accepted(self) -> Iterator[Gateway]:
        return (each for each in self._gateways.values() if each.phase == "accepted")

    def status(self, gateway: Gateway) -> GatewayStatus:
        return self._status(gateway, self._clock.monotonic())

    def secret(self, gateway: Gateway) -> str:
        """The secret part of its paths; only for its configuration."""
        return gateway_secret(self._key, gateway)

    def fas_key(self, gateway: Gateway) -> str:
        """Its faskey, if it is an openNDS gateway; only for its configuration."""
        return fas_key(self._key, gateway)

    async def add(self, kind: GatewayKind, name: str) -> Gateway:
        """Prepares a gateway that has not asked. Raises InvalidValue for the name, or NodeError."""
        event = RouterAdded(self._new_id(), kind, self._free_name(name, ""))
        return await self._step(event.id, event)

    async def accept(self, gateway_id: str, name: str) -> Gateway:
        """Accepts a router that asked, or gives a gateway another name. Raises InvalidValue for the name, or NodeError."""
        return await self._step(gateway_id, RouterAccepted(self._free_name(name, gateway_id)))

    async def refuse(self, gateway_id: str) -> Gateway:
        """Raises NodeError."""
        return await self._step(gateway_id, RouterRefused())

    async def replace_secret(self, gateway_id: str) -> Gateway:
        """Raises NodeError."""
        after = await self._step(gateway_id, SecretReplaced())
        contact = self.contact(after)
        contact.other_router = contact.other_source = ""
        return after

    async def limit(self, gateway_id: str, sources: tuple[str, ...]) -> Gateway:
        """Raises NodeError."""
        after = await self._step(gateway_id, SourcesLimited(sources))
        self.contact(after).other_source = ""
        return after

    async def drop(self, gateway_id: str) -> None:
        """Raises NodeError."""
        async with self._one_change:
            gateway = self._known(gateway_id)
            if adoption.step(gateway, RouterDropped()) is None:
                await self._change(gateway_id, None)
                self._contacts.pop(gateway_id, None)
                self.on_drop(gateway)

    async def _step(self, gateway_id: str, event: AdoptionEvent) -> Gateway:
        if not self.recalled:
            raise NodeError("the database has not been read yet", "wait a moment, and try again")
        async with self._one_change:
            before = None if isinstance(event, RouterAdded) else self._known(gateway_id)
            if isinstance(event, RouterAdded | RouterAccepted):
                self._free_name(event.name, gateway_id)  # another admin may have taken it meanwhile
            after = _made(adoption.step(before, event))
            if (before is None or before.phase == "asked") and self._is_full(after):
                raise NodeError("there are as many gateways as a node can have", "remove one that is gone")
            if after != before:
                await self._change(gateway_id, after)
            return after

    async def _change(self, gateway_id: str, after: Gateway | None) -> None:
        changed = _with(self._gateways, gateway_id, after)
        kept = [each for each in changed.values() if each.phase != "asked"]
        await self._archive.save_state(STATE, gateways_text(kept))
        self._take(_with(self._gateways, gateway_id, after))  # with those that asked meanwhile

    def _take(self, gateways: dict[str, Gateway]) -> None:
        self._gateways = gateways
        self._by_secret = {self.secret(each): each.id for each in self.accepted()}

    def _is_full(self, after: Gateway) -> bool:
        """Whether as many are stored as `read_gateways` reads."""
        return (
            after.phase != "asked"
            and sum(g.phase != "asked" for g in self._gateways.values()) >= GATEWAYS_MAX
        )

    def _known(self, gateway_id: str) -> Gateway:
        gateway = self._gateways.get(gateway_id)
        if gateway is None:
            raise NodeError("there is no such gateway", "look at the list of gateways")
        return gateway

    def _free_name(self, name: str, gateway_id: str) -> str:
        wanted = normalize("NFC", " ".join(name.split()))
        if not 0 < len(wanted) <= NAME_CHARACTERS_MAX or not wanted.isprintable():
            raise InvalidValue(
                gettext_lazy("a gateway's name has 1 to {most} characters", most=str(NAME_CHARACTERS_MAX))
            )
        others = (each for each in self._gateways.values() if each.id != gateway_id)
        if any(each.name.casefold() == wanted.casefold() for each in others):
            raise InvalidValue(gettext_lazy("another gateway has this name"))
        return wanted

    def _status(self, gateway: Gateway, now: Monotonic) -> GatewayStatus:
        contact = self._contacts.get(gateway.id, Contact())
        heard = None if contact.at is None else max(0, now - contact.at)
        trouble, detail = self._trouble(gateway, contact, heard)
        reported = None if contact.reported is None else max(0, now - contact.reported)
        routers = tuple(sorted((name, max(0, now - at) // 1000) for name, at in contact.routers.items()))
        return GatewayStatus(
            gateway,
            None if heard is None else heard // 1000,
            contact.address or gateway.address,
            trouble,
            detail,
            None if reported is None else reported // 1000,
            routers if len(routers) > 1 else (),
        )

    def _trouble(
        self, gateway: Gateway, contact: Contact, heard_ms: int | None
    ) -> tuple[GatewayTrouble, str]:
        if gateway.phase != "accepted":
            return "", ""
        if contact.other_router:
            return "other-router", contact.other_router
        if contact.other_source:
            return "other-source", contact.other_source
        if not (gateway.called or contact.said_name or contact.reported is not None):
            return "never", ""
        if gateway.kind == "opennds" and not contact.polls:
            return "", ""  # it speaks when a person comes or leaves
        # After a start it has the same time to speak.
        silent_ms = self._clock.monotonic() - self._since if heard_ms is None else heard_ms
        return ("silent" if silent_ms >= SILENT_AFTER else ""), ""

    def _same(self, called: str) -> Gateway | None:
        found = (each for each in self._gateways.values() if each.phase != "accepted")
        return next((each for each in found if each.called == called), None)

    def _make_room(self, address: str, now: Monotonic) -> None:
        """For one more that asks: those that have not for a day are forgotten; then the oldest of the address from which
        most ask gives way."""
        asked = [each for each in self._gateways.values() if each.phase == "asked"]
        for each in asked:
            heard = self.contact(each).at
            if heard is None or now - heard >= ASKED_FOR:
                self._forget(each)
        asked = [each for each in asked if each.id in self._gateways]
        if len(asked) < ASKED_MAX:
            return
        number = Counter([address, *(each.address for each in asked)])
        oldest = max(asked, key=lambda each: (number[each.address], -(self.contact(each).at or 0)))
        self._forget(oldest)
        self._pushed_out[oldest.called] = None
        if len(self._pushed_out) > PUSHED_OUT_MAX:
            del self._pushed_out[next(iter(self._pushed_out))]

    def _forget(self, gateway: Gateway) -> None:
        del self._gateways[gateway.id]
        self._contacts.pop(gateway.id, None)

    def _new_id(self) -> str:
        while (made := self._random(ID_BYTES).hex()) in self._gateways:
            continue
        return made


def _with(gateways: Mapping[str, Gateway], gateway_id: str, after: Gateway | None) -> dict[str, Gateway]:
    changed = {key: each for key, each in gateways.items() if key != gateway_id}
    return changed if after is None else {**changed, gateway_id: after}


def _made(gateway: Gateway | None) -> Gateway:
    assert gateway is not None
    return gateway
