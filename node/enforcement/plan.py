"""The desired state of firewall and shaping as one frozen value. Applying it twice changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, Protocol

from node.accounting.meter import Reading
from node.enforcement.flows import FLOWS_PER_DEVICE
from node.governance.burst import Burst
from node.units import NO_RATES, BitsPerSecond, MacAddress, Monotonic, Rates

Leaf = Literal["fq_codel", "bfifo"]
"""Queue of a class: fq_codel where the kernel has it, otherwise bfifo and not pfifo, to which a merged segment of 64 kB
is one packet. Never cake: 1,000 of them take a gigabyte."""
CLASS_MINOR_MAX = 0xFFEF
"""Classes from 1:fff0 up are reserved: for the uplink, for the node's own traffic, and for idle accounts."""
IDLE_MINOR = 0xFFFB
"""Class of all accounts that sent and received nothing for some minutes: until they are counted again they share one."""
CONTROL_MINOR, DNS_MINOR, OWN_MINOR = 0xFFFE, 0xFFFD, 0xFFFC
"""Classes of what the node itself sends to the uplink: what keeps the line alive (neighbour discovery, DHCP,
probes), DNS queries and the mesh, and all else with services that are open to everyone. ARP, and what DHCP
clients send, pass beside the packet filter: for them the queue has filters of its own."""
LAN_MINOR, TEST_MINOR = 0xFFFA, 0xFFF9
"""On the LAN: a class beside the uplink's for what does not pass it, and in that the responsiveness test's, which chooses
it with its sockets' priority."""


def class_text(minor: int) -> str:
    """As nft and tc write it."""
    return f"1:{minor:x}"


@dataclass(frozen=True, slots=True)
class FirewallConfig:
    """The static part: interfaces, ports, and where unauthorized devices are redirected."""

    lan_interface: str
    uplink_interface: str
    portal_port: int
    portal_tls_port: int = 0
    """0 while the portal has no certificate."""
    admin_tls_port: int = 0
    """Of the admin pages for the LAN; 0 where it cannot open them."""
    captive_dns_port: int = 2053
    """Port of the resolver for unauthorized devices; that of admitted devices has 53."""
    open_names: tuple[str, ...] = ()
    """Names that unauthorized devices may query without the data limit, because they cannot carry data."""
    uplink_mtu: int = 0
    """Maximum packet size in bytes on the uplink; 0 to take it from the routes."""
    mesh_interfaces: tuple[str, ...] = ()
    mesh_port: int = 0
    masquerade: bool = True
    mesh_peers: tuple[IPv4Address | IPv6Address, ...] = ()
    """Addresses of configured peers, which may reach the mesh port through other interfaces than the mesh's."""
    flows_per_device: int = FLOWS_PER_DEVICE
    """Conntrack entries that one admitted device may have at once."""
    transit: bool = False
    """Whether devices of other nodes on the mesh interfaces, counted and limited there, may use this node's uplink."""
    services: tuple[tuple[IPv4Address | IPv6Address, int], ...] = ()
    """Address and TCP port of services that all devices reach, admitted or not, on this node or through it."""
    hears_services: bool = False
    """Whether the node receives mDNS announcements on the LAN."""
    answers_respondd: bool = False
    """Whether the node answers questions of respondd collectors on the LAN."""
    dns_fallback: tuple[IPv4Address | IPv6Address, ...] = ()
    """Addresses that the fallback resolver returns for every name; unauthorized devices that connect to them reach
    the portal."""


@dataclass(frozen=True, slots=True)
class Admission:
    """One device that may pass: its mark identifies it in conntrack, its class shapes it."""

    mac: MacAddress
    mark: int
    """1 and up; never reused for another device or account."""
    class_minor: int
    ends: Monotonic | None
    """When the kernel ends the session by itself; None for never."""
    is_guest: bool = False
    """No member vouches for the user, and more hardware addresses can be invented: all such devices share one part of
    the connection-tracking table."""
    addresses: tuple[str, ...] = field(default=(), compare=False)
    """IP addresses under which it was heard when it came from another node."""


@dataclass(frozen=True, slots=True)
class ShapedClass:
    """Part of the uplink of an account or a pool, in both directions."""

    minor: int
    parent_minor: int | None
    """None: child of the uplink's class."""
    floor: Rates
    ceiling: Rates
    weight: int
    """Relative to its siblings; 1 and up."""
    lifeline: Rates = NO_RATES
    """Part of `floor` that shrinks last when the floors do not fit."""
    burst: Burst | None = None
    """Until it has used this up it may have more than `ceiling`."""


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """Desired state: which devices may pass, and how the uplink is shared."""

    firewall: FirewallConfig
    admitted: Mapping[MacAddress, Admission] = field(default_factory=dict)
    retiring: Mapping[int, int] = field(default_factory=dict)
    """Marks that are no longer admitted but whose last counter is not booked yet, with their class minor."""
    uplink: Rates | None = None
    """Rate to share, of a measured uplink the most that it may be; None: shape only classes with a ceiling."""
    classes: Mapping[int, ShapedClass] = field(default_factory=dict)
    moved: frozenset[int] = frozenset()
    """Retiring marks whose device is admitted under another mark: its flows are kept."""


@dataclass(frozen=True, slots=True)
class KernelFeatures:
    """Result of the probe. The node runs without fq_codel, IPv6 and flow offload."""

    nftables: bool
    htb: bool
    fq_codel: bool
    ipv6: bool
    reasons: tuple[str, ...] = ()
    """One sentence for each missing feature, except flow offload, which is only faster."""
    flow_offload: bool = False
    """Whether running flows are handed over to a flowtable (`node.enforcement.flow_offload`)."""

    @property
    def leaf(self) -> Leaf:
        """The queue that each account gets."""
        return account_queue(has_fq_codel=self.fq_codel)


def account_queue(*, has_fq_codel: bool) -> Leaf:
    """The queue that each account gets."""
    return "fq_codel" if has_fq_codel else "bfifo"


@dataclass(frozen=True, slots=True)
class KernelState:
    """What our table contains now."""

    stands: bool
    reading: Reading
    """Also filled when `stands` is False because an older version made the table: its last counters."""
    admitted: Mapping[MacAddress, Admission]
    """As observed; `ends` is computed from the element's remaining time."""
    marks: Mapping[int, int]
    """Every mark with a counter and its class minor, admitted or not."""
    forwarding_before: tuple[bool, bool] = (False, False)
    """IPv4 and IPv6 forwarding before our table was first created, stored in the table's map `facts`."""
    established_before: int = 0
    """Seconds after which conntrack forgot an established connection before; 0 when that was not changed."""


@dataclass(frozen=True, slots=True)
class TableUse:
    """Usage of the kernel's connection-tracking table."""

    entries: int = 0
    size: int = 0
    """Maximum number of entries; 0 when the kernel does not report it."""
    heaviest: tuple[int, int] | None = None
    """The mark with the most entries, and their number; an estimate when the table is large."""
    refused: tuple[MacAddress, ...] = ()
    """Admitted devices that were refused a flow within the last minute."""


NO_LIMIT = BitsPerSecond(100_000_000_000)


class Kernel(Protocol):
    """Interface to the kernel; the Linux implementation and the fake pass the same contract tests.

    Calls block: run them in a separate thread. They raise KernelRefused; the previous plan then stays in force.
    """

    def probe(self) -> KernelFeatures: ...

    def observe(self, now: Monotonic) -> KernelState: ...

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        """Make the kernel match `plan`, whatever its state; forwarding is enabled after the table is in place."""

    def set_uplink_rate(self, measured: Rates | None) -> None:
        """Share this rate from now on where it is less than the plan's, with the queues only: no device and no filter is
        touched, and no class is made again. None: the plan's. Plans that are applied later keep it."""

    def read(self) -> Reading: ...

    def table_use(self) -> TableUse:
        """Usage of the connection-tracking table and its largest user. Thread-safe; raises nothing."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when the ruleset may have changed; -1 if there is none."""

    def was_disturbed(self) -> bool:
        """Whether another program changed the ruleset; called after `fileno` became readable. Never blocks."""

    def remove(self) -> None:
        """Remove everything this node created, without any other state; forwarding is set back to its previous value."""
