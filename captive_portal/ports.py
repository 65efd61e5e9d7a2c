"""What the front door needs from the house."""

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
    "removed",  # an admin took the device off; `detail` is the admin's reason
    "trouble",  # the node cannot do it just now; `detail` says why
    "memory",  # the node can read or write nothing just now; its log and its admins are told why
    "no-passphrase",  # there is none yet, and the first is not chosen here without a card
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The device may pass from now on."""

    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done, and why."""

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
    """One device of an account, as its people see it."""

    mac: MacAddress
    name: str
    """Empty until named."""
    is_this: bool
    is_online: bool
    idle_s: int | None
    """Since its last packet; None while that is not known."""
    since_day: str = ""


@dataclass(frozen=True, slots=True)
class Full:
    """The account has as many devices on as it may; the person chooses which makes room, and asks again with
    `instead_of`."""

    devices: tuple[DeviceView, ...]
    devices_max: int


# --- the ways in ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TermsAccepted:
    """No identity: the device is a guest of its own."""


@dataclass(frozen=True, slots=True)
class CodeTyped:
    """A voucher's code, or the code that another device of the account shows. As typed."""

    code: str


@dataclass(frozen=True, slots=True)
class PassphraseTyped:
    """A member's account and passphrase. As typed."""

    account: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class CardShown:
    """The text of a membership card's QR code, with or without the address before it."""

    card: str


Entry = TermsAccepted | CodeTyped | PassphraseTyped | CardShown


@dataclass(frozen=True, slots=True)
class AskedFor:
    """This device waits for a member's yes."""

    host: str
    """As the guest typed it; whether there is such a member is told to nobody."""
    name: str
    sign: str
    """Four digits that both sides see, so that the member says yes to the right device."""
    seconds_left: int


Muting = Literal["device", "all", "hear"]


@dataclass(frozen=True, slots=True)
class IntroductionRequest:
    """Somebody who asks this account to vouch for them."""

    number: int
    name: str
    sign: str
    seconds_left: int


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """Typed on another device, it brings that device into this account."""

    code: str
    """Grouped for reading."""
    seconds_left: int


# --- what people see --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GuestView:
    """One device as its own person may see it."""

    state: GuestState
    account: AccountId | None
    used: Usage
    """This month, all devices of the account, all nodes."""
    allowance: Allowance | None
    """None while the device is not admitted."""
    seconds_left: int | None
    bytes_left: Bytes | None
    """The smallest remainder of the account's quotas; None without any."""
    devices: tuple[DeviceView, ...] = ()
    removed_because: str | None = None
    way: Way | None = None
    """How it came in; for `expired`, which way has come to its end."""
    name: str = ""
    """What people call the account, where the roll says it."""
    tier: str = ""
    terms_version: str = ""
    """That was accepted."""
    devices_max: int | None = None
    asked_for: AskedFor | None = None
    went_unanswered: bool = False
    """Its question to a member has lately ended without a yes."""
    requests: tuple[IntroductionRequest, ...] = ()
    unasked_s: int | None = None
    """For how long nobody's question reaches this member, as they wished; None while they hear everybody."""
    device_code: DeviceCode | None = None
    objections: tuple[Objection, ...] = ()
    is_member: bool = False
    """May vouch for guests and set a passphrase."""
    has_passphrase: bool = False
    has_shown_card: bool = False
    """A moment ago, on this device: its person may choose a passphrase without the one before."""
    comes_back: bool = False
    """Not in now, but of an account that is let in again without showing anything, while others are not."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The line to the Internet is down; what is on this side of it still works."""

    since: datetime | None
    """None while the node does not know the time."""


@dataclass(frozen=True, slots=True)
class CommunityView:
    """What anyone may know about the network, before and without admission."""

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
    """Ways in that the rules open, in the order in which the page shows them."""
    portal_url: str = ""
    """The https address where there is a certificate, such as ``https://login.vall.example``; otherwise empty."""
    help: str = ""
    """How to help the network, in the community's own words."""
    language: str = "en"
    """The community's own (RFC 5646): for those whose browser asks for none that there is."""
    languages: tuple[str, ...] = ()
    """To choose from, besides its own; empty for all that have a catalogue."""
    ruleset: Ruleset | None = None
    """The rules in force, to be said in other languages; without it they are said as in `sentences`."""
    outage: Outage | None = None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service of the neighbourhood: reachable before and without admission."""

    name: str
    url: str
    about: str
    is_configured: bool
    """False for one that was found on the LAN by itself."""


@dataclass(frozen=True, slots=True)
class KeptView:
    """What the node keeps, why, and for how long: one table of its database."""

    table: str
    purpose: str
    retention: str


class PortalBackend(Protocol):
    """The node, as far as the front door may ask. What is typed by people is cut to the limits of its format by the
    house; the front door limits the whole form."""

    def guest(self, mac: MacAddress) -> GuestView: ...

    def community(self) -> CommunityView: ...

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        """Those that this device's person should see here today, the urgent and newest first."""

    def services(self) -> tuple[ServiceView, ...]: ...

    def kept(self) -> tuple[KeptView, ...]: ...

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        """Returns after the session is stored and the kernel lets the device pass.

        For some minutes after `Full` the device chooses `instead_of` without showing once more who it is.
        """

    async def leave(self, mac: MacAddress) -> None:
        """Ends the session; also takes back a question to a member."""

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        """The device's person, who is called `name`, asks the member `host` to vouch for them."""

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        """The person of a member's device answers request `number`."""

    async def mute(self, mac: MacAddress, number: int, whom: Muting) -> Refused | None:
        """The person of a member's device hears no question from the device that asked `number`, or from anybody, for a
        day; or hears everybody again."""

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        """A code for one more device of this device's account; it takes the place of an older one."""

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None: ...

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        """Takes a device of the own account off, and out of the account."""

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        """`current` is the passphrase until now: whoever has copied a member's hardware address does not know it. It is
        not asked for while `has_shown_card`."""

    async def add_objection(self, mac: MacAddress, rule: str, text: str) -> Refused | None: ...

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        """Everything that is kept about this device and its account, ready for JSON."""

    async def erase(self, mac: MacAddress) -> None:
        """Ends the session and deletes what is kept, except this month's counts, which the shares of others rest on
        until the month is over."""


class Callers(Protocol):
    """Who is asking, which nobody can choose by what they send to the portal."""

    def caller(self, ends: SocketAddresses) -> Caller:
        """Whose connection it is; asked once, when it opens, and kept for as long as it stands."""

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        """Whether another device is now said to hold the address from which `device` sends; asked for each request."""
