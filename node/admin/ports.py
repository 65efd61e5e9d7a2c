"""What the admins' door needs from the house."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from node.accounts.notices import Notice
from node.accounts.objections import Objection
from node.accounts.terms import Terms, TermsText
from node.accounts.vouchers import Batch, VoucherState
from node.admin.signin import AdminSession, Signed
from node.errors import Finding
from node.governance.join_methods import Way
from node.units import AccountId, Bytes, MacAddress, Milliseconds, NodeId, Rates

CONFLICT = "conflict"
"""Code of the finding that says: somebody else saved meanwhile."""
UNSTORED = "unstored"
"""Code of the finding that says: it is done, but cannot be stored yet."""
BECAUSE_CHARS_MAX = 200
"""Of the reason that somebody reads who was taken off."""

DeviceState = Literal["online", "off", "removed"]


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """Where these pages are."""

    community: str
    node: str
    portal_host: str
    portal_url: str = ""
    """The https address of the portal where it has a certificate; otherwise empty."""
    zones: tuple[str, ...] = ()
    languages: tuple[tuple[str, str], ...] = (("en", "English"),)
    """Those that people may read: tag, and the language's name in itself. The community's own comes first."""

    @property
    def portal(self) -> str:
        """The portal's address without a slash at its end, as it is printed."""
        return self.portal_url.rstrip("/") or f"http://{self.portal_host}"


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One account that is on now."""

    account: AccountId
    tier: str
    devices: int
    rate: Rates
    used_month: Bytes
    share: int
    ceiling: str
    """Readable, or empty."""
    binding_rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PeerRow:
    """One neighbouring node."""

    node: NodeId
    name: str
    state: str
    """As `mesh.peering` names it; ``stranger`` for a key that is not in the community's list."""
    addresses: tuple[str, ...]
    heard_seconds_ago: int | None


@dataclass(frozen=True, slots=True)
class FlowsRow:
    """The kernel's connection tracking, seen within the last seconds."""

    entries: int = 0
    size: int = 0
    """0 while nothing is known."""
    per_device: int = 0
    """How many one admitted device may have."""
    heaviest: str = ""
    """The device with the most, as admins see devices; empty while nobody has any."""
    heaviest_flows: int = 0
    """An estimate when the table is large."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """The admin page's first screen."""

    community: str
    node: str
    node_id: NodeId
    uplink: Rates | None
    uplink_rate: Rates
    waiting: int
    """Devices seen that are not admitted."""
    online: tuple[OnlineRow, ...]
    peers: tuple[PeerRow, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    """Each says what is wrong and what mends it."""
    has_lost: bool = False
    """Whether one of them tells what a database lost; it stays until somebody acknowledges it."""
    flows: FlowsRow = FlowsRow()


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file as it is in force, and its fingerprint, so that two editors do not overwrite each other."""

    text: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """What a proposed rule file would mean."""

    findings: tuple[Finding, ...]
    difference: tuple[str, ...]
    """Unified diff lines against the file in force."""
    sentences: tuple[str, ...]
    """The proposed rules in plain language; empty when there are errors."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One rule file that was in force once."""

    number: int
    adopted: str
    by: str
    fingerprint: str


# --- vouchers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoucherOrder:
    """Vouchers that somebody wants to hand out."""

    count: int
    group: str
    lasts: Milliseconds
    devices_max: int
    """At once; 0 leaves it to the rules."""
    note: str


@dataclass(frozen=True, slots=True)
class IssuedBatch:
    """Fresh vouchers; nobody can tell their codes again later."""

    batch: Batch
    codes: tuple[str, ...]
    """Grouped for reading."""


@dataclass(frozen=True, slots=True)
class VoucherView:
    """What became of one voucher."""

    batch: Batch
    account: AccountId
    state: VoucherState
    used_day: str
    seconds_left: int | None
    """None unless it is in use."""


class VouchersBackend(Protocol):
    """An issuer is told of nothing but the batches that were issued under the same name."""

    def idempotency_key(self, cookie: str) -> str:
        """Makes one order, however often its form is sent."""

    async def issue(
        self, signed: Signed, order: VoucherOrder, cookie: str, idempotency_key: str
    ) -> IssuedBatch | tuple[Finding, ...]:
        """The vouchers, once they are stored; the same again for the same ticket, or all that is wrong."""

    def batches(self, signed: Signed) -> Sequence[Batch]:
        """The newest first."""

    def counts(self, number: int) -> Mapping[VoucherState, int]: ...

    async def revoke_batch(self, signed: Signed, number: int, *, back: bool) -> int | Finding:
        """How many vouchers count no more now; with `back`, how many revoked ones count again."""

    def find(self, signed: Signed, typed: str) -> VoucherView | Finding: ...

    async def revoke_voucher(self, signed: Signed, typed: str, *, back: bool) -> Finding | None: ...

    def groups(self) -> tuple[str, ...]:
        """Groups that the rules speak of."""


# --- people -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account, as a list shows it."""

    account: AccountId
    name: str
    tier: str
    devices: int
    """That are on now."""
    rate: Rates
    used_month: Bytes
    since_s: int | None
    """How long the one that is on for longest has been on; None while none is."""
    ways: tuple[Way, ...]
    """How its devices came in."""


@dataclass(frozen=True, slots=True)
class AdminDeviceRow:
    """One device."""

    mac: MacAddress
    account: AccountId
    name: str
    state: DeviceState
    way: Way | None
    since_day: str
    """When it came to the account; empty while it is not bound to any."""
    because: str = ""
    """Why it was taken off."""


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """One account with all that an admin needs to help its people."""

    row: PersonRow
    groups: tuple[str, ...]
    rule: str
    sentence: str
    """The rule that limits it most visibly now."""
    devices: tuple[AdminDeviceRow, ...]
    voucher: VoucherView | None
    objections: tuple[Objection, ...]
    is_member: bool


class PeopleBackend(Protocol):
    def find(self, query: str) -> Sequence[AccountId]:
        """Who is on now, the busiest first; with a query, everybody whose account, name, device or voucher code it is
        or begins."""

    def row(self, account: AccountId) -> PersonRow: ...

    def person(self, account: str) -> PersonDetails | None: ...

    def removed(self) -> Sequence[AdminDeviceRow]:
        """Devices that were taken off."""

    async def kick(self, account: str, mac: MacAddress | None, because: str) -> Finding | None:
        """Takes a device off, or all devices of the account; they stay out until pardoned, and read why."""

    async def pardon(self, mac: MacAddress) -> Finding | None: ...


# --- members ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """One account of the members' file."""

    account: str
    name: str = ""
    tier: str = ""
    groups: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MembersView:
    """The members' file as it is in force."""

    members: tuple[MemberEntry, ...]
    fingerprint: str
    tiers: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """Why the file on disk is not in force."""
    strained: tuple[Finding, ...] = ()
    """What of the rules does not fit these members; they are in force all the same."""


@dataclass(frozen=True, slots=True)
class CardView:
    """A membership card to print."""

    member: MemberEntry
    text: str
    last_day: str


class MembersBackend(Protocol):
    def find(self, query: str) -> MembersView:
        """Those whose account, name, group or device the query is or begins; all without one."""

    def member(self, account: str) -> MemberEntry | None: ...

    def bound_devices(self, account: str) -> tuple[AdminDeviceRow, ...]: ...

    def has_passphrase(self, account: str) -> bool: ...

    async def strains(
        self, member: MemberEntry | None, instead_of: str, replacing: str
    ) -> tuple[Finding, ...]:
        """What of the rules would not fit any more if that were saved (None takes `instead_of` out), beyond what does
        not fit now. It would be in force all the same."""

    async def save(self, member: MemberEntry, instead_of: str, replacing: str) -> tuple[Finding, ...]:
        """Writes the account into the file, in the place of `instead_of` (empty for a new one), when there are no
        errors and the file in force still has fingerprint `replacing`; else says why, as `AdminBackend.save_rules`."""

    async def remove(self, account: str, replacing: str) -> tuple[Finding, ...]: ...

    async def new_passphrase(self, account: str) -> str | Finding:
        """A passphrase that takes the place of the one before; nobody can tell it again later."""

    async def new_card(self, account: str) -> CardView | Finding: ...

    async def void_cards(self, account: str) -> Finding | None:
        """No card that was made until now counts any more."""


# --- words for people -------------------------------------------------------------------


class ContentBackend(Protocol):
    def terms(self) -> Sequence[Terms]:
        """Every version that is kept, the one in force first."""

    async def save_terms(
        self, signed: Signed, texts: tuple[TermsText, ...], replacing: str
    ) -> Terms | tuple[Finding, ...]:
        """A new version, when the one in force is still `replacing`; everybody is asked once more."""

    def notices(self) -> Sequence[Notice]:
        """Urgent and new ones first, also those that are over or yet to come."""

    def check_notice(self, notice: Notice) -> tuple[Finding, ...]: ...

    def shows_today(self, notice: Notice) -> bool:
        """Whether people at this node see it today."""

    async def save_notice(self, signed: Signed, notice: Notice) -> tuple[Finding, ...]:
        """Number 0 makes a new one."""

    async def take_down(self, number: int) -> Notice | None:
        """What was taken down, so that it can be put up again."""

    def objections(self) -> Sequence[Objection]:
        """Those without an answer first, then the newest."""

    async def answer_objection(self, number: int, text: str) -> Finding | None: ...


# --- the whole house --------------------------------------------------------------------


class AdminBackend(Protocol):
    """The node, as far as an admin may see and steer it. Anything may raise NodeError."""

    @property
    def vouchers(self) -> VouchersBackend: ...

    @property
    def people(self) -> PeopleBackend: ...

    @property
    def members(self) -> MembersBackend: ...

    @property
    def words(self) -> ContentBackend: ...

    def place(self) -> SiteInfo: ...

    def overview(self) -> Overview: ...

    async def acknowledge_losses(self) -> None:
        """Somebody has read what a database lost."""

    def rule_sentences(self) -> tuple[str, ...]: ...

    def rule_file(self) -> RuleFile: ...

    async def check_rules(self, text: str) -> RuleCheck:
        """What they would mean; changes nothing."""

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        """Save when there are no errors and the file in force still has fingerprint `replacing`; else say why,
        with a finding of code CONFLICT when it has another one."""

    def rule_versions(self) -> tuple[RuleVersion, ...]: ...

    def rule_version_text(self, number: int) -> str | None: ...

    async def new_token(self, signed: Signed) -> str:
        """The token of a link that signs in once as `signed`."""

    def sessions(self, cookie: str) -> tuple[AdminSession, ...]:
        """Everybody who is signed in, with `cookie` as the one who asks."""

    async def end_session(self, mark: str) -> None: ...

    async def redeem(self, link_token: str) -> str | None:
        """A one-time link's token to a new session's cookie value; None when used, old or unknown."""

    def who(self, cookie: str) -> Signed | None:
        """Who is signed in with this cookie."""

    async def sign_out(self, cookie: str) -> None: ...
