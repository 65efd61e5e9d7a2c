"""Diagnoses from the collected state: one function for each requirement of a node."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Literal

from captive_portal.probes import is_probe_host
from node.config import NodeConfig
from node.doctor.foreign_chains import ports_for_people
from node.doctor.symptoms import (
    CertificateSeen,
    DnsSeen,
    FileSeen,
    FolderSeen,
    ForeignChain,
    PortSeen,
    Symptoms,
)
from node.enforcement.arrivals import NEIGHBOURS_MAX
from node.enforcement.plan import KernelFeatures
from node.governance.uplink_findings import UNKNOWN_UPLINK
from node.units import Bytes, show_volume

FREE_BYTES_LOW = 200_000_000
FREE_BYTES_LEAST = 20_000_000
"""Below this, the database cannot even delete old data."""
_PRIVATE = 0o077
FLOWS_OF_A_DEVICE, DEVICES_OF_AN_ACCOUNT, GUESTS = 64, 4, 100
"""Generous estimate for a community's conntrack table; packets of untracked connections are dropped."""
_OTHER_NETWORKS = ("10.78.0.1/16", "172.29.0.1/16", "192.168.78.1/24")
"""Proposed for the LAN, from RFC 1918."""
_MEND_INIT = "procomu init --config {config}"

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check."""

    name: str
    verdict: Verdict
    found: str
    wrong: str = ""
    fix: str = ""
    """A command or edit that fixes it."""


def diagnose(seen: Symptoms) -> tuple[Diagnosis, ...]:
    """Every check that was possible, in the order in which to fix them."""
    return tuple(diagnosis for look in _LOOKS for diagnosis in look(seen))


def is_well(diagnoses: tuple[Diagnosis, ...]) -> bool:
    """Whether the node can run: no check failed."""
    return all(diagnosis.verdict != "fail" for diagnosis in diagnoses)


def _root(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.is_root:
        yield _ok("rights", "you are root")
    else:
        wrong = "only root can check everything that the node needs; the rest of this list may be incomplete"
        yield Diagnosis("rights", "warn", "you are not root", wrong, "run as root: procomu doctor")


def _settings(seen: Symptoms) -> Iterator[Diagnosis]:
    yield from _file("settings", seen.config_file, f"procomu init --config {seen.config_file.path}")


def _kernel(seen: Symptoms) -> Iterator[Diagnosis]:
    features = seen.kernel
    if features is None:
        verdict: Verdict = "fail" if seen.is_root else "warn"
        yield Diagnosis("kernel", verdict, "not tried", seen.kernel_trouble, "run as root: procomu doctor")
        return
    found = _named(features)
    if features.nftables and features.htb and not features.reasons:
        yield _ok("kernel", found)
        return
    wrong = "; ".join(features.reasons) or "some kernel modules are missing"
    verdict = "warn" if features.nftables and features.htb else "fail"
    yield Diagnosis(
        "kernel",
        verdict,
        found,
        wrong,
        "modprobe -a nf_tables nft_ct nft_connlimit nft_numgen sch_htb sch_fq_codel",
    )


def _interfaces(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    for name, use, setting in _used(seen.config):
        label = f"interface {name}"
        there = seen.interfaces.get(name)
        if there is None:
            others = ", ".join(sorted(set(seen.interfaces) - {"lo"})) or "none"
            fix = f"write the right name for {setting} in node.toml; this machine has {others}"
            yield Diagnosis(label, "fail", use, "there is no interface with this name", fix)
        elif not there.is_up:
            yield Diagnosis(label, "fail", use, "it is switched off", f"ip link set {name} up")
        elif not there.has_link:
            yield Diagnosis(
                label,
                "warn",
                use,
                "nothing is connected to it",
                f"look at the cable, or at: ip link show {name}",
            )
        else:
            yield _ok(label, f"{use}, up")


def _route(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    uplink = seen.config.uplink.interface
    if uplink in seen.default_routes and seen.resolver_answers is not False:
        yield _ok("way out", f"by {uplink}")
        return
    if uplink in seen.default_routes:
        wrong = "no resolver upstream answers: people see the welcome page, and no Internet"
        fix = "see whether the modem has its line, and whether lan.dns_upstream in node.toml is right"
        yield Diagnosis("way out", "warn", f"by {uplink}", wrong, fix)
        return
    fix = f"ip route show default; then start its DHCP client, or: ip route add default via GATEWAY dev {uplink}"
    yield Diagnosis("way out", "warn", "none", f"no route leads to the Internet through {uplink}", fix)


def _networks(seen: Symptoms) -> Iterator[Diagnosis]:
    """The same addresses on both sides: nothing is routed between them."""
    if seen.config is None or seen.uplink_network is None:
        return
    lan, uplink = seen.config.lan.address4, seen.uplink_network
    found = f"{seen.config.uplink.interface} has {uplink}, people have {lan.network}"
    if not lan.network.overlaps(uplink.network):
        yield _ok("networks", found)
        return
    wrong = "the Internet's side and people's side have the same addresses, so nothing is routed between them"
    free = [each for each in _OTHER_NETWORKS if not IPv4Interface(each).network.overlaps(uplink.network)]
    other = free[0] if free else _OTHER_NETWORKS[-1]
    yield Diagnosis(
        "networks",
        "fail",
        found,
        wrong,
        f'write address4 = "{other}" below [lan] in node.toml, and restart the node',
    )


def _foreign_filters(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    for each in seen.foreign_chains:
        found = f"table {each.family} {each.table}, chain {each.chain}"
        owner = f" of {each.owner}" if each.owner else ""
        effect = {
            "forward": "admitted people get no Internet",
            "input": "devices get no address, no names or no page",
        }[each.hook]
        wrong = f"this chain{owner} drops what it does not know, so {effect}"
        yield Diagnosis("other filters", "fail", found, wrong, _fix_of(each, seen.config))


def _fix_of(chain: ForeignChain, config: NodeConfig) -> str:
    lan, uplink = config.lan.interface, config.uplink.interface
    match chain.owner:
        case "Docker":
            program = "ip6tables" if chain.family == "ip6" else "iptables"
            return f"{program} -I DOCKER-USER -i {lan} -j ACCEPT; {program} -I DOCKER-USER -o {lan} -j ACCEPT"
        case "ufw" if chain.hook == "input":
            return "; ".join(
                f"ufw allow in on {lan} to any port {_numbers(config, protocol)} proto {protocol}"
                for protocol in ("udp", "tcp")
            )
        case "ufw":
            return f"ufw route allow in on {lan} out on {uplink}"
        case "firewalld":
            return f"firewall-cmd --permanent --zone=trusted --add-interface={lan}; firewall-cmd --reload"
    rule = f"nft insert rule {chain.family} {chain.table} {chain.chain}"
    if chain.hook == "input":
        return f"{rule} iifname {lan} accept; and write the same where that table comes from"
    return f"{rule} iifname {lan} accept; {rule} oifname {lan} accept; and write the same where that table comes from"


def _numbers(config: NodeConfig, protocol: str) -> str:
    """Of the ports that a firewall should open to devices."""
    ports = {*ports_for_people(config), ("udp", 547)}  # what DHCPv6 has for them is of use, but not needed
    return ",".join(str(number) for its_protocol, number in sorted(ports) if its_protocol == protocol)


def _forwarding(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    on4, on6 = seen.forwarding
    found = f"IPv4 {_on(on4)}, IPv6 {_on(on6)}"
    missing = [] if on4 else ["net.ipv4.ip_forward=1"]
    if not on6 and seen.config.lan.address6 is not None:
        missing.append("net.ipv6.conf.all.forwarding=1")
    if not seen.is_running:
        yield _ok("forwarding", f"{found}; the node opens it when its packet filter is in place")
    elif missing:
        wrong = "the node runs, but something has turned forwarding off again"
        yield Diagnosis("forwarding", "fail", found, wrong, f"sysctl -w {' '.join(missing)}")
    else:
        yield _ok("forwarding", found)


def _dns(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None or seen.dns is None:
        return
    if seen.config.lan.dhcp == "managed":
        yield from _dnsmasq(seen.dns, is_running=seen.is_running)
    elif not seen.dns.answer:
        fix = f"let your DNS server give {seen.config.portal.host} the address {seen.config.lan.address4.ip}"
        wrong = f"nobody at {seen.config.lan.address4.ip} knows {seen.config.portal.host}"
        yield Diagnosis("names", "warn", "external", wrong, fix)
    else:
        yield _ok("names", f"external, {seen.config.portal.host} is {seen.dns.answer}")


def _dnsmasq(dns: DnsSeen, *, is_running: bool) -> Iterator[Diagnosis]:
    if dns.program is None:
        wrong = "without dnsmasq nobody gets an address or a name"
        yield Diagnosis("dnsmasq", "fail", "not installed", wrong, "apt-get install dnsmasq-base")
    elif not is_running:
        yield _ok("dnsmasq", f"{dns.program}; the node starts it")
    elif not dns.runs:
        fix = "journalctl -u procomu -n 50 shows why; 'procomu status' names the part that stopped"
        yield Diagnosis(
            "dnsmasq",
            "fail",
            dns.program,
            "the node runs, but its dnsmasq does not (that of the admitted, or of strangers)",
            fix,
        )
    elif not dns.answer:
        wrong = "it runs, but does not answer for our own name"
        yield Diagnosis(
            "dnsmasq", "fail", dns.program, wrong, "ss -lunp 'sport = :53' shows what uses the port"
        )
    else:
        yield _ok("dnsmasq", f"runs, and answers {dns.answer}")


def _packets(seen: Symptoms) -> Iterator[Diagnosis]:
    """Compares both sides, the setting and the path; the smallest MTU is announced to devices."""
    if seen.config is None or seen.packets is None:
        return
    packets, setting = seen.packets, seen.config.uplink.mtu
    believed = min(packets.uplink, setting or packets.uplink)
    found = f"{min(packets.lan, believed)} bytes, as announced to devices"
    if packets.path is not None and packets.path < believed:
        wrong = (
            f"the line carries {packets.path} bytes as far as {packets.target}, and the node believes in {believed}: "
            "where the notice of it is lost, downloads stay empty"
        )
        yield Diagnosis(
            "packets", "warn", found, wrong, f"write mtu = {packets.path} below [uplink] in node.toml"
        )
    elif packets.path is None:
        yield _ok("packets", f"{found}; nothing answered that could tell what the line carries")
    else:
        yield _ok("packets", f"{found}; measured as far as {packets.target}")


def _foreign(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.foreign is None:
        return
    if not seen.foreign:
        yield _ok("other servers", "no other DHCP server or router answers on the LAN side")
    for text in seen.foreign:
        what, _, fix = text.partition(" Find ")
        yield Diagnosis("other servers", "warn", "something else answers", what, f"find {fix}")


def _ports(seen: Symptoms) -> Iterator[Diagnosis]:
    for port in seen.ports:
        yield _port(port, is_running=seen.is_running)


def _port(port: PortSeen, *, is_running: bool) -> Diagnosis:
    label = f"port {port.number}"
    if not port.trouble:
        return _ok(label, f"{port.purpose}, {'in use by this node' if is_running else 'free'}")
    found, wrong = f"{port.purpose} at {port.where}", port.trouble
    fix = f"ss -lntup 'sport = :{port.number}' shows what uses it; stop that, or change {port.setting} in node.toml"
    if port.holder:
        wrong = f"{wrong}, by {port.holder}"
    if unit := _unit(port.cgroup):
        wrong = f"{wrong} of {unit}; if that must stay, change {port.setting} in node.toml"
        fix = f"systemctl disable --now {unit}"
    return Diagnosis(label, "fail", found, wrong, fix)


def _unit(cgroup: str) -> str:
    """The service of a control group; empty if it is of none, and for a program in somebody's session, where the service
    is the whole session."""
    parts = cgroup.split("/")
    return next((part for part in parts if part.endswith(".service") and "user.slice" not in parts), "")


def _folder(seen: Symptoms) -> Iterator[Diagnosis]:
    folder = seen.folder
    if folder is None:
        return
    yield _room(folder)
    yield _database(folder)
    for label, path, mode, right in (
        ("data folder", folder.path, folder.mode, 700),
        ("database", f"{folder.path}/procomu.db", folder.database_mode, 600),
    ):
        if mode & _PRIVATE:
            wrong = f"others on this machine may read it (mode {mode:03o})"
            yield Diagnosis(label, "fail", path, wrong, f"chmod {right} {path}")
    for loss in folder.losses:
        yield Diagnosis(
            "database", "warn", folder.path, loss, "procomu doctor --acknowledge, after reading it"
        )

    if folder.damaged_record:
        wrong = f"record {folder.damaged_record} of the log of adopted rules is missing or was changed"
        fix = "procomu rules log shows it; the rules in force are not touched, and a backup from before has the whole log"
        yield Diagnosis("rule log", "warn", folder.path, wrong, fix)


def _database(folder: FolderSeen) -> Diagnosis:
    if folder.database == "ok":
        return _ok("database", "whole")
    if folder.database == "private":
        return _ok("database", "only root can read it")
    if folder.database == "none" and not folder.since:
        return _ok("database", "none yet; the node creates it")
    wrong = f"it is damaged: {folder.database}"
    if folder.database == "none":
        wrong = f"it is gone or empty; there has been one since {folder.since}"
    fix = "restart the node: it restores what its copy and its journal hold, and says what is lost"
    return Diagnosis("database", "fail", folder.path, wrong, fix)


def _room(folder: FolderSeen) -> Diagnosis:
    found = f"{folder.path}, {show_volume(Bytes(folder.free_bytes))} free"
    if folder.trouble:
        fix = f"mkdir -p {folder.path}; df -h {folder.path}; mount | grep ' ro[ ,]' shows a disk that cannot be written"
        return Diagnosis("disk", "fail", found, f"nothing can be written there: {folder.trouble}", fix)
    if folder.free_bytes < FREE_BYTES_LOW:
        verdict: Verdict = "fail" if folder.free_bytes < FREE_BYTES_LEAST else "warn"
        return Diagnosis(
            "disk", verdict, found, "little space is left", f"du -xh {folder.path} / | sort -h | tail"
        )
    return _ok("disk", found)


def _clock(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    if seen.clock == "synced":
        yield _ok("clock", seen.clock_says)
        return
    wrong = "nothing keeps the clock right, so it may drift"
    if seen.clock == "unknown":
        wrong = (
            "the clock was never set, so limits with times are paused and use is not counted for any month"
        )
    fix = 'timedatectl set-ntp true; or write source = "trusted" below [clock] when the machine has a good clock'
    yield Diagnosis("clock", "warn", seen.clock_says, wrong, fix)


def _rules(seen: Symptoms) -> Iterator[Diagnosis]:
    config = seen.config_file.path
    if seen.rules is not None:
        yield from _file("rules", seen.rules, _MEND_INIT.format(config=config))
        for each in seen.rules.strained:
            misfit = "does not fit this node" if each.code == UNKNOWN_UPLINK else "no longer fits the members"
            wrong = f"in force, but {misfit}: {each.code}: {each.message}"
            yield Diagnosis("rules", "warn", seen.rules.path, wrong, each.fix)
    if seen.config is not None and seen.states_line is False:
        wrong = (
            "the rules do not say how fast the line is, so nothing is shared: one download can take all of it"
        )
        fix = f"measure the line, and write [uplink.main] with down and up in {seen.config.rules.file}"
        yield Diagnosis("line", "warn", "speed not stated", wrong, fix)
    if seen.members is not None:
        yield from _file("members", seen.members, _MEND_INIT.format(config=config))


def _keys(seen: Symptoms) -> Iterator[Diagnosis]:
    for label, file in (
        ("node key", seen.node_key),
        ("community key", seen.community_key),
        ("later secrets", seen.community_secrets),
    ):
        if file is None:
            continue
        if not file.trouble and not file.findings and file.mode & _PRIVATE:
            wrong = f"others on this machine may read it (mode {file.mode:03o})"
            yield Diagnosis(label, "fail", file.path, wrong, f"chmod 600 {file.path}")
        else:
            yield from _file(label, file, _MEND_INIT.format(config=seen.config_file.path))


def _certificate(seen: Symptoms) -> Iterator[Diagnosis]:
    config, found = seen.config, seen.certificate
    if config is None:
        return
    if found is None:
        yield _ok("certificate", "none: no https, and devices find the portal by their own checks")
    elif found.trouble:
        yield Diagnosis(
            "certificate", "warn", found.path, found.trouble, "see /usr/share/doc/procomu/CERTIFICATES.md"
        )
    elif found.distrust:
        wrong = f"devices are not told about the portal, because they would not trust it: {found.distrust}"
        yield Diagnosis(
            "certificate", "warn", found.path, wrong, "see /usr/share/doc/procomu/CERTIFICATES.md"
        )
    elif found.is_ending:
        wrong = f"it ends on {found.ends} and was not renewed"
        yield Diagnosis(
            "certificate", "warn", found.path, wrong, "look at the ACME client's log, and run it by hand"
        )
    else:
        told = "devices are told" if config.portal.advertise else "devices are not told, as node.toml says"
        yield _ok("certificate", f"{config.portal.host} until {found.ends}; {told}")
    if found is not None:
        yield from _with_certificate(config, found)


def _alerts(seen: Symptoms) -> Iterator[Diagnosis]:
    for wrong, fix in seen.alerts.troubles:
        yield Diagnosis("alerts", "warn", "cannot be sent", wrong, fix)
    if seen.alerts.ways and not seen.alerts.troubles:
        yield _ok("alerts", f"sent by {', '.join(seen.alerts.ways)}; 'procomu alerts test' tries a way")


def _with_certificate(config: NodeConfig, found: CertificateSeen) -> Iterator[Diagnosis]:
    if found.key_mode & _PRIVATE:
        wrong = f"others on this machine may read it (mode {found.key_mode:03o})"
        yield Diagnosis("portal key", "fail", found.key_path, wrong, f"chmod 600 {found.key_path}")
    advertises = config.portal.advertise and config.lan.dhcp == "managed" and config.lan.address6 is not None
    if advertises and not found.has_radvd:
        wrong = "without it only DHCP tells devices of the portal, and router advertisements do not"
        yield Diagnosis("radvd", "warn", "not installed", wrong, "apt-get install radvd")


def _services(seen: Symptoms) -> Iterator[Diagnosis]:
    for service in seen.config.services.offered if seen.config else ():
        if is_probe_host(service.host):
            wrong = f"devices ask {service.host} whether they are online, and then see no welcome page"
            fix = "remove it from services.offered in node.toml"
            yield Diagnosis("services", "warn", service.name, wrong, fix)


def _connections(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None or seen.connections_max is None:
        return
    wanted = FLOWS_OF_A_DEVICE * (DEVICES_OF_AN_ACCOUNT * seen.accounts + GUESTS)
    flows, each = seen.flows, seen.config.lan.flows_per_device
    found = f"{flows.count:,} now; {seen.connections_max:,} at once, {each:,} of them for each device"
    if flows.heaviest:
        found += f"; most: {flows.heaviest}, {flows.heaviest_count:,}"
    fix = "ask its owner what runs on it, or block it on the admin pages: 'procomu devices' lists everyone"
    for warning in flows.warnings:
        yield Diagnosis("connections", "warn", found, warning, fix)
    if seen.connections_max >= wanted:
        if not flows.warnings:
            yield _ok("connections", found)
        return
    wrong = f"{seen.accounts} accounts and their guests may need {wanted:,}; what the kernel cannot track is dropped"
    fix = f"sysctl -w net.netfilter.nf_conntrack_max={wanted}, and the same in a file of /etc/sysctl.d"
    yield Diagnosis("connections", "warn", found, wrong, fix)


def _neighbours(seen: Symptoms) -> Iterator[Diagnosis]:
    """A running node raises the limit itself if it has permission."""
    settings = f"net.ipv4.neigh.default.gc_thresh3={NEIGHBOURS_MAX}, and the same for net.ipv6"
    if seen.config is None or not seen.is_running:
        return
    if seen.neighbours_max is None:
        yield _ok("neighbours", f"as many as this container's host allows; the host should have {settings}")
    elif seen.neighbours_max < NEIGHBOURS_MAX:
        wrong = "many new hardware addresses can fill the kernel's table, and then new devices are not found"
        yield Diagnosis("neighbours", "warn", f"{seen.neighbours_max:,}", wrong, f"sysctl -w {settings}")
    else:
        yield _ok("neighbours", f"{seen.neighbours_max:,}")


def _node_key(seen: Symptoms) -> Iterator[Diagnosis]:
    fix = (
        "decide which machine keeps the key; the others get one with 'procomu init' after theirs was removed"
    )
    for wrong in seen.key_copies:
        yield Diagnosis("node key", "warn", "in two machines", wrong, fix)


def _node(seen: Symptoms) -> Iterator[Diagnosis]:
    if seen.config is None:
        return
    fix = f"systemctl start procomu, or: procomu run --config {seen.config_file.path}"
    yield (
        _ok("node", "runs")
        if seen.is_running
        else Diagnosis("node", "warn", "does not run", "it is not started", fix)
    )


def _file(label: str, file: FileSeen, fix: str) -> Iterator[Diagnosis]:
    """One diagnosis for the file, or one for each finding in it."""
    if file.trouble:
        yield Diagnosis(label, "fail", file.path, file.trouble, fix)
    elif not file.findings:
        yield _ok(label, file.path)
    for finding in file.findings:
        verdict: Verdict = "fail" if finding.is_error else "warn"
        where = f"{file.path}, line {finding.line}" if finding.line else file.path
        yield Diagnosis(label, verdict, where, f"{finding.code}: {finding.message}", finding.fix)


def _used(config: NodeConfig) -> Iterator[tuple[str, str, str]]:
    yield config.lan.interface, "people's side", "lan.interface"
    yield config.uplink.interface, "Internet's side", "uplink.interface"
    for name in config.mesh.interfaces:
        yield name, "other nodes", "mesh.interfaces"


def _named(features: KernelFeatures) -> str:
    names = {
        "nftables": features.nftables,
        "htb": features.htb,
        "fq_codel": features.fq_codel,
        "IPv6": features.ipv6,
        "flow offload": features.flow_offload,
    }
    found = ", ".join(name for name, is_there in names.items() if is_there)
    return (
        f"{found}; queue of each account: {features.leaf}"
        if features.htb
        else found or "nothing that a node needs"
    )


def _ok(name: str, found: str) -> Diagnosis:
    return Diagnosis(name, "ok", found)


def _on(switch: bool) -> str:
    return "on" if switch else "off"


_LOOKS: tuple[Callable[[Symptoms], Iterator[Diagnosis]], ...] = (
    _root,
    _settings,
    _kernel,
    _interfaces,
    _networks,
    _foreign_filters,
    _route,
    _packets,
    _foreign,
    _ports,
    _keys,
    _certificate,
    _alerts,
    _services,
    _rules,
    _folder,
    _clock,
    _node,
    _node_key,
    _forwarding,
    _connections,
    _neighbours,
    _dns,
)
