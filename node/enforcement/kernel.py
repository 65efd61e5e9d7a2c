"""The Linux kernel: applies a plan, reads the counters and removes everything again."""

import contextlib
import ctypes
import json
import logging
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from node.accounting.meter import Reading, joined
from node.enforcement import arrivals, conntrack, flow_offload, neighbour_counters, nft, table_listing, tc
from node.enforcement.arrivals import NEIGHBOURS_MAX
from node.enforcement.counter_dump import CounterDump
from node.enforcement.flow_offload import ETHERNET_HEADER_BYTES, FlowOffload
from node.enforcement.flows import CROWDED, ESTABLISHED_S
from node.enforcement.htb_classes import HtbClass, htb_classes
from node.enforcement.libnftables import Nftables
from node.enforcement.neighbour_counting import NeighbourCounting
from node.enforcement.nft_monitor import GenerationId, NftMonitor
from node.enforcement.plan import (
    Admission,
    FirewallConfig,
    KernelFeatures,
    KernelState,
    Leaf,
    ShapedClass,
    TableUse,
    TrafficPlan,
    account_queue,
)
from node.enforcement.rtnetlink import TrafficControl
from node.errors import KernelRefused
from node.netlink import NFPROTO_NETDEV
from node.units import BitsPerSecond, MacAddress, Monotonic, Rates

log = logging.getLogger(__name__)

FORWARDING4 = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING6 = Path("/proc/sys/net/ipv6/conf/all/forwarding")
LEASE_TOLERANCE_MS = 2_000
"""The kernel reports remaining times in whole seconds."""
NEIGHBOURS_MIN = {"gc_thresh1": 1_024, "gc_thresh2": 8_192, "gc_thresh3": NEIGHBOURS_MAX}
"""Linux's default is 1,024 entries per family: a large network has more devices, and a flood of new addresses would
lock out new devices."""
ESTABLISHED = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established")
"""A flow that comes back from a flowtable gets this timeout, not the one of the table's rules."""
CLONE_NEWNET = 0x40000000

Shaping = Mapping[int, HtbClass] | None


class LinuxKernel:
    """Implements `node.enforcement.plan.Kernel` for the network namespace in which it is created.

    `apply`, `observe` and `remove` must be called from one thread; `read` may run in another.
    """

    def __init__(self, offload: FlowOffload | Literal["probe"] | None = None) -> None:
        """`offload`: "probe" to use flowtables where the kernel has them; None to use none."""
        self._offload = offload
        self._writer = Nftables()
        self._reader = CounterDump(nft.TABLE_NAME)
        self._offload_reader = (
            None
            if offload is None
            else CounterDump(flow_offload.TABLE_NAME, NFPROTO_NETDEV, ETHERNET_HEADER_BYTES)
        )
        self._tc = TrafficControl()
        self._root_look = TrafficControl()
        self._generation, self._news = GenerationId(), NftMonitor()
        self._known: int | None = None
        """Generation of the nft ruleset after our last transaction."""
        self._is_writing = self._was_disturbed = False
        self._counters_id = ""
        self._forwarding_before: tuple[bool, bool] | None = None
        self._established_before = 0
        self._offloads = False
        """Whether the table of flow offload counts too. Another thread reads it, also while a plan is applied."""
        self._offload_refused = False
        self._applied: nft.AppliedState | None = None
        self._shaping: dict[str, Shaping] = {}
        self._leaf: Leaf | None = None
        self._has_room = False
        self._moved: frozenset[int] = frozenset()
        self._ender = conntrack.FlowEnder()
        self._neighbours = NeighbourCounting(self._say)
        self._shaped: dict[str, tuple[Rates | None, Mapping[int, ShapedClass], BitsPerSecond | None]] = {}
        """By interface: what its classes were computed from, with the measured rate of its direction."""
        self._wanted: dict[str, Shaping] = {}
        """By interface: the classes that stay when those are removed that no mark chooses any more."""
        self._plan: TrafficPlan | None = None
        """The last whose queues stand."""
        self._measured: Rates | None = None

    def probe(self) -> KernelFeatures:
        """Try each feature in a temporary network namespace."""
        try:
            found = _in_own_namespace(_probe)
            return replace(found, flow_offload=self._flow_offload() is not None)
        except KernelRefused as refused:
            return KernelFeatures(False, False, False, False, (str(refused),))

    def observe(self, now: Monotonic) -> KernelState:
        self._applied, self._shaping, self._shaped, self._wanted, self._plan = None, {}, {}, {}, None
        self._neighbours.forget()
        self._known = self._generation.now()
        try:
            # Not the whole table: sets that are filled by packets of unauthorized devices can be long.
            listed = [self._writer.run(f"list {kind} table {nft.TABLE}") for kind in ("maps", "counters")]
        except KernelRefused:
            return table_listing.NOTHING_STANDS
        offloaded: list[str] = []
        with contextlib.suppress(KernelRefused):  # older layouts have no such set
            listed.append(self._writer.run(f"list set {nft.TABLE} guests"))
        with contextlib.suppress(KernelRefused):  # there is no such table
            kinds = ("maps", "counters")
            offloaded = [self._writer.run(f"list {kind} table {flow_offload.TABLE}") for kind in kinds]
        offloads = self._flow_offload() is not None
        state = table_listing.observed(listed, now, offloaded, offloads=offloads)
        self._forwarding_before = state.forwarding_before
        self._established_before = state.established_before
        if state.stands:
            self._counters_id = state.reading.counters_id
            has_flowtable = offloads and self._has_flowtable()
            self._applied = nft.AppliedState(None, state.admitted, state.marks, offloads, has_flowtable)
            self._offloads = offloads
        return state

    def apply(self, plan: TrafficPlan, now: Monotonic) -> None:
        self._is_writing = True
        try:
            self._apply_all(plan, now)
        finally:
            self._is_writing = False

    def _apply_all(self, plan: TrafficPlan, now: Monotonic) -> None:
        """Classes exist before the marks that choose them, and until no mark does: on the uplink a packet of a class that
        does not exist would be control traffic."""
        if self._applied is None:
            self.observe(now)
        try:
            self._add_classes(plan)
        finally:  # who is admitted does not depend on the queues
            self._apply_table_twice(plan, now)
        self._remove_classes(plan)
        self._neighbours.keep(plan.firewall.mesh_interfaces)
        self._open_forwarding(plan.firewall)

    def _apply_table_twice(self, plan: TrafficPlan, now: Monotonic) -> None:
        try:
            self._apply_table(plan, now)
        except KernelRefused:
            # Another program may have deleted our table: observe, then try again from the real state.
            self.observe(now)
            self._apply_table_with_fallback(plan, now)
            self._add_classes(plan)

    def _apply_table_with_fallback(self, plan: TrafficPlan, now: Monotonic) -> None:
        """Without a flowtable where these interfaces can have none."""
        try:
            self._apply_table(plan, now)
        except KernelRefused as refused:
            if self._offload_refused or self._flow_offload() is None:
                raise
            self._offload_refused = True
            try:
                self._apply_table(plan, now)
            except KernelRefused:
                self._offload_refused = False
                raise
            log.warning("running flows pass all rules: %s", refused.message)

    def set_uplink_rate(self, measured: Rates | None) -> None:
        self._measured = measured
        if self._plan is not None:
            plan = self._plan
            self._add_classes(plan)
            self._remove_classes(plan)

    def read(self) -> Reading:
        """See `Kernel.read`. Also raises KernelRefused when the rules no longer match the interfaces or another
        program changed the ruleset or queues; observing and applying the plan again fixes that."""
        self._look_for_others()
        standing = self._applied
        if (
            standing is not None
            and standing.layout is not None
            and standing.layout.links != self._links(standing.layout.firewall)
        ):
            raise KernelRefused(
                "an interface was recreated", "nothing to do: the plan is applied again at once"
            )
        up, down = self._reader.read()
        if self._offloads and self._offload_reader is not None:
            up, down = map(_added, (up, down), self._offload_reader.read())
        return joined(self._counters_id, up, down)

    def table_use(self) -> TableUse:
        """See `Kernel.table_use`. Each call opens its own nftables context, so it may run in any thread."""
        reader = Nftables()
        try:
            listed = reader.run(f"list set {nft.TABLE} {CROWDED}")
        except KernelRefused:
            listed = ""  # while the table is being replaced no device is refused
        finally:
            reader.close()
        refused = table_listing.devices_in(listed)
        try:
            return replace(conntrack.table_use(), refused=refused)
        except OSError as error:
            log.warning("connection tracking cannot be looked at: %s", error)
            return TableUse(refused=refused)

    def fileno(self) -> int:
        return self._news.fileno()

    def was_disturbed(self) -> bool:
        self._news.drain()
        now = self._generation.now()
        return not self._is_writing and None not in {now, self._known} and now != self._known

    def _look_for_others(self) -> None:
        if self._was_disturbed:
            self._was_disturbed = False  # a program that keeps changing things must not keep us from counting
            return
        now, is_writing = self._generation.now(), self._is_writing
        shaped = [interface for interface, classes in tuple(self._shaping.items()) if classes is not None]
        filtered = not is_writing and None not in {now, self._known} and now != self._known
        if filtered or (not is_writing and any(self._root_look.lost_our_root(name) for name in shaped)):
            self._was_disturbed = True
            raise KernelRefused(
                "another program changed the packet filter or the queues",
                "nothing to do: the plan is applied again at once",
            )

    def _say(self, commands: str) -> None:
        """Run one transaction and record its generation, to tell our changes from those of other programs."""
        before = self._generation.now()
        self._writer.run(commands)
        if before is not None and before == self._known and self._generation.now() == before + 1:
            self._known = before + 1

    def remove(self) -> None:
        state = self.observe(Monotonic(0))
        listed = _interfaces_of_chains(self._writer)
        if state.stands or listed:
            _write(FORWARDING4, "1" if state.forwarding_before[0] else "0")
            _write(FORWARDING6, "1" if state.forwarding_before[1] else "0")
            if state.established_before:
                _write(ESTABLISHED, str(state.established_before))
        self._writer.run(nft.remove())
        for commands in (flow_offload.remove(), neighbour_counters.remove()):
            # A kernel without the family netdev never had these tables.
            with contextlib.suppress(KernelRefused):
                self._writer.run(commands)
        with contextlib.suppress(KernelRefused):  # a kernel without nftables for ARP never had this table
            self._writer.run(arrivals.remove_arp_table())
        for interface in listed:
            if self._tc.exists(interface) and self._tc.has_our_root(interface):
                self._tc.apply(interface, [tc.TcChange("delete-root")])
        self._applied, self._shaping, self._shaped, self._wanted, self._plan = None, {}, {}, {}, None
        self._forwarding_before = None

    def close(self) -> None:
        self._ender.close()
        self._writer.close()
        self._reader.close()
        if self._offload_reader is not None:
            self._offload_reader.close()
        self._tc.close()
        self._root_look.close()
        self._generation.close()
        self._news.close()

    def _apply_table(self, plan: TrafficPlan, now: Monotonic) -> None:
        before, counters_id, commands = self._applied, self._counters_id, ""
        if before is None:
            fresh = secrets.randbelow(2**31 - 1) + 1
            # When another program flushed our table, the remembered state of forwarding is the only record.
            forwarding = self._forwarding_before or (_is_on(FORWARDING4), _is_on(FORWARDING6))
            self._forwarding_before = forwarding
            offloads = self._flow_offload() is not None
            self._established_before = self._established_before or (_number(ESTABLISHED) if offloads else 0)
            commands = self._without_offload() + nft.create(
                fresh, forwarding, offloads=offloads, established_before=self._established_before
            )
            before, counters_id = replace(nft.EMPTY, offloads=offloads), str(fresh)
        before = replace(before, admitted=_with_same_leases(before.admitted, plan.admitted))
        shaped, links = bool(plan.uplink or plan.classes), self._links(plan.firewall)
        offload = self._offload_between(links)
        layout = nft.ChainLayout(plan.firewall, shaped, links, conntrack.table_size(), offload)
        commands += nft.transition(before, plan, layout, now)
        if commands:
            self._say(commands)
        if before.layout != layout:
            self._guard_neighbours(plan.firewall)
            if offload is not None and _number(ESTABLISHED) > ESTABLISHED_S:
                _write(ESTABLISHED, str(ESTABLISHED_S))
        self._counters_id, self._offloads = counters_id, before.offloads
        wanted = nft.marks_of(plan)
        ended = {mark: minor for mark, minor in before.marks.items() if mark not in wanted}
        kept = self._forget(ended)
        self._end_flows(ended.keys() - kept.keys() - self._moved)
        self._moved = plan.moved | (self._moved & kept.keys())
        self._applied = nft.AppliedState(
            layout, dict(plan.admitted), {**wanted, **kept}, before.offloads, offload == "flowtable"
        )

    def _without_offload(self) -> str:
        """Commands that delete the table of flow offload, which the plan before may have made."""
        try:
            self._writer.run(f"list maps table {flow_offload.TABLE}")
        except KernelRefused:
            return ""
        return flow_offload.remove()

    def _flow_offload(self) -> FlowOffload | None:
        if self._offload == "probe":
            has_it = _tried(partial(_in_own_namespace, _probe_flow_offload), [])
            self._offload = "flowtable" if has_it else None
            log.info("running flows %s", "are handed over to a flowtable" if has_it else "pass all rules")
        return self._offload

    def _offload_between(self, links: tuple[int, int] | None) -> FlowOffload | None:
        """What takes running flows past the rules; None where these interfaces cannot have it."""
        kind = self._flow_offload()
        if kind is None or links is None or self._offload_refused:
            return None
        return kind if all(map(self._tc.is_ethernet, links)) else None

    def _has_flowtable(self) -> bool:
        listed = json.loads(self._writer.run(f"list flowtables table {nft.TABLE}"))["nftables"]
        return any("flowtable" in item for item in listed)

    def _forget(self, marks: Mapping[int, int]) -> dict[int, int]:
        """Delete counters. Those that are still referenced are returned, and tried again with a later plan."""
        if not marks:
            return {}
        try:
            self._say(nft.forget(marks, offloads=self._offloads))
        except KernelRefused:
            return {mark: minor for mark, minor in marks.items() if not self._forgot(mark)}
        return {}

    def _guard_neighbours(self, firewall: FirewallConfig) -> None:
        """In a separate transaction, so that a kernel without nftables for ARP still gets the other rules."""
        try:
            self._say(arrivals.arp_table(firewall.lan_interface))
        except KernelRefused as refused:
            log.warning("ARP requests are not limited: %s", refused.message)

    def _end_flows(self, marks: Collection[int]) -> None:
        """Delete the conntrack entries of marks whose last counter was booked: until then the device may be admitted
        again and continue its flows."""
        self._ender.end(marks)

    def _forgot(self, mark: int) -> bool:
        try:
            self._say(nft.forget((mark,), offloads=self._offloads))
        except KernelRefused:
            return False
        return True

    def _links(self, firewall: FirewallConfig) -> tuple[int, int] | None:
        if self._tc.exists(firewall.lan_interface) and self._tc.exists(firewall.uplink_interface):
            return self._tc.ifindex(firewall.lan_interface), self._tc.ifindex(firewall.uplink_interface)
        return None

    def _add_classes(self, plan: TrafficPlan) -> None:
        """Classes that are not wanted stay until `_remove_classes`."""
        self._plan = None
        self._shape(plan.firewall.lan_interface, plan, upwards=False)
        self._shape(plan.firewall.uplink_interface, plan, upwards=True)

    def _remove_classes(self, plan: TrafficPlan) -> None:
        for interface, wanted in tuple(self._wanted.items()):
            self._change_classes(interface, self._shaping[interface], wanted)
            del self._wanted[interface]
        self._plan = plan

    def _shape(self, interface: str, plan: TrafficPlan, *, upwards: bool) -> None:
        """Computes nothing when nothing changed in this direction: a thousand classes take a while."""
        source = (plan.uplink, plan.classes, _one_way(self._measured, upwards))
        if self._shaped.get(interface) == source:
            return
        self._shaped.pop(interface, None)
        self._wanted.pop(interface, None)
        wanted: Shaping = None
        if plan.uplink is not None or plan.classes:
            wanted = htb_classes(plan.classes, plan.uplink, upwards=upwards, measured=self._measured)
        before = self._shaping[interface] if interface in self._shaping else self._stale_classes(interface)
        self._change_classes(interface, before, tc.with_former(before, wanted))
        self._wanted[interface] = wanted
        self._shaped[interface] = source

    def _change_classes(self, interface: str, before: Shaping, after: Shaping) -> None:
        if before != after:
            self._shaping.pop(interface, None)
            self._tc.apply(interface, tc.changes(before, after, self._leaf_kind()))
        self._shaping[interface] = after

    def _stale_classes(self, interface: str) -> Shaping:
        """Classes left by an earlier run: their minors are known, their rates are set again, and queues of the kind that
        is used now stay."""
        if not self._tc.has_our_root(interface):
            return None
        parents, leaves = self._tc.class_parents(interface), self._tc.leaf_kinds(interface)
        leaf = self._leaf_kind()
        return {
            minor: _of_unknown_rate(minor, parent, is_leaf=leaves.get(minor) == leaf)
            for minor, parent in parents.items()
        }

    def _leaf_kind(self) -> Leaf:
        if self._leaf is None:
            # Not the whole probe, which takes 0.1 s: the table and HTB are tried by applying the plan.
            has_fq_codel = _tried(partial(_in_own_namespace, partial(_probe_qdisc, "fq_codel")), [])
            self._leaf = account_queue(has_fq_codel=has_fq_codel)
            missing = "" if has_fq_codel else ": no fq_codel, so one's own downloads delay one's own calls"
            log.info("each account's queue is %s%s", self._leaf, missing)
        return self._leaf

    def _open_forwarding(self, firewall: FirewallConfig) -> None:
        """Only after the table is in place: before that, no packet may be forwarded."""
        if not self._has_room:
            make_room_for_neighbours()
            self._has_room = True
        accept_ra = Path(f"/proc/sys/net/ipv6/conf/{firewall.uplink_interface}/accept_ra")
        if accept_ra.exists() and accept_ra.read_text().strip() == "1":
            _write(accept_ra, "2")  # a forwarding host ignores router advertisements unless this is 2
        for switch in (FORWARDING4, FORWARDING6):
            if not _is_on(switch):
                _write(switch, "1")


def _added(rules: Mapping[int, int], past: Mapping[int, int]) -> dict[int, int]:
    """Bytes by mark that the rules and the chains of flow offload counted. A mark that one of both readings lacks was
    added or deleted between them: its part would look like a counter that began again."""
    return {mark: counted + past[mark] for mark, counted in rules.items() if mark in past}


def make_room_for_neighbours(settings: Path = Path("/proc/sys/net")) -> None:
    """Raise the limits of the neighbour tables that are too low; never lower one. The limits are global: a network
    namespace has none of its own."""
    for family in ("ipv4", "ipv6"):
        for name, least in NEIGHBOURS_MIN.items():
            limit = settings / family / "neigh" / "default" / name
            if limit.exists() and int(limit.read_text()) < least:
                with contextlib.suppress(OSError):  # read-only in a container, where the host decides
                    _write(limit, str(least))


def _one_way(measured: Rates | None, upwards: bool) -> BitsPerSecond | None:
    if measured is None:
        return None
    return measured.up if upwards else measured.down


def _of_unknown_rate(minor: int, parent_minor: int | None, *, is_leaf: bool) -> HtbClass:
    none = BitsPerSecond(0)
    return HtbClass(minor, parent_minor, none, none, 0, 0, 0, is_leaf=is_leaf)


def _with_same_leases(
    standing: Mapping[MacAddress, Admission], wanted: Mapping[MacAddress, Admission]
) -> dict[MacAddress, Admission]:
    """The current admissions, with lease ends from `wanted` where the difference is below the kernel's resolution."""
    return {mac: _same_lease(a, wanted.get(mac)) for mac, a in standing.items()}


def _same_lease(a: Admission, b: Admission | None) -> Admission:
    if b is None or a.ends is None or b.ends is None or abs(a.ends - b.ends) > LEASE_TOLERANCE_MS:
        return a
    return replace(a, ends=b.ends)


def _interfaces_of_chains(nftables: Nftables) -> tuple[str, ...]:
    """Interfaces named in our rules; enough to clean up without any other state."""
    try:
        listing = json.loads(nftables.run(f"list table {nft.TABLE}"))
    except KernelRefused:
        return ()
    names: list[str] = []
    for item in listing["nftables"]:
        for part in item.get("rule", {}).get("expr", ()):
            match = part.get("match", {})
            if match.get("left", {}).get("meta", {}).get("key") in {"iifname", "oifname", "iif", "oif"}:
                names.append(match["right"])
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def _probe() -> KernelFeatures:
    reasons: list[str] = []
    nftables = _tried(_probe_nftables, reasons)
    htb, fq_codel = (_tried(partial(_probe_qdisc, kind), reasons) for kind in ("htb", "fq_codel"))
    ipv6 = Path("/proc/net/if_inet6").exists()
    if not ipv6:
        reasons.append("IPv6 is off in this kernel")
    return KernelFeatures(nftables, htb, fq_codel, ipv6, tuple(reasons))


def _tried(attempt: Callable[[], None], reasons: list[str]) -> bool:
    try:
        attempt()
    except (KernelRefused, OSError) as error:
        reasons.append(str(error))
        return False
    return True


def _probe_nftables() -> None:
    nftables = Nftables()
    firewall = FirewallConfig("lo", "lo", 2080, mesh_interfaces=("lo",), mesh_port=7400)
    layout = nft.ChainLayout(firewall, shaped=True, links=(1, 1))
    table = nft.create(1, (False, False)) + nft.transition(
        nft.EMPTY, TrafficPlan(firewall), layout, Monotonic(0)
    )
    try:
        nftables.run(table)
    finally:
        nftables.close()


def _probe_flow_offload() -> None:
    nftables = Nftables()
    firewall = FirewallConfig("lo", "lo", 2080)
    layout = nft.ChainLayout(firewall, shaped=True, links=(1, 1), offload="flowtable")
    before = replace(nft.EMPTY, offloads=True)
    table = nft.create(1, (False, False), offloads=True) + nft.transition(
        before, TrafficPlan(firewall), layout, Monotonic(0)
    )
    try:
        nftables.run(table)
    finally:
        nftables.close()


def _probe_qdisc(kind: str) -> None:
    control = TrafficControl()
    try:
        control.try_root("lo", kind)
    finally:
        control.close()


def _in_own_namespace[T](attempt: Callable[[], T]) -> T:
    """In a thread of its own, with which the namespace and all in it end. Raises KernelRefused without the right to it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def run() -> T:
        if libc.unshare(CLONE_NEWNET):
            reason = os.strerror(ctypes.get_errno())
            raise KernelRefused(f"no right to make a network namespace: {reason}", "run this as root")
        return attempt()

    with ThreadPoolExecutor(1, "kernel-probe") as thread:
        return thread.submit(run).result()


def _number(file: Path) -> int:
    """0 if there is none."""
    return int(file.read_text()) if file.exists() else 0


def _is_on(switch: Path) -> bool:
    return switch.exists() and switch.read_text().strip() != "0"


def _write(switch: Path, value: str) -> None:
    if switch.exists():
        switch.write_text(value)


def linux_kernel(*, flow_offload: bool) -> LinuxKernel:
    """With running flows handed over to a flowtable, where that is set and the kernel can do it."""
    return LinuxKernel("probe" if flow_offload else None)
