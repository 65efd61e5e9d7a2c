"""Application service of the captive portal."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from node.accounting.intervals import IntervalUsage, kept_times
from node.accounting.periods import DAY_UNKNOWN
from node.accounts import personal_data
from node.accounts.appearance import accent_style, logo_in
from node.accounts.auth_result import Rejected
from node.accounts.changes import Change
from node.accounts.events import EVENTS_MAX, Event, EventFound
from node.accounts.member_passphrases import hash_passphrase, is_fit
from node.accounts.messages import Message
from node.accounts.notices import Notice, is_shown, places_at
from node.accounts.objections import RULE_CHARS_MAX
from node.accounts.personal_data import InventoryEntry
from node.accounts.terms import TermsText
from node.app.admin_events import OWN_EVENTS_MAX, EventArchive, events_about, moment_of
from node.app.admission import AdmissionService, refusal
from node.app.case_views import CaseView, CaseViews
from node.app.daily_usage import DayUse, open_week
from node.app.event_words import WHAT, by_text
from node.app.next_rules import NextRulesService, NextRulesView
from node.app.passphrase_queue import PassphraseQueue
from node.app.shared_erasures import SharedErasures
from node.app.views import (
    AccountViews,
    Admitted,
    CommunityView,
    DeviceCode,
    Entry,
    Full,
    GuestView,
    JoinFailure,
    Muting,
    NextRules,
    Outage,
    Refused,
)
from node.config import NodeConfig
from node.config.settings import TERMS, TERMS_LANGUAGE
from node.control.persistence import KEEP_USED_DAYS
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.errors import NodeError
from node.governance.rules import WAYS_OF_MEMBERS
from node.lan.mdns_services import ServiceView
from node.sessions import state as session_state
from node.translator import Translator
from node.units import NO_USAGE, AccountId, MacAddress, Monotonic, Usage

SEEN_MS = 10 * 60_000
SEEN_MAX = 4_096


async def _no_intervals(_account: AccountId, _since: int, _until: int) -> tuple[()]:
    return ()


class AccountService:
    """The node, as far as the portal may use it. The node limits each text that people type; the portal
    limits the whole form."""

    def __init__(
        self,
        reconciler: Reconciler,
        config: NodeConfig,
        clock: Clock,
        *,
        new_salt: Callable[[], bytes],
        next_rules: NextRulesService,
        kept: tuple[InventoryEntry, ...] = (),
        services: Callable[[], tuple[ServiceView, ...]] = tuple,
        portal_url: Callable[[], str] = str,
        down_since: Callable[[], Monotonic | None] = lambda: None,
        intervals_of: Callable[
            [AccountId, int, int], Awaitable[Sequence[tuple[int, IntervalUsage]]]
        ] = _no_intervals,
        archive: EventArchive | None = None,
        erasures: SharedErasures | None = None,
        removed_nodes: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """`new_salt` returns random bytes for one passphrase hash; `down_since` returns since when
        the uplink is down, or None; `intervals_of` an account's usage in intervals between two Unix times, oldest
        first; `archive` has the events; `removed_nodes` are the names of those that left the community."""
        self._archive = archive
        self._reconciler, self._config, self._clock = reconciler, config, clock
        self._registry, self._policy = reconciler.registry, reconciler.effective_policy
        self._new_salt, self._kept, self._services = new_salt, kept, services
        self._portal_url, self._down_since = portal_url, down_since
        self._intervals_of, self._next_rules = intervals_of, next_rules
        self._removed_nodes = removed_nodes
        self.erasures = erasures or SharedErasures(reconciler)
        """Those that other nodes are told of."""
        self.erasures.on_erased = next_rules.forget_usage
        self._views = AccountViews(self._policy, self._registry, clock, reconciler.uplink_rate_control)
        self._admission = AdmissionService(reconciler, self._views)
        self.refused: dict[JoinFailure, int] = defaultdict(int)
        """Attempts to join that failed since the node started, by reason."""
        self.outage_note: tuple[str, datetime | None] = ("", None)
        """What an admin tells people while the line is down: who knows about it, and until when it may last."""
        self._described: tuple[tuple[object, ...], CommunityView] | None = None
        self._seen: dict[MacAddress, Monotonic] = {}
        self.on_device: Callable[[MacAddress], None] = lambda _mac: None
        """Called with each device that asks for a page, before it is answered."""
        self.told: Callable[[AccountId | None, MacAddress], Sequence[Mapping[str, str]]] = (
            lambda _account, _mac: ()
        )
        """What nodes tell each other about this account and device."""

    @property
    def admission(self) -> AdmissionService:
        return self._admission

    @property
    def passphrases(self) -> PassphraseQueue:
        """The queue of all passphrase checks of the node."""
        return self._admission.passphrases

    def waiting(self) -> int:
        """Number of devices that used the portal in the last SEEN_MS and are not authorized."""
        now, state = self._clock.monotonic(), self._reconciler.session_table.state
        return sum(
            now - seen < SEEN_MS and not isinstance(state(mac), session_state.Authorized)
            for mac, seen in self._seen.items()
        )

    # --- views -------------------------------------------------------------------------

    def guest(self, mac: MacAddress) -> GuestView:
        self._see(mac)
        return self._views.view(mac)

    def week(self, mac: MacAddress) -> tuple[DayUse, ...]:
        """What the account of an authorized device used on each of the last days, the latest first."""
        account = self._views.account_of(mac)
        return () if account is None else open_week(self._policy, account, self._reconciler.today())

    def is_admitted(self, mac: MacAddress) -> bool:
        self._see(mac)
        return self._reconciler.session_table.is_admitted(mac)

    def community(self) -> CommunityView:
        terms, down_since = self._registry.terms.current, self._down_since()
        seen = (
            self._policy.active_ruleset.fingerprint,
            bool(self._policy.member_directory.units),
            terms and terms.version,
            self._registry.appearance,
            self._portal_url(),
            down_since,
            down_since is None or (self._clock.state(), self.outage_note),
            self._removed_nodes(),
        )
        if self._described is None or self._described[0] != seen:
            self._described = seen, self._describe()
        return self._described[1]

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        """Notices for this device today, urgent and newest first."""
        own, heard = self._registry.notices, self._registry.heard_notices
        if not len(own) and not len(heard):  # checked first because every page asks
            return ()
        node, today = self._config.node, self._reconciler.persistence.instant().today
        zones = (node.zone,) if node.zone else ()
        reader = self._views.reader(mac)
        visible = own.visible(reader, node=node.name, zones=zones, today=today)
        places = places_at(node.name, zones)
        told = (each for each in heard.all() if is_shown(each, reader, places, today))
        return tuple(sorted((*visible, *told), key=lambda each: not each.is_urgent))

    def services(self) -> tuple[ServiceView, ...]:
        return self._services()

    def next_rules_note(self) -> NextRules:
        """Whether there are rules that do not bind yet."""
        return self._next_rules.note()

    def ladder_cases(self, mac: MacAddress, words: Translator) -> tuple[CaseView, ...]:
        """The cases of ladders about the device's account; none without a session."""
        account = self._views.account_of(mac)
        if account is None or not len(self._registry.ladder_cases):
            return ()
        ruleset, now = self._policy.active_ruleset.ruleset, self._reconciler.persistence.instant()
        return CaseViews(self._registry, ruleset, now, self._clock.civil().tzinfo, words).shown_to(account)

    def message(self, mac: MacAddress) -> Message | None:
        """What an admin wrote to the device's account, until somebody of it says that they read it."""
        account = self._views.account_of(mac)
        return None if account is None else self._registry.messages.unread(account)

    async def read_message(self, mac: MacAddress, shown: str) -> Refused | None:
        """Somebody of the account read the message with this fingerprint; nothing happens if there is another one now."""
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        today = self._reconciler.persistence.instant().today
        return await self._remember(lambda: self._registry.messages.read(account, shown, today))

    async def admin_acts(self, mac: MacAddress) -> tuple[EventFound, ...]:
        """What admins did to the device's account, the newest first; none without a session."""
        account = self._views.account_of(mac)
        return () if account is None else await self._events_about(account, OWN_EVENTS_MAX)

    async def _events_about(self, account: AccountId | None, limit: int) -> tuple[EventFound, ...]:
        if self._archive is None or account is None:
            return ()
        return await events_about(self._archive, account, limit)

    def moment_of(self, event: Event) -> datetime | None:
        """When it was, in the node's time zone; None if the clock was unknown."""
        return moment_of(event, self._clock.civil().tzinfo)

    @property
    def events_days(self) -> int:
        """How long events are kept."""
        return self._config.admin.events_days

    async def next_rules(self, mac: MacAddress | None, words: Translator, number: int = 0) -> NextRulesView:
        """Rules that wait, are on trial, or were stopped by objections, or the draft with this number; for a device with a
        session also what they change for its account."""
        account = None if mac is None else self._views.account_of(mac)
        return await self._next_rules.view(account, words, number)

    def kept(self) -> tuple[InventoryEntry, ...]:
        return self._kept

    # --- sign in and leave ---------------------------------------------------------------

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        """Returns once the session is stored and the kernel forwards the device's packets.

        For some minutes after `Full` the device can send `instead_of` without new credentials.
        """
        result = await self._admission.admit(mac, entry, terms_version, instead_of)
        if not isinstance(result, Admitted):
            self.refused[result.reason if isinstance(result, Refused) else "device-limit"] += 1
        return result

    async def leave(self, mac: MacAddress) -> None:
        """Ends the session; also withdraws a sponsor request."""
        self._registry.sponsorship.withdraw(mac, self._clock.monotonic())
        await self._reconciler.leave(mac)

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        """Sends a sponsor request of a guest named `name` to the member `host`."""
        return self._admission.ask(mac, host, name, terms_version)

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        """A member approves (`yes`) or declines sponsor request `number`."""
        return await self._admission.answer(mac, number, yes=yes)

    async def mute(self, mac: MacAddress, number: int, muting: Muting) -> Refused | None:
        """Mutes sponsor requests for a day: of the device behind request `number`, or all; or unmutes all."""
        return self._admission.mute(mac, number, muting)

    # --- changes to the own account ------------------------------------------------------

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        """A code that binds one more device to this account; it replaces an earlier code."""
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        if (refused := self._admission.forgetful()) is not None:
            return refused
        self._registry.new_device_code(mac, account, self._reconciler.persistence.instant())
        return self._views.device_code(account) or Refused("code-used")

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._remember(
            lambda: self._registry.name_device(account, device, name, self._reconciler.persistence.instant())
        )

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        """Ends the session of a device of the same account, and removes its binding."""
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        session_entry, binding = (
            self._reconciler.session_table.session_entries.get(device),
            self._registry.bindings.get(device),
        )
        rows = self._registry.unbind(account, device)
        if isinstance(rows, Rejected):
            if device not in {each.mac for each in self._views.devices(account, mac)}:
                return refusal(rows)
            rows = ()  # known only from the member directory or its session: no binding to delete
        self._reconciler.persistence.pending.add(rows)
        # A device that the member directory now assigns to another account loses only its binding.
        if session_entry is None or session_entry.account in {account, binding and binding.account}:
            await self._reconciler.leave(device)
        await self._reconciler.remember(())
        return None

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        """Sets the passphrase. `current` is the present one, which a device with a spoofed hardware address
        does not know. It is not needed while `has_shown_card`."""
        account, now = self._views.account_of(mac), self._clock.monotonic()
        if account is None or not self._registry.is_member(account):
            return Refused("not-a-member")
        if not is_fit(passphrase):
            return Refused("too-long")
        if not self._registry.step_up.has_shown(mac, account, now):
            if not self._registry.has_passphrase(account):
                return Refused("no-passphrase")
            if (refused := await self._admission.prove(mac, account, current)) is not None:
                return refused
        salt = self._new_salt()
        try:
            hashed = await self._admission.passphrases.turn(
                mac, lambda: hash_passphrase(passphrase, salt), is_known=True
            )
        except NodeError as busy:
            return Refused("trouble", str(busy))
        return await self._remember(lambda: self._registry.set_passphrase(account, hashed))

    async def add_objection(self, mac: MacAddress, rule: str, text: str) -> Refused | None:
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._remember(
            lambda: self._registry.add_objection(
                account, rule[:RULE_CHARS_MAX], text, self._reconciler.persistence.instant()
            )
        )

    async def object_to_rules(self, mac: MacAddress, number: int, text: str) -> Refused | None:
        """Objects to version `number`, which waits or is a draft; enough objections withdraw what waits."""
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._next_rules.object(account, number, text)

    async def take_back_objection(self, mac: MacAddress, number: int) -> Refused | None:
        """Takes back the account's objection to version `number`, which waits or is a draft."""
        account = self._views.account_of(mac)
        if account is None:
            return Refused("not-yours")
        return await self._next_rules.take_back(account, number)

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        """All personal data about this device and its account, ready for JSON."""
        reconciler = self._reconciler
        account, session_entry = (
            self._policy.account_of(mac),
            reconciler.session_table.session_entries.get(mac),
        )
        view, directory = self._views.view(mac), self._policy.member_directory
        paid = None if account is None else directory.paid_until.get(account)
        return {
            "device": mac,
            "account": account,
            "name": "" if account is None else directory.names.get(account, ""),
            "paid_until": "" if paid is None else paid.isoformat(),
            "state": view.state,
            "way": self._registry.way_of(mac),
            "terms_accepted": session_entry.terms if session_entry is not None else "",
            "seconds_left": view.seconds_left,
            "removed_because": view.removed_because,
            "bytes_by_day": await self._bytes_by_day(account),
            "bytes_by_interval": await self._bytes_by_interval(account),
            **personal_data.own_rows(self._registry, account, mac, reconciler.persistence.instant()),
            "admin_acts": [
                self._act_row(each.event) for each in await self._events_about(account, EVENTS_MAX)
            ],
            "told": self.told(account, mac),
        }

    def _act_row(self, event: Event) -> Mapping[str, object]:
        at = self.moment_of(event)
        return {
            "at": "" if at is None else at.isoformat(" ", "minutes"),
            "by": by_text(event.by),
            "act": WHAT[event.kind],
            "about": event.about,
            "reason": event.text,
        }

    async def erase(self, mac: MacAddress) -> None:
        """Ends the session and erases the personal data, except this month's counters: the shares of other
        accounts depend on them until the month ends."""
        account = self._policy.account_of(mac)
        is_last = {mac} >= {each.mac for each in self._views.devices(account, mac)}
        rows = personal_data.erase(self._registry, account, mac, self._reconciler.persistence.instant())
        self.erasures.tell(account, mac, is_last=is_last)
        await self._reconciler.erase(mac, account, is_last=is_last, changes=rows)
        self._next_rules.forget_usage()

    # --- internal ------------------------------------------------------------------------

    async def _remember(self, change: Callable[[], "tuple[Change, ...] | Rejected"]) -> Refused | None:
        if (refused := await self._admission.unable_to_keep()) is not None:
            return refused
        rows = change()
        if isinstance(rows, Rejected):
            return refusal(rows)
        await self._reconciler.remember(rows)
        return Refused("memory") if self._reconciler.persistence.why_unstored(rows) else None

    def _describe(self) -> CommunityView:
        config, active = self._config, self._policy.active_ruleset
        terms = self._registry.terms.current
        language = TERMS_LANGUAGE if config.node.terms == TERMS else config.portal.language
        texts = terms.texts if terms is not None else (TermsText(language, config.node.terms),)
        is_village = bool(self._policy.member_directory.units)
        return CommunityView(
            community=config.community.name,
            node=config.node.name,
            portal_host=config.portal.host,
            contact=config.node.contact,
            terms_version=terms.version if terms is not None else config.node.terms_version,
            terms_texts=texts,
            ways=tuple(
                way for way in active.ruleset.joining.ways if is_village or way not in WAYS_OF_MEMBERS
            ),
            portal_url=self._portal_url(),
            help=config.node.help,
            language=config.portal.language,
            languages=config.portal.languages,
            ruleset=active.ruleset,
            uplink=active.uplink_name,
            outage=self._outage(),
            appearance=self._registry.appearance,
            logo=logo_in(self._registry.appearance.logo),
            style=accent_style(self._registry.appearance),
            removed_nodes=self._removed_nodes(),
        )

    def _outage(self) -> Outage | None:
        since = self._down_since()
        if since is None:
            return None
        if self._clock.state() == "unknown":
            return Outage(None, *self.outage_note)
        began = self._clock.civil() - timedelta(milliseconds=self._clock.monotonic() - since)
        return Outage(began, *self.outage_note)

    async def _bytes_by_day(self, account: AccountId) -> Mapping[str, Mapping[str, int]]:
        """Usage of the account on all nodes for each stored day, newest first. While the data folder cannot be read,
        only the days of this month."""
        today = self._reconciler.today()
        if today == DAY_UNKNOWN:
            return {}
        first = (date.fromisoformat(today) - timedelta(days=KEEP_USED_DAYS)).isoformat()
        used: dict[str, Usage] = {}
        for key, bucket in (await self._reconciler.persistence.buckets(first, account=account)).items():
            if first <= key.day <= today:
                used[key.day] = used.get(key.day, NO_USAGE) + bucket.uplink
        days = sorted(used, reverse=True)
        return {day: {"down": used[day].down, "up": used[day].up} for day in days if used[day] != NO_USAGE}

    async def _bytes_by_interval(self, account: AccountId) -> list[Mapping[str, object]]:
        """Usage of the account on this node in each interval of five minutes that is kept, newest first."""
        if self._clock.state() == "unknown":
            return []
        now = self._clock.civil()
        found = await self._intervals_of(account, *kept_times(int(now.timestamp())))
        return [
            {
                "begun": datetime.fromtimestamp(begun, now.tzinfo).isoformat(" ", "minutes"),
                "down": used.down,
                "up": used.up,
                "is_busy": is_busy,
            }
            for begun, (used, is_busy) in reversed(found)
        ]

    def _see(self, mac: MacAddress) -> None:
        self.on_device(mac)
        self._seen.pop(mac, None)
        self._seen[mac] = self._clock.monotonic()
        if len(self._seen) > SEEN_MAX:
            self._seen.pop(next(iter(self._seen)))
