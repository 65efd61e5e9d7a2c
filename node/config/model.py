"""A valid ``node.toml`` as frozen dataclasses. Fields are named after the settings."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Literal

from node.units import Milliseconds, NodeId


@dataclass(frozen=True, slots=True)
class NodeSection:
    """This node."""

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
        """Unix socket on which a running node answers the commands of the command line."""
        return f"{self.run_dir}/console.sock"


@dataclass(frozen=True, slots=True)
class CommunitySection:
    """The community that the node belongs to."""

    name: str
    key_file: str
    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class LanSection:
    """The network of people's devices."""

    interface: str
    address4: IPv4Interface
    address6: IPv6Interface | None
    dhcp: Literal["managed", "external"]
    dhcp_first: IPv4Address
    dhcp_last: IPv4Address
    dhcp_lease: Milliseconds
    dns_upstream: tuple[str, ...]
    """Empty: the system's own resolvers."""
    domain: str
    flows_per_device: int


@dataclass(frozen=True, slots=True)
class UplinkSection:
    """The link to the Internet."""

    interface: str
    name: str
    """The line in the rule file of which this node is the gateway; empty for the only one, or ``main``."""
    masquerade: bool
    mtu: int
    """MTU of the link in bytes; 0 uses the MTU of the interface."""
    flow_offload: bool
    """Use flowtables where the kernel has them."""
    probe: tuple[str, ...]
    """Addresses beyond the line that are probed for its delay when the next hop does not answer."""


@dataclass(frozen=True, slots=True)
class PortalSection:
    """The captive portal."""

    port: int
    host: str
    session: Milliseconds | None
    """Session lifetime; None for no limit."""
    language: str
    """RFC 5646; used if the browser asks for no available language."""
    languages: tuple[str, ...]
    """Available besides `language`; empty for all that have a catalogue."""
    certificate: str | None
    """PEM file with the certificate chain; None disables HTTPS."""
    certificate_key: str | None
    https_port: int
    dns_port: int
    """Of the resolver for unauthorized devices."""
    advertise: bool
    """Advertise the portal by DHCP and router advertisements, while its certificate is publicly trusted (RFC
    8910)."""


@dataclass(frozen=True, slots=True)
class OfferedService:
    """A local service that every device can reach, also before admission."""

    name: str
    url: str
    about: str
    host: str
    """As in the URL: a DNS name in lower case, or an address."""
    port: int
    addresses: tuple[IPv4Address | IPv6Address, ...]


@dataclass(frozen=True, slots=True)
class ServicesSection:
    """Local services that every device can reach, admitted or not."""

    offered: tuple[OfferedService, ...]
    found: bool
    """Whether services announced by DNS-SD on the LAN side are shown too."""


@dataclass(frozen=True, slots=True)
class AdminSection:
    """The server of the admin pages."""

    address: str
    port: int
    lan: bool
    """Whether devices on the LAN can open them too, over TLS."""
    https_port: int
    open_plots: bool
    """Whether pictures of the node's history need no sign-in."""
    events_days: int
    """How long events are kept."""


@dataclass(frozen=True, slots=True)
class AlertsSection:
    """The ways by which alerts leave the node; each None or empty while it is not set."""

    digest: int | None
    """Minute of the day, in local time; None for no digest."""
    mail_to: tuple[str, ...]
    mail_from: str | None
    mail_server: str | None
    mail_port: int
    mail_security: Literal["starttls", "tls", "none"]
    mail_user: str
    mail_password_file: str | None
    matrix_server: str | None
    matrix_room: str | None
    matrix_token_file: str | None
    webhook: str | None
    webhook_key_file: str | None
    file: str | None


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Address of a node that multicast announcements do not reach."""

    address: str
    port: int
    node: NodeId


@dataclass(frozen=True, slots=True)
class MeshSection:
    """The links to other nodes."""

    interfaces: tuple[str, ...]
    """Empty: no announcements; if `peers` is empty too, the node opens no mesh port."""
    port: int
    peers: tuple[PeerAddress, ...]
    transit: bool
    """Whether people of neighbouring nodes may use this node's uplink."""
    respondd: bool
    """Whether this node answers questions of respondd collectors."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens; the address may be that of all interfaces."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class GatewaysSection:
    """Routers that send their people to this node."""

    listen: ListenAddress | None
    """None: no router can."""
    host: str
    """Name or address under which routers reach this node, without a port; empty for that of `listen`."""
    https_port: int
    """Where openNDS routers of the levels 3 and 4 reach it, while there is a certificate."""
    opennds_level_0: bool
    """Whether openNDS routers of level 0 are served: what lets a person in is readable there."""
    second: str = ""
    """Host and port where routers reach the node that serves these gateways too; empty for none."""
    second_node: NodeId | None = None
    """The id of that node: its place is no proof, any node of the community can say it."""

    @property
    def serves(self) -> str:
        """Host and port where routers reach this node; empty where the settings do not say."""
        if self.listen is None:
            return ""
        is_wide = self.listen.address in {"0.0.0.0", "::"}  # noqa: S104 - compared, never listened on
        host = self.host or ("" if is_wide else self.listen.address)
        return f"{host.lower()}:{self.listen.port}" if host else ""


@dataclass(frozen=True, slots=True)
class RulesSection:
    """The community's rules."""

    file: str
    confirm_timeout: Milliseconds
    """How long rules are on trial."""


@dataclass(frozen=True, slots=True)
class MembersSection:
    """The member directory: who is a member, and with which devices."""

    file: str


@dataclass(frozen=True, slots=True)
class StopSection:
    """What happens to sessions when the node stops."""

    sessions: Literal["keep", "close"]


@dataclass(frozen=True, slots=True)
class ClockSection:
    """When the clock is trusted."""

    source: Literal["synced", "trusted"]


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All of ``node.toml``, with defaults filled in."""

    node: NodeSection
    community: CommunitySection
    lan: LanSection
    uplink: UplinkSection
    portal: PortalSection
    services: ServicesSection
    admin: AdminSection
    alerts: AlertsSection
    mesh: MeshSection
    gateways: GatewaysSection
    rules: RulesSection
    members: MembersSection
    stop: StopSection
    clock: ClockSection


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """The node and community that the pages belong to."""

    community: str
    node: str
    portal_host: str
    portal_url: str = ""
    """The portal's https URL while it has a certificate; otherwise empty."""
    zones: tuple[str, ...] = ()
    languages: tuple[tuple[str, str], ...] = (("en", "English"),)
    """Languages of the portal: tag, and the language's own name. The community's language comes first."""
    wifi_name: str = ""
    """As printed; empty for the community's name."""
    wifi_passphrase: str = ""
    """Empty for an open Wi-Fi."""
    logo: str = ""
    """A ``data:`` URI; empty without one."""

    @property
    def wifi(self) -> str:
        """The name of the Wi-Fi, as it is printed."""
        return self.wifi_name or self.community

    @property
    def portal(self) -> str:
        """The portal's URL without a trailing slash, as it is printed."""
        return self.portal_url.rstrip("/") or f"http://{self.portal_host}"
