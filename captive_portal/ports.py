"""What the front door needs from the house."""

from dataclasses import dataclass
from typing import Literal, Protocol

from node.governance.allowance import Allowance
from node.units import AccountId, Bytes, MacAddress, Usage

GuestState = Literal["waiting", "admitted", "expired", "removed"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The device may pass from now on."""

    seconds_left: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The device may not pass, and why."""

    reason: str
    rule: str | None = None


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
    devices: tuple[MacAddress, ...] = ()
    removed_because: str | None = None


@dataclass(frozen=True, slots=True)
class CommunityView:
    """What anyone may know about the network, before and without admission."""

    community: str
    node: str
    portal_host: str
    sentences: tuple[str, ...]
    """The rules in force, in plain language."""
    contact: str
    terms: str
    terms_version: str


class House(Protocol):
    """The node, as far as the front door may ask."""

    def guest(self, mac: MacAddress) -> GuestView: ...

    def community(self) -> CommunityView: ...

    async def admit(self, mac: MacAddress, terms_version: str) -> Admitted | Refused:
        """Returns after the session is stored and the kernel lets the device pass."""

    async def leave(self, mac: MacAddress) -> None: ...


class Neighbours(Protocol):
    """The link's own knowledge of who is who."""

    def mac_of(self, address: str) -> MacAddress | None:
        """The device that holds an IPv4 or IPv6 address on our LAN, by the kernel's neighbour table."""
