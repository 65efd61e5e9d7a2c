"""The house as the captive portal sees it."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from captive_portal import guests
from captive_portal.place import ENGLISH
from captive_portal.ports import (
    Admitted,
    CommunityView,
    DeviceCode,
    Entry,
    Full,
    GuestView,
    KeptView,
    Muting,
    Outage,
    Refused,
    ServiceView,
)
from node.accounting.periods import DAY_UNKNOWN
from node.answers.doorway import Doorway, refusal
from node.answers.guests import GuestViews
from node.config import NodeConfig
from node.config.settings import TERMS
from node.errors import NodeError
from node.governance.joining import WAYS_OF_MEMBERS
from node.governance.sentences import describe
from node.membership import belongings
from node.membership.contests import RULE_CHARS_MAX
from node.membership.entrances import Denied
from node.membership.notices import Notice
from node.membership.passphrases import hash_passphrase, is_fit
from node.membership.ports import Change
from node.membership.terms import TermsText
from node.reconcile.keeper import KEEP_USED_DAYS
from node.reconcile.loop import Reconcile
from node.reconcile.ports import Clock
from node.units import NO_USAGE, AccountId, MacAddress, Monotonic, Usage

SEEN_MS = 10 * 60_000
SEEN_MAX = 4_096


class PortalHouse:
    """Implements `captive_portal.ports.House`."""

    def __init__(
        self,
        reconcile: Reconcile,
        config: NodeConfig,
        clock: Clock,
        *,
        new_salt: Callable[[], bytes],
        kept: tuple[KeptView, ...] = (),
        services: Callable[[], tuple[ServiceView, ...]] = tuple,
        portal_url: Callable[[], str] = str,
        down_since: Callable[[], Monotonic | None] = lambda: None,
    ) -> None:
        """`new_salt` makes the random bytes of one passphrase hash; `down_since` tells since when the uplink is dead."""
        self._reconcile, self._config, self._clock = reconcile, config, clock
        self._register = reconcile.register
        self._new_salt, self._kept, self._services = new_salt, kept, services
        self._portal_url, self._down_since = portal_url, down_since
        self._views = GuestViews(reconcile, reconcile.register, clock)
        self._doorway = Doorway(reconcile, reconcile.register, self._views)
        self._described: tuple[tuple[object, ...], CommunityView] | None = None
        self._seen: dict[MacAddress, Monotonic] = {}

    def waiting(self) -> int:
        """Devices that have lately asked the portal for something and are not admitted."""
        now, state = self._clock.monotonic(), self._reconcile.presence.state
        return sum(
            now - seen < SEEN_MS and not isinstance(state(mac), guests.Admitted)
            for mac, seen in self._seen.items()
        )

    # --- what people see -----------------------------------------------------------------

    def guest(self, mac: MacAddress) -> GuestView:
        self._see(mac)
        return self._views.view(mac)

    def community(self) -> CommunityView:
        terms, down_since = self._register.terms.current, self._down_since()
        seen = (
            self._reconcile.rulebook.fingerprint,
            bool(self._reconcile.roll.units),
            terms and terms.version,
            self._portal_url(),
            down_since,
            down_since is None or self._clock.state(),
        )
        if self._described is None or self._described[0] != seen:
            self._described = seen, self._describe()
        return self._described[1]

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        if not len(self._register.notices):  # the first page asks each time
            return ()
        node, today = self._config.node, self._reconcile.instant().today
        zones = (node.zone,) if node.zone else ()
        reader = self._views.reader(mac)
        return self._register.notices.visible(reader, node=node.name, zones=zones, today=today)

    def services(self) -> tuple[ServiceView, ...]:
        return self._services()

    def kept(self) -> tuple[KeptView, ...]:
        return self._kept

    # --- coming in and leaving -----------------------------------------------------------

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        return await self._doorway.admit(mac, entry, terms_version, instead_of)

    async def leave(self, mac: MacAddress) -> None:
        self._register.introductions.withdraw(mac, self._clock.monotonic())
        await self._reconcile.leave(mac)

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        return self._doorway.ask(mac, host, name, terms_version)

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        return await self._doorway.answer(mac, number, yes=yes)

    async def mute(self, mac: MacAddress, number: int, whom: Muting) -> Refused | None:
        return self._doorway.mute(mac, number, whom)

    # --- what people change about their own ----------------------------------------------

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        if (refused := self._doorway.forgetful()) is not None:
            return refused
        self._register.new_device_code(mac, account, self._reconcile.instant())
        return self._views.device_code(account) or Refused("code-used")

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._remember(
            lambda: self._register.name_device(account, device, name, self._reconcile.instant())
        )

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        seat, binding = self._reconcile.presence.seats.get(device), self._register.bindings.get(device)
        rows = self._register.unbind(account, device)
        if isinstance(rows, Denied):
            if device not in {each.mac for each in self._views.devices(account, mac)}:
                return refusal(rows)
            rows = ()  # known by the roll, or only by being here: there is nothing to take it out of
        self._reconcile.keeper.pending.add(rows)
        # A device that the roll has given to somebody else meanwhile only loses what bound it to us.
        if seat is None or seat.account in {account, binding and binding.account}:
            await self._reconcile.leave(device)
        await self._reconcile.remember(())
        return None

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        account, now = self._views.account_of(mac), self._clock.monotonic()
        if account is None or not self._register.is_member(account):
            return Refused("not-a-member")
        if not is_fit(passphrase):
            return Refused("too-long")
        if not self._register.card_bearers.has_shown(mac, account, now):
            if not self._register.has_passphrase(account):
                return Refused("no-passphrase")
            if (refused := await self._doorway.prove(mac, account, current)) is not None:
                return refused
        salt = self._new_salt()
        try:
            hashed = await self._doorway.desk.turn(
                mac, lambda: hash_passphrase(passphrase, salt), is_known=True
            )
        except NodeError as busy:
            return Refused("trouble", str(busy))
        return await self._remember(lambda: self._register.set_passphrase(account, hashed))

    async def contest(self, mac: MacAddress, rule: str, text: str) -> Refused | None:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._remember(
            lambda: self._register.contest(account, rule[:RULE_CHARS_MAX], text, self._reconcile.instant())
        )

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        reconcile = self._reconcile
        account, seat = reconcile.account_of(mac), reconcile.presence.seats.get(mac)
        view = self._views.view(mac)
        return {
            "device": mac,
            "account": account,
            "name": reconcile.roll.names.get(account, ""),
            "state": view.state,
            "way": self._register.way_of(mac),
            "terms_accepted": seat.terms if seat is not None else "",
            "seconds_left": view.seconds_left,
            "removed_because": view.removed_because,
            "bytes_by_day": await self._bytes_by_day(account),
            **belongings.own_rows(self._register, account, mac, reconcile.instant()),
        }

    async def erase(self, mac: MacAddress) -> None:
        account = self._reconcile.account_of(mac)
        is_last = {mac} >= {each.mac for each in self._views.devices(account, mac)}
        rows = belongings.erase(self._register, account, mac, self._reconcile.instant())
        await self._reconcile.erase(mac, account, is_last=is_last, changes=rows)

    # --- within --------------------------------------------------------------------------

    async def _remember(self, change: Callable[[], "tuple[Change, ...] | Denied"]) -> Refused | None:
        if (refused := await self._doorway.unable_to_keep()) is not None:
            return refused
        rows = change()
        if isinstance(rows, Denied):
            return refusal(rows)
        await self._reconcile.remember(rows)
        return Refused("memory") if self._reconcile.keeper.why_unstored(rows) else None

    def _describe(self) -> CommunityView:
        config, book = self._config, self._reconcile.rulebook
        terms = self._register.terms.current
        language = ENGLISH.tag if config.node.terms == TERMS else config.portal.language
        texts = terms.texts if terms is not None else (TermsText(language, config.node.terms),)
        is_village = bool(self._reconcile.roll.units)
        return CommunityView(
            community=config.community.name,
            node=config.node.name,
            portal_host=config.portal.host,
            sentences=describe(book.ruleset),
            contact=config.node.contact,
            terms=texts[0].text,
            terms_version=terms.version if terms is not None else config.node.terms_version,
            terms_texts=texts,
            ways=tuple(way for way in book.ruleset.joining.ways if is_village or way not in WAYS_OF_MEMBERS),
            portal_url=self._portal_url(),
            help=config.node.help,
            language=config.portal.language,
            languages=config.portal.languages,
            ruleset=book.ruleset,
            outage=self._outage(),
        )

    def _outage(self) -> Outage | None:
        since = self._down_since()
        if since is None:
            return None
        if self._clock.state() == "unknown":
            return Outage(None)
        return Outage(self._clock.civil() - timedelta(milliseconds=self._clock.monotonic() - since))

    async def _bytes_by_day(self, account: AccountId) -> Mapping[str, Mapping[str, int]]:
        """What the account used on all nodes, for each day that is kept, the newest first. While the data folder
        cannot be read, the days of this month alone."""
        today = self._reconcile.today()
        if today == DAY_UNKNOWN:
            return {}
        first = (date.fromisoformat(today) - timedelta(days=KEEP_USED_DAYS)).isoformat()
        used: dict[str, Usage] = {}
        for key, cell in (await self._reconcile.keeper.cells(first, account=account)).items():
            if first <= key.day <= today:
                used[key.day] = used.get(key.day, NO_USAGE) + cell.uplink
        days = sorted(used, reverse=True)
        return {day: {"down": used[day].down, "up": used[day].up} for day in days if used[day] != NO_USAGE}

    def _see(self, mac: MacAddress) -> None:
        self._seen.pop(mac, None)
        self._seen[mac] = self._clock.monotonic()
        if len(self._seen) > SEEN_MAX:
            self._seen.pop(next(iter(self._seen)))
