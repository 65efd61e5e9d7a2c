"""What the doctor saw, as frozen values: nothing here looks at anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """Something answers at the other end of the cable, or the bridge has a member."""


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file that the node reads: what is wrong with it, if anything."""

    path: str
    trouble: str = ""
    """Why it cannot be read; empty when it can."""
    findings: tuple[Finding, ...] = ()
    mode: int = 0
    """Permission bits."""
    strained: tuple[Finding, ...] = ()
    """Of a rule file that is in force: what does not fit the members any more."""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """A port that the node needs, and whether it may be had."""

    purpose: str
    where: str
    number: int
    setting: str
    trouble: str = ""
    """Why it cannot be had; empty when it can, or when this node has it already."""


@dataclass(frozen=True, slots=True)
class FolderSeen:
    """The data folder."""

    path: str
    trouble: str
    """Why nothing can be written there; empty when something can."""
    free_bytes: int
    database: str
    """``ok``, ``none`` while there is none yet, or what is wrong with it."""
    mode: int = 0
    """Of the folder; 0 where there is none yet. So is the next."""
    database_mode: int = 0
    since: str = ""
    """When the database that there should be was begun; empty where nothing tells of one."""
    losses: tuple[str, ...] = ()
    """What was lost of it, in sentences, while nobody has acknowledged that."""


@dataclass(frozen=True, slots=True)
class DnsSeen:
    """Who hands out addresses and names on the people's side."""

    program: str | None
    """Where dnsmasq is installed; None when it is not."""
    runs: bool
    answer: str
    """The address that our own name has; empty when nobody answered."""


@dataclass(frozen=True, slots=True)
class PacketsSeen:
    """How many bytes one packet may have, on both sides and beyond."""

    lan: int
    uplink: int
    """What the interfaces say."""
    path: int | None
    """What came back from `target` in one piece; None where nothing did."""
    target: str


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """The portal's certificate, its key, and the program that router advertisements need then."""

    path: str
    trouble: str
    """Why it cannot be used, and what mends it; empty when it can."""
    distrust: str
    """Why devices would not trust it; empty when they would."""
    ends: str
    """ISO date; empty when it cannot be used."""
    is_ending: bool
    key_path: str
    key_mode: int
    has_radvd: bool


@dataclass(frozen=True, slots=True)
class FlowsSeen:
    """Connections that the kernel follows now; who has them is what the running node says."""

    count: int = 0
    heaviest: str = ""
    """The device with the most, as admins see devices; empty while nobody says so."""
    heaviest_count: int = 0
    warnings: tuple[str, ...] = ()
    """Of devices that want too many, and of a table that fills."""


@dataclass(frozen=True, slots=True)
class Symptoms:
    """Everything that was seen. Without a configuration only the first few were looked at."""

    is_root: bool
    config_file: FileSeen
    config: NodeConfig | None = None
    kernel: KernelFeatures | None = None
    kernel_trouble: str = ""
    rules: FileSeen | None = None
    members: FileSeen | None = None
    node_key: FileSeen | None = None
    community_key: FileSeen | None = None
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    """Every interface of the machine."""
    default_routes: tuple[str, ...] = ()
    """Interfaces that lead to the Internet now."""
    resolver_answers: bool | None = None
    """Upstream; None where there is no way to ask."""
    forwarding: tuple[bool, bool] = (False, False)
    is_running: bool = False
    """Whether this node runs now."""
    ports: tuple[PortSeen, ...] = ()
    dns: DnsSeen | None = None
    packets: PacketsSeen | None = None
    """None without an uplink."""
    foreign: tuple[str, ...] | None = None
    """Servers on the people's side that are not ours, a sentence for each kind; None where nobody could look."""
    certificate: CertificateSeen | None = None
    """None where the community has none."""
    flows: FlowsSeen = FlowsSeen()
    connections_max: int | None = None
    """How many flows the kernel can follow at once; None while it follows none."""
    neighbours_max: int | None = None
    """Devices that the kernel can know the hardware addresses of; None where only the host of a container may say."""
    accounts: int = 0
    """In the members file."""
    folder: FolderSeen | None = None
    clock: ClockState = "synced"
    clock_says: str = ""
