"""The state of machine and node as frozen dataclasses, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Literal

from node.config import NodeConfig
from node.enforcement.plan import KernelFeatures
from node.errors import Finding
from node.governance.allowance import ClockState

Use = Literal["people's side", "Internet's side", "other nodes"]


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface as the kernel shows it."""

    is_up: bool
    has_link: bool
    """Carrier is detected, or the bridge has a member."""


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file that the node reads, and what is wrong with it."""

    path: str
    trouble: str = ""
    """Why it cannot be read; empty if it can."""
    findings: tuple[Finding, ...] = ()
    mode: int = 0
    """Permission bits."""
    strained: tuple[Finding, ...] = ()
    """Of a rule file in force: rules that no longer fit the member directory."""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A port that the node needs, and whether it can be bound."""

    purpose: str
    where: str
    number: int
    setting: str
    trouble: str = ""
    """Why it cannot be bound; empty if it can, or if this node uses it."""
    holder: str = ""
    """The program that uses it; empty if none does, or if it is not known."""
    cgroup: str = ""
    """The path of that program's control group, in which systemd has the name of its service."""


@dataclass(frozen=True, slots=True)
class FolderSeen:
    """The data folder."""

    path: str
    trouble: str
    """Why it cannot be written; empty if it can."""
    free_bytes: int
    database: str
    """``ok``, ``none`` if it does not exist yet, ``private`` if only root can read it, or what is wrong with it."""
    mode: int = 0
    """Permission bits of the folder, and below of the database; 0 if it does not exist yet."""
    database_mode: int = 0
    since: str = ""
    """When the database was created, according to the marker; empty without a marker."""
    losses: tuple[str, ...] = ()
    """Sentences about data losses not yet acknowledged."""
    damaged_record: int = 0
    """Of the log of adopted rules, the first that is missing or was changed; 0 if it is whole or cannot be read."""


@dataclass(frozen=True, slots=True)
class DnsSeen:
    """DHCP and DNS on the LAN side."""

    program: str | None
    """Path of dnsmasq; None if it is not installed."""
    runs: bool
    answer: str
    """Address that the portal's name resolves to; empty without an answer."""


@dataclass(frozen=True, slots=True)
class PacketsSeen:
    """MTU on both sides and of the path beyond the uplink."""

    lan: int
    uplink: int
    """`lan` and `uplink` are the MTUs of the interfaces."""
    path: int | None
    """Largest packet that `target` answered without fragmentation; None if it did not answer."""
    target: str


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """The portal's certificate and key, and radvd, which is needed to advertise the portal."""

    path: str
    trouble: str
    """Why it cannot be used, and how to fix that; empty if it can."""
    distrust: str
    """Why devices would not trust it; empty if they would."""
    ends: str
    """ISO date; empty if it cannot be used."""
    is_ending: bool
    key_path: str
    key_mode: int
    has_radvd: bool


@dataclass(frozen=True, slots=True)
class ForeignChain:
    """A chain of another program that drops or rejects what none of its rules accept."""

    family: str
    table: str
    chain: str
    owner: str = ""
    """The program that it belongs to, by its names; empty if unknown."""
    hook: Literal["forward", "input"] = "forward"
    """Whether packets pass it on their way through the node or to the node itself."""


@dataclass(frozen=True, slots=True)
class FlowsSeen:
    """Tracked connections. The device with the most is known from the running node."""

    count: int = 0
    heaviest: str = ""
    """The device with the most, as named on the admin pages; empty if unknown."""
    heaviest_count: int = 0
    warnings: tuple[str, ...] = ()
    """About devices at their limit, and about a conntrack table that is nearly full."""


@dataclass(frozen=True, slots=True)
class AlertsSeen:
    """The ways out for alerts."""

    ways: tuple[str, ...] = ()
    """Those that are set."""
    troubles: tuple[tuple[str, str], ...] = ()
    """What is wrong with a secret, and what to do."""


@dataclass(frozen=True, slots=True)
class Symptoms:
    """Everything that was checked. Without a valid configuration, only the first few fields are set."""

    is_root: bool
    config_file: FileSeen
    config: NodeConfig | None = None
    kernel: KernelFeatures | None = None
    kernel_trouble: str = ""
    rules: FileSeen | None = None
    states_line: bool | None = None
    """Whether the rules state how fast the line is; None if they cannot be read."""
    members: FileSeen | None = None
    node_key: FileSeen | None = None
    community_key: FileSeen | None = None
    community_secrets: FileSeen | None = None
    """Those after the first; None while there are none."""
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    """Every interface of the machine."""
    uplink_network: IPv4Interface | None = None
    """The uplink's first IPv4 address; None if it has none."""
    foreign_chains: tuple[ForeignChain, ...] = ()
    """Of other programs; those with a rule for the LAN's interface are not among them."""
    default_routes: tuple[str, ...] = ()
    """Interfaces with a default route."""
    resolver_answers: bool | None = None
    """Whether an upstream resolver answers; None without a route to ask."""
    forwarding: tuple[bool, bool] = (False, False)
    is_running: bool = False
    """Whether this node is running."""
    ports: tuple[PortSeen, ...] = ()
    dns: DnsSeen | None = None
    packets: PacketsSeen | None = None
    """None without an uplink."""
    foreign: tuple[str, ...] | None = None
    """Foreign DHCP servers and routers on the LAN side, one sentence for each kind; None if not checked."""
    certificate: CertificateSeen | None = None
    alerts: AlertsSeen = AlertsSeen()
    """None if none is configured."""
    flows: FlowsSeen = FlowsSeen()
    key_copies: tuple[str, ...] = ()
    """What the running node says of machines that use one node key; empty if none do."""
    connections_max: int | None = None
    """Size of the conntrack table; None while connection tracking is not loaded."""
    neighbours_max: int | None = None
    """Size of the neighbour table (gc_thresh3); None in a container, where only the host can set it."""
    accounts: int = 0
    """In the members file."""
    folder: FolderSeen | None = None
    clock: ClockState = "synced"
    clock_says: str = ""
