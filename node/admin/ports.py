"""Interfaces of the admin pages: what they need from the node, and the values that are passed."""

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
"""Code of the finding: another admin has saved meanwhile."""
UNSTORED = "unstored"
"""Code of the finding: done, but not stored yet."""
BECAUSE_CHARS_MAX = 200
"""Of the reason that is shown on a blocked device."""

DeviceState = Literal["online", "off", "removed"]


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """The node and community that these pages belong to."""

    community: str
    node: str
    portal_host: str
    portal_url: str = ""
    """The portal's https URL while it has a certificate; otherwise empty."""
    zones: tuple[str, ...] = ()
    languages: tuple[tuple[str, str], ...] = (("en", "English"),)
    """Languages of the portal: tag, and the language's own name. The community's language comes first."""

    @property
    def portal(self) -> str:
        """The portal's URL without a trailing slash, as it is printed."""
        return self.portal_url.rstrip("/") or f"http://{self.portal_host}"


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One account that is online."""

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
    """Connection tracking, as read within the last seconds."""

    entries: int = 0
    size: int = 0
    """0 while nothing is known."""
    per_device: int = 0
    """Limit of entries for one authorized device."""
    heaviest: str = ""
    """The device with the most entries, as admins see devices; empty without one."""
    heaviest_flows: int = 0
    """An estimate when the table is large."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """Data of the overview page."""

    community: str
    node: str
    node_id: NodeId
    uplink: Rates | None
    uplink_rate: Rates
    waiting: int
    """Number of devices seen without authorization."""
    online: tuple[OnlineRow, ...]
    peers: tuple[PeerRow, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    """Each says what is wrong and how to fix it."""
    has_lost: bool = False
    """Whether a warning reports data that the database lost; it stays until an admin acknowledges it."""
    flows: FlowsRow = FlowsRow()


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file in force, and its fingerprint, which detects concurrent edits."""

    text: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """Check of a proposed rule file."""

    findings: tuple[Finding, ...]
    difference: tuple[str, ...]
    """Unified diff lines against the file in force."""
    sentences: tuple[str, ...]
    """The proposed rules in plain language; empty when there are errors."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One rule file that was in force."""

    number: int
    adopted: str
    by: str
    fingerprint: str


# --- vouchers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoucherOrder:
    """An order for a batch of vouchers."""

    count: int
    group: str
    lasts: Milliseconds
    devices_max: int
    """Devices at once; 0 leaves it to the rules."""
    note: str


@dataclass(frozen=True, slots=True)
class IssuedBatch:
    """New vouchers; their codes cannot be shown again later."""

    batch: Batch
    codes: tuple[str, ...]
    """In groups, for reading."""


@dataclass(frozen=True, slots=True)
class VoucherView:
    """Status of one voucher."""

    batch: Batch
    account: AccountId
    state: VoucherState
    used_day: str
    seconds_left: int | None
    """None unless it is in use."""


class VouchersBackend(Protocol):
    """Vouchers. An issuer can only see and revoke batches that were issued under the same name."""

    def idempotency_key(self, cookie: str) -> str:
        """A new key for one order form; a form that is sent twice issues once."""

    async def issue(
        self, signed: Signed, order: VoucherOrder, cookie: str, idempotency_key: str
    ) -> IssuedBatch | tuple[Finding, ...]:
        """Issues and stores the vouchers. The same key returns the same vouchers; a bad order returns all
        findings."""

    def batches(self, signed: Signed) -> Sequence[Batch]:
        """The newest first."""

    def counts(self, number: int) -> Mapping[VoucherState, int]: ...

    async def revoke_batch(self, signed: Signed, number: int, *, back: bool) -> int | Finding:
        """Number of vouchers revoked now; with `back`, number of revocations undone."""

    def find(self, signed: Signed, typed: str) -> VoucherView | Finding: ...

    async def revoke_voucher(self, signed: Signed, typed: str, *, back: bool) -> Finding | None: ...

    def groups(self) -> tuple[str, ...]:
        """Groups that the rules mention."""


# --- people -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account, as a row of the list."""

    account: AccountId
    name: str
    tier: str
    devices: int
    """Devices online."""
    rate: Rates
    used_month: Bytes
    since_s: int | None
    """Seconds since its oldest present session began; None when offline."""
    ways: tuple[Way, ...]
    """How its devices joined."""


@dataclass(frozen=True, slots=True)
class AdminDeviceRow:
    """One device."""

    mac: MacAddress
    account: AccountId
    name: str
    state: DeviceState
    way: Way | None
    since_day: str
    """Day of its binding to the account; empty without a binding."""
    because: str = ""
    """Reason of the block."""


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """One account with the details that an admin needs to help its users."""

    row: PersonRow
    groups: tuple[str, ...]
    rule: str
    sentence: str
    """The rule whose limit is most noticeable now."""
    devices: tuple[AdminDeviceRow, ...]
    voucher: VoucherView | None
    objections: tuple[Objection, ...]
    is_member: bool


class PeopleBackend(Protocol):
    def find(self, query: str) -> Sequence[AccountId]:
        """Accounts online, the busiest first; with a query, all accounts whose id, name, device or voucher
        code starts with it."""

    def row(self, account: AccountId) -> PersonRow: ...

    def person(self, account: str) -> PersonDetails | None: ...

    def removed(self) -> Sequence[AdminDeviceRow]:
        """Blocked devices."""

    async def kick(self, account: str, mac: MacAddress | None, because: str) -> Finding | None:
        """Blocks a device, or all devices of the account, until it is unblocked; they are shown the
        reason."""

    async def pardon(self, mac: MacAddress) -> Finding | None: ...


# --- members ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """One account of the members file."""

    account: str
    name: str = ""
    tier: str = ""
    groups: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MembersView:
    """The members file in force."""

    members: tuple[MemberEntry, ...]
    fingerprint: str
    tiers: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    """Why the file on disk is not in force."""
    strained: tuple[Finding, ...] = ()
    """Rules that do not fit these members; the rules are in force all the same."""


@dataclass(frozen=True, slots=True)
class CardView:
    """A membership card to print."""

    member: MemberEntry
    text: str
    last_day: str


class MembersBackend(Protocol):
    def find(self, query: str) -> MembersView:
        """Members whose account, name, group or device starts with the query; all without a query."""

    def member(self, account: str) -> MemberEntry | None: ...

    def bound_devices(self, account: str) -> tuple[AdminDeviceRow, ...]: ...

    def has_passphrase(self, account: str) -> bool: ...

    async def strains(
        self, member: MemberEntry | None, instead_of: str, replacing: str
    ) -> tuple[Finding, ...]:
        """Rules that would no longer fit after this change (None removes `instead_of`), beyond those that do
        not fit now. The change can be saved all the same."""

    async def save(self, member: MemberEntry, instead_of: str, replacing: str) -> tuple[Finding, ...]:
        """Writes the account into the file, replacing `instead_of` (empty for a new one), if there are no
        errors and the file in force has fingerprint `replacing`; otherwise returns findings as
        `AdminBackend.save_rules`."""

    async def remove(self, account: str, replacing: str) -> tuple[Finding, ...]: ...

    async def new_passphrase(self, account: str) -> str | Finding:
        """Replaces the passphrase; the new one cannot be shown again later."""

    async def new_card(self, account: str) -> CardView | Finding: ...

    async def void_cards(self, account: str) -> Finding | None:
        """Revokes all cards made for the account so far."""


# --- content ----------------------------------------------------------------------------


class ContentBackend(Protocol):
    def terms(self) -> Sequence[Terms]:
        """All stored versions, the one in force first."""

    async def save_terms(
        self, signed: Signed, texts: tuple[TermsText, ...], replacing: str
    ) -> Terms | tuple[Finding, ...]:
        """Saves a new version if the one in force is still `replacing`; all users must accept it again."""

    def notices(self) -> Sequence[Notice]:
        """Urgent and new ones first, including past and future ones."""

    def check_notice(self, notice: Notice) -> tuple[Finding, ...]: ...

    def shows_today(self, notice: Notice) -> bool:
        """Whether it is shown at this node today."""

    async def save_notice(self, signed: Signed, notice: Notice) -> tuple[Finding, ...]:
        """Saves a notice; number 0 creates a new one."""

    async def take_down(self, number: int) -> Notice | None:
        """Deletes and returns the notice, so that it can be restored."""

    def objections(self) -> Sequence[Objection]:
        """Unanswered objections first, then the newest."""

    async def answer_objection(self, number: int, text: str) -> Finding | None: ...


# --- the node ---------------------------------------------------------------------------


class AdminBackend(Protocol):
    """The node, as far as admins may see and change it. Every method can raise NodeError."""

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
        """An admin has read which data the database lost."""

    def rule_sentences(self) -> tuple[str, ...]: ...

    def rule_file(self) -> RuleFile: ...

    async def check_rules(self, text: str) -> RuleCheck:
        """Checks a rule file; changes nothing."""

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        """Saves if there are no errors and the file in force still has fingerprint `replacing`; otherwise
        returns findings, with code CONFLICT when the fingerprint differs."""

    def rule_versions(self) -> tuple[RuleVersion, ...]: ...

    def rule_version_text(self, number: int) -> str | None: ...

    async def new_token(self, signed: Signed) -> str:
        """Token of a one-time link that signs in as `signed`."""

    def sessions(self, cookie: str) -> tuple[AdminSession, ...]:
        """All sessions; the one of `cookie` has `is_own` set."""

    async def end_session(self, mark: str) -> None: ...

    async def redeem(self, link_token: str) -> str | None:
        """Exchanges a one-time link's token for the cookie of a new session; None when used, expired or
        unknown."""

    def who(self, cookie: str) -> Signed | None:
        """The identity of a session cookie; None without a valid session."""

    async def sign_out(self, cookie: str) -> None: ...
