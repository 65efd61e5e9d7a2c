"""The whole desired state of the kernel as one frozen value. Applying it twice changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from node.accounting.meter import Reading
from node.enforcement.flows import FLOWS_PER_DEVICE
from node.units import NO_RATES, BitsPerSecond, MacAddress, Monotonic, Rates

CLASS_MINOR_MAX = 0xFFEF
"""Class 1:fff0 and above are kept for the uplink itself and for pools' roots."""


@dataclass(frozen=True, slots=True)
class FirewallConfig:
    """The fixed part: which interface is whose, and where people who are not admitted are sent."""

    lan_interface: str
    uplink_interface: str
    portal_port: int
    portal_tls_port: int = 0
    """0 while the portal has no certificate."""
    strangers_dns_port: int = 2053
    """Where the resolver of devices that are not admitted answers; that of the admitted has 53."""
    open_names: tuple[str, ...] = ()
    """Names that strangers may ask for however slowly they may ask for others: where no data of their own can go."""
    uplink_mtu: int = 0
    """Bytes in one packet that the line carries; 0 where the routes tell."""
    mesh_interfaces: tuple[str, ...] = ()
    mesh_port: int = 0
    masquerade: bool = True
    mesh_peers: tuple[IPv4Address | IPv6Address, ...] = ()
    """Addresses of configured nodes, which may reach the mesh port by another interface than the mesh's."""
    flows_per_device: int = FLOWS_PER_DEVICE
    """Entries of connection tracking that one admitted device may have at once."""
    transit: bool = False
    """Whether people of nodes on the mesh interfaces, counted and limited there, may use this node's uplink."""
    services: tuple[tuple[IPv4Address | IPv6Address, int], ...] = ()
    """TCP services that everybody reaches, admitted or not: on this node or through it."""
    hears_services: bool = False
    """Whether the node listens to what announces itself on the people's side (mDNS)."""
    stand_in: tuple[IPv4Address | IPv6Address, ...] = ()
    """Addresses that names are given while no resolver upstream answers: whoever is not admitted meets the
    portal there."""


@dataclass(frozen=True, slots=True)
class Admission:
    """One device that may pass: its mark names it in conntrack, its class shapes it."""

    mac: MacAddress
    mark: int
    """1 and up, never reused for another device and account."""
    class_minor: int
    ends: Monotonic | None
    """When the kernel ends the session by itself; None for never."""
    is_guest: bool = False
    """Nobody vouches for its person, and another hardware address costs nothing: all such devices together have a part
    of the kernel's connection-tracking table."""


@dataclass(frozen=True, slots=True)
class ShapedClass:
    """An account's (or a pool's) part of the uplink in both directions."""

    minor: int
    parent_minor: int | None
    """None hangs it below the uplink itself."""
    floor: Rates
    ceiling: Rates
    weight: int
    """Relative to its siblings; 1 and up."""
    lifeline: Rates = NO_RATES
    """The part of `floor` that shrinks last where floors do not fit."""


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """Desired state: who may pass, and how the uplink is shared out."""

    firewall: FirewallConfig
    admitted: Mapping[MacAddress, Admission] = field(default_factory=dict)
    retiring: Mapping[int, int] = field(default_factory=dict)
    """Marks no longer admitted whose last counter has not been booked yet, with their class."""
    uplink: Rates | None = None
    """Rate that is shared out; None shapes nothing but the classes with ceilings."""
    classes: Mapping[int, ShapedClass] = field(default_factory=dict)
    moved: frozenset[int] = frozenset()
    """Retiring marks whose device is admitted under another mark: its flows go on."""


@dataclass(frozen=True, slots=True)
class KernelFeatures:
    """What the probe found. A node runs without the last three and says so."""

    nftables: bool
    htb: bool
    fq_codel: bool
    cake: bool
    ipv6: bool
    reasons: tuple[str, ...] = ()
    """One sentence for each thing that is missing."""


@dataclass(frozen=True, slots=True)
class KernelState:
    """What stands in the kernel now, as far as it is ours."""

    stands: bool
    reading: Reading
    """Also of a table that does not stand, since an older version made it: its last one."""
    admitted: Mapping[MacAddress, Admission]
    """As observed; `ends` is rebuilt from the element's remaining time."""
    marks: Mapping[int, int]
    """Every counted mark with its class, admitted or not."""
    forwarding_before: tuple[bool, bool] = (False, False)
    """IPv4 and IPv6 forwarding before our table first stood, kept in the table's own comment."""


@dataclass(frozen=True, slots=True)
class TableUse:
    """How full the kernel's connection-tracking table is."""

    entries: int = 0
    size: int = 0
    """How many entries the kernel allows; 0 where it tells none."""
    heaviest: tuple[int, int] | None = None
    """The mark with the most entries, and how many; in a large table an estimate."""
    refused: tuple[MacAddress, ...] = ()
    """Admitted devices that wanted more than they may have, within the last minute."""


NO_LIMIT = BitsPerSecond(100_000_000_000)
