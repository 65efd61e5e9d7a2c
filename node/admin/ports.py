"""What the admins' door needs from the house."""

from dataclasses import dataclass
from typing import Protocol

from node.admin.signin import Signed
from node.errors import Finding
from node.units import AccountId, Bytes, NodeId, Rates

CONFLICT = "conflict"
"""Code of the finding that says: somebody else saved meanwhile."""


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


class House(Protocol):
    """The node, as far as an admin may see and steer it."""

    def overview(self) -> Overview: ...

    def rule_file(self) -> RuleFile: ...

    def check_rules(self, text: str) -> RuleCheck:
        """Called in a thread of its own: it may take its time, and must not change anything."""

    async def save_rules(self, text: str, replacing: str) -> tuple[Finding, ...]:
        """Save when there are no errors and the file in force still has fingerprint `replacing`; else say why,
        with a finding of code CONFLICT when it has another one."""

    def rule_versions(self) -> tuple[RuleVersion, ...]: ...

    def rule_version_text(self, number: int) -> str | None: ...

    async def redeem(self, link_token: str) -> str | None:
        """A one-time link's token to a new session's cookie value; None when used, old or unknown."""

    def who(self, cookie: str) -> Signed | None:
        """Who is signed in with this cookie."""

    async def sign_out(self, cookie: str) -> None: ...
