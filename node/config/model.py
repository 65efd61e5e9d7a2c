"""What a valid ``node.toml`` says, as frozen values with their units. Field names are the settings' names."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Literal

from node.units import Milliseconds, NodeId


@dataclass(frozen=True, slots=True)
class NodeSection:
    """This node itself."""

    name: str
    data_dir: str
    run_dir: str
    key_file: str
    contact: str
    help: str
    zone: str
    terms: str
    terms_version: str

    @property
    def console_socket(self) -> str:
        """Where a running node answers the verbs of the command line."""
        return f"{self.run_dir}/console.sock"


@dataclass(frozen=True, slots=True)
class CommunitySection:
    """The community that the node belongs to."""

    name: str
    key_file: str
    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class LanSection:
    """The side where people are."""

    interface: str
    address4: IPv4Interface
    address6: IPv6Interface | None
    dhcp: Literal["managed", "external"]
    dhcp_first: IPv4Address
    dhcp_last: IPv4Address
    dhcp_lease: Milliseconds
    dns_upstream: tuple[str, ...]
    """Empty: the resolvers that the system itself uses."""
    domain: str
    flows_per_device: int


@dataclass(frozen=True, slots=True)
class UplinkSection:
    """The side where the Internet is."""

    interface: str
    masquerade: bool
    mtu: int
    """Bytes that the line carries in one packet; 0 for what the interface itself says."""


@dataclass(frozen=True, slots=True)
class PortalSection:
    """The page that welcomes people."""

    port: int
    host: str
    session: Milliseconds | None
    """How long an admission lasts; None never ends by itself."""
    language: str
    """RFC 5646; what pages are in when a browser asks for nothing that there is."""
    languages: tuple[str, ...]
    """To choose from, besides `language`; empty for all that have a catalogue."""
    certificate: str | None
    """PEM file with the chain; None serves no https."""
    certificate_key: str | None
    https_port: int
    dns_port: int
    """Of the resolver for devices that are not admitted."""
    advertise: bool
    """By DHCP and router advertisements, while the certificate is publicly valid."""


@dataclass(frozen=True, slots=True)
class OfferedService:
    """Something of the neighbourhood that everybody reaches, also before they come in."""

    name: str
    url: str
    about: str
    host: str
    """As the URL has it: a DNS name in lower case, or an address."""
    port: int
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True)
class ServicesSection:
    """What everybody reaches, admitted or not."""

    offered: tuple[OfferedService, ...]
    found: bool
    """Whether services that announce themselves on the people's side are shown too."""


@dataclass(frozen=True, slots=True)
class AdminSection:
    """The admins' own door."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where to look for a node that no announcement reaches."""

    address: str
    port: int
    node: NodeId


@dataclass(frozen=True, slots=True)
class MeshSection:
    """The links to other nodes."""

    interfaces: tuple[str, ...]
    """Empty: the node stands alone and opens no port to others."""
    port: int
    peers: tuple[PeerAddress, ...]
    transit: bool
    """Whether people of neighbouring nodes may use this node's uplink."""


@dataclass(frozen=True, slots=True)
class RulesSection:
    """What the community agreed."""

    file: str


@dataclass(frozen=True, slots=True)
class MembersSection:
    """Who is a member, and with which devices."""

    file: str


@dataclass(frozen=True, slots=True)
class StopSection:
    """What a stopped node leaves behind."""

    sessions: Literal["keep", "close"]


@dataclass(frozen=True, slots=True)
class ClockSection:
    """How far the clock can be trusted."""

    source: Literal["synced", "trusted"]


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Everything that ``node.toml`` says, defaults filled in."""

    node: NodeSection
    community: CommunitySection
    lan: LanSection
    uplink: UplinkSection
    portal: PortalSection
    services: ServicesSection
    admin: AdminSection
    mesh: MeshSection
    rules: RulesSection
    members: MembersSection
    stop: StopSection
    clock: ClockSection
