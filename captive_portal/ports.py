"""Interfaces of the portal: what it needs from the node, and the values that are passed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from captive_portal.callers import Caller, SocketAddresses
from node.accounts.auth_result import RejectReason
from node.accounts.notices import Notice
from node.accounts.objections import Objection
from node.accounts.terms import TermsText
from node.governance.allowance import Allowance
from node.governance.join_methods import WAYS, Way
from node.governance.rules import Ruleset
from node.units import AccountId, Bytes, MacAddress, Usage

GuestState = Literal["waiting", "admitted", "expired", "removed"]

RefusalReason = Literal[
    RejectReason,
    "removed",  # blocked by an administrator; `detail` is the stated reason
    "trouble",  # the node cannot do it now; `detail` says why
    "memory",  # the node's storage fails now; its log and its admins get the reason
    "no-passphrase",  # the account has no passphrase, and the first one can only be set with a card
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The device is authorized from now on."""

    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was done, and why."""

    reason: RefusalReason
    detail: str = ""
    rule: str | None = None
    wait_s: int = 0

    @property
    def wait_minutes(self) -> int:
        """Rounded up."""
        return -(-self.wait_s // 60)


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


@dataclass(frozen=True, slots=True)
class AskedFor:
    """The device waits for a member to sponsor it."""

    host: str
    """As typed by the guest; whether that member exists is not disclosed."""
    name: str
    sign: str
    """Four digits shown to both sides, so that the member approves the right device."""
    seconds_left: int


Muting = Literal["device", "all", "hear"]


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


# --- views ------------------------------------------------------------------------------


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
    comes_back: bool = False
    """Not authorized now, but bound to an account that can join without new credentials."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The uplink is down; local services still work."""

    since: datetime | None
    """None while the clock is not synchronized."""


@dataclass(frozen=True, slots=True)
class CommunityView:
    """What any client may know about the network, before and without authorization."""

    community: str
    node: str
    portal_host: str
    sentences: tuple[str, ...]
    """The rules in force, in plain English."""
    contact: str
    terms: str
    terms_version: str
    terms_texts: tuple[TermsText, ...] = ()
    """The same terms in other languages."""
    ways: tuple[Way, ...] = WAYS
    """Join methods that the rules allow, in the order of the page."""
    portal_url: str = ""
    """The https URL such as ``https://login.vall.example`` while there is a certificate; otherwise empty."""
    help: str = ""
    """How to help the network, in the community's own words."""
    language: str = "en"
    """The community's language (RFC 5646): the fallback when no language of the browser is available."""
    languages: tuple[str, ...] = ()
    """Languages to choose from besides its own; empty for all that have a catalogue."""
    ruleset: Ruleset | None = None
    """The rules in force, to be described in other languages; None: only `sentences` are shown."""
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A local service, reachable with and without authorization."""

    name: str
    url: str
    about: str
    is_configured: bool
    """False for a service discovered on the LAN."""


@dataclass(frozen=True, slots=True)
class KeptView:
    """What one table of the node's database keeps, why, and for how long."""

    table: str
    purpose: str
    retention: str


class PortalBackend(Protocol):
    """The node, as far as the portal may use it. The node limits each text that people type; the portal
    limits the whole form."""

    def guest(self, mac: MacAddress) -> GuestView: ...

    def community(self) -> CommunityView: ...

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        """Notices for this device today, urgent and newest first."""

    def services(self) -> tuple[ServiceView, ...]: ...

    def kept(self) -> tuple[KeptView, ...]: ...

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        """Returns once the session is stored and the kernel forwards the device's packets.

        For some minutes after `Full` the device can send `instead_of` without new credentials.
        """

    async def leave(self, mac: MacAddress) -> None:
        """Ends the session; also withdraws a sponsor request."""

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        """Sends a sponsor request of a guest named `name` to the member `host`."""

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        """A member approves (`yes`) or declines sponsor request `number`."""

    async def mute(self, mac: MacAddress, number: int, muting: Muting) -> Refused | None:
        """Mutes sponsor requests for a day: of the device behind request `number`, or all; or unmutes all."""

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        """A code that binds one more device to this account; it replaces an earlier code."""

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None: ...

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        """Ends the session of a device of the same account, and removes its binding."""

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        """Sets the passphrase. `current` is the present one, which a device with a spoofed hardware address
        does not know. It is not needed while `has_shown_card`."""

    async def add_objection(self, mac: MacAddress, rule: str, text: str) -> Refused | None: ...

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        """All personal data about this device and its account, ready for JSON."""

    async def erase(self, mac: MacAddress) -> None:
        """Ends the session and erases the personal data, except this month's counters: the shares of other
        accounts depend on them until the month ends."""


class Callers(Protocol):
    """Identifies clients by what they cannot choose in a request."""

    def caller(self, ends: SocketAddresses) -> Caller:
        """Device of a connection. Called once, when it opens; valid until it closes."""

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        """Whether another device now claims the address from which `device` sends. Called for each
        request."""
