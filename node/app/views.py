"""What the captive portal exchanges with the application services: views, authentication methods and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from node.accounts.appearance import NO_APPEARANCE, Appearance, Logo
from node.accounts.auth_result import RejectReason
from node.accounts.codes import shown
from node.accounts.notices import NOBODY_YET, Reader
from node.accounts.objections import Objection
from node.accounts.registry import AccountRegistry
from node.accounts.terms import TermsText
from node.control.effective_policy import EffectivePolicy
from node.control.ports import Clock
from node.control.rates import is_at_ceiling
from node.control.uplink_rate_control import UplinkRateControl
from node.governance.allowance import Allowance
from node.governance.rules import WAYS, Ruleset, Way
from node.sessions import state as session_state
from node.translator import gettext_lazy
from node.units import NO_RATES, NO_USAGE, AccountId, Bytes, MacAddress, Monotonic, Rates, Usage
from node.uplink.line import Knowledge


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device of an account, as shown to its own users."""

    mac: MacAddress
    name: str
    """Empty until named."""
    is_this: bool
    is_online: bool
    idle_s: int | None
    """Seconds since its last packet; None while that is not known."""
    since_day: str = ""


@dataclass(frozen=True, slots=True)
class AskedFor:
    """The device waits for a member to sponsor it."""

    host: str
    """As typed by the guest; whether that member exists is not disclosed."""
    name: str
    sign: str
    """Four digits shown to both sides, so that the member approves the right device."""
    seconds_left: int


@dataclass(frozen=True, slots=True)
class IntroductionRequest:
    """A guest's request to this account for sponsorship."""

    number: int
    name: str
    sign: str
    seconds_left: int


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A code that binds one more device to this account."""

    code: str
    """In groups, for reading."""
    seconds_left: int


LineKnowledge = Knowledge | Literal["stated", "less"]
"""``stated``: the rate is not measured; ``less``: and packets wait in the line's own queue, so it carries less than that."""
LINE_KNOWN: Mapping[LineKnowledge, str] = {
    "known": gettext_lazy("Measured: this is what the line carries now."),
    "guess": gettext_lazy(
        "This is the best guess. The line was not full lately, so it may carry more or less."
    ),
    "blind": gettext_lazy("It cannot be measured right now, so this is the stated speed."),
    "stated": gettext_lazy("This is the stated speed. It is not measured."),
    "less": gettext_lazy("This is the stated speed, but the line carries less right now."),
}


@dataclass(frozen=True, slots=True)
class LineView:
    """The uplink as it is shared now."""

    rates: Rates
    known: LineKnowledge
    could_have: Rates | None = None
    """What the account could have if it began to transfer, given who does; None without a session."""


def line_view(
    policy: EffectivePolicy, uplink: UplinkRateControl, account: AccountId | None = None
) -> LineView | None:
    """None while the rules do not state the uplink's rate."""
    present = policy.present
    if present is None:
        return None
    stated: LineKnowledge = "stated" if uplink.waits_ms is None else "less"
    could_have = None if account is None else policy.present_share(account)
    return LineView(present, uplink.knowledge or stated, could_have)


GuestState = Literal["waiting", "admitted", "expired", "removed"]


@dataclass(frozen=True, slots=True)
class GuestView:
    """One device with its account and limits, for its own user only."""

    state: GuestState
    account: AccountId | None
    used: Usage
    """This month, all devices of the account, all nodes."""
    allowance: Allowance | None
    """None while the device is not authorized."""
    seconds_left: int | None
    bytes_left: Bytes | None
    """The smallest remainder of the account's quotas; None without quotas."""
    devices: tuple[DeviceView, ...] = ()
    removed_because: str | None = None
    removed_for_s: int | None = None
    """Seconds until the block ends; None if only an admin ends it."""
    way: Way | None = None
    """How the device joined; in state `expired`, how the ended session began."""
    name: str = ""
    """Display name of the account in the member directory; empty without one."""
    tier: str = ""
    terms_version: str = ""
    """Version that was accepted."""
    devices_max: int | None = None
    asked_for: AskedFor | None = None
    went_unanswered: bool = False
    """The device's sponsor request has lately ended without approval."""
    requests: tuple[IntroductionRequest, ...] = ()
    unasked_s: int | None = None
    """Seconds for which this member gets no sponsor requests, at their own wish; None when all are shown."""
    device_code: DeviceCode | None = None
    objections: tuple[Objection, ...] = ()
    is_member: bool = False
    """May sponsor guests and set a passphrase."""
    has_passphrase: bool = False
    has_shown_card: bool = False
    """Shortly before, on this device: a new passphrase can be set without the current one."""
    line: LineView | None = None
    """None while the device is not authorized, and while the uplink is not shared."""
    late_dues: date | None = None
    """The last day for which dues are paid, while rules for late dues apply."""
    is_at_ceiling: bool = False
    """Its transfers are as fast as its ceiling allows."""
    comes_back: bool = False
    """Not authorized now, but bound to an account that can join without new credentials."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The uplink is down; local services still work."""

    since: datetime | None
    """None while the clock is not synchronized."""
    known_to: str = ""
    """Those who know about it, as an admin wrote; empty if nobody wrote it."""
    until: datetime | None = None
    """Until when an admin expects it to last; None if that is not known."""


@dataclass(frozen=True, slots=True)
class NextRules:
    """Rules that do not bind yet."""

    state: Literal["", "waiting", "trial", "stopped", "draft"]
    """``stopped``: members objected; ``draft``: nobody has decided them; empty: there are none."""
    number: int
    """Of the version; 0 for none."""
    drafts: tuple[int, ...] = ()
    """Numbers of all open drafts, the newest first."""


NO_NEXT_RULES = NextRules("", 0)


@dataclass(frozen=True, slots=True)
class CommunityView:
    """What any client may know about the network, before and without authorization."""

    community: str
    node: str
    portal_host: str
    contact: str
    terms_version: str
    terms_texts: tuple[TermsText, ...]
    """The terms in every language in which they were written; the first text is the one that binds."""
    ruleset: Ruleset
    """The rules in force, for all lines."""
    ways: tuple[Way, ...] = WAYS
    """Join methods that the rules allow, in the order of the page."""
    uplink: str = ""
    """The line of this node, as its settings say."""
    portal_url: str = ""
    """The https URL such as ``https://login.vall.example`` while there is a certificate; otherwise empty."""
    help: str = ""
    """How to help the network, in the community's own words."""
    language: str = "en"
    """The community's language (RFC 5646): the fallback when no language of the browser is available."""
    languages: tuple[str, ...] = ()
    """Languages to choose from besides its own; empty for all that have a catalogue."""
    outage: Outage | None = None
    appearance: Appearance = NO_APPEARANCE
    logo: Logo | None = None
    """That of `appearance`, decoded."""
    style: str = ""
    """Style sheet with the accent colours of `appearance`."""
    removed_nodes: tuple[str, ...] = ()
    """Names of nodes that left the community, and may still hold copies of what they received."""

    @property
    def own_rules(self) -> Ruleset:
        """Those of this node's line."""
        return self.ruleset.of_uplink(self.uplink)


# --- outcomes of joining -----------------------------------------------------------------

RefusalReason = Literal[
    RejectReason,
    "removed",  # blocked by an administrator; `detail` is the stated reason
    "trouble",  # the node cannot do it now; `detail` says why
    "memory",  # the node's storage fails now; its log and its admins get the reason
    "rules-over",  # these rules do not wait, so nobody can object to them
    "no-passphrase",  # the account has no passphrase, and the first one can only be set with a card
]


JoinFailure = Literal[
    RefusalReason,
    "device-limit",  # the account has as many devices as it may have at once
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The device is authorized from now on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was done, and why."""

    reason: RefusalReason
    detail: str = ""
    wait_s: int = 0

    @property
    def wait_minutes(self) -> int:
        """Rounded up."""
        return -(-self.wait_s // 60)


@dataclass(frozen=True, slots=True)
class Full:
    """The account has reached its device limit; the user chooses the device to disconnect and sends the
    request again with `instead_of`."""

    devices: tuple[DeviceView, ...]
    devices_max: int


# --- authentication methods --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TermsAccepted:
    """No identity: the device gets an account of its own."""


@dataclass(frozen=True, slots=True)
class CodeTyped:
    """A voucher code, or a code that another device of the account shows. As typed."""

    code: str


@dataclass(frozen=True, slots=True)
class PassphraseTyped:
    """A member's account and passphrase. As typed."""

    account: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class CardShown:
    """Text of a membership card's QR code, with or without the URL before it."""

    card: str


Entry = TermsAccepted | CodeTyped | PassphraseTyped | CardShown

Muting = Literal["device", "all", "hear"]


# --- views -------------------------------------------------------------------------------


_STATES: dict[type, GuestState] = {
    session_state.Unauthorized: "waiting",
    session_state.Authorized: "admitted",
    session_state.Expired: "expired",
    session_state.Blocked: "removed",
}


class AccountViews:
    """Reads the effective policy and the account registry; changes nothing."""

    def __init__(
        self, policy: EffectivePolicy, registry: AccountRegistry, clock: Clock, uplink: UplinkRateControl
    ) -> None:
        self._policy, self._registry, self._clock, self._uplink = policy, registry, clock, uplink
        self._session_table = policy.session_table

    def account_of(self, mac: MacAddress) -> AccountId | None:
        """The account of an authorized device, else None: only with a session may a
        device change or see the account."""
        session_table = self._session_table
        return session_table.session_entries[mac].account if session_table.is_admitted(mac) else None

    def reader(self, mac: MacAddress | None) -> Reader:
        """Selects the notices that this device may read."""
        account = None if mac is None else self.account_of(mac)
        if account is None:
            return NOBODY_YET
        groups = self._policy.unit(account).groups
        return Reader(True, self._registry.is_member(account), groups)

    def view(self, mac: MacAddress) -> GuestView:
        session_table, now = self._session_table, self._clock.monotonic()
        guest, session_entry = session_table.state(mac), session_table.session_entries.get(mac)
        if session_entry is not None and isinstance(guest, session_state.Authorized):
            return self._inside(mac, guest, session_entry.account, now)
        account = session_entry.account if session_entry is not None else None
        return GuestView(
            state=_STATES[type(guest)],
            account=account,
            used=NO_USAGE if account is None else self._policy.used_this_month(account),
            allowance=None,
            seconds_left=None,
            bytes_left=None,
            removed_because=guest.because if isinstance(guest, session_state.Blocked) else None,
            removed_for_s=self._seconds_to(guest.until, now)
            if isinstance(guest, session_state.Blocked) and guest.until is not None
            else None,
            way=self._ended_way(mac, now) if isinstance(guest, session_state.Expired) else None,
            asked_for=self._asked_for(mac, now),
            went_unanswered=self._registry.sponsorship.went_unanswered(mac, now),
            comes_back=not isinstance(guest, session_state.Blocked) and self._comes_back(mac, now),
        )

    def _inside(
        self, mac: MacAddress, guest: session_state.Authorized, account: AccountId, now: Monotonic
    ) -> GuestView:
        policy, registry = self._policy, self._registry
        allowance = policy.allowance_at(account, policy.moment())
        is_member = registry.is_member(account)
        return GuestView(
            state="admitted",
            account=account,
            used=policy.used_this_month(account),
            allowance=allowance,
            seconds_left=None if guest.until is None else self._seconds_to(guest.until, now),
            bytes_left=min((quota.left for quota in allowance.quotas if not quota.is_alert), default=None),
            devices=self.devices(account, mac),
            way=registry.way_of(mac),
            name=policy.member_directory.names.get(account, ""),
            tier=policy.unit(account).tier,
            terms_version=self._session_table.session_entries[mac].terms,
            devices_max=policy.devices_max(account, allowance),
            asked_for=self._asked_for(mac, now),
            requests=self._requests(account, now) if is_member else (),
            unasked_s=self._unasked_s(account, now) if is_member else None,
            device_code=self._device_code(account, now),
            objections=registry.objections.of(account),
            is_member=is_member,
            has_passphrase=is_member and registry.has_passphrase(account),
            has_shown_card=is_member and registry.step_up.has_shown(mac, account, now),
            line=line_view(policy, self._uplink, account),
            late_dues=policy.member_directory.paid_until.get(account) if policy.is_late(account) else None,
            is_at_ceiling=allowance.ceiling is not None
            and is_at_ceiling(policy.in_use.get(account, NO_RATES), allowance.ceiling.value),
        )

    def devices(self, account: AccountId, asker: MacAddress) -> tuple[DeviceView, ...]:
        """All devices of the account: with a session, bound to it, or listed in the member directory."""
        session_table, registry = self._session_table, self._registry
        bound = {binding.mac: binding for binding in registry.bindings.of(account)}
        with_session = [
            mac
            for mac in session_table.devices_of(account)
            if session_table.is_admitted(mac) or self._policy.account_of(mac) == account
        ]
        listed = self._policy.member_directory.devices_of(account)
        return tuple(
            DeviceView(
                mac=mac,
                name=registry.bindings.name_of(mac),
                is_this=mac == asker,
                is_online=session_table.is_admitted(mac),
                idle_s=self._idle_s(mac),
                since_day=bound[mac].bound_day if mac in bound else "",
            )
            for mac in dict.fromkeys((*bound, *listed, *with_session))
        )

    def device_code(self, account: AccountId) -> DeviceCode | None:
        return self._device_code(account, self._clock.monotonic())

    def _device_code(self, account: AccountId, now: Monotonic) -> DeviceCode | None:
        code = self._registry.device_codes.of(account, now)
        return None if code is None else DeviceCode(shown(code.code), self._seconds_to(code.ends, now))

    def _asked_for(self, mac: MacAddress, now: Monotonic) -> AskedFor | None:
        asked = self._registry.sponsorship.of_device(mac, now)
        if asked is None:
            return None
        return AskedFor(asked.asked_for, asked.name, asked.sign, self._seconds_to(asked.ends, now))

    def _ended_way(self, mac: MacAddress, now: Monotonic) -> Way | None:
        """None when only the session has ended and the voucher is still valid."""
        end = self._policy.voucher_end(self._policy.account_of(mac))
        return None if end is not None and now < end else self._registry.way_of(mac)

    def _comes_back(self, mac: MacAddress, now: Monotonic) -> bool:
        ways = self._policy.active_ruleset.ruleset.joining.ways
        if "terms" in ways:
            return False
        account = self._registry.account_of(mac)
        if account is None:
            return mac in self._policy.member_directory.devices
        end = self._policy.voucher_end(account)
        return self._registry.way_of(mac) in ways if end is None else now < end

    def _requests(self, account: AccountId, now: Monotonic) -> tuple[IntroductionRequest, ...]:
        return tuple(
            IntroductionRequest(each.number, each.name, each.sign, self._seconds_to(each.ends, now))
            for each in self._registry.sponsorship.of_host(account, now)
        )

    def _unasked_s(self, account: AccountId, now: Monotonic) -> int | None:
        until = self._registry.sponsorship.muted_until(account, now)
        return None if until is None else self._seconds_to(until, now)

    def _idle_s(self, mac: MacAddress) -> int | None:
        session_table = self._session_table
        if not session_table.is_admitted(mac):
            return None
        idle_ms = session_table.idle_ms(mac, self._clock.monotonic())
        return None if idle_ms is None else max(0, idle_ms) // 1000

    def _seconds_to(self, end: Monotonic, now: Monotonic) -> int:
        return max(0, (end - now) // 1000)
