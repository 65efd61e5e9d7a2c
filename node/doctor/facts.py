"""Collects the state of the machine and the node. Reads only, apart from `acknowledge_losses`."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import secrets
import socket
import sqlite3
import stat
import struct
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path
from typing import Any

from node import console
from node.clock import SystemClock
from node.config import NodeConfig, parse_config
from node.control.active_ruleset import RULES_COPY, consider, examine, reload_active_ruleset
from node.doctor.alert_facts import alerts_seen
from node.doctor.foreign_chains import foreign_chains, ports_for_people, tables_of_filters
from node.doctor.rule_facts import findings_in_force
from node.doctor.secret_facts import community_key_findings, later_secret_findings
from node.doctor.symptoms import (
    CertificateSeen,
    DnsSeen,
    FileSeen,
    FlowsSeen,
    FolderSeen,
    ForeignChain,
    Interface,
    PacketsSeen,
    PortSeen,
    Symptoms,
)
from node.enforcement.kernel import LinuxKernel
from node.enforcement.libnftables import Nftables
from node.enforcement.plan import KernelFeatures
from node.enforcement.respondd_limits import RESPONDD_PORT
from node.errors import Finding, NodeError
from node.governance.members import NO_MEMBERS, MemberDirectory, parse_members
from node.identity import key_from_pem
from node.lan.dnsmasq import CAPTIVE_DNS, Dnsmasq
from node.lan.foreign_servers import listen, warnings
from node.lan.managed_daemon import installed, interface_mtu
from node.lan.upstream import SILENT_ROUNDS, ResolverReply, UpstreamResolvers, system_resolvers
from node.secret_file import SECRETS_FILE
from node.storage.copies import open_to_read
from node.storage.integrity import UNREADABLE
from node.storage.losses import LOSSES, MARKER, acknowledge, read_losses, read_marker
from node.storage.repository import load_history
from node.uplink.proc_net import default_routes
from node.web.certificate_files import CertificateFiles
from node.web.certificates import is_ending

log = logging.getLogger(__name__)

FILE_BYTES_MAX = 2_000_000
DNS_WAIT_S = 2.0
_INTERFACES = Path("/sys/class/net")
_IFF_UP = 0x1
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
"""From linux/sockios.h."""
_ADDRESS_RECORD = 1
_TCP_LISTEN, _UDP_UNCONNECTED = "0A", "07"
"""States in /proc/net/tcp and /proc/net/udp."""
_DNSMASQ_SETTINGS = {"lan.dhcp", "portal.dns_port"}
"""Of the ports that dnsmasq binds."""
IP_FREEBIND = 15
"""From linux/in.h; the socket module does not define it on every platform."""
SIZES = (1_500, 1_492, 1_480, 1_460, 1_420, 1_400, 1_280)
"""Usual MTUs: Ethernet, PPPoE, several kinds of tunnel, and the minimum of IPv6."""
ECHO_WAIT_S, ECHO_ROUNDS = 0.7, 3
_SMALL = 64
# From linux/in.h: ignore the cached path MTU, and never fragment.
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_IP_HEADER, _ECHO_REQUEST, _ECHO_REPLY = 20, 8, 0


def gather(config_path: Path) -> Symptoms:
    """Everything that can be checked, as far as the configuration at `config_path` allows."""
    text, config_file = _read(config_path)
    config, findings = parse_config(text) if text is not None else (None, ())
    is_root = os.geteuid() == 0
    kernel, kernel_trouble = (
        _kernel(config) if is_root else (None, "only root may try what the kernel can do")
    )
    if config is None:
        file = FileSeen(str(config_path), config_file.trouble, findings, config_file.mode)
        return Symptoms(is_root, file, kernel=kernel, kernel_trouble=kernel_trouble)
    status = _status(config)
    is_running = status is not None
    members, member_directory = _members(Path(config.members.file))
    clock = SystemClock(config.clock.source)
    today = None if clock.state() == "unknown" else clock.civil().date()
    rules, states_line = _rules(config, member_directory, today)
    return Symptoms(
        is_root=is_root,
        config_file=FileSeen(str(config_path), "", findings, config_file.mode),
        config=config,
        kernel=kernel,
        kernel_trouble=kernel_trouble,
        rules=rules,
        states_line=states_line,
        members=members,
        node_key=_checked(Path(config.node.key_file), _node_key_findings),
        community_key=_checked(Path(config.community.key_file), community_key_findings),
        community_secrets=_later_secrets(Path(config.node.data_dir) / SECRETS_FILE),
        interfaces=_interfaces(),
        uplink_network=_network_of(config.uplink.interface),
        foreign_chains=_foreign_chains(config) if is_root else (),
        default_routes=_default_routes(),
        resolver_answers=_resolver_answers(config, clock),
        forwarding=(_is_on("ipv4/ip_forward"), _is_on("ipv6/conf/all/forwarding")),
        is_running=is_running,
        ports=_ports(config, is_running=is_running),
        dns=_dns(config, is_running=is_running),
        packets=_packets(config) if is_root else None,
        foreign=_foreign(config) if is_root else None,
        certificate=_certificate(config, clock),
        alerts=alerts_seen(config),
        flows=_flows(status or {}),
        key_copies=tuple((status or {}).get("overview", {}).get("key_copies", ())),
        connections_max=_connections_max(),
        neighbours_max=_neighbours_max(),
        accounts=len(member_directory.by_account),
        folder=_folder(Path(config.node.data_dir), Path(config.node.key_file).parent),
        clock=clock.state(),
        clock_says=f"{clock.civil():%Y-%m-%d %H:%M %Z}",
    )


def _read(path: Path) -> tuple[str | None, FileSeen]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.stat().st_size > FILE_BYTES_MAX:
            return None, FileSeen(str(path), f"it is larger than {FILE_BYTES_MAX} bytes", (), mode)
        return path.read_text(encoding="utf-8"), FileSeen(str(path), mode=mode)
    except UnicodeDecodeError:
        return None, FileSeen(str(path), "it is not text in UTF-8")
    except OSError as error:
        return None, FileSeen(str(path), f"it cannot be read: {(error.strerror or str(error)).lower()}")


def _checked(path: Path, find: Callable[[str], tuple[Finding, ...]]) -> FileSeen:
    text, seen = _read(path)
    return seen if text is None else FileSeen(seen.path, "", find(text), seen.mode)


def _rules(
    config: NodeConfig, member_directory: MemberDirectory, today: date | None
) -> tuple[FileSeen, bool | None]:
    """Findings as for a node that starts now: compared with the rules adopted before, if there are any. And whether the
    rules that it would use state how fast the line is. `today`: None while it is not known."""
    adopted, _ = _read(Path(config.node.data_dir) / RULES_COPY)
    book = None if adopted is None else reload_active_ruleset(adopted, member_directory, config.uplink.name)
    text, seen = _read(Path(config.rules.file))
    if text is None:
        return seen, None
    if book is None:
        ruleset, findings = examine(text, member_directory, config.uplink.name)
        states_line = None if ruleset is None else bool(ruleset.uplink_names)
        if ruleset is not None:
            findings += findings_in_force(config, ruleset, member_directory, today)
        return FileSeen(seen.path, "", findings, seen.mode), states_line
    considered = consider(book, text, member_directory)
    local = findings_in_force(config, considered.ruleset, member_directory, today)
    findings = (*considered.rejected, *considered.warnings, *local)
    file = FileSeen(seen.path, "", findings, seen.mode, considered.strained)
    return file, considered.own.uplink is not None


def _members(path: Path) -> tuple[FileSeen, MemberDirectory]:
    """The members file and its members. A node also runs without one; everyone is then a guest."""
    if not path.exists():
        return FileSeen(str(path)), NO_MEMBERS
    text, seen = _read(path)
    member_directory, findings = parse_members(text or "")
    return (
        seen if text is None else FileSeen(seen.path, "", findings, seen.mode)
    ), member_directory or NO_MEMBERS


def _node_key_findings(pem: str) -> tuple[Finding, ...]:
    try:
        key_from_pem(pem.encode())
    except ValueError as error:
        return (Finding("key", 0, f"{error}.", "put the key file back from a backup"),)
    return ()


def _later_secrets(path: Path) -> FileSeen | None:
    return _checked(path, later_secret_findings) if path.exists() else None


def _certificate(config: NodeConfig, clock: SystemClock) -> CertificateSeen | None:
    portal = config.portal
    if portal.certificate is None or portal.certificate_key is None:
        return None
    chain, key = Path(portal.certificate), Path(portal.certificate_key)
    files = CertificateFiles(chain, key, portal.host, clock.civil)
    files.look()
    found = files.certificate
    return CertificateSeen(
        path=str(chain),
        trouble=files.broken,
        distrust=files.distrust,
        ends=f"{found.ends:%Y-%m-%d}" if found else "",
        is_ending=found is not None and is_ending(found, clock.civil()),
        key_path=str(key),
        key_mode=stat.S_IMODE(key.stat().st_mode) if key.exists() else 0,
        has_radvd=installed("radvd") is not None,
    )


def _neighbours_max() -> int | None:
    """The smaller of the limits for IPv4 and IPv6."""
    found = [_lines(f"/proc/sys/net/{family}/neigh/default/gc_thresh3") for family in ("ipv4", "ipv6")]
    return min((int(lines[0]) for lines in found if lines), default=None)


def _connections_max() -> int | None:
    lines = _lines("/proc/sys/net/netfilter/nf_conntrack_max")
    return int(lines[0]) if lines else None


def _kernel(config: NodeConfig | None) -> tuple[KernelFeatures | None, str]:
    try:
        kernel = LinuxKernel("probe" if config is not None and config.uplink.flow_offload else None)
        try:
            return kernel.probe(), ""
        finally:
            kernel.close()
    except (NodeError, OSError) as error:
        return None, str(error)


def _interfaces() -> Mapping[str, Interface]:
    if not _INTERFACES.is_dir():
        return {}
    return {path.name: _interface(path) for path in _INTERFACES.iterdir() if (path / "flags").exists()}


def _interface(path: Path) -> Interface:
    try:
        flags = int((path / "flags").read_text(), 16)
        state = (path / "operstate").read_text().strip()
    except (OSError, ValueError):
        return Interface(is_up=False, has_link=False)
    # Tunnels and some virtual interfaces report no carrier: "unknown" is not "down".
    return Interface(is_up=bool(flags & _IFF_UP), has_link=state in {"up", "unknown"})


def _default_routes() -> tuple[str, ...]:
    """Interfaces that lead to the Internet."""
    tables = ("\n".join(_lines(f"/proc/net/{name}")) for name in ("route", "ipv6_route"))
    return tuple(dict.fromkeys(each.interface for each in default_routes(*tables)))


def _network_of(interface: str) -> IPv4Interface | None:
    """Address and netmask by netdevice(7)."""
    request = struct.pack("256s", interface[:15].encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            address, mask = (
                IPv4Address(fcntl.ioctl(any_socket, which, request)[20:24])
                for which in (_SIOCGIFADDR, _SIOCGIFNETMASK)
            )
        except OSError:
            return None
    return IPv4Interface(f"{address}/{mask}")


def _foreign_chains(config: NodeConfig) -> tuple[ForeignChain, ...]:
    try:
        nftables = Nftables()
    except NodeError:
        return ()  # the check of the kernel says so
    try:
        # Not the whole ruleset: the node's own sets can be long.
        tables = tables_of_filters(nftables.run("list chains"))
        listings = (nftables.run(f"list table {family} {name}") for family, name in tables)
        lan, ports = config.lan.interface, ports_for_people(config)
        return tuple(chain for listing in listings for chain in foreign_chains(listing, lan, ports))
    except NodeError as error:
        log.warning("the rules of other programs cannot be read: %s", error)
        return ()
    finally:
        nftables.close()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _is_on(switch: str) -> bool:
    return _lines(f"/proc/sys/net/{switch}")[:1] == ["1"]


def _status(config: NodeConfig) -> Mapping[str, Any] | None:
    """Status of the running node; None if none is running."""
    try:
        answer = console.ask(config.node.console_socket, {"ask": "status"})
    except NodeError:
        return None
    return answer if answer.get("ok") else None


def _flows(status: Mapping[str, Any]) -> FlowsSeen:
    """The count is read from the kernel, so it is known even if no node is running."""
    lines = _lines("/proc/sys/net/netfilter/nf_conntrack_count")
    told = status.get("overview", {}).get("flows", {})
    return FlowsSeen(
        int(lines[0]) if lines else 0,
        told.get("heaviest", ""),
        told.get("heaviest_flows", 0),
        tuple(told.get("warnings", ())),
    )


def _ports(config: NodeConfig, *, is_running: bool) -> tuple[PortSeen, ...]:
    """If the node is running, the ports are its own, and its status reports those it could not bind; those of dnsmasq are
    its own if that runs too."""
    lan = str(config.lan.address4.ip)
    own = _own_ports(config)
    wanted = [
        ("the welcoming page", lan, config.portal.port, "portal.port", socket.SOCK_STREAM),
        ("the admins' pages", config.admin.address, config.admin.port, "admin.port", socket.SOCK_STREAM),
    ]
    if config.portal.certificate is not None:
        https = ("the welcoming page by https", lan, config.portal.https_port, "portal.https_port")
        wanted.append((*https, socket.SOCK_STREAM))
    if config.admin.lan:
        https = ("the admins' pages by https", lan, config.admin.https_port, "admin.https_port")
        wanted.append((*https, socket.SOCK_STREAM))
    if config.mesh.interfaces or config.mesh.peers:
        wanted.append(("other nodes", "::", config.mesh.port, "mesh.port", socket.SOCK_STREAM))
    if config.mesh.respondd:
        wanted.append(("respondd", "::", RESPONDD_PORT, "mesh.respondd", socket.SOCK_DGRAM))
    names = ("names for those who are not online yet", lan, config.portal.dns_port, "portal.dns_port")
    wanted.append((*names, socket.SOCK_DGRAM))
    if config.lan.dhcp == "managed":
        wanted.append(("names", lan, 53, "lan.dhcp", socket.SOCK_DGRAM))
        wanted.append(("addresses", f"0.0.0.0%{config.lan.interface}", 67, "lan.dhcp", socket.SOCK_DGRAM))
    return tuple(
        PortSeen(purpose, where, number, setting)
        if number in own or (is_running and setting not in _DNSMASQ_SETTINGS)
        else _port(PortSeen(purpose, where, number, setting), kind)
        for purpose, where, number, setting, kind in wanted
    )


def _port(port: PortSeen, kind: socket.SocketKind) -> PortSeen:
    """With what is in its way, if something is."""
    trouble = _port_trouble(port.where, port.number, kind)
    holder, cgroup = _holder(port.where, port.number, kind) if trouble else ("", "")
    return replace(port, trouble=trouble, holder=holder, cgroup=cgroup)


def _holder(where: str, number: int, kind: socket.SocketKind) -> tuple[str, str]:
    """The program with a socket on a port of this address or of all, and its control group; empty where there is
    none."""
    protocol, state = ("tcp", _TCP_LISTEN) if kind == socket.SOCK_STREAM else ("udp", _UDP_UNCONNECTED)
    rows = [line.split() for family in ("", "6") for line in _lines(f"/proc/net/{protocol}{family}")[1:]]
    ends = {f"{address}:{number:04X}" for address in (_hexadecimal(where), "0" * 8, "0" * 32)}
    sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == state and row[1] in ends}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if not sockets.isdisjoint(str(each.readlink()) for each in (process / "fd").iterdir()):
                name, cgroup = ((process / file).read_text().strip() for file in ("comm", "cgroup"))
                return name, cgroup
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return "", ""


def _hexadecimal(where: str) -> str:
    """An address as in /proc/net: 32 bits at a time in the order of the processor."""
    packed = ip_address(where.partition("%")[0]).packed
    return "".join(
        f"{int.from_bytes(packed[at : at + 4], sys.byteorder):08X}" for at in range(0, len(packed), 4)
    )


def _own_ports(config: NodeConfig) -> frozenset[int]:
    """Ports of this node's resolvers that have outlived it, after a crash: it takes them over when it starts."""
    programs = {"dnsmasq": (53, 67), CAPTIVE_DNS: (config.portal.dns_port,)}
    run_dir = Path(config.node.run_dir)
    running = (ports for name, ports in programs.items() if Dnsmasq(str, run_dir, (), name=name).pid())
    return frozenset(port for ports in running for port in ports)


def _port_trouble(where: str, number: int, kind: socket.SocketKind) -> str:
    """Of an address, which an interface may follow, as in ss(8): a DHCP server for another interface is not in the
    way. Empty also if there is no such interface, which the check of the interfaces says."""
    address, _, interface = where.partition("%")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as attempt:
        if kind == socket.SOCK_STREAM:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The node sets the LAN address when it starts, so it may be missing now.
        attempt.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        try:
            if interface:
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            attempt.bind((address, number))
        except OSError as error:
            return "" if error.errno == errno.ENODEV else (error.strerror or str(error)).lower()
    return ""


def _resolver_answers(config: NodeConfig, clock: SystemClock) -> bool | None:
    """Asks as the node does, and as often as it does before it reports an outage."""
    if config.uplink.interface not in _default_routes():
        return None
    upstream = UpstreamResolvers(config.lan.dns_upstream, clock.monotonic)
    return any(asyncio.run(upstream.ask()) is not ResolverReply.NONE for _ in range(SILENT_ROUNDS))


def _packets(config: NodeConfig) -> PacketsSeen | None:
    """The path is measured to the first resolver with an IPv4 address."""
    if config.uplink.interface not in _default_routes():
        return None
    uplink = interface_mtu(config.uplink.interface)
    resolvers = config.lan.dns_upstream or system_resolvers()
    target = next((resolver for resolver in resolvers if ":" not in resolver), "")
    path = path_mtu(target, uplink) if target else None
    return PacketsSeen(interface_mtu(config.lan.interface), uplink, path, target)


def _foreign(config: NodeConfig) -> tuple[str, ...] | None:
    """Searches also for a node that does not run; with external DHCP, other servers are intended."""
    servers = None if config.lan.dhcp == "external" else listen(config.lan.interface)
    return None if servers is None else warnings(servers)


def _dns(config: NodeConfig, *, is_running: bool) -> DnsSeen:
    both = ("dnsmasq", CAPTIVE_DNS)
    runs = all(Dnsmasq(str, Path(config.node.run_dir), (), name=name).pid() is not None for name in both)
    must_answer = is_running or config.lan.dhcp == "external"
    answer = _resolve(config.portal.host, str(config.lan.address4.ip)) if must_answer else ""
    return DnsSeen(installed("dnsmasq"), runs, answer)


def _resolve(name: str, server: str) -> str:
    """IPv4 address of `name` according to `server`; empty without an answer (RFC 1035, section 4.1)."""
    question = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0)
    question += b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question += b"\0" + struct.pack("!2H", _ADDRESS_RECORD, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(DNS_WAIT_S)
        try:
            line.connect((server, 53))
            line.send(question)
            answer = line.recv(512)
        except OSError:
            return ""
    answers = struct.unpack("!H", answer[6:8])[0] if len(answer) >= len(question) + 16 else 0
    # The portal's name has one A record, at the end of the answer: the last four bytes are the address.
    return ".".join(str(each) for each in answer[-4:]) if answers and answer[:2] == question[:2] else ""


def acknowledge_losses(config_path: Path) -> None:
    """Acknowledge the database's losses; the only function here that changes something. Raises NodeError."""
    text, _ = _read(config_path)
    config, _ = parse_config(text or "")
    if config is None:
        return  # the checks that follow report it
    path = Path(config.node.data_dir) / LOSSES
    try:
        acknowledge(path)
    except OSError as error:
        raise NodeError(f"{path} cannot be deleted: {error.strerror}", "run this as root") from error


def _folder(path: Path, keys: Path) -> FolderSeen:
    there = next(each for each in (path, *path.parents) if each.exists())
    trouble = "" if os.access(there, os.W_OK) else "permission denied"
    try:
        room = os.statvfs(there)
        if room.f_flag & os.ST_RDONLY:
            trouble = "the disk is read-only"
        free = room.f_bavail * room.f_frsize
    except OSError as error:
        trouble, free = (error.strerror or str(error)).lower(), 0
    database = path / "procomu.db"
    marker = read_marker(keys / MARKER)
    return FolderSeen(
        str(path),
        trouble,
        free,
        _database(database),
        mode=_mode(path),
        database_mode=_mode(database),
        since=marker.since if marker is not None else "",
        losses=tuple(loss.text for loss in read_losses(path / LOSSES)),
        damaged_record=_damaged_record(database),
    )


def _damaged_record(database: Path) -> int:
    """0 also for a database without the log, or one that cannot be read: that is reported elsewhere."""
    try:
        if not database.exists():
            return 0
        db = open_to_read(database)
        try:
            return load_history(db)[1]
        finally:
            db.close()
    except (*UNREADABLE, OSError):
        return 0


def _mode(path: Path) -> int:
    """Permission bits; 0 if the file does not exist or cannot be accessed."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _database(path: Path) -> str:
    try:
        if not path.exists() or not path.stat().st_size:
            return "none"
    except PermissionError:
        return "private"
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            return str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        return str(error)


def path_mtu(target: str, most: int) -> int | None:
    """The largest of `most` and the `SIZES` below it, in bytes, for which `target` answers an ICMP echo request that
    must not be fragmented (IPv4). None if it never answers, or without permission for raw sockets."""
    sizes = (_SMALL, *(size for size in SIZES if size < most), most)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as line:
            line.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
            line.connect((target, 0))
            largest = 0
            for _ in range(ECHO_ROUNDS):
                missing = [size for size in sizes if size > largest]
                largest = max((largest, *_echoed(line, missing)))
                if largest in {0, most}:
                    break
    except OSError:
        return None
    return largest if largest > _SMALL else None


def _echoed(line: socket.socket, sizes: Collection[int]) -> set[int]:
    """Those of `sizes` for which an echo request of that many bytes, IP header included, is answered. All are sent at
    once, so that a pause of this process or a full line costs one round, not one size."""
    waiting: dict[bytes, int] = {}
    for size in sizes:
        token = secrets.token_bytes(8)
        body = (struct.pack("!HH", os.getpid() & 0xFFFF, 1) + token).ljust(size - _IP_HEADER - 4, b"\0")
        total = _checksum(struct.pack("!BBH", _ECHO_REQUEST, 0, 0) + body)
        with contextlib.suppress(OSError):  # larger than the interface's MTU, or the answer to an earlier one
            line.send(struct.pack("!BBH", _ECHO_REQUEST, 0, total) + body)
        waiting[token] = size
    answered: set[int] = set()
    ends = time.monotonic() + ECHO_WAIT_S
    while waiting and (left := ends - time.monotonic()) > 0:
        line.settimeout(left)
        try:
            packet = line.recv(65_536)
        except TimeoutError:
            break
        except OSError:
            continue  # an ICMP error: a router says that one of them is too large
        head = (packet[0] & 0x0F) * 4
        if packet[head] == _ECHO_REPLY and (size := waiting.pop(packet[head + 8 : head + 16], 0)):
            answered.add(size)
    return answered


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071); an odd length is padded with a zero byte."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
